package wire2

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"slices"

	migrate "github.com/nexport-go/migrate"
)

// Points is a page of a series, as columns. Either Floats or Texts is set.
type Points struct {
	Steps  []migrate.Step
	Times  []int64 // ms since 1970 UTC, or migrate.NoTime
	Floats []float64
	Texts  []string

	Count int     // points the answer had, those left out too
	Odd   int     // points left out: without a value, or their step is no number or too large for a Step
	Total int64   // points the server counts over all pages; -1 if it does not say
	Last  float64 // the largest step of the page, of points left out too
}

// FloatPage decodes FloatSeriesValuesDTO.
func FloatPage(b []byte) (Points, error) {
	if p, ok := scanPage(b, false); ok {
		return p, nil
	}
	return slowPage(b, false)
}

// StringPage decodes StringSeriesValuesDTO.
func StringPage(b []byte) (Points, error) {
	if p, ok := scanPage(b, true); ok {
		return p, nil
	}
	return slowPage(b, true)
}

// slowPage decodes any page.
func slowPage(b []byte, texts bool) (Points, error) {
	var in struct {
		Total  *Int `json:"totalItemCount"`
		Values []struct {
			Time  *Int            `json:"timestampMillis"`
			Step  *Float          `json:"step"`
			Value json.RawMessage `json:"value"`
		} `json:"values"`
	}
	if err := Unmarshal(b, &in); err != nil {
		return Points{}, err
	}
	if in.Values == nil {
		return Points{}, errors.New("the answer has no values in it")
	}
	p := Points{Total: -1, Last: math.Inf(-1)}
	if in.Total != nil {
		p.Total = int64(*in.Total)
	}
	for _, v := range in.Values {
		time, step := migrate.NoTime, math.NaN()
		if v.Time != nil {
			time = int64(*v.Time)
		}
		if v.Step != nil {
			step = float64(*v.Step)
		}
		if none(v.Value) {
			p.skip(step)
			continue
		}
		if err := p.slowPoint(step, time, v.Value, texts); err != nil {
			return Points{}, err
		}
	}
	p.sort()
	return p, nil
}

func (p *Points) slowPoint(step float64, time int64, value json.RawMessage, texts bool) error {
	if texts {
		var s string
		err := json.Unmarshal(value, &s)
		if p.place(step, time) {
			p.Texts = append(p.Texts, s)
		}
		return err
	}
	var f Float
	err := json.Unmarshal(value, &f)
	if p.place(step, time) {
		p.Floats = append(p.Floats, float64(f))
	}
	return err
}

// skip counts a point that is left out.
func (p *Points) skip(step float64) {
	p.Count++
	p.Odd++
	if step > p.Last && !math.IsInf(step, 0) {
		p.Last = step
	}
}

// place appends a point but for its value; it is false if the point is left out.
func (p *Points) place(step float64, time int64) bool {
	s, ok := stepOf(step)
	if !ok {
		p.skip(step)
		return false
	}
	p.Count++
	p.Last = max(p.Last, step)
	p.Steps, p.Times = append(p.Steps, s), append(p.Times, time)
	return true
}

// stepOf is migrate.StepOf with a short way for whole steps.
func stepOf(f float64) (migrate.Step, bool) {
	if whole := int64(f); math.Abs(f) < 1<<40 && float64(whole) == f {
		return migrate.Step(whole) * migrate.StepUnit, true
	}
	return migrate.StepOf(f)
}

// sort puts the points into the order of their steps; those of one step stay as they came.
func (p *Points) sort() {
	if slices.IsSorted(p.Steps) {
		return
	}
	order := make([]int, len(p.Steps))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p.Steps[a], p.Steps[b]) })
	p.Steps, p.Times = reorder(p.Steps, order), reorder(p.Times, order)
	p.Floats, p.Texts = reorder(p.Floats, order), reorder(p.Texts, order)
}

func reorder[T any](list []T, order []int) []T {
	if len(list) == 0 {
		return list
	}
	sorted := make([]T, len(list))
	for i, from := range order {
		sorted[i] = list[from]
	}
	return sorted
}

// After leaves out the points up to a step.
func (p *Points) After(step migrate.Step) {
	n, _ := slices.BinarySearchFunc(p.Steps, step, func(s, to migrate.Step) int {
		if s <= to {
			return -1
		}
		return 1
	})
	p.cut(n, len(p.Steps))
	p.Count, p.Odd = len(p.Steps), 0
}

// Keep leaves only the first n points of a page that has more than were asked for.
func (p *Points) Keep(n int) {
	if p.Count > n {
		p.cut(0, min(n, len(p.Steps)))
		p.Count = n
	}
}

func (p *Points) cut(lo, hi int) {
	p.Steps, p.Times = p.Steps[lo:hi:hi], p.Times[lo:hi:hi]
	if p.Floats != nil {
		p.Floats = p.Floats[lo:hi:hi]
	}
	if p.Texts != nil {
		p.Texts = p.Texts[lo:hi:hi]
	}
}
