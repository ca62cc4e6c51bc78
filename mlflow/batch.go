package mlflow

import "github.com/nexport-go/migrate/convert"

// batch collects what one backend.log writes, up to its limits. It can be used again after reset.
type batch struct {
	limits batchLimits
	points []keyedPoint // those of one key are adjacent
	params []param
	tags   []convert.Tag

	keys  int // distinct keys of points
	width int // of the last key, as JSON
	bytes int // about the size of the whole as JSON, rather too large
}

// batchLimits are the largest numbers of what a batch may have.
type batchLimits struct{ points, keys, params, tags, bytes int }

type keyedPoint struct {
	key string
	point
}

type param struct{ key, value string }

func (b *batch) reset() {
	*b = batch{limits: b.limits, points: b.points[:0], params: b.params[:0], tags: b.tags[:0]}
}

func (b *batch) len() int { return len(b.params) + len(b.points) + len(b.tags) }

// data counts what is not about the load itself.
func (b *batch) data() int64 { return int64(len(b.params) + len(b.points)) }

// restOfPoint is more than a point takes as JSON beside its key.
const restOfPoint = 128

// addPoint appends a point; ok is false, and nothing changed, if the batch is full.
func (b *batch) addPoint(key string, p point) (ok bool) {
	another := len(b.points) == 0 || key != b.points[len(b.points)-1].key
	if another {
		if b.keys == b.limits.keys {
			return false
		}
		b.keys++
		b.width = sizeJSON(key)
	}
	if len(b.points) == b.limits.points || b.bytes+b.width+restOfPoint > b.limits.bytes {
		return false
	}
	b.bytes += b.width + restOfPoint
	b.points = append(b.points, keyedPoint{key, p})
	return true
}

// addParam appends a param. The first fits always.
func (b *batch) addParam(key, value string) (ok bool) {
	if !b.fits(len(b.params), b.limits.params, key, value) {
		return false
	}
	b.params = append(b.params, param{key, value})
	return true
}

// addTag appends a tag. The first fits always.
func (b *batch) addTag(t convert.Tag) (ok bool) {
	if !b.fits(len(b.tags), b.limits.tags, t.Key, t.Value) {
		return false
	}
	b.tags = append(b.tags, t)
	return true
}

func (b *batch) fits(count, most int, key, value string) bool {
	size := len(`{"key":,"value":},`) + sizeJSON(key) + sizeJSON(value)
	if count == most || count > 0 && b.bytes+size > b.limits.bytes {
		return false
	}
	b.bytes += size
	return true
}

// part gives entries from..to of b in the order params, points, tags. It shares their memory.
func (b *batch) part(from, to int) batch {
	cut := func(start, n int) (int, int) { return min(max(from-start, 0), n), min(max(to-start, 0), n) }
	part := batch{limits: b.limits, bytes: b.bytes}
	lo, hi := cut(0, len(b.params))
	part.params = b.params[lo:hi]
	lo, hi = cut(len(b.params), len(b.points))
	part.points = b.points[lo:hi]
	lo, hi = cut(len(b.params)+len(b.points), len(b.tags))
	part.tags = b.tags[lo:hi]
	return part
}
