package parquetstore

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"

	migrate "github.com/nexport-go/migrate"
)

// readRows is how many rows are decoded at a time.
const readRows = 4096

// points gathers rows of one series.
type points struct {
	attr   *attr
	steps  []migrate.Step
	times  []int64
	floats []float64
	texts  []string // strings, or the paths of files
	hists  []migrate.Histogram
	bytes  int
	seen   int          // points so far, with those yielded before
	last   migrate.Step // the largest step so far
	broken bool         // not in step order
	lost   losses
}

func (b *points) len() int { return len(b.steps) }

// keep appends a point's step and time. Its value is appended by the caller.
func (b *points) keep(step migrate.Step, hasStep bool, time int64) {
	if !hasStep {
		step = migrate.Step(b.seen) * migrate.StepUnit
	}
	b.steps = append(b.steps, step)
	b.times = append(b.times, time)
	b.order(step)
}

// order takes the next point's step into account.
func (b *points) order(step migrate.Step) {
	if b.seen > 0 && step < b.last {
		b.broken = true
	}
	b.last = max(b.last, step)
	if b.seen == 0 {
		b.last = step
	}
	b.seen++
}

// located is a span of one of several series.
type located struct {
	span
	of int
}

// gather reads several small series in one go and yields them one after the other.
func (p *pass) gather(series []*attr) error {
	batches := make([]*points, len(series))
	var rows []located
	for i, a := range series {
		batches[i] = &points{attr: a}
		for _, s := range a.spans {
			rows = append(rows, located{s, i})
		}
	}
	slices.SortFunc(rows, func(a, b located) int {
		return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.group, b.group), cmp.Compare(a.start, b.start))
	})
	buf := &rowBuffer{}
	for _, l := range rows {
		if p.ctx.Err() != nil {
			return context.Cause(p.ctx)
		}
		p.read(l.span, batches[l.of], buf, func() {})
	}
	for i, b := range batches {
		p.reader.noteLosses(b.attr, &b.lost)
		p.flush(b)
		batches[i] = nil
		if p.ended {
			return nil
		}
	}
	return nil
}

// large streams a series that is in step order, and holds it whole otherwise.
func (p *pass) large(a *attr) error {
	sorted, err := p.inOrder(a)
	if err != nil {
		return err
	}
	b, buf := &points{attr: a}, &rowBuffer{}
	defer func() { p.reader.noteLosses(a, &b.lost) }()
	for _, s := range a.spans {
		if p.ctx.Err() != nil {
			return context.Cause(p.ctx)
		}
		p.read(s, b, buf, func() {
			if sorted && (b.len() >= migrate.MaxChunkPoints || b.bytes >= migrate.MaxChunkBytes) {
				p.flush(b)
			}
		})
		if p.ended {
			return nil
		}
	}
	p.flush(b)
	return nil
}

// inOrder reads a series' steps alone. What cannot be read is told when the values are.
func (p *pass) inOrder(a *attr) (bool, error) {
	var order points
	words, states := make([]int64, readRows), make([]byte, readRows)
	for _, s := range a.spans {
		if p.ctx.Err() != nil {
			return false, context.Cause(p.ctx)
		}
		_ = guard(func() error {
			cur, err := p.at(s)
			if err != nil {
				return err
			}
			for row := 0; row < int(s.n); row += readRows {
				n := min(readRows, int(s.n)-row)
				if err := cur.words(colStep, int(s.start)+row, words[:n], states[:n]); err != nil {
					return err
				}
				for i, word := range words[:n] {
					if states[i] == present {
						order.order(migrate.Step(word))
					} else if states[i] == absent {
						order.order(migrate.Step(order.seen) * migrate.StepUnit)
					}
				}
			}
			return nil
		})
	}
	return !order.broken, nil
}

// rowBuffer holds some rows' columns between calls.
type rowBuffer struct {
	steps, times, floats              []int64
	texts                             []string
	stepStates, timeStates, valStates []byte
}

func (b *rowBuffer) size(n int) {
	if len(b.steps) >= n {
		return
	}
	n = min(max(n, 64), readRows)
	b.steps, b.times, b.floats = make([]int64, n), make([]int64, n), make([]int64, n)
	b.texts = make([]string, n)
	b.stepStates, b.timeStates, b.valStates = make([]byte, n), make([]byte, n), make([]byte, n)
}

// read appends a span's points to b. After each piece it calls more.
func (p *pass) read(s span, b *points, buf *rowBuffer, more func()) {
	for row := 0; row < int(s.n) && !p.ended; row += readRows {
		n := min(readRows, int(s.n)-row)
		buf.size(n)
		err := guard(func() error {
			cur, err := p.at(s)
			if err != nil {
				return err
			}
			return p.readSome(cur, int(s.start)+row, n, b, buf)
		})
		if err != nil {
			b.lost.rows.add(int(s.n)-row, p.place(s, err))
			return
		}
		more()
	}
}

func (p *pass) readSome(cur *cursor, row, n int, b *points, buf *rowBuffer) error {
	if err := cur.words(colStep, row, buf.steps[:n], buf.stepStates[:n]); err != nil {
		return err
	}
	if err := cur.words(colTime, row, buf.times[:n], buf.timeStates[:n]); err != nil {
		return err
	}
	for i := range n {
		if buf.timeStates[i] != present {
			buf.times[i] = migrate.NoTime
		}
	}
	var hists []migrate.Histogram
	var err error
	switch classOf(b.attr.kind) {
	case classFloat:
		err = cur.words(colFloat, row, buf.floats[:n], buf.valStates[:n])
	case classHist:
		hists, err = readHistograms(cur, row, n, buf.valStates)
	case classFile:
		err = cur.strings(colFile, row, buf.texts[:n], buf.valStates[:n])
	default:
		err = cur.strings(colString, row, buf.texts[:n], buf.valStates[:n])
	}
	if err != nil {
		return err
	}
	if classOf(b.attr.kind) == classFloat && b.appendFloats(buf, n) {
		return nil
	}
	var elsewhere []string // the columns of values that are not where they should be
	if bytes.IndexByte(buf.valStates[:n], absent) >= 0 && !p.reader.run.recorded {
		elsewhere = misplaced(cur, row, n, b.attr.kind)
	}
	p.keepRows(b, buf, hists, n, cur.strange(colStep), elsewhere)
	return nil
}

// appendFloats is keepRows for the usual case that all is there.
func (b *points) appendFloats(buf *rowBuffer, n int) bool {
	for i := range n {
		if buf.stepStates[i]|buf.timeStates[i]|buf.valStates[i] != present {
			return false
		}
	}
	start := len(b.steps)
	b.steps, b.times, b.floats = grow(b.steps, n, b.attr), grow(b.times, n, b.attr), grow(b.floats, n, b.attr)
	copy(b.times[start:], buf.times[:n])
	floats, steps := b.floats[start:], b.steps[start:]
	for i, word := range buf.floats[:n] {
		floats[i] = math.Float64frombits(uint64(word))
	}
	for i, word := range buf.steps[:n] {
		steps[i] = migrate.Step(word)
		b.order(migrate.Step(word))
	}
	return true
}

// grow makes a slice longer, at first to what a chunk can need.
func grow[T any](s []T, n int, a *attr) []T {
	if s == nil {
		s = make([]T, 0, max(n, min(a.rows, migrate.MaxChunkPoints)))
	}
	return slices.Grow(s, n)[:len(s)+n]
}

// keepRows appends those of the rows that are points. strangeSteps are the texts of strange ones, elsewhere is what misplaced
// says, or nil.
func (p *pass) keepRows(b *points, buf *rowBuffer, hists []migrate.Histogram, n int, strangeSteps, elsewhere []string) {
	a := b.attr
	for i := range n {
		hasStep, hasTime, hasValue := buf.stepStates[i] != absent, buf.timeStates[i] == present, buf.valStates[i] == present
		if !hasValue && elsewhere != nil && elsewhere[i] != "" {
			b.lost.odd.add(1, "the value is in column "+elsewhere[i])
			continue
		}
		if !hasValue && !hasTime {
			if hasStep {
				p.counts.padding++
			} else {
				p.counts.phantom++
			}
			continue
		}
		if buf.stepStates[i] == strange {
			b.lost.steps.add(1, strangeSteps[buf.steps[i]])
			continue
		}
		if !hasStep {
			p.reader.notef(a.path, a.kind, migrate.CodeSuspect, "points without steps are numbered from 0 in the order of rows")
		}
		switch classOf(a.kind) {
		case classFloat:
			v := math.NaN()
			if hasValue {
				v = math.Float64frombits(uint64(buf.floats[i]))
			}
			b.floats = append(b.floats, v)
		case classHist:
			if !hasValue {
				b.noValue(buf, i)
				continue
			}
			b.hists = append(b.hists, hists[i])
			b.bytes += 16 * len(hists[i].Edges)
		default:
			if !hasValue && !p.reader.mayBePathless(a.path, a.kind) {
				b.noValue(buf, i)
				continue
			}
			b.texts = append(b.texts, buf.texts[i]) // empty if there is none
			b.bytes += len(buf.texts[i])
		}
		b.keep(migrate.Step(buf.steps[i]), hasStep, buf.times[i])
	}
}

// noValue counts a row that has a time but no value.
func (b *points) noValue(buf *rowBuffer, i int) {
	name := "none"
	if buf.stepStates[i] == present {
		name = migrate.Step(buf.steps[i]).String()
	}
	b.lost.values.add(1, name)
}

// flush yields what is gathered, in step order.
func (p *pass) flush(b *points) {
	if b.broken {
		b.sort()
	}
	for b.len() > 0 && !p.ended {
		n := b.fit()
		c := migrate.Chunk{Path: b.attr.path, Kind: b.attr.kind, Steps: cut(&b.steps, n), Times: cut(&b.times, n)}
		switch classOf(b.attr.kind) {
		case classFloat:
			c.Values = migrate.Floats(cut(&b.floats, n))
		case classHist:
			c.Values = migrate.Histograms(cut(&b.hists, n))
		case classFile:
			p.fileChunk(&c, cut(&b.texts, n))
		default:
			c.Values = migrate.Strings(cut(&b.texts, n))
		}
		p.send(c)
	}
	*b = points{attr: b.attr, seen: b.seen, last: b.last, lost: b.lost}
}

// cut takes the first n of s, so that appending to them does not touch the others.
func cut[T any](s *[]T, n int) []T {
	first := (*s)[:n:n]
	*s = (*s)[n:]
	return first
}

// fit is how many points make one chunk.
func (b *points) fit() int {
	n := min(b.len(), migrate.MaxChunkPoints)
	if b.bytes < migrate.MaxChunkBytes {
		return n
	}
	size := 0
	for i := range n {
		if b.hists != nil {
			size += 16 * len(b.hists[i].Edges)
		} else if b.texts != nil {
			size += len(b.texts[i])
		}
		if size > migrate.MaxChunkBytes {
			return max(i, 1)
		}
	}
	return n
}

// sort puts the points in step order; those of one step stay as they are.
func (b *points) sort() {
	perm := make([]int, b.len())
	for i := range perm {
		perm[i] = i
	}
	slices.SortStableFunc(perm, func(i, j int) int { return cmp.Compare(b.steps[i], b.steps[j]) })
	b.steps, b.times = permute(b.steps, perm), permute(b.times, perm)
	b.floats, b.texts, b.hists = permute(b.floats, perm), permute(b.texts, perm), permute(b.hists, perm)
}

func permute[T any](s []T, perm []int) []T {
	if s == nil {
		return nil
	}
	out := make([]T, len(s))
	for i, k := range perm {
		out[i] = s[k]
	}
	return out
}
