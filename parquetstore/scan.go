package parquetstore

import (
	"fmt"
	"slices"
	"time"

	migrate "github.com/nexport-go/migrate"
)

// The attributes that a listing needs.
const (
	attrID       = "sys/id"
	attrName     = "sys/name"
	attrParent   = "sys/forking/parent"
	attrCreated  = "sys/creation_time"
	attrModified = "sys/modification_time"
)

var listed = []string{attrCreated, attrParent, attrID, attrModified, attrName} // sorted

// scanPart finds the runs of a part, and of their attributes only those in listed.
func (s *Store) scanPart(p *part, runOf func(rowKeys) *run) error {
	open, err := openFile(s.data, p.path)
	if err != nil {
		return err
	}
	defer open.close()
	sc := scanner{part: open, runOf: runOf, rows: map[*run]int64{}}
	for g := range open.groups() {
		if bad := guard(func() error { return sc.group(g) }); bad != nil {
			err = groupError(p, g, bad)
			p.damage = append(p.damage, err)
		}
	}
	if err != nil && len(sc.order) == 0 {
		return err
	}
	p.rows = open.reader.NumRows()
	for _, r := range sc.order {
		n := sc.rows[r]
		r.parts = append(r.parts, p)
		r.rows += n
		r.info.Size += int64(float64(p.size) * float64(n) / float64(max(p.rows, 1)))
	}
	if sc.nameless > 0 {
		for _, r := range sc.order {
			r.notes = append(r.notes, migrate.Problem{Code: migrate.CodeUnreadable, Text: fmt.Sprintf(
				"part %q has %d rows that do not say which run they belong to", p.path, sc.nameless)})
		}
	}
	return nil
}

func groupError(p *part, group int, err error) error {
	return fmt.Errorf("part %q, row group %d: %w", p.path, group, err)
}

// scanner collects the runs of one part.
type scanner struct {
	part     *openPart
	runOf    func(rowKeys) *run
	rows     map[*run]int64
	order    []*run
	nameless int64

	lastKeys [2]int32
	last     *run
	wanted   []wantedRow
}

// wantedRow is a row whose value the listing needs.
type wantedRow struct {
	run  *run
	path string
	row  int
}

func (sc *scanner) group(g int) error {
	rows := sc.part.rows(g)
	if rows == 0 {
		return nil
	}
	if keys, ok := sc.constant(g); ok && !sc.mayHaveListed(g) {
		sc.add(sc.runOf(keys), rows)
		return nil
	}
	sc.wanted, sc.last = sc.wanted[:0], nil
	intern := sc.part.intern
	err := sc.part.walk(g, func(st stretch) error {
		if st.keys[colRun] == nullKey || intern.at(st.keys[colRun]) == "" {
			sc.nameless += int64(st.n)
			return nil
		}
		if keys := [2]int32{st.keys[colProject], st.keys[colRun]}; sc.last == nil || keys != sc.lastKeys {
			sc.lastKeys = keys
			sc.last = sc.runOf(rowKeys{intern.at(keys[0]), intern.at(keys[1])})
		}
		sc.add(sc.last, st.n)
		if path := intern.at(st.keys[colPath]); st.n == 1 && slices.Contains(listed, path) {
			sc.wanted = append(sc.wanted, wantedRow{sc.last, path, st.start})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return sc.values(g)
}

func (sc *scanner) add(r *run, rows int) {
	if _, known := sc.rows[r]; !known {
		sc.order = append(sc.order, r)
	}
	sc.rows[r] += int64(rows)
}

// constant returns the keys of a row group if the footer says that all rows have the same.
func (sc *scanner) constant(g int) (rowKeys, bool) {
	project, last, ok := sc.part.bounds(g, colProject)
	if !ok || project != last {
		return rowKeys{}, false
	}
	id, last, ok := sc.part.bounds(g, colRun)
	return rowKeys{project, id}, ok && id == last && id != ""
}

// mayHaveListed reports whether a row group may have one of the attributes in listed.
func (sc *scanner) mayHaveListed(g int) bool {
	low, high, ok := sc.part.bounds(g, colPath)
	if !ok {
		return true
	}
	return slices.ContainsFunc(listed, func(p string) bool { return low <= p && p <= high })
}

// values reads the wanted rows of a group.
func (sc *scanner) values(g int) error {
	if len(sc.wanted) == 0 {
		return nil
	}
	cur := newCursor(sc.part, g)
	for _, w := range sc.wanted {
		var text [1]string
		var ms [1]int64
		var state [1]byte
		var err error
		isTime := w.path == attrCreated || w.path == attrModified
		if isTime {
			err = cur.words(colDatetime, w.row, ms[:], state[:])
		} else {
			err = cur.strings(colString, w.row, text[:], state[:])
		}
		if err != nil {
			return err
		}
		if state[0] == present {
			w.set(text[0], ms[0])
		}
	}
	return nil
}

// set enters a value in the run's info.
func (w wantedRow) set(text string, ms int64) {
	info := &w.run.info
	switch w.path {
	case attrID:
		info.SysID = text
	case attrName:
		info.Name = text
	case attrParent:
		info.Parent = text
	case attrCreated:
		info.Created = time.UnixMilli(ms).UTC()
	case attrModified:
		info.Modified = time.UnixMilli(ms).UTC()
	}
}
