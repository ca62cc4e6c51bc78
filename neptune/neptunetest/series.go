package neptunetest

import (
	"math"
	"slices"
	"sort"

	"google.golang.org/protobuf/encoding/protowire"
)

// seriesRequest is one series of a request for points.
type seriesRequest struct {
	ID     string `json:"requestId"`
	Series *struct {
		Holder struct {
			Identifier string `json:"identifier"`
			Type       string `json:"type"`
		} `json:"holder"`
		Attribute  string `json:"attribute"`
		Lineage    string `json:"lineage"`
		EntityType string `json:"lineageEntityType"`
		Preview    bool   `json:"includePreview"`
		Normalize  bool   `json:"normalizeToFirstValue"`
	} `json:"series"`
	AfterStep   *float64     `json:"afterStep"`
	SearchAfter *searchAfter `json:"searchAfter"`
}

type searchAfter struct {
	Finished bool   `json:"finished"`
	Token    string `json:"token"`
}

// seriesBody is the body of both requests for points.
type seriesBody struct {
	Requests  []seriesRequest `json:"requests"`
	Limit     *int            `json:"perSeriesPointsLimit"`
	SizeLimit *int            `json:"sizeLimitBytes"`
	Order     string          `json:"order"`
	Range     *struct {
		From *float64 `json:"from"`
		To   *float64 `json:"to"`
	} `json:"stepRange"`
}

func (in *seriesBody) check(most int) {
	if len(in.Requests) == 0 || len(in.Requests) > most {
		must(bad("%d requests; 1 to %d are taken", len(in.Requests), most))
	}
	if in.Order != "ascending" && in.Order != "descending" {
		must(bad("order %q", in.Order))
	}
	if in.Limit != nil && *in.Limit < 0 {
		must(bad("perSeriesPointsLimit %d", *in.Limit))
	}
	seen := map[string]bool{}
	for i := range in.Requests {
		r := &in.Requests[i]
		if r.Series == nil || r.ID == "" || seen[r.ID] {
			must(bad("request %d has no series, no requestId or that of another: %q", i, r.ID))
		}
		seen[r.ID] = true
		r.check()
	}
}

func (r *seriesRequest) check() {
	d := r.Series
	switch {
	case d.Holder.Type != "experiment":
		must(bad("holder type %q", d.Holder.Type))
	case d.Attribute == "":
		must(bad("request %q has no attribute", r.ID))
	case d.Lineage != "FULL" && d.Lineage != "NONE", d.EntityType != "RUN" && d.EntityType != "EXPERIMENT":
		must(bad("lineage %q, lineageEntityType %q", d.Lineage, d.EntityType))
	case d.Normalize:
		must(bad("normalizeToFirstValue is never asked for"))
	}
}

// rangeOf returns the bounds of the steps, both inclusive.
func (in *seriesBody) rangeOf() (from, to float64) {
	from, to = math.Inf(-1), math.Inf(1)
	if in.Range != nil && in.Range.From != nil {
		from = *in.Range.From
	}
	if in.Range != nil && in.Range.To != nil {
		to = *in.Range.To
	}
	return from, to
}

// piece is a stretch of one run's series: the indexes from up to, not including, to.
type piece struct {
	run      *runIndex
	attr     *Attribute
	from, to int
}

// pieces returns where the points of a series are, by ascending step, and whether the run has the series at all.
// With lineage each ancestor contributes the steps up to the fork, and the run itself those after it.
func (s *Server) pieces(r *seriesRequest, isKind func(Value) bool) (list []piece, there bool) {
	ri := s.index.run(r.Series.Holder.Identifier)
	until := math.Inf(1)
	seen := map[*runIndex]bool{} // runs that are forks of each other end nowhere
	for first := ri; ri != nil && !seen[ri]; {
		seen[ri] = true
		parent, fork := ri.parent()
		after := math.Inf(-1)
		if parent != nil && r.Series.Lineage == "FULL" {
			after = fork
		}
		own := r.Series.Lineage == "FULL" || ri == first || ri.text("sys/experiment/name") == first.text("sys/experiment/name")
		if a := ri.byPath[r.Series.Attribute]; own && a != nil && isKind(a.Value) {
			there = true
			p := piece{run: ri, attr: a}
			p.from, p.to = between(a.Value, after, until)
			list = append(list, p)
		}
		if r.Series.Lineage == "NONE" && r.Series.EntityType == "RUN" {
			break
		}
		until = math.Min(until, fork)
		ri = parent
	}
	slices.Reverse(list)
	return list, there
}

// between returns the indexes of the points with after < step <= until.
func between(v Value, after, until float64) (from, to int) {
	n := lengthOf(v)
	from = sort.Search(n, func(i int) bool { return stepOf(v, i) > after })
	to = sort.Search(n, func(i int) bool { return stepOf(v, i) > until })
	return from, max(from, to)
}

// within cuts the pieces to a range of steps, both inclusive.
func within(list []piece, from, to float64) []piece {
	cut := make([]piece, 0, len(list))
	for _, p := range list {
		v := p.attr.Value
		p.from += sort.Search(p.to-p.from, func(i int) bool { return stepOf(v, p.from+i) >= from })
		p.to = p.from + sort.Search(p.to-p.from, func(i int) bool { return stepOf(v, p.from+i) > to })
		cut = append(cut, p)
	}
	return cut
}

func lengthOf(v Value) int {
	switch v := v.(type) {
	case floats:
		return v.Len()
	case StringSeries:
		return len(v)
	case HistogramSeries:
		return len(v)
	case FileSeries:
		return len(v)
	}
	return 0
}

func stepOf(v Value, i int) float64 {
	switch v := v.(type) {
	case floats:
		return v.Point(i).Step
	case StringSeries:
		return v[i].Step
	case HistogramSeries:
		return v[i].Step
	case FileSeries:
		return v[i].Step
	}
	return 0
}

// total is the number of points of the pieces.
func total(list []piece) (n int) {
	for _, p := range list {
		n += p.to - p.from
	}
	return n
}

// walk calls visit for the points from the skip-th on in the order asked for, until visit says no.
func walk(list []piece, descending bool, skip int, visit func(p piece, i int) bool) {
	if descending {
		list = slices.Clone(list)
		slices.Reverse(list)
	}
	for _, p := range list {
		n := p.to - p.from
		for k := min(skip, n); k < n; k++ {
			i := p.from + k
			if descending {
				i = p.to - 1 - k
			}
			if !visit(p, i) {
				return
			}
		}
		skip = max(0, skip-n)
	}
}

func isFloats(v Value) bool {
	_, ok := v.(floats)
	return ok
}

// floatSeries answers points of float series: at most the limit of each, after the step given.
func (s *Server) floatSeries(c *call) answer {
	c.query("")
	var in seriesBody
	c.read(&in)
	in.check(maxFloatSeries)
	if in.Limit == nil || in.SizeLimit != nil {
		must(bad("perSeriesPointsLimit is missing, or sizeLimitBytes is there"))
	}
	if *in.Limit > max(1, maxFloatPoints/len(in.Requests)) {
		must(bad("perSeriesPointsLimit %d for %d series; at most %d points are asked for", *in.Limit, len(in.Requests), maxFloatPoints))
	}
	limit := *in.Limit
	if s.opts.PageFloats > 0 {
		limit = min(limit, s.opts.PageFloats)
	}
	var out, one []byte
	for i := range in.Requests {
		r := &in.Requests[i]
		if r.SearchAfter != nil {
			must(bad("searchAfter in a request for floats"))
		}
		list, there := s.pieces(r, isFloats)
		if !there {
			continue
		}
		one = appendFloats(one[:0], list, &in, r, limit)
		out = appendEntry(out, appendSetString(nil, 1, r.ID), one)
	}
	return protoAnswer(out)
}

// appendEntry appends a message of id and, in field 2, series. It copies series, which can be large, only once.
func appendEntry(b, id, series []byte) []byte {
	b = slices.Grow(b, len(id)+len(series)+24)
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(id)+protowire.SizeTag(2)+protowire.SizeBytes(len(series))))
	return appendMessage(append(b, id...), 2, series)
}

// appendFloats appends a ProtoFloatSeriesValuesDTO.
func appendFloats(b []byte, list []piece, in *seriesBody, r *seriesRequest, limit int) []byte {
	if !r.Series.Preview {
		list = committed(list)
	}
	b = appendInt(b, 1, int64(total(list)))
	from, to := in.rangeOf()
	descending := in.Order == "descending"
	if r.AfterStep != nil {
		if descending {
			to = math.Min(to, math.Nextafter(*r.AfterStep, math.Inf(-1)))
		} else {
			from = math.Max(from, math.Nextafter(*r.AfterStep, math.Inf(1)))
		}
	}
	list = within(list, from, to)
	b = slices.Grow(b, min(limit, total(list))*pointSize)
	var room [pointSize]byte
	walk(list, descending, 0, func(p piece, i int) bool {
		if limit--; limit < 0 {
			return false
		}
		b = appendMessage(b, 2, appendPoint(room[:0], p.attr.Value.(floats).Point(i)))
		return true
	})
	return b
}

// pointSize is room for a point of usual size, with tag and length.
const pointSize = 40

// appendPoint appends a ProtoFloatPointValueDTO.
func appendPoint(b []byte, p Point[float64]) []byte {
	b = appendInt(b, 1, p.TimeMS)
	b = appendDouble(b, 2, p.Step)
	b = appendDouble(b, 3, p.Value)
	b = appendBool(b, 4, p.Preview)
	return appendFloat(b, 5, completion(p.Preview, p.Completion))
}

func completion(preview bool, ratio float32) float32 {
	if preview {
		return ratio
	}
	return 1
}

// committed leaves out previews, which are at the end of each series.
func committed(list []piece) []piece {
	cut := slices.Clone(list)
	for i := range cut {
		p := &cut[i]
		s := p.attr.Value.(floats)
		for p.to > p.from && s.Point(p.to-1).Preview {
			p.to--
		}
	}
	return cut
}
