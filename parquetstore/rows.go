package parquetstore

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/parquet"
	migrate "github.com/nexport-go/migrate"
)

// maxNarrowStep is the largest number of millionths that decimal(18,6) holds.
const maxNarrowStep = 1_000_000_000_000_000_000 - 1

// maxValue is the largest value that is written, so that it fits a page that readers accept.
const maxValue = 256 << 20

// levels are the definition levels of a column, as stretches of equal ones.
type levels []levelRun

type levelRun struct {
	level int16
	n     int
}

func (l *levels) add(level int16, n int) {
	if last := len(*l) - 1; last >= 0 && (*l)[last].level == level {
		(*l)[last].n += n
	} else if n > 0 {
		*l = append(*l, levelRun{level, n})
	}
}

// count is how many rows there are, and in how many the level is not 0.
func (l levels) count() (rows, present int) {
	for _, run := range l {
		rows += run.n
		if run.level > 0 {
			present += run.n
		}
	}
	return rows, present
}

// expand writes one level for each value to dst.
func (l levels) expand(dst []int16) []int16 {
	dst = dst[:0]
	for _, run := range l {
		dst = appendMany(dst, run.level, run.n)
	}
	return dst
}

// appendMany appends the same value n times.
func appendMany[T any](dst []T, value T, n int) []T {
	from := len(dst)
	dst = slices.Grow(dst, n)[:from+n]
	for i := range dst[from:] {
		dst[from+i] = value
	}
	return dst
}

// rows gathers rows of one row group, as columns. Columns that a row does not have are filled up
// with nulls when they are next added to, or at the end.
type rows struct {
	n     int
	bytes int // about, of the values
	wide  bool

	paths, kinds names
	have         [numCols]int // rows of the column so far
	defs         [numCols]levels
	reps         [numCols][]int16 // lists only

	steps, times, ints, datetimes []int64
	floats                        []float64
	texts, sets, files, histTypes []parquet.ByteArray
	bools                         []bool
	edges, values                 []float64

	scratch scratch // of the part that is written to
}

func (w *writing) takeRows() *rows {
	if r, ok := w.rows.Get().(*rows); ok {
		return r
	}
	return &rows{}
}

// maxKeptPage is how large pages may have been whose memory is used again.
const maxKeptPage = 16 << 20

// maxKeptNames is how many names rows may have had that are used again: a map never shrinks.
const maxKeptNames = 10_000

func (w *writing) giveRows(r *rows) {
	if cap(r.paths.list) <= maxKeptNames {
		if cap(r.scratch.page)+cap(r.scratch.packed) > maxKeptPage {
			r.scratch = scratch{}
		}
		r.reset()
		w.rows.Put(r)
	}
}

// names is a column of few different strings, as stretches of rows with the same one.
type names struct {
	index map[string]int32
	list  []string
	runs  []nameRun
}

// nameRun are n rows with the string of an index in names.list.
type nameRun struct {
	index int32
	n     int
}

func (c *names) add(name string, n int) (fresh bool) {
	if c.index == nil {
		c.index = map[string]int32{}
	}
	i, known := c.index[name]
	if !known {
		i = int32(len(c.list))
		c.index[name] = i
		c.list = append(c.list, name)
	}
	if last := len(c.runs) - 1; last >= 0 && c.runs[last].index == i {
		c.runs[last].n += n
	} else {
		c.runs = append(c.runs, nameRun{i, n})
	}
	return !known
}

// long reports whether the stretches are so long on average that nothing is gained by packing
// single rows.
func (c *names) long(rows int) bool { return len(c.runs) > 0 && 8*len(c.runs) <= rows }

// indices are those of all rows.
func (c *names) indices() (all []int32) {
	for _, run := range c.runs {
		all = appendMany(all, run.index, run.n)
	}
	return all
}

func (c *names) reset() {
	clear(c.index)
	c.list, c.runs = c.list[:0], c.runs[:0]
}

// numbers is a column of 64-bit values that is no list. It has ints or floats.
type numbers struct {
	defs   levels
	ints   []int64
	floats []float64
}

// reset makes room for the next row group and keeps the memory.
func (b *rows) reset() {
	b.n, b.bytes, b.wide = 0, 0, false
	b.paths.reset()
	b.kinds.reset()
	for id := range b.defs {
		b.have[id], b.defs[id], b.reps[id] = 0, b.defs[id][:0], b.reps[id][:0]
	}
	b.steps, b.times, b.ints, b.datetimes = b.steps[:0], b.times[:0], b.ints[:0], b.datetimes[:0]
	b.floats, b.bools, b.edges, b.values = b.floats[:0], b.bools[:0], b.edges[:0], b.values[:0]
	for _, s := range []*[]parquet.ByteArray{&b.texts, &b.sets, &b.files, &b.histTypes} {
		clear(*s) // the strings themselves are to be freed
		*s = (*s)[:0]
	}
}

// empty reports whether a column of values has nothing but nulls.
func (b *rows) empty(id int) bool {
	return b.n > 0 && id > colTime && !slices.ContainsFunc(b.defs[id], func(run levelRun) bool { return run.level > 0 })
}

// fill brings a column up to the given row with nulls.
func (b *rows) fill(id, row int) {
	b.defs[id].add(0, row-b.have[id])
	if id == colSet || id == colHistEdges || id == colHistValues {
		b.reps[id] = appendMany(b.reps[id], 0, row-b.have[id])
	}
	b.have[id] = row
}

// mark says that the next n rows of a column are there, at a level.
func (b *rows) mark(id int, level int16, n int) {
	b.fill(id, b.n)
	b.defs[id].add(level, n)
	b.have[id] += n
}

// add appends the values from lo up to hi of a chunk. Files are given by their paths.
func (b *rows) add(c migrate.Chunk, files []string, lo, hi int) error {
	n := hi - lo
	if b.paths.add(c.Path, n) {
		b.bytes += len(c.Path)
	}
	b.kinds.add(string(c.Kind), n)
	if c.Kind.Series() {
		b.addSteps(c.Steps[lo:hi])
		b.addTimes(c.Times[lo:hi])
	}
	if err := b.addValues(c, files, lo, hi); err != nil {
		return err
	}
	b.n += n
	b.bytes += 24 * n
	return nil
}

// room makes room for n more values. What is long doubles, other than by append: these columns grow by chunk after
// chunk to a whole row group, and would be copied a dozen times.
func room[T any](s []T, n int) []T {
	if cap(s)-len(s) < n {
		return slices.Grow(s, max(n, len(s)))
	}
	return s
}

func (b *rows) addSteps(steps []migrate.Step) {
	b.mark(colStep, 1, len(steps))
	b.steps = room(b.steps, len(steps))
	for _, s := range steps {
		b.steps = append(b.steps, int64(s))
		if s > maxNarrowStep || s < -maxNarrowStep {
			b.wide = true
		}
	}
}

func (b *rows) addTimes(times []int64) {
	b.fill(colTime, b.n)
	b.have[colTime] += len(times)
	for len(times) > 0 {
		n := slices.Index(times, migrate.NoTime)
		if n < 0 {
			n = len(times)
		}
		b.defs[colTime].add(1, n)
		b.times = append(room(b.times, n), times[:n]...)
		if times = times[n:]; len(times) > 0 {
			b.defs[colTime].add(0, 1)
			times = times[1:]
		}
	}
}

func (b *rows) addValues(c migrate.Chunk, files []string, lo, hi int) error {
	switch v := c.Values.(type) {
	case migrate.Ints:
		b.mark(colInt, 1, hi-lo)
		b.ints = append(b.ints, v[lo:hi]...)
	case migrate.Floats:
		b.mark(colFloat, 1, hi-lo)
		b.floats = append(room(b.floats, hi-lo), v[lo:hi]...)
	case migrate.Bools:
		b.mark(colBool, 1, hi-lo)
		b.bools = append(b.bools, v[lo:hi]...)
	case migrate.Datetimes:
		b.mark(colDatetime, 1, hi-lo)
		b.datetimes = append(b.datetimes, v[lo:hi]...)
	case migrate.Strings:
		b.mark(colString, 1, hi-lo)
		for _, s := range v[lo:hi] {
			b.texts = append(b.texts, b.text(s))
		}
		if files != nil { // of an artifact
			b.addFiles(files[lo:hi])
		}
	case migrate.StringSets:
		for i, set := range v[lo:hi] {
			b.addSet(b.n+i, set)
		}
	case migrate.Histograms:
		for i, h := range v[lo:hi] {
			b.addHistogram(b.n+i, h)
		}
	case migrate.Files:
		b.addFiles(files[lo:hi])
	default:
		return fmt.Errorf("values of type %T cannot be written", c.Values)
	}
	return nil
}

func (b *rows) text(s string) parquet.ByteArray {
	b.bytes += len(s)
	return parquet.ByteArray(s)
}

func (b *rows) addFiles(paths []string) {
	b.fill(colFile, b.n)
	for _, p := range paths {
		if p == "" {
			b.defs[colFile].add(0, 1)
			continue
		}
		b.defs[colFile].add(2, 1)
		b.files = append(b.files, b.text(p))
	}
	b.have[colFile] += len(paths)
}

func (b *rows) addSet(row int, set []string) {
	b.fill(colSet, row)
	for _, s := range set {
		b.sets = append(b.sets, b.text(s))
	}
	b.list(colSet, len(set), 1)
}

func (b *rows) addHistogram(row int, h migrate.Histogram) {
	for _, id := range []int{colHistType, colHistEdges, colHistValues} {
		b.fill(id, row)
	}
	b.defs[colHistType].add(2, 1)
	b.have[colHistType]++
	b.histTypes = append(b.histTypes, b.text(h.Type))
	b.list(colHistEdges, len(h.Edges), 2)
	b.list(colHistValues, len(h.Values), 2)
	b.edges, b.values = append(b.edges, h.Edges...), append(b.values, h.Values...)
	b.bytes += 8 * (len(h.Edges) + len(h.Values))
}

// list appends the levels of one row of a column of lists; empty is the level of an empty one.
func (b *rows) list(id, n int, empty int16) {
	b.have[id]++
	b.reps[id] = append(b.reps[id], 0)
	if n == 0 {
		b.defs[id].add(empty, 1)
		return
	}
	b.defs[id].add(empty+2, n)
	for range n - 1 {
		b.reps[id] = append(b.reps[id], 1)
	}
}

// wideSteps are the steps as 16-byte big-endian numbers.
func (b *rows) wideSteps() []parquet.FixedLenByteArray {
	raw := make([]byte, 16*len(b.steps))
	wide := make([]parquet.FixedLenByteArray, len(b.steps))
	for i, s := range b.steps {
		binary.BigEndian.PutUint64(raw[16*i:], uint64(s>>63))
		binary.BigEndian.PutUint64(raw[16*i+8:], uint64(s))
		wide[i] = raw[16*i : 16*i+16]
	}
	return wide
}

// numeric reports that valueSize is 0 for all values.
func numeric(v migrate.Values) bool {
	switch v.(type) {
	case migrate.Strings, migrate.StringSets, migrate.Histograms:
		return false
	}
	return true
}

// valueSize is about the memory that a value takes; math.MaxInt if it is no text that Parquet takes.
func valueSize(v migrate.Values, i int) int {
	size := 0
	add := func(s string) {
		if !utf8.ValidString(s) {
			size = math.MaxInt
		} else if size < math.MaxInt {
			size += len(s) + 4
		}
	}
	switch v := v.(type) {
	case migrate.Strings:
		add(v[i])
	case migrate.StringSets:
		for _, s := range v[i] {
			add(s)
		}
	case migrate.Histograms:
		add(v[i].Type)
		if size < math.MaxInt {
			size += 8 * (len(v[i].Edges) + len(v[i].Values))
		}
	}
	return size
}
