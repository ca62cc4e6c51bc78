package neptunetest

import (
	"sort"
	"strconv"
)

// page is the window of n that the request asks for; most is what a page has at most, 0: what is asked for.
func (c *call) page(n, most int) (from, to int) {
	from = min(c.number("offset", 0), n)
	return from, min(from+c.limit(most), n)
}

func (c *call) limit(most int) int {
	limit := c.number("limit", maxPage2)
	if limit > maxPage2 {
		must(bad("limit %d; at most %d are known to be given", limit, maxPage2))
	}
	if most > 0 {
		limit = min(limit, most)
	}
	return limit
}

// floatValues answers a page of a float series.
func (s *Server) floatValues(c *call) answer {
	_, a := c.attribute("floatSeries")
	v := a.Value.(floats)
	from, to := c.page(v.Len(), s.opts.PageFloats)
	if s.opts.BySteps {
		from = c.skipTo(v)
		to = min(from+c.limit(s.opts.PageFloats), v.Len())
	}
	b := appendHead(make([]byte, 0, 100+(to-from)*80), v.Len())
	for i := from; i < to; i++ {
		p := v.Point(i)
		b = s.appendPlace(b, i > from, p.TimeMS, p.Step)
		b = appendNumber(b, p.Value, s.opts.BareNaN)
		b = append(b, '}')
	}
	return jsonAnswer(append(b, ']', '}'))
}

// skipTo is the first point whose step is not below skipToStep.
func (c *call) skipTo(v floats) int {
	text := c.value("skipToStep")
	if text == "" {
		return 0
	}
	step, err := strconv.ParseFloat(text, 64)
	if err != nil {
		must(bad("skipToStep=%q", text))
	}
	return sort.Search(v.Len(), func(i int) bool { return v.Point(i).Step >= step })
}

// stringValues answers a page of a string series.
func (s *Server) stringValues(c *call) answer {
	_, a := c.attribute("stringSeries")
	v := a.Value.(StringSeries)
	from, to := c.page(len(v), s.opts.PagePoints)
	b := appendHead(nil, len(v))
	for i, p := range v[from:to] {
		b = s.appendPlace(b, i > 0, p.TimeMS, p.Step)
		b = appendText(b, p.Value)
		b = append(b, '}')
	}
	return jsonAnswer(append(b, ']', '}'))
}

func appendHead(b []byte, total int) []byte {
	b = append(b, `{"totalItemCount":`...)
	b = strconv.AppendInt(b, int64(total), 10)
	return append(b, `,"values":[`...)
}

// appendPlace appends a point up to its value.
func (s *Server) appendPlace(b []byte, comma bool, ms int64, step float64) []byte {
	if comma {
		b = append(b, ',')
	}
	b = append(b, `{"timestampMillis":`...)
	b = strconv.AppendInt(b, ms, 10)
	b = append(b, `,"step":`...)
	b = appendNumber(b, step, s.opts.BareNaN)
	return append(b, `,"value":`...)
}

// floatsCSV answers a whole float series: step, milliseconds since 1970 and value, without a header. What real servers
// have in the second column is not known.
func (s *Server) floatsCSV(c *call) answer {
	_, a := c.attribute("floatSeries")
	v := a.Value.(floats)
	var b []byte
	for i := range v.Len() {
		p := v.Point(i)
		b = appendNumber(b, p.Step, true)
		b = append(b, ',')
		b = strconv.AppendInt(b, p.TimeMS, 10)
		b = append(b, ',')
		b = append(appendNumber(b, p.Value, true), '\n')
	}
	out := answer{status: 200, body: b, kind: "text/csv"}
	if c.value("gzipped") == "true" {
		out.body, out.kind = s.packed(b), "application/gzip"
	}
	return out
}
