package migrate

import (
	"context"
	"io"
	"iter"
	"sync"
	"time"
)

// observeEvery is the shortest time between two events of one run.
const observeEvery = 100 * time.Millisecond

// countingReader applies the job's filter and counts what is read. A sink may read an attribute
// in several passes, or a file again after an error, so each counts up to the furthest point
// that was reached.
type countingReader struct {
	RunReader
	filter Filter
	tell   func(Totals)

	mu     sync.Mutex
	sum    Totals
	points map[attribute]int64
	refs   map[string]int     // how often the attributes name a FileRef.Key
	files  map[string][]int64 // bytes read of each of these
	told   time.Time
}

// attribute identifies what is counted once. Old archives have two kinds under one path.
type attribute struct {
	path string
	kind Kind
}

func newCountingReader(r RunReader, f Filter, tell func(Totals)) *countingReader {
	return &countingReader{
		RunReader: r, filter: f, tell: tell,
		points: map[attribute]int64{}, refs: map[string]int{}, files: map[string][]int64{}, told: time.Now(),
	}
}

func (r *countingReader) totals() Totals {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sum
}

func (r *countingReader) Chunks(ctx context.Context, want Want) iter.Seq2[Chunk, error] {
	return func(yield func(Chunk, error) bool) {
		var last attribute
		var read int64
		for chunk, err := range r.RunReader.Chunks(ctx, r.both(want)) {
			if err == nil {
				if now := (attribute{chunk.Path, chunk.Kind}); now != last {
					last, read = now, 0
				}
				read += int64(chunk.Len())
				r.count(last, read, chunk.Values)
			}
			if !yield(chunk, err) || err != nil {
				return
			}
		}
	}
}

func (r *countingReader) both(want Want) Want {
	switch {
	case r.filter.All():
		return want
	case want == nil:
		return r.filter.Match
	}
	return func(path string, k Kind) bool { return r.filter.Match(path, k) && want(path, k) }
}

// count enters values that end after read points of their attribute.
func (r *countingReader) count(a attribute, read int64, values Values) {
	r.update(func() {
		before, known := r.points[a]
		if !known {
			r.sum.Attributes++
		}
		if read > before || !known {
			r.points[a] = read
			if files, ok := values.(Files); ok {
				for _, ref := range files[max(0, int64(len(files))-(read-before)):] {
					r.refs[ref.Key]++
				}
			}
			if a.kind.Series() {
				r.sum.Points += read - before
			}
		}
	})
}

func (r *countingReader) OpenFile(ctx context.Context, ref FileRef) (io.ReadCloser, error) {
	body, err := r.RunReader.OpenFile(ctx, ref)
	if err != nil {
		return nil, err
	}
	return &countingBody{ReadCloser: body, r: r, key: ref.Key, nth: r.opened(ref.Key)}, nil
}

// opened counts a file, and gives its place among those of that key. What is opened more often than attributes name it is
// read again.
func (r *countingReader) opened(key string) (nth int) {
	r.update(func() {
		if len(r.files[key]) < max(r.refs[key], 1) {
			r.files[key] = append(r.files[key], 0)
			r.sum.Files++
		}
		nth = len(r.files[key]) - 1
	})
	return nth
}

// countingBody is one opened file.
type countingBody struct {
	io.ReadCloser
	r    *countingReader
	key  string
	nth  int
	read int64
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	b.r.update(func() {
		if before := b.r.files[b.key][b.nth]; b.read > before {
			b.r.files[b.key][b.nth] = b.read
			b.r.sum.Bytes += b.read - before
		}
	})
	return n, err
}

// update changes the counts, and tells of them if that is due.
func (r *countingReader) update(change func()) {
	r.mu.Lock()
	change()
	now := time.Now()
	due := now.Sub(r.told) >= observeEvery
	if due {
		r.told = now
	}
	sum := r.sum
	r.mu.Unlock()
	if due {
		r.tell(sum)
	}
}
