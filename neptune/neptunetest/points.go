package neptunetest

// Points of string, histogram and file series.

func isOther(v Value) bool {
	switch v.(type) {
	case StringSeries, HistogramSeries, FileSeries:
		return true
	}
	return false
}

// budget is what is left of a page: a real server's pages are of its own choice too.
type budget struct{ points, bytes int }

func (b *budget) spent() bool { return b.points <= 0 || b.bytes <= 0 }

// otherSeries answers points until the page is full. A series that the page has no room for is there, but
// without a place to go on: it is asked for again as it was.
func (s *Server) otherSeries(c *call) answer {
	if v := c.query("useDeprecatedStringFields"); v != "false" {
		must(bad("useDeprecatedStringFields=%q", v))
	}
	var in seriesBody
	c.read(&in)
	in.check(maxOtherSeries)
	room := &budget{points: s.opts.PagePoints, bytes: maxPointBytes}
	if in.SizeLimit != nil {
		room.bytes = min(room.bytes, *in.SizeLimit)
	}
	var out []byte
	for i := range in.Requests {
		r := &in.Requests[i]
		if r.AfterStep != nil || r.Series.Preview {
			must(bad("afterStep or includePreview in a request for series that are not floats"))
		}
		list, there := s.pieces(r, isOther)
		if there {
			entry := appendSetString(nil, 1, r.ID)
			out = appendMessage(out, 1, in.appendSeries(entry, r, list, room))
		}
	}
	return protoAnswer(out)
}

// appendSeries appends searchAfter and seriesValues of one series.
func (in *seriesBody) appendSeries(b []byte, r *seriesRequest, list []piece, room *budget) []byte {
	query := fingerprint(struct {
		Series, Range any
		Order         string
		Limit         *int
	}{r.Series, in.Range, in.Order, in.Limit})
	sent := r.sent(query)
	if room.spent() {
		return b
	}
	from, to := in.rangeOf()
	list = within(list, from, to)
	most := total(list)
	if in.Limit != nil {
		most = min(most, *in.Limit) // of the whole series, not of a page
	}
	var values []byte
	walk(list, in.Order == "descending", sent, func(p piece, i int) bool {
		if sent >= most || room.spent() {
			return false
		}
		point := appendOther(nil, p, i)
		values = appendMessage(values, 1, point)
		room.points--
		room.bytes -= len(point)
		sent++
		return true
	})
	after := appendBool(nil, 1, sent >= most)
	after = appendSetString(after, 2, token(query, place{A: sent}))
	b = appendMessage(b, 2, after)
	return appendMessage(b, 4, values)
}

// sent is the number of points that the client has, by its token.
func (r *seriesRequest) sent(query string) int {
	if r.SearchAfter == nil {
		return 0
	}
	if r.SearchAfter.Finished {
		must(bad("request %q goes on with a finished series", r.ID))
	}
	p, err := readToken(query, r.SearchAfter.Token)
	must(err)
	return p.A
}

// appendOther appends a ProtoPointValueDTO, with the value in object.
func appendOther(b []byte, p piece, i int) []byte {
	switch v := p.attr.Value.(type) {
	case StringSeries:
		return appendObject(b, v[i], appendSetString(nil, 1, v[i].Value))
	case HistogramSeries:
		return appendObject(b, v[i], appendMessage(nil, 2, appendHistogram(nil, v[i].Value)))
	case FileSeries:
		path := p.run.paths[fileKey{p.attr.Path, i}]
		return appendObject(b, v[i], appendMessage(nil, 3, appendFile(nil, 1, path, v[i].Value)))
	}
	return b
}

func appendObject[V any](b []byte, p Point[V], object []byte) []byte {
	b = appendInt(b, 1, p.TimeMS)
	b = appendDouble(b, 2, p.Step)
	b = appendBool(b, 4, p.Preview)
	b = appendFloat(b, 5, completion(p.Preview, p.Completion))
	return appendMessage(b, 6, object)
}
