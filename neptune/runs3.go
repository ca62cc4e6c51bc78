package neptune

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/wire3"
)

const (
	// searchPage is how many runs are asked for at once. The server takes up to 10,000.
	searchPage = 5_000
	// maxListings is how often a listing begins again because runs moved within it.
	maxListings = 3
)

// listed are the attributes that a listing asks for.
var listed = []string{attrID, attrCustomID, attrName, attrCreated, attrModified, attrArchived, attrTrashed, attrParent, attrSize}

// search is a request for a page of runs.
type search struct {
	query         string
	paths         []string
	offset, limit int
}

type page struct {
	entries []wire3.Entry
	total   int64
}

type (
	searchBody struct {
		Attributes []pathOf   `json:"attributeFilters"`
		Leader     bool       `json:"experimentLeader"`
		Pagination pagination `json:"pagination"`
		Query      *queryOf   `json:"query,omitempty"`
		Sorting    sorting    `json:"sorting"`
	}
	pathOf struct {
		Path string `json:"path"`
	}
	pagination struct {
		Limit  int `json:"limit"`
		Offset int `json:"offset"`
	}
	queryOf struct {
		Query string `json:"query"`
	}
	sorting struct {
		Dir string `json:"dir"`
		By  sortBy `json:"sortBy"`
	}
	sortBy struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
)

// search gets a page of runs, oldest first, so that runs that start meanwhile come at the end: POST
// /api/leaderboard/v1/proto/leaderboard/entries/search/, as neptune-query 1.11.0 does.
func (s *source3) search(ctx context.Context, project string, in search) (p page, err error) {
	body := searchBody{
		Pagination: pagination{Limit: in.limit, Offset: in.offset},
		Sorting:    sorting{Dir: "ascending", By: sortBy{Name: attrCreated, Type: "datetime"}},
	}
	for _, path := range in.paths {
		body.Attributes = append(body.Attributes, pathOf{path})
	}
	if in.query != "" {
		body.Query = &queryOf{in.query}
	}
	err = s.api.post(ctx, "list runs of "+project, "/api/leaderboard/v1/proto/leaderboard/entries/search/",
		url.Values{"projectIdentifier": {project}, "type": {"run"}}, body, func(b []byte) (err error) {
			p.entries, p.total, err = wire3.Search(b)
			return err
		})
	return p, noEndpoint(err, Neptune3)
}

// listing3 is that of one project.
type listing3 struct {
	source  *source3
	project string
	sel     migrate.Selection
	yield   func(migrate.RunInfo, error) bool
	seen    map[string]int    // by short ID: the last query that found the run, from 1
	names   map[string]string // by the ID a run was yielded under: its short ID
	left    int               // archived and trashed runs left out
}

// projectRuns yields the runs of one project; more is false if the receiver has had enough.
func (s *source3) projectRuns(ctx context.Context, project string, sel migrate.Selection,
	yield func(migrate.RunInfo, error) bool,
) (more bool, err error) {
	l := &listing3{source: s, project: project, sel: sel, yield: yield, seen: map[string]int{}, names: map[string]string{}}
	s.gather.begin(project)
	for i, query := range idQueries(project, sel.Runs) {
		if more, err := l.all(ctx, i+1, both(s.cfg.RunsQuery, query)); !more || err != nil {
			return more, err
		}
	}
	if l.left > 0 {
		s.cfg.Log.Info("archived and trashed runs left out", "project", project, "runs", l.left)
	}
	return true, nil
}

// all lists what the query of number n finds, until it has as many runs as the server counts. Runs
// that vanish from earlier pages shift later ones past the offset; then the listing begins again.
func (l *listing3) all(ctx context.Context, n int, query string) (more bool, err error) {
	var found, total int64
	var shrunk bool
	for range maxListings {
		total, shrunk, more, err = l.pass(ctx, n, query, &found)
		if !more || err != nil || !shrunk && found >= total {
			return more, err
		}
		l.source.cfg.Log.Warn("runs moved while they were listed; listing them again",
			"project", l.project, "counted", total, "listed", found)
	}
	return true, fmt.Errorf("list runs of %s: the server counts %d but lists %d, and they change: some may be missing, start again later",
		l.project, total, found)
}

// pass goes through all pages once, whatever their length, and adds to found the runs that no pass
// of this query found before. shrunk says that the server counted fewer on a later page.
func (l *listing3) pass(ctx context.Context, n int, query string, found *int64) (total int64, shrunk, more bool, err error) {
	for offset, first := 0, ""; ; {
		in := search{query: query, paths: listed, offset: offset, limit: searchPage}
		p, err := l.source.search(ctx, l.project, in)
		if err != nil {
			return 0, false, true, err
		}
		shrunk = shrunk || p.total < total
		total = p.total
		if !l.send(l.fresh(n, p.entries, found)) {
			return 0, false, false, nil
		}
		offset += len(p.entries)
		if len(p.entries) > 0 && entryKey(p.entries[0]) == first {
			return total, shrunk, true, fmt.Errorf("list runs of %s: %w", l.project, errSamePage)
		}
		if len(p.entries) > 0 {
			first = entryKey(p.entries[0])
		}
		if len(p.entries) == 0 || total > 0 && int64(offset) >= total {
			return total, shrunk, true, nil
		}
	}
}

// entryKey identifies a run of an answer: by the short ID, which every run should have.
func entryKey(e wire3.Entry) string {
	if a := e.Get(attrID); a != nil && a.Text != "" {
		return a.Text
	}
	return "\x00" + e.ID
}

// fresh gives the selected runs of a page that no page before had.
func (l *listing3) fresh(n int, entries []wire3.Entry, found *int64) (runs []migrate.RunInfo) {
	for _, entry := range entries {
		key := entryKey(entry)
		before := l.seen[key]
		if before != n {
			l.seen[key] = n
			*found++
		}
		if before > 0 {
			continue
		}
		if run, ok := l.choose(key, entry); ok {
			runs = append(runs, run)
		}
	}
	return runs
}

// send yields runs.
func (l *listing3) send(runs []migrate.RunInfo) (more bool) {
	ids := make([]string, 0, len(runs))
	for _, run := range runs {
		if run.SysID != "" {
			ids = append(ids, run.SysID)
		}
	}
	l.source.gather.listed(l.project, ids)
	for _, run := range runs {
		if !l.yield(run, nil) {
			return false
		}
	}
	return true
}

// choose gives a run if it is selected. Two runs should not have one custom ID; if they do, the later
// goes by its short one.
func (l *listing3) choose(key string, entry wire3.Entry) (run migrate.RunInfo, ok bool) {
	run = runInfo(l.project, entry)
	if !l.source.cfg.IncludeArchived && (isTrue(entry.Get(attrArchived)) || isTrue(entry.Get(attrTrashed))) {
		l.left++
		return run, false
	}
	if other, taken := l.names[run.ID]; taken && run.SysID != "" {
		l.source.cfg.Log.Warn("two runs have one ID; the later goes by its short ID",
			"project", l.project, "id", run.ID, "run", run.SysID, "other", other)
		run.ID = run.SysID
		for _, taken := l.names[run.ID]; taken; _, taken = l.names[run.ID] {
			run.ID += "'"
		}
	}
	l.names[run.ID] = key
	return run, l.sel.Match(run)
}

func isTrue(a *wire3.Attribute) bool { return a != nil && a.Bool }

// runInfo is what a listing knows of a run.
func runInfo(project string, e wire3.Entry) migrate.RunInfo {
	text := func(name string) string {
		if a := e.Get(name); a != nil {
			return a.Text
		}
		return ""
	}
	when := func(name string) time.Time {
		if a := e.Get(name); a != nil && a.Value == wire3.Datetime {
			return time.UnixMilli(a.Int).UTC()
		}
		return time.Time{}
	}
	run := migrate.RunInfo{
		RunRef: migrate.RunRef{Project: project, ID: text(attrCustomID)},
		SysID:  text(attrID), Name: text(attrName), Parent: text(attrParent),
		Created: when(attrCreated), Modified: when(attrModified), State: migrate.Complete,
	}
	if run.ID == "" {
		run.ID = run.SysID
	}
	if run.ID == "" {
		run.ID = e.ID
	}
	if size := e.Get(attrSize); size != nil {
		run.Size = max(size.Int, 0)
	}
	return run
}

// find looks for a run by its ID, custom or short.
func (s *source3) find(ctx context.Context, ref migrate.RunRef) (sysID string, err error) {
	p, err := s.search(ctx, ref.Project, search{query: idQuery([]string{ref.ID}), paths: []string{attrID, attrCustomID}, limit: 10})
	if err != nil {
		return "", err
	}
	for _, e := range p.entries {
		if a := e.Get(attrCustomID); a != nil && a.Text == ref.ID && !strings.HasPrefix(entryKey(e), "\x00") {
			return entryKey(e), nil
		}
	}
	for _, e := range p.entries {
		if entryKey(e) == ref.ID {
			return ref.ID, nil
		}
	}
	return "", fmt.Errorf("%s: %w", ref, migrate.ErrNotFound)
}
