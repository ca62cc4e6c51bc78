package wire3

import (
	"encoding/binary"
	"math"

	migrate "github.com/nexport-go/migrate"
)

// Floats collects points of one float series, page after page.
type Floats struct {
	Steps  []migrate.Step
	Times  []int64
	Values []float64
	Points
}

// Points is what is known of the points of a series beside their columns.
type Points struct {
	Count    int       // points the answer had, those left out too
	Total    int64     // points the server counts; 0 if it does not say
	Last     float64   // step of the last point as the server gave it: where the next page starts
	Odd      int       // points left out: their step is no number, or too large for a Step
	Old      int       // points left out: not beyond Last, so they were there before
	Previews []Preview // points that the server has not finished averaging

	begun    bool
	unsorted bool // within one page
}

// Preview says of one point that it is not final.
type Preview struct {
	Step       migrate.Step
	Completion float32 // 0 to 1
}

// Fresh makes p ready for the points of another page.
func (p *Points) Fresh() { p.Count, p.Odd, p.Old, p.Previews = 0, 0, 0, nil }

// place says where a point of this step belongs. ok is false if it is left out.
func (p *Points) place(wire, floor float64, begun bool) (step migrate.Step, ok bool) {
	p.Count++
	if begun && wire <= floor {
		p.Old++
		return 0, false
	}
	switch {
	case p.begun && wire < p.Last:
		p.unsorted = true
	case math.Abs(wire) <= math.MaxFloat64: // also of a point left out, or the next page would begin with it
		p.Last, p.begun = wire, true
	}
	if step, ok = stepOf(wire); !ok {
		p.Odd++
		return 0, false
	}
	return step, true
}

// stepOf is migrate.StepOf with a short way for whole steps.
func stepOf(f float64) (migrate.Step, bool) {
	if whole := int64(f); math.Abs(f) < 1<<40 && float64(whole) == f {
		return migrate.Step(whole) * migrate.StepUnit, true
	}
	return migrate.StepOf(f)
}

// FloatPage decodes ProtoFloatSeriesValuesResponseDTO. Of each series, column says by its request's
// ID where its points go; nil leaves it out. A series that is damaged is told to damaged, and has no
// points of this page.
func FloatPage(b []byte, column func(id string) *Floats, damaged func(id string, err error)) error {
	f := fields{rest: b}
	for f.next() {
		if !f.message(1) {
			continue
		}
		id, series, err := single(f.raw, 2)
		if err != nil {
			return err
		}
		to := column(id)
		if to == nil {
			continue
		}
		if err := to.page(series); err != nil {
			damaged(id, err)
		}
	}
	return f.err
}

// single takes the ID and the series' message, of number num, out of the answer to one request.
func single(b []byte, num int) (id string, series []byte, err error) {
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.message(1):
			id = f.text()
		case int(f.num) == num && f.raw != nil:
			series = f.raw
		}
	}
	return id, series, f.err
}

// pointBytes is about the size of a point on the wire, with its tags.
const pointBytes = 28

// page appends the points of ProtoFloatSeriesValuesDTO, all or none.
func (c *Floats) page(b []byte) error {
	before, points := len(c.Steps), c.Points
	c.grow(len(b) / pointBytes)
	f := fields{rest: b}
	for f.short(2) || f.next() {
		switch {
		case f.message(2):
			if err := c.point(f.raw, points.Last, points.begun); err != nil {
				f.err = err
			}
		case f.varint(1):
			c.Total = int64(f.bits)
		}
	}
	if f.err != nil {
		c.cut(before)
		c.Points = points
		return f.err
	}
	if c.unsorted {
		c.unsorted = false
		c.sort(before)
	}
	return nil
}

// point appends one ProtoFloatPointValueDTO. The fields come in this order from every server, so
// they are looked for in it; anything else takes the long way.
func (c *Floats) point(b []byte, floor float64, begun bool) error {
	var (
		step, value float64
		time        int64
		preview     bool
		ratio       float32
	)
	rest := b
	if len(rest) > 1 && rest[0] == 1<<3 {
		v, n := binary.Uvarint(rest[1:])
		if n > 0 {
			time, rest = int64(v), rest[1+n:]
		}
	}
	if len(rest) > 8 && rest[0] == 2<<3|1 {
		step, rest = math.Float64frombits(binary.LittleEndian.Uint64(rest[1:])), rest[9:]
	}
	if len(rest) > 8 && rest[0] == 3<<3|1 {
		value, rest = math.Float64frombits(binary.LittleEndian.Uint64(rest[1:])), rest[9:]
	}
	if len(rest) > 0 && !(len(rest) == 5 && rest[0] == 5<<3|5) {
		f := fields{rest: rest}
		for f.next() {
			switch {
			case f.varint(1):
				time = int64(f.bits)
			case f.double(2):
				step = f.float()
			case f.double(3):
				value = f.float()
			case f.varint(4):
				preview = f.bits != 0
			case f.num == 5:
				ratio = f.float32()
			}
		}
		if f.err != nil {
			return f.err
		}
	}
	s, ok := c.place(step, floor, begun)
	if !ok {
		return nil
	}
	if preview {
		c.Previews = append(c.Previews, Preview{s, ratio})
	}
	c.Steps = append(c.Steps, s) // one by one: so only the lengths are written back
	c.Times = append(c.Times, time)
	c.Values = append(c.Values, value)
	return nil
}

func (c *Floats) grow(n int) {
	if free := cap(c.Steps) - len(c.Steps); free >= n {
		return
	}
	c.Steps = append(make([]migrate.Step, 0, len(c.Steps)+n), c.Steps...)
	c.Times = append(make([]int64, 0, len(c.Times)+n), c.Times...)
	c.Values = append(make([]float64, 0, len(c.Values)+n), c.Values...)
}

func (c *Floats) cut(n int) {
	c.Steps, c.Times, c.Values = c.Steps[:n], c.Times[:n], c.Values[:n]
}

// sort puts the points from number lo on into the order of their steps.
func (c *Floats) sort(lo int) {
	order := sortedOrder(c.Steps[lo:])
	c.Steps, c.Times, c.Values = reorder(c.Steps, lo, order), reorder(c.Times, lo, order), reorder(c.Values, lo, order)
}
