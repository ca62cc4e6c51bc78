package neptunetest

import (
	"cmp"
	"net/http"
	"slices"
)

// searchBody is the body of both searches.
type searchBody struct {
	AttributeFilters []struct {
		Path string `json:"path"`
	} `json:"attributeFilters"`
	ExperimentLeader bool `json:"experimentLeader"`
	Pagination       *struct {
		Limit  *int `json:"limit"`
		Offset int  `json:"offset"`
	} `json:"pagination"`
	Query *struct {
		Query string `json:"query"`
	} `json:"query"`
	Sorting *struct {
		Dir             string  `json:"dir"`
		AggregationMode *string `json:"aggregationMode"`
		SortBy          struct {
			Name            string  `json:"name"`
			Type            string  `json:"type"`
			AggregationMode *string `json:"aggregationMode"`
		} `json:"sortBy"`
	} `json:"sorting"`
}

// search lists the runs of a project with the attributes asked for.
func (s *Server) search(c *call) answer {
	p := c.project("projectIdentifier", "type")
	for _, kind := range c.r.URL.Query()["type"] {
		if kind != "run" {
			must(bad("type=%q", kind))
		}
	}
	var in searchBody
	c.read(&in)
	if len(in.AttributeFilters) > maxProjection {
		must(bad("%d attributeFilters; at most %d are taken", len(in.AttributeFilters), maxProjection))
	}
	found := in.find(p.runs)
	return in.answer(s, found, func(b []byte, ri *runIndex) []byte {
		for _, f := range in.AttributeFilters {
			if a := ri.byPath[f.Path]; a != nil {
				b = appendAttribute(b, 7, ri, a)
			}
		}
		return b
	})
}

// globalSearch lists runs of all projects, with their sys attributes.
func (s *Server) globalSearch(c *call) answer {
	c.query("type")
	var in searchBody
	c.read(&in)
	if len(in.AttributeFilters) > 0 || in.Sorting != nil && in.Sorting.SortBy.Type == "" {
		must(bad("attributeFilters, or sorting without a type, in a search over all projects"))
	}
	var found []*runIndex
	for _, p := range s.index.projects {
		found = append(found, p.runs...)
	}
	return in.answer(s, in.find(found), func(b []byte, ri *runIndex) []byte {
		for _, a := range ri.attrs {
			if len(a.Path) > 4 && a.Path[:4] == "sys/" {
				b = appendAttribute(b, 7, ri, a)
			}
		}
		return b
	})
}

// find filters and sorts.
func (in *searchBody) find(runs []*runIndex) (found []*runIndex) {
	want := func(*runIndex) bool { return true }
	if in.Query != nil {
		condition, err := parseNQL(in.Query.Query)
		if err != nil {
			must(bad("query %.500q: %v", in.Query.Query, err))
		}
		want = condition
	}
	for _, ri := range runs {
		if want(ri) && (!in.ExperimentLeader || ri.isHead()) {
			found = append(found, ri)
		}
	}
	in.sort(found)
	return found
}

func (ri *runIndex) isHead() bool {
	a := ri.byPath["sys/experiment/is_head"]
	return a != nil && a.Value == Bool(true)
}

// sort sorts by the attribute asked for. Runs without it come last, equal ones stay as they were seeded.
func (in *searchBody) sort(runs []*runIndex) {
	name, kind, dir := "sys/creation_time", "datetime", "descending"
	mode := ""
	if in.Sorting != nil {
		name, kind, dir = in.Sorting.SortBy.Name, in.Sorting.SortBy.Type, in.Sorting.Dir
		for _, m := range []*string{in.Sorting.AggregationMode, in.Sorting.SortBy.AggregationMode} {
			if m != nil && *m != "auto" {
				mode = *m
			}
		}
	}
	if name == "" || dir != "ascending" && dir != "descending" || kind != "" && !typeNames[kind] {
		must(bad("sorting by %q, type %q, %q", name, kind, dir))
	}
	sortRuns(runs, attribute{name: name, kind: kind, aggregate: mode}, dir == "descending")
}

func sortRuns(runs []*runIndex, attr attribute, descending bool) {
	keys := make(map[*runIndex]any, len(runs))
	for _, ri := range runs {
		keys[ri] = attr.scalar(ri)
	}
	slices.SortStableFunc(runs, func(a, b *runIndex) int {
		x, y := keys[a], keys[b]
		if x == nil || y == nil {
			return cmp.Compare(absent(x), absent(y))
		}
		if descending {
			return compareScalars(y, x)
		}
		return compareScalars(x, y)
	})
}

func absent(v any) int {
	if v == nil {
		return 1
	}
	return 0
}

// answer appends a page of entries; attributes appends those of a run.
func (in *searchBody) answer(s *Server, found []*runIndex, attributes func([]byte, *runIndex) []byte) answer {
	if in.Pagination == nil || in.Pagination.Limit == nil || *in.Pagination.Limit < 0 || in.Pagination.Offset < 0 {
		must(bad("no pagination, or a negative one"))
	}
	if *in.Pagination.Limit > maxSearch {
		must(bad("pagination.limit %d; at most %d are asked for", *in.Pagination.Limit, maxSearch))
	}
	limit := *in.Pagination.Limit
	if s.opts.PageRuns > 0 {
		limit = min(limit, s.opts.PageRuns)
	}
	from := min(in.Pagination.Offset, len(found))
	out := appendInt(nil, 1, int64(len(found)))
	for _, ri := range found[from:min(from+limit, len(found))] {
		p := ri.project
		m := appendString(nil, 1, uuid("run", p.ID(), ri.ID))
		m = appendString(m, 2, "run")
		m = appendString(m, 3, uuid("project", p.ID()))
		m = appendString(m, 4, uuid("workspace", p.Workspace))
		m = appendString(m, 5, p.Name)
		m = appendString(m, 6, p.Workspace)
		out = appendMessage(out, 3, attributes(m, ri))
	}
	return answer{status: http.StatusOK, body: out, kind: kindProto}
}
