package neptune

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/wire2"
)

const (
	// searchPage2 is how many objects are asked for at once, and smallPage2 what the Python client asks for, where that
	// is refused.
	searchPage2 = 1_000
	smallPage2  = 100
	// searchWindow is how far the pages of one query reach.
	searchWindow = 10_000
)

// listed2 are the attributes that a listing asks for.
var listed2 = []string{attrID, attrName, attrCreated, attrModified, attrSize}

// search2 is a request for a page of objects.
type search2 struct {
	op      string
	project string // UUID
	kind    string // "run", "model" or "modelVersion"
	query   string
	paths   []string // nil: all attributes
	sort    string   // attribute; empty: of the creation time
	offset  int
	limit   int
}

type page2 struct {
	entries []wire2.Object
	total   int64 // -1: unknown
}

// searchBody2 is LeaderboardEntriesSearchParams.
type searchBody2 struct {
	Sorting    sorting2   `json:"sorting"`
	Attributes []pathOf   `json:"attributeFilters,omitempty"`
	Query      queryOf    `json:"query"`
	Pagination pagination `json:"pagination"`
}

type sorting2 struct {
	Dir         string `json:"dir"`
	Aggregation string `json:"aggregationMode"`
	By          sortBy `json:"sortBy"`
}

// search gets a page, in ascending order: POST /api/leaderboard/v1/leaderboard/entries/search, as the Python client 1.14
// does.
func (s *source2) search(ctx context.Context, in search2) (p page2, err error) {
	body := searchBody2{
		Sorting: sorting2{Dir: "ascending", Aggregation: "none", By: sortBy{Name: attrCreated, Type: "datetime"}},
		Query:   queryOf{in.query}, Pagination: pagination{Limit: in.limit, Offset: in.offset},
	}
	if in.sort != "" {
		body.Sorting.By = sortBy{Name: in.sort, Type: "string"}
	}
	for _, path := range in.paths {
		body.Attributes = append(body.Attributes, pathOf{path})
	}
	query := url.Values{"projectIdentifier": {in.project}, "type": {in.kind}}
	return p, s.post(ctx, in.op, "/api/leaderboard/v1/leaderboard/entries/search", query, body, func(b []byte) (err error) {
		p.entries, p.total, err = wire2.Search(b)
		return err
	})
}

// scopes2 are the scopes in the order of their listing.
var scopes2 = []migrate.Scope{migrate.ScopeRun, migrate.ScopeModel, migrate.ScopeModelVersion}

// list yields the selected runs, models and model versions of a project. A scope that cannot be listed does not keep
// the others from it.
func (s *source2) list(ctx context.Context, project string, sel migrate.Selection,
	yield func(migrate.RunInfo, error) bool,
) (more bool, err error) {
	id, err := s.project(ctx, project)
	if err != nil {
		return true, s.explain(ctx, err)
	}
	scopes := sel.Scopes
	if len(scopes) == 0 {
		scopes = []migrate.Scope{migrate.ScopeRun}
	}
	var errs []error
	for _, scope := range scopes2 {
		if !slices.Contains(scopes, scope) {
			continue
		}
		l := &listing2{source: s, project: project, id: id, scope: scope, sel: sel, yield: yield, seen: map[string]int{}}
		more, err := l.run(ctx)
		err = s.explain(ctx, err)
		if errs = append(errs, err); !more || ctx.Err() != nil || errors.Is(err, migrate.ErrFatal) {
			return more, errors.Join(errs...)
		}
	}
	return true, errors.Join(errs...)
}

// listing2 is that of one scope of a project.
type listing2 struct {
	source  *source2
	project string
	id      string // UUID of the project
	scope   migrate.Scope
	sel     migrate.Selection
	yield   func(migrate.RunInfo, error) bool
	seen    map[string]int // by UUID: the last query that found the object, from 1
	ended   bool           // the receiver has had enough
}

func (l *listing2) op() string {
	if l.scope == migrate.ScopeRun {
		return "list runs of " + l.project
	}
	return fmt.Sprintf("list %ss of %s", strings.ReplaceAll(string(l.scope), "_", " "), l.project)
}

func (l *listing2) run(ctx context.Context) (more bool, err error) {
	cfg, base := l.source.cfg, ""
	if !cfg.IncludeArchived {
		base = notTrashed
	}
	if l.scope == migrate.ScopeRun {
		base = and(cfg.RunsQuery, base)
	}
	for i, ids := range idConditions(l.project, l.scope, l.sel.Runs) {
		if err := l.all(ctx, i+1, and(base, ids)); err != nil || l.ended {
			return !l.ended, err
		}
	}
	return true, nil
}

// all lists what the query of number n finds, until it has as many objects as the server counts. Objects that vanish
// from earlier pages shift later ones past the offset; then the listing begins again.
func (l *listing2) all(ctx context.Context, n int, query string) error {
	var found, total int64
	for range maxListings {
		p := &listingPass{listing2: l, n: n, found: &found}
		var err error
		if total, err = p.windows(ctx, query); err != nil || l.ended {
			return err
		}
		if !p.shrunk && found >= total {
			if total < 0 {
				l.source.cfg.Log.Warn("the server does not count, so the listing cannot be proven", "project", l.project, "listed", found)
			}
			return nil
		}
		l.source.cfg.Log.Warn("runs moved while they were listed; listing them again",
			"project", l.project, "counted", total, "listed", found)
	}
	return fmt.Errorf("%s: the server counts %d but lists %d, and they change: some may be missing, start again later",
		l.op(), total, found)
}

// listingPass goes through what a query finds once.
type listingPass struct {
	*listing2
	n      int
	found  *int64 // distinct objects of all passes
	shrunk bool   // the server counted fewer on a later page
}

// windows goes through all pages. The server gives the first so many objects of a query only, so the next query
// begins at the creation time of the last of them, and repeats those of the same time. It returns
// how many there are by the server's last count; -1 if it does not count.
func (p *listingPass) windows(ctx context.Context, query string) (total int64, err error) {
	var since, last int64
	for window := 0; ; window++ {
		in := search2{query: query}
		if window > 0 {
			in.query = and(query, after(since-1))
		}
		w, err := p.window(ctx, in)
		if window == 0 {
			total = w.total
		}
		if err != nil || p.ended {
			return total, err
		}
		if !w.full {
			break
		}
		switch at := w.last.Get(attrCreated); {
		case at == nil:
			if err := p.byID(ctx, query); err != nil {
				return total, err
			}
			return p.count(ctx, query, total)
		case window > 0 && at.Int == last: // more than a window of one time
			if err := p.byID(ctx, and(query, during(at.Int))); err != nil || p.ended {
				return total, err
			}
			since = at.Int + 1
		default:
			since, last = at.Int, at.Int
		}
	}
	if since == 0 {
		return total, nil
	}
	return p.count(ctx, query, total)
}

// byID goes through what a query finds in the order of the short IDs.
func (p *listingPass) byID(ctx context.Context, query string) error {
	for last := ""; ; {
		in := search2{query: query, sort: attrID}
		if last != "" {
			in.query = and(query, "(`"+attrID+"`:string > \""+last+"\")")
		}
		w, err := p.window(ctx, in)
		if err != nil || p.ended || !w.full {
			return err
		}
		id := w.last.Get(attrID)
		if id == nil || id.Text == last || !plainID(id.Text) {
			return fmt.Errorf("%s: more than %d were created at the same time, and they cannot be told apart", p.op(), p.source.cfg.window)
		}
		last = id.Text
	}
}

// count asks for the number of objects once more; it was before at the beginning.
func (p *listingPass) count(ctx context.Context, query string, before int64) (int64, error) {
	page, err := p.source.search(ctx, p.request(search2{query: query}))
	p.shrunk = p.shrunk || page.total >= 0 && page.total < before
	return page.total, err
}

func (l *listing2) request(in search2) search2 {
	in.op, in.project, in.kind, in.paths = l.op(), l.id, typeOf(l.scope), listed2
	return in
}

// window is what came of one query.
type window struct {
	total int64 // by the last page
	full  bool  // there may be more
	last  wire2.Object
}

// window goes through the pages of one query, whatever their length.
func (p *listingPass) window(ctx context.Context, in search2) (w window, err error) {
	in, w.total = p.request(in), -1
	most := p.source.cfg.window
	for first, at := "", 0; at < most; {
		in.offset = max(at-1, 0) // the last one again: should another be there, those after it have moved
		page, err := p.page(ctx, &in)
		if err != nil {
			return w, err
		}
		if at > 0 && moved(w.last, page.entries) {
			p.shrunk = true
		}
		if len(page.entries) <= at-in.offset {
			if at == 0 { // behind the last page not every server counts
				w.total = page.total
			}
			return w, nil
		}
		p.shrunk = p.shrunk || page.total >= 0 && page.total < w.total
		w.total, w.last = page.total, page.entries[len(page.entries)-1]
		if id := page.entries[0].ID; id == first {
			return w, fmt.Errorf("%s: %w", in.op, errSamePage)
		}
		first = page.entries[0].ID
		if p.fresh(page.entries); p.ended {
			return w, nil
		}
		if at = in.offset + len(page.entries); w.total >= 0 && int64(at) >= w.total && at < most {
			return w, nil
		}
	}
	w.full = true
	return w, nil
}

// moved reports that a page does not begin with the last object of the one before. Those of one time may come in any order.
func moved(last wire2.Object, page []wire2.Object) bool {
	if len(page) == 0 {
		return true
	}
	if page[0].ID == last.ID {
		return false
	}
	was, is := last.Get(attrCreated), page[0].Get(attrCreated)
	return was == nil || is == nil || was.Int != is.Int
}

// page gets a page, a small one if the server does not take a large one.
func (p *listingPass) page(ctx context.Context, in *search2) (page2, error) {
	in.limit = min(p.source.searchLimit(), p.source.cfg.window-in.offset)
	page, err := p.source.search(ctx, *in)
	if in.limit > smallPage2 && tooMany(err) {
		in.limit = smallPage2
		if page, err = p.source.search(ctx, *in); err == nil {
			p.source.smallPages.Store(true)
		}
	}
	return page, err
}

func (s *source2) searchLimit() int {
	if s.smallPages.Load() {
		return smallPage2
	}
	return searchPage2
}

// tooMany reports an answer that may be due to how much was asked for.
func tooMany(err error) bool {
	var api *APIError
	if !errors.As(err, &api) {
		return errors.Is(err, errTooLarge)
	}
	switch api.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return !strings.Contains(api.Message, "yntax")
	}
	return false
}

// fresh yields the selected objects of a page that no page before had.
func (p *listingPass) fresh(entries []wire2.Object) {
	for _, e := range entries {
		before := p.seen[e.ID]
		if before != p.n {
			p.seen[e.ID] = p.n
			*p.found++
		}
		if before > 0 || e.Type != "" && e.Type != typeOf(p.scope) {
			continue
		}
		run := runInfo2(p.project, p.scope, e)
		if !p.sel.Match(run) {
			continue
		}
		p.source.learn(run.RunRef, e.ID)
		if !p.yield(run, nil) {
			p.ended = true
			return
		}
	}
}

// runInfo2 is what a listing knows of an object.
func runInfo2(project string, scope migrate.Scope, e wire2.Object) migrate.RunInfo {
	text := func(name string) string {
		if a := e.Get(name); a != nil {
			return a.Text
		}
		return ""
	}
	when := func(name string) time.Time {
		if a := e.Get(name); a != nil && a.Type == wire2.TypeDatetime {
			return time.UnixMilli(a.Int).UTC()
		}
		return time.Time{}
	}
	run := migrate.RunInfo{
		RunRef: migrate.RunRef{Project: project, ID: text(attrID), Scope: scope},
		SysID:  text(attrID), Name: text(attrName),
		Created: when(attrCreated), Modified: when(attrModified), State: migrate.Complete,
	}
	if run.ID == "" {
		run.ID = e.ID
	}
	if size := e.Get(attrSize); size != nil {
		run.Size = max(int64(size.Float), size.Int, 0)
	}
	return run
}

// searched gets the attributes of the run from the search, which has no more than searchColumns of them.
func (r *reader2) searched(ctx context.Context, id string) ([]wire2.Attribute, error) {
	if !plainID(r.run.ID) {
		return nil, fmt.Errorf("%s: %w", r.run, migrate.ErrNotFound)
	}
	project, err := r.source.project(ctx, r.run.Project)
	if err != nil {
		return nil, err
	}
	page, err := r.source.search(ctx, search2{
		op: "look for " + r.run.String(), project: project, kind: typeOf(r.run.Scope), query: isID(r.run.ID), limit: 10,
	})
	if err != nil {
		return nil, err
	}
	for _, e := range page.entries {
		if e.ID != id {
			continue
		}
		if len(e.Attributes) >= searchColumns {
			r.notef("", "", migrate.CodeUnreadable, "the server refuses to list all attributes, and its search gives only %d of them", len(e.Attributes))
		}
		return e.Attributes, nil
	}
	return nil, fmt.Errorf("look for %s: the search does not have it: %w", r.run, migrate.ErrNotFound)
}

// searchColumns is how many attributes a search gives at most, by Neptune's manual.
const searchColumns = 10_000
