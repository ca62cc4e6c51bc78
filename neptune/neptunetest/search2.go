package neptunetest

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// entriesBody is the body of a search in Neptune 2.
type entriesBody struct {
	AttributeFilters []struct {
		Path string `json:"path"`
	} `json:"attributeFilters"`
	Pagination *struct {
		Limit  int `json:"limit"`
		Offset int `json:"offset"`
	} `json:"pagination"`
	Query *struct {
		Query string `json:"query"`
	} `json:"query"`
	Sorting *struct {
		Dir             string `json:"dir"`
		AggregationMode string `json:"aggregationMode"` // sent, but not described: ignored
		SortBy          struct {
			Name            string `json:"name"`
			Type            string `json:"type"`
			AggregationMode string `json:"aggregationMode"`
		} `json:"sortBy"`
	} `json:"sorting"`
}

// ofTypes returns what the project has of the types asked for.
func (c *call) ofTypes(p *projectIndex) (list []*runIndex) {
	for _, kind := range c.sent["type"] {
		switch kind {
		case kindRun:
			list = append(list, p.runs...)
		case kindModel:
			list = append(list, p.models...)
		case kindVersion:
			list = append(list, p.versions...)
		default:
			must(bad("type=%q", kind))
		}
	}
	return list
}

// searchEntries lists runs, models or versions with the attributes asked for, or all.
func (s *Server) searchEntries(c *call) answer {
	p := c.project2()
	var in entriesBody
	c.read(&in)
	found := in.find(c.ofTypes(p))
	in.sort(found)
	from, to := in.page(len(found), s.opts)
	b := append([]byte(`{"matchingItemCount":`), strconv.Itoa(len(found))...)
	b = append(b, `,"entries":[`...)
	for i, ri := range found[from:to] {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"experimentId":"`+ri.uuid+`","type":"`+ri.kind+`"`...)
		b = append(b, ri.project.where...)
		b = s.appendAttributes2(b, ri, in.attributesOf(ri))
		b = append(b, '}')
	}
	return jsonAnswer(append(b, ']', '}'))
}

// project2 finds the project by its UUID or its name.
func (c *call) project2() *projectIndex {
	id := c.value("projectIdentifier")
	p := cmp.Or(c.s.index.byUUID[id], c.s.index.byID[id])
	if p == nil {
		must(c.s.denied(id))
	}
	return p
}

func (in *entriesBody) find(list []*runIndex) (found []*runIndex) {
	want := func(*runIndex) bool { return true }
	if in.Query != nil {
		condition, err := parseNQL2(in.Query.Query)
		if err != nil {
			must(&refusal{
				status: http.StatusBadRequest, errorType: "BAD_REQUEST", title: "Syntax error",
				text: "query " + strconv.Quote(in.Query.Query) + ": " + err.Error(),
			})
		}
		want = condition
	}
	for _, ri := range list {
		if want(ri) {
			found = append(found, ri)
		}
	}
	return found
}

func (in *entriesBody) sort(found []*runIndex) {
	if in.Sorting == nil {
		must(bad("no sorting: the order would not be known"))
	}
	by := in.Sorting.SortBy
	switch by.Type {
	case "datetime", "string", "float", "int", "bool":
	case "floatSeries", "stringSeries", "experimentState", "artifact":
	default:
		must(bad("sorting by type %q", by.Type))
	}
	if by.Name == "" || in.Sorting.Dir != "ascending" && in.Sorting.Dir != "descending" {
		must(bad("sorting by %q, %q", by.Name, in.Sorting.Dir))
	}
	attr := attribute{name: by.Name, kind: by.Type}
	switch by.AggregationMode {
	case "last", "min", "max", "average", "variance":
		attr.aggregate = by.AggregationMode
	case "", "auto", "none":
	default:
		must(bad("aggregationMode %q", by.AggregationMode))
	}
	sortRuns(found, attr, in.Sorting.Dir == "descending")
}

// page is what the search gives of n. Real servers page no search beyond 10,000.
func (in *entriesBody) page(n int, opts Options) (from, to int) {
	if in.Pagination == nil || in.Pagination.Limit < 0 || in.Pagination.Offset < 0 {
		must(bad("no pagination, or a negative one"))
	}
	limit, offset := in.Pagination.Limit, in.Pagination.Offset
	if limit > maxPage2 {
		must(bad("pagination.limit %d; at most %d are known to be given", limit, maxPage2))
	}
	if offset > opts.Window-limit {
		must(bad("pagination up to %d; a search ends at %d", offset+limit, opts.Window))
	}
	if opts.PageRuns > 0 {
		limit = min(limit, opts.PageRuns)
	}
	from = min(offset, n)
	return from, min(from+limit, n)
}

// attributesOf returns the attributes asked for, by exact paths; without filters all.
func (in *entriesBody) attributesOf(ri *runIndex) []*Attribute {
	if in.AttributeFilters == nil {
		return ri.attrs[:min(len(ri.attrs), maxColumns)]
	}
	var list []*Attribute
	for _, f := range in.AttributeFilters {
		if a := ri.byPath[f.Path]; a != nil && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

// searchColumns lists the columns whose name has a text in it. The creation time is one even where there is nothing
// to have it.
func (s *Server) searchColumns(c *call) answer {
	p := c.project2()
	var in struct {
		Query *struct {
			Query string `json:"query"`
		} `json:"query"`
	}
	c.read(&in)
	seen := map[definition]bool{{"sys/creation_time", "datetime"}: true}
	for _, ri := range c.ofTypes(p) {
		for _, a := range ri.attrs {
			seen[definition{a.Path, ri.typeName(a.Value)}] = true
		}
	}
	list := []definition{}
	for d := range seen {
		if strings.Contains(d.Name, c.value("search")) {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b definition) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
	})
	return okJSON(object{"entries": list[:min(len(list), c.number("limit", len(list)))]})
}
