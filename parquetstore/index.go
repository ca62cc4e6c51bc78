package parquetstore

import (
	"context"
	"strings"

	migrate "github.com/nexport-go/migrate"
)

// span is adjacent rows of one row group.
type span struct {
	part  int32 // among the run's parts
	group int32
	start int32
	n     int32
}

// attr is one attribute, as one kind, and where its rows are, in the order of parts and rows.
type attr struct {
	path  string
	kind  migrate.Kind
	spans []span
	rows  int
	bytes int64 // about what its values take in memory
}

// index finds where the rows of the wanted attributes are, by the key columns alone. Problems are
// told to the reader.
func (r *reader) index(ctx context.Context, want migrate.Want) ([]*attr, error) {
	x := indexer{reader: r, want: want, by: map[attrKey]*attr{}}
	for i := range r.run.parts {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := x.part(i); err != nil {
			r.note(damageNote(err))
		}
	}
	x.reader.checkRows(x.found)
	if x.unnamed > 0 {
		r.notef("", "", migrate.CodeUnreadable, "%d rows have no attribute path or type", x.unnamed)
	}
	return x.attrs, nil
}

type attrKey struct {
	path string
	kind migrate.Kind
}

type indexer struct {
	reader  *reader
	want    migrate.Want
	by      map[attrKey]*attr // nil for unwanted ones
	attrs   []*attr
	unnamed int
	found   int64 // rows of the run
}

func (x *indexer) part(i int) error {
	open, err := x.reader.open(i)
	if err != nil {
		return err
	}
	defer open.close()
	p := x.reader.run.parts[i]
	for g := range open.groups() {
		if err := guard(func() error { return x.group(i, g, open) }); err != nil {
			x.reader.note(damageNote(groupError(p, g, err)))
		}
	}
	return nil
}

func (x *indexer) group(i, g int, open *openPart) error {
	keys := x.reader.run.keys
	if low, high, ok := open.bounds(g, colRun); ok && (keys.id < low || keys.id > high) {
		return nil
	}
	memo := map[[2]int32]*attr{} // by path and type
	var found []stretch
	var rows [classes]int64
	var kinds []class // by interned type
	err := open.walk(g, func(st stretch) error {
		if t := st.keys[colType]; t >= 0 {
			for int(t) >= len(kinds) {
				kinds = append(kinds, classOf(migrate.Kind(open.intern.at(int32(len(kinds))))))
			}
			rows[kinds[t]] += int64(st.n)
		}
		if open.intern.at(st.keys[colRun]) == keys.id && open.intern.at(st.keys[colProject]) == keys.project {
			found = append(found, st)
			x.found += int64(st.n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	sizes := valueSizes(open, g, rows)
	for _, st := range found {
		x.add(st, i, g, open, memo, sizes)
	}
	return nil
}

func (x *indexer) add(st stretch, i, g int, open *openPart, memo map[[2]int32]*attr, sizes [classes]int64) {
	key := [2]int32{st.keys[colPath], st.keys[colType]}
	if key[0] == nullKey || key[1] == nullKey {
		x.unnamed += st.n
		return
	}
	a, known := memo[key]
	if !known {
		a = x.attr(open.intern.at(key[0]), migrate.Kind(open.intern.at(key[1])))
		memo[key] = a
	}
	if a == nil {
		return
	}
	a.rows += st.n
	a.bytes += int64(st.n) * sizes[classOf(a.kind)]
	next := span{int32(i), int32(g), int32(st.start), int32(st.n)}
	if last := len(a.spans) - 1; last >= 0 && a.spans[last].joins(next) {
		a.spans[last].n += next.n
		return
	}
	a.spans = append(a.spans, next)
}

func (s span) joins(next span) bool {
	return s.part == next.part && s.group == next.group && s.start+s.n == next.start
}

// attr returns the attribute, nil if it is not wanted.
func (x *indexer) attr(path string, kind migrate.Kind) *attr {
	key := attrKey{strings.Clone(path), kind}
	a, known := x.by[key]
	if !known {
		if x.want == nil || x.want(path, kind) {
			a = &attr{path: key.path, kind: kind}
			x.attrs = append(x.attrs, a)
		}
		x.by[key] = a
	}
	return a
}

// class is a way of storing values.
type class int

const (
	classText class = iota // and all kinds that are not known
	classFloat
	classInt
	classBool
	classTime
	classSet
	classFile
	classHist
	classes
)

// classColumns are the columns that the values of a class are in.
var classColumns = [classes][]int{
	classText: {colString}, classFloat: {colFloat}, classInt: {colInt}, classBool: {colBool}, classTime: {colDatetime},
	classSet: {colSet}, classFile: {colFile}, classHist: {colHistEdges, colHistValues},
}

func classOf(k migrate.Kind) class {
	switch k {
	case migrate.KindFloat, migrate.KindFloatSeries:
		return classFloat
	case migrate.KindInt:
		return classInt
	case migrate.KindBool:
		return classBool
	case migrate.KindDatetime:
		return classTime
	case migrate.KindStringSet:
		return classSet
	case migrate.KindFile, migrate.KindFileSeries, migrate.KindFileSet, migrate.KindArtifact:
		return classFile
	case migrate.KindHistogramSeries:
		return classHist
	}
	return classText
}

// valueSizes estimates the memory of one row of each class in a row group, from the sizes that the
// footer says and the numbers of rows.
func valueSizes(open *openPart, group int, rows [classes]int64) (sizes [classes]int64) {
	for c := range sizes {
		sizes[c] = 24 // a float with its step and time
		switch class(c) {
		case classFloat, classInt, classBool, classTime:
			continue
		}
		for _, id := range classColumns[c] {
			if meta, err := open.chunk(group, id); err == nil && meta != nil && rows[c] > 0 {
				sizes[c] += 16 + meta.TotalUncompressedSize()/rows[c]
			}
		}
	}
	return sizes
}
