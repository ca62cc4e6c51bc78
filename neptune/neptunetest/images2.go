package neptunetest

import "strconv"

// imageCount answers how many images a series has, and nothing else, as real servers do.
func (s *Server) imageCount(c *call) answer {
	_, a := c.attribute("imageSeries")
	n := len(a.Value.(FileSeries))
	c.page(n, 0)
	return okJSON(object{"totalItemCount": n})
}

// image sends one image by its place in the series.
func (s *Server) image(c *call) answer {
	ri, a := c.attribute("imageSeries")
	v, i := a.Value.(FileSeries), c.number("index", 0)
	if i >= len(v) {
		must(missing("FILE_NOT_FOUND", "%s has %d images, none at %d", a.Path, len(v), i))
	}
	return s.fileAnswer(ri, fileKey{a.Path, i}, v[i].Value, "image/png")
}

// channelValues answers a page of an image series: steps, times, names and descriptions. Its form is that of the API's
// description; nobody has seen a real answer.
func (s *Server) channelValues(c *call) answer {
	id := c.segments["channelId"]
	found, ok := s.index.channels[id]
	if !ok {
		must(missing("CHANNEL_NOT_FOUND", "no channel %q", id))
	}
	v := found.attr.Value.(FileSeries)
	from, to := c.page(len(v), s.opts.PagePoints)
	b := []byte(`{"channelId":"` + id + `",`)
	b = append(b, appendHead(nil, len(v))[1:]...)
	for i, p := range v[from:to] {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"timestampMillis":`...)
		b = strconv.AppendInt(b, p.TimeMS, 10)
		b = appendNumber(append(b, `,"x":`...), p.Step, s.opts.BareNaN)
		b = append(appendImage(append(b, `,"y":{"imageValue":`...), p.Value), "}}"...)
	}
	return jsonAnswer(append(b, ']', '}'))
}

func appendImage(b []byte, f File) []byte {
	b = append(b, '{')
	if f.Name != "" {
		b = appendText(append(b, `"name":`...), f.Name)
	}
	if f.Description != "" {
		if f.Name != "" {
			b = append(b, ',')
		}
		b = appendText(append(b, `"description":`...), f.Description)
	}
	return append(b, '}')
}
