package parquetstore

import (
	"context"
	"math"
	"reflect"

	migrate "github.com/nexport-go/migrate"
)

// A scalar has one row, perhaps a few by mistake; a file set may have one for each member. More are
// not looked at: a few bytes of a damaged file may claim billions.
const (
	maxScalarRows = 1 << 10
	maxSetRows    = 1 << 20
)

// scalar yields an attribute without steps. Only a file set has several values.
func (p *pass) scalar(a *attr) error {
	most := maxScalarRows
	if a.kind == migrate.KindFileSet {
		most = maxSetRows
	}
	if a.rows > most {
		p.reader.notef(a.path, a.kind, migrate.CodeUnreadable, "the archive has %d rows for one value; only the first %d are read", a.rows, most)
	}
	var values []scalarValue
	var lost losses
	defer func() { p.reader.noteLosses(a, &lost) }()
	for _, s := range a.spans {
		for row := range min(int(s.n), most) {
			most--
			if p.ctx.Err() != nil {
				return context.Cause(p.ctx)
			}
			var value scalarValue
			err := guard(func() (err error) {
				cur, err := p.at(s)
				if err != nil {
					return err
				}
				if value, err = readScalar(cur, int(s.start)+row, a.kind); err == nil && value.none() && !p.reader.run.recorded {
					value.elsewhere = misplaced(cur, int(s.start)+row, 1, a.kind)[0]
				}
				return err
			})
			switch {
			case err != nil:
				lost.rows.add(1, p.place(s, err))
			case value.odd != "":
				lost.odd.add(1, value.odd)
			case value.elsewhere != "":
				lost.odd.add(1, "the value is in column "+value.elsewhere)
			case value.none() && !p.reader.mayBePathless(a.path, a.kind):
				p.noScalar(a)
			default:
				values = append(values, value)
			}
		}
	}
	if len(values) > 0 {
		p.sendScalar(a, values)
	}
	return nil
}

// noScalar tells of a row without value.
func (p *pass) noScalar(a *attr) {
	switch a.kind {
	case migrate.KindFloat:
		p.reader.notef(a.path, a.kind, migrate.CodeSuspect, "the archive has no value: it was NaN, or the run does not have this attribute")
	case migrate.KindFile, migrate.KindFileSet:
		p.reader.notef(a.path, a.kind, migrate.CodeSuspect, "the archive has no file: it was not downloaded, or the run does not have this attribute")
	default:
		p.counts.phantom++
	}
}

func (p *pass) sendScalar(a *attr, values []scalarValue) {
	if a.kind == migrate.KindFileSet {
		var paths []string
		for _, v := range values {
			paths = append(paths, v.file)
		}
		p.sendFiles(a, paths)
		return
	}
	value := values[len(values)-1]
	for _, other := range values {
		if !reflect.DeepEqual(other, value) {
			p.reader.notef(a.path, a.kind, migrate.CodeSuspect, "the archive has %d rows with different values; the last is used", len(values))
			break
		}
	}
	if value.values != nil {
		p.checkInt(a, value.values)
		p.send(migrate.Chunk{Path: a.path, Kind: a.kind, Values: value.values})
	}
	if value.values == nil || value.file != "" || len(p.reader.members(a)) > 0 {
		p.sendFiles(a, []string{value.file})
	}
}

// checkInt flags integers that went through a double: the tool did that when another run of the
// batch lacked the attribute.
func (p *pass) checkInt(a *attr, value migrate.Values) {
	ints, ok := value.(migrate.Ints)
	if !ok || p.reader.run.from.layout != digestParts || p.reader.run.recorded {
		return
	}
	if n := ints[0]; (n >= 1<<53 || n <= -1<<53) && wasDouble(n) {
		p.reader.notef(a.path, a.kind, migrate.CodeSuspect, "integers of 2^53 and more such as %d may have been rounded by the exporter", n)
	}
}

// wasDouble reports whether a double can hold n.
func wasDouble(n int64) bool {
	f := float64(n)
	return f < math.MaxInt64 && int64(f) == n
}

// scalarValue is a value, or the path of a file; of an artifact it may be both.
type scalarValue struct {
	values migrate.Values
	file   string
	odd    string // what it is if it cannot be held

	elsewhere string // the column that has a value instead
}

func (v scalarValue) none() bool { return v.values == nil && v.file == "" }

// readScalar reads the value of a row in the column of its kind.
func readScalar(cur *cursor, row int, k migrate.Kind) (scalarValue, error) {
	switch class := classOf(k); class {
	case classFloat, classInt, classBool, classTime:
		return readWord(cur, row, class)
	case classSet:
		set, has, err := readSet(cur, row)
		if !has {
			return scalarValue{}, err
		}
		return scalarValue{values: migrate.StringSets{set}}, err
	case classFile:
		file, _, err := readText(cur, colFile, row)
		if err != nil || k != migrate.KindArtifact {
			return scalarValue{file: file}, err
		}
		hash, err := readString(cur, row)
		return scalarValue{values: hash.values, file: file}, err
	}
	return readString(cur, row)
}

func readString(cur *cursor, row int) (scalarValue, error) {
	text, has, err := readText(cur, colString, row)
	if !has {
		return scalarValue{}, err
	}
	return scalarValue{values: migrate.Strings{text}}, err
}

func readWord(cur *cursor, row int, c class) (scalarValue, error) {
	var word [1]int64
	var state [1]byte
	col := classColumns[c][0]
	if err := cur.words(col, row, word[:], state[:]); err != nil || state[0] == absent {
		return scalarValue{}, err
	}
	if state[0] == strange {
		return scalarValue{odd: cur.strange(col)[word[0]]}, nil
	}
	var v migrate.Values
	switch c {
	case classFloat:
		v = migrate.Floats{math.Float64frombits(uint64(word[0]))}
	case classInt:
		v = migrate.Ints{word[0]}
	case classBool:
		v = migrate.Bools{word[0] != 0}
	default:
		v = migrate.Datetimes{word[0]}
	}
	return scalarValue{values: v}, nil
}

func readText(cur *cursor, col, row int) (string, bool, error) {
	var text [1]string
	var state [1]byte
	err := cur.strings(col, row, text[:], state[:])
	return text[0], err == nil && state[0] == present, err
}

// readSet reads a list of strings; null elements are empty strings.
func readSet(cur *cursor, row int) (set []string, has bool, err error) {
	set = []string{}
	has, err = cur.list(colSet, row, func(c *column, has bool) (err error) {
		s := ""
		if has {
			s, err = c.str()
		}
		set = append(set, s)
		return err
	})
	return set, has && err == nil, err
}

// readFloats reads a list of doubles; null elements are NaN.
func readFloats(cur *cursor, col, row int) (list []float64, has bool, err error) {
	has, err = cur.list(col, row, func(c *column, has bool) error {
		var word [1]int64
		var state [1]byte
		if !has {
			list = append(list, math.NaN())
			return nil
		}
		err := c.words(word[:], state[:])
		list = append(list, math.Float64frombits(uint64(word[0])))
		return err
	})
	return list, has && err == nil, err
}

// readHistograms reads rows of the histogram columns. One without edges and values is absent.
func readHistograms(cur *cursor, row, n int, states []byte) ([]migrate.Histogram, error) {
	hists := make([]migrate.Histogram, n)
	for i := range hists {
		var err error
		var hasEdges, hasValues bool
		h := &hists[i]
		if h.Type, _, err = readText(cur, colHistType, row+i); err != nil {
			return nil, err
		}
		if h.Edges, hasEdges, err = readFloats(cur, colHistEdges, row+i); err != nil {
			return nil, err
		}
		if h.Values, hasValues, err = readFloats(cur, colHistValues, row+i); err != nil {
			return nil, err
		}
		states[i] = absent
		if hasEdges || hasValues {
			states[i] = present
		}
	}
	return hists, nil
}
