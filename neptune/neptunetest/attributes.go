package neptunetest

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
)

// attributeFilter is what requests for definitions and values have in common.
type attributeFilter struct {
	NameFilter *struct {
		MustMatchAny *[]struct {
			Must    []string `json:"mustMatchRegexes"`
			MustNot []string `json:"mustNotMatchRegexes"`
		} `json:"mustMatchAny"`
	} `json:"attributeNameFilter"`
	TypeFilter *[]struct {
		Type string `json:"attributeType"`
	} `json:"attributeFilter"`
}

// compile returns whether an attribute passes; expressions are found anywhere in its path.
func (f attributeFilter) compile() func(*Attribute) bool {
	types, names := f.types(), f.names()
	return func(a *Attribute) bool {
		return (types == nil || types[a.Value.TypeName()]) && (names == nil || slices.ContainsFunc(names, func(n nameTest) bool {
			return n.match(a.Path)
		}))
	}
}

func (f attributeFilter) types() map[string]bool {
	if f.TypeFilter == nil {
		return nil
	}
	types := map[string]bool{}
	for _, t := range *f.TypeFilter {
		if !typeNames[t.Type] {
			must(bad("unknown attributeType %q", t.Type))
		}
		types[t.Type] = true
	}
	return types
}

// nameTest is one alternative: all of must match and none of not.
type nameTest struct{ must, not []*regexp.Regexp }

func (n nameTest) match(path string) bool {
	for _, re := range n.must {
		if !re.MatchString(path) {
			return false
		}
	}
	for _, re := range n.not {
		if re.MatchString(path) {
			return false
		}
	}
	return true
}

// names is nil without restriction, and empty if nothing passes.
func (f attributeFilter) names() []nameTest {
	if f.NameFilter == nil || f.NameFilter.MustMatchAny == nil {
		return nil
	}
	tests, size := []nameTest{}, 0
	compile := func(patterns []string) (list []*regexp.Regexp) {
		for _, p := range patterns {
			if size += len(p); size > maxPattern {
				must(bad("more than %d bytes of expressions", maxPattern))
			}
			re, err := regexp.Compile(p)
			if err != nil {
				must(bad("%v", err))
			}
			list = append(list, re)
		}
		return list
	}
	for _, m := range *f.NameFilter.MustMatchAny {
		tests = append(tests, nameTest{must: compile(m.Must), not: compile(m.MustNot)})
	}
	return tests
}

type definitionsBody struct {
	Projects []string  `json:"projectIdentifiers"`
	Runs     *[]string `json:"experimentIdsFilter"`
	attributeFilter
	Next *nextPage `json:"nextPage"`
}

type definition struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// definitions lists paths and types of all runs, or of those asked for, each pair once.
func (s *Server) definitions(c *call) answer {
	c.query("projectIdentifier")
	var in definitionsBody
	c.read(&in)
	runs := s.definedIn(in)
	next := in.Next
	in.Next = nil
	query := fingerprint(in)
	from, limit := next.start(query, s.opts.PageAttributes)
	list := distinct(runs, in.compile())
	start := min(from.A, len(list))
	end := min(start+limit, len(list))
	out := map[string]any{"nextPageToken": nil, "limit": limit}
	if end < len(list) {
		out["nextPageToken"] = token(query, place{A: end})
	}
	return okJSON(map[string]any{"entries": list[start:end], "nextPage": out})
}

// definedIn returns the runs of a request for definitions; unknown ones do not matter, and of several projects those
// that are not there neither.
func (s *Server) definedIn(in definitionsBody) (runs []*runIndex) {
	if len(in.Projects) == 0 {
		must(bad("no projectIdentifiers"))
	}
	known := false
	for _, id := range in.Projects {
		if p := s.index.byID[id]; p != nil {
			known = true
			if in.Runs == nil {
				runs = append(runs, p.runs...)
			}
		}
	}
	if !known {
		must(s.denied(in.Projects[0]))
	}
	if in.Runs == nil {
		return runs
	}
	if len(*in.Runs) > maxRunIDs {
		must(bad("%d experimentIdsFilter; at most %d are known to be taken", len(*in.Runs), maxRunIDs))
	}
	for _, id := range *in.Runs {
		if ri := s.index.run(id); ri != nil && slices.Contains(in.Projects, ri.project.ID()) {
			runs = append(runs, ri)
		}
	}
	return runs
}

func distinct(runs []*runIndex, pass func(*Attribute) bool) []definition {
	seen := map[definition]bool{}
	list := []definition{}
	for _, ri := range runs {
		for _, a := range ri.attrs {
			d := definition{a.Path, a.Value.TypeName()}
			if !seen[d] && pass(a) {
				seen[d] = true
				list = append(list, d)
			}
		}
	}
	slices.SortFunc(list, func(a, b definition) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
	})
	return list
}

type valuesBody struct {
	Runs  *[]string `json:"experimentIdsFilter"`
	Names *[]string `json:"attributeNamesFilter"`
	attributeFilter
	Next *nextPage `json:"nextPage"`
}

// values lists values run by run; the page's limit counts values.
func (s *Server) values(c *call) answer {
	p := c.project("projectIdentifier")
	var in valuesBody
	c.read(&in)
	next := in.Next
	in.Next = nil
	query := fingerprint(in)
	from, limit := next.start(query, s.opts.PageAttributes)
	runs, pass := in.runs(p, s.index), in.pass()
	var out []byte
	for at := from.A; at < len(runs); at++ {
		entry, n, more := valuesEntry(runs[at], pass, from.B, limit)
		if n > 0 {
			out = appendMessage(out, 1, entry)
		}
		if limit -= n; limit == 0 || more {
			page := appendSetString(nil, 1, token(query, place{at, from.B + n}))
			return protoAnswer(appendMessage(out, 2, page))
		}
		from.B = 0
	}
	return protoAnswer(appendMessage(out, 2, nil))
}

// valuesEntry appends the attributes of a run that pass, but not the first skip, and at most limit.
func valuesEntry(ri *runIndex, pass func(*Attribute) bool, skip, limit int) (entry []byte, n int, more bool) {
	entry = appendString(nil, 1, uuid("run", ri.project.ID(), ri.ID))
	entry = appendString(entry, 2, ri.ID)
	for _, a := range ri.attrs {
		switch {
		case !pass(a):
		case skip > 0:
			skip--
		case n == limit:
			return entry, n, true
		default:
			entry = appendAttribute(entry, 3, ri, a)
			n++
		}
	}
	return entry, n, false
}

func (in valuesBody) runs(p *projectIndex, ix *index) []*runIndex {
	if in.Runs == nil {
		return p.runs
	}
	var runs []*runIndex
	seen := map[*runIndex]bool{}
	for _, id := range *in.Runs {
		ri := ix.run(id)
		if ri != nil && ri.project == p && !seen[ri] {
			seen[ri] = true
			runs = append(runs, ri)
		}
	}
	return runs
}

func (in valuesBody) pass() func(*Attribute) bool {
	pass := in.compile()
	if in.Names == nil {
		return pass
	}
	names := map[string]bool{}
	for _, name := range *in.Names {
		names[name] = true
	}
	return func(a *Attribute) bool { return names[a.Path] && pass(a) }
}

func protoAnswer(body []byte) answer {
	return answer{status: http.StatusOK, body: body, kind: kindProto}
}
