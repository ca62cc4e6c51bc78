package wire3

import (
	"errors"
	"slices"

	migrate "github.com/nexport-go/migrate"
)

// Objects collects points of one series of strings, histograms or files, page after page. Only the
// column of the series' own kind is filled.
type Objects struct {
	Steps      []migrate.Step
	Times      []int64
	Texts      []string
	Histograms []migrate.Histogram
	Files      []FileRef
	Points

	Bytes    int    // about the size of the columns
	Foreign  int    // points left out: their value is of another type than the series
	Cursor   bool   // the answer says how to go on: at Token, or not at all
	Token    string // where the next page starts
	Finished bool
}

// SeriesPage decodes ProtoSeriesValuesResponseDTO, as FloatPage does; kind says of what type the
// values of a request are.
func SeriesPage(b []byte, column func(id string) (to *Objects, kind Value), damaged func(id string, err error)) error {
	f := fields{rest: b}
	for f.next() {
		if !f.message(1) {
			continue
		}
		a, err := singleSeries(f.raw)
		if err != nil {
			return err
		}
		to, kind := column(a.id)
		if to == nil {
			continue
		}
		if err := to.page(a.series, kind); err != nil {
			damaged(a.id, err)
			continue
		}
		if a.cursor {
			to.Cursor, to.Token, to.Finished = true, a.token, a.finished
		}
	}
	return f.err
}

// answer is ProtoSeriesValuesSingleSeriesResponseDTO.
type answer struct {
	id               string
	cursor, finished bool
	token            string
	series           []byte
}

func singleSeries(b []byte) (a answer, err error) {
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.message(1):
			a.id = f.text()
		case f.message(2):
			a.cursor = true
			if err := a.searchAfter(f.raw); err != nil {
				return a, err
			}
		case f.message(4):
			a.series = f.raw
		}
	}
	return a, f.err
}

func (a *answer) searchAfter(b []byte) error {
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.varint(1):
			a.finished = f.bits != 0
		case f.message(2):
			a.token = f.text()
		}
	}
	return f.err
}

// page appends the points of ProtoSeriesValuesDTO, all or none. Pages come in the order of a
// token, so that a step seen before is another point and is kept.
func (c *Objects) page(b []byte, kind Value) error {
	before := *c
	f := fields{rest: b}
	for f.next() {
		if !f.message(1) {
			continue
		}
		if err := c.point(f.raw, kind); err != nil {
			*c = before
			return err
		}
	}
	if f.err != nil {
		*c = before
		return f.err
	}
	if c.unsorted {
		c.unsorted = false
		c.sort(len(before.Steps))
	}
	return nil
}

var errNoObject = errors.New("a point has no value")

// point appends one ProtoPointValueDTO.
func (c *Objects) point(b []byte, kind Value) error {
	var (
		wire    float64
		time    int64
		object  []byte
		has     bool
		preview bool
		ratio   float32
	)
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.varint(1):
			time = int64(f.bits)
		case f.double(2):
			wire = f.float()
		case f.varint(4):
			preview = f.bits != 0
		case f.num == 5:
			ratio = f.float32()
		case f.message(6):
			object, has = f.raw, true
		}
	}
	if f.err != nil {
		return f.err
	}
	if !has {
		return errNoObject
	}
	step, ok := c.place(wire, 0, false)
	if !ok {
		return nil
	}
	if ok, err := c.value(object, kind); err != nil || !ok {
		return err
	}
	if preview {
		c.Previews = append(c.Previews, Preview{step, ratio})
	}
	c.Steps, c.Times, c.Bytes = append(c.Steps, step), append(c.Times, time), c.Bytes+len(b)
	return nil
}

// value appends one ProtoSeriesPointValueObjectDTO; false if it is of another type.
func (c *Objects) value(b []byte, kind Value) (ok bool, err error) {
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.message(1) && kind == StringSeries && !ok:
			c.Texts, ok = append(c.Texts, f.text()), true
		case f.message(2) && kind == HistogramSeries && !ok:
			h, err := histogram(f.raw)
			if err != nil {
				return false, err
			}
			c.Histograms, ok = append(c.Histograms, h), true
		case f.message(3) && kind == FileSeries && !ok:
			ref, err := fileRef(f.raw)
			if err != nil {
				return false, err
			}
			c.Files, ok = append(c.Files, ref), true
		}
	}
	if f.err == nil && !ok {
		c.Foreign++
	}
	return ok, f.err
}

func histogram(b []byte) (h migrate.Histogram, err error) {
	f := fields{rest: b}
	for f.next() {
		switch f.num {
		case 1:
			h.Type = f.text()
		case 2:
			h.Edges = f.doubles(h.Edges)
		case 3:
			h.Values = f.doubles(h.Values)
		}
	}
	return h, f.err
}

func fileRef(b []byte) (ref FileRef, err error) {
	f := fields{rest: b}
	for f.next() {
		ref.field(&f, 1)
	}
	return ref, f.err
}

// sort puts the points from number lo on into the order of their steps.
func (c *Objects) sort(lo int) {
	order := sortedOrder(c.Steps[lo:])
	c.Steps, c.Times = reorder(c.Steps, lo, order), reorder(c.Times, lo, order)
	c.Texts, c.Histograms, c.Files = reorder(c.Texts, lo, order), reorder(c.Histograms, lo, order), reorder(c.Files, lo, order)
}

func reorder[T any](column []T, lo int, order []int) []T {
	if len(column) == 0 {
		return column
	}
	sorted := column[:lo:lo]
	for _, i := range order {
		sorted = append(sorted, column[lo+i])
	}
	return sorted
}

// sortedOrder is the order that sorts steps, equal ones as they are.
func sortedOrder(steps []migrate.Step) []int {
	order := make([]int, len(steps))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case steps[a] < steps[b]:
			return -1
		case steps[a] > steps[b]:
			return 1
		}
		return 0
	})
	return order
}
