package neptune_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

const (
	pathSearch2    = "/v1/leaderboard/entries/search"
	pathAttributes = "/leaderboard/v1/attributes"
	pathStrings    = "/attributes/series/string"
)

// runs2 is a project of runs that were created at these seconds.
func runs2(n int, second func(i int) int) *neptunetest.Project {
	p := &neptunetest.Project{Workspace: "team", Name: "many", Key: "MANY"}
	for i := range n {
		p.Runs = append(p.Runs, &neptunetest.Run{ID: fmt.Sprintf("MANY-%d", i+1), Attributes: []neptunetest.Attribute{
			{Path: "sys/creation_time", Value: neptunetest.Datetime(1_700_000_000_000 + 1000*int64(second(i)))},
		}})
	}
	return p
}

// checkListed wants each of p's runs once.
func checkListed(t *testing.T, p *neptunetest.Project, got []string) {
	t.Helper()
	var want []string
	for _, run := range p.Runs {
		want = append(want, run.ID)
	}
	slices.Sort(want)
	if sorted := slices.Sorted(slices.Values(got)); !slices.Equal(sorted, want) {
		t.Errorf("%d runs listed, %d distinct; want each of %d once", len(got), len(slices.Compact(sorted)), len(want))
	}
}

// Beyond the window of a search, no run is missed and none comes twice, also of those that were created at one time.
func TestWindows(t *testing.T) {
	for _, test := range []struct {
		name   string
		window int
		runs   int
		second func(i int) int
	}{
		{"one full window", 50, 50, func(i int) int { return i }},
		{"one more", 50, 51, func(i int) int { return i }},
		{"ties across the end", 50, 180, func(i int) int { return i / 7 }},
		{"all at one time", 50, 49, func(int) int { return 0 }},
		{"a window at one time", 50, 50, func(int) int { return 0 }},
		{"more than a window at one time", 50, 170, func(int) int { return 0 }},
		{"many at one time in the middle", 50, 300, func(i int) int { return min(i, 20) + max(i-200, 0) }},
		{"many at one time at the end", 50, 300, func(i int) int { return min(i, 120) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := runs2(test.runs, test.second)
			server := serve2(t, neptunetest.Options{Window: test.window, PageRuns: 20}, p)
			source := open2(t, server, func(cfg *neptune.Config) { *cfg = neptune.Window(*cfg, test.window) })
			checkListed(t, p, ids(t, source, migrate.Selection{Projects: []string{p.ID()}}))
		})
	}
}

// 12,500 runs of which five share the time at the end of the first window: the Python client misses three.
func TestManyRuns(t *testing.T) {
	p := runs2(12_500, func(i int) int {
		if i >= 9_997 && i < 10_002 {
			return 9_997
		}
		return i
	})
	server := serve2(t, neptunetest.Options{}, p)
	source := open2(t, server, nil)
	checkListed(t, p, ids(t, source, migrate.Selection{Projects: []string{p.ID()}}))
	if n := asks(server, pathSearch2); n > 20 {
		t.Errorf("%d requests for 12,500 runs", n)
	}
	for _, request := range server.Requests() {
		if strings.Contains(request.Path, "attributes/search") {
			t.Errorf("a column was looked for: %s", request.Path)
		}
	}
}

// A search that takes only small pages is asked for those.
func TestSmallPages2(t *testing.T) {
	p := runs2(350, func(i int) int { return i })
	server := serve2(t, neptunetest.Options{}, p)
	source := open2(t, server, func(cfg *neptune.Config) {
		cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
			if body := peek(r); strings.Contains(string(body), `"limit":1000`) {
				refusal := answer(r, `{"errorType":"BAD_REQUEST","message":"limit"}`)
				refusal.StatusCode = http.StatusBadRequest
				return refusal, nil
			}
			return http.DefaultTransport.RoundTrip(r)
		})
	})
	checkListed(t, p, ids(t, source, migrate.Selection{Projects: []string{p.ID()}}))
}

// trashed is a project with a run, a model and a version in the trash, and one of each that is not.
func trashed() *neptunetest.Project {
	attributes := func(tag string, trashed bool) []neptunetest.Attribute {
		return []neptunetest.Attribute{
			{Path: "sys/trashed", Value: neptunetest.Bool(trashed)},
			{Path: "sys/tags", Value: neptunetest.StringSet{tag}},
			{Path: "sys/name", Value: neptunetest.String("name")},
			{Path: "sys/size", Value: neptunetest.Float(1.5e3)},
			{Path: "sys/modification_time", Value: neptunetest.Datetime(1_700_000_000_500)},
		}
	}
	return &neptunetest.Project{
		Workspace: "team", Name: "proj", Key: "PRJ",
		Runs:          []*neptunetest.Run{{ID: "PRJ-1", Attributes: attributes("a", false)}, {ID: "PRJ-2", Attributes: attributes("b", true)}, {ID: "PRJ-11", Attributes: attributes("b", false)}},
		Models:        []*neptunetest.Run{{ID: "PRJ-MOD", Attributes: attributes("a", false)}, {ID: "PRJ-OLD", Attributes: attributes("a", true)}},
		ModelVersions: []*neptunetest.Run{{ID: "PRJ-MOD-1", Attributes: attributes("a", false)}, {ID: "PRJ-OLD-1", Attributes: attributes("a", true)}},
	}
}

func TestSelections2(t *testing.T) {
	p := trashed()
	server := serve2(t, neptunetest.Options{}, p)
	ref := func(id string, scope migrate.Scope) migrate.RunRef {
		return migrate.RunRef{Project: p.ID(), ID: id, Scope: scope}
	}
	for _, test := range []struct {
		name   string
		change func(*neptune.Config)
		sel    migrate.Selection
		want   []string
	}{
		{"runs", nil, migrate.Selection{}, []string{"PRJ-1", "PRJ-11"}},
		{"all", everything, migrate.Selection{Scopes: allScopes}, []string{"PRJ-1", "PRJ-2", "PRJ-11", "PRJ-MOD", "PRJ-OLD", "PRJ-MOD-1", "PRJ-OLD-1"}},
		{"models", nil, migrate.Selection{Scopes: []migrate.Scope{migrate.ScopeModel}}, []string{"PRJ-MOD"}},
		{"versions", nil, migrate.Selection{Scopes: []migrate.Scope{migrate.ScopeModelVersion, "other"}}, []string{"PRJ-MOD-1"}},
		{"no such scope", nil, migrate.Selection{Scopes: []migrate.Scope{"other"}}, nil},
		{
			"an OR does not reach the trash",
			func(cfg *neptune.Config) {
				cfg.RunsQuery = "`sys/tags`:stringSet CONTAINS \"a\" OR `sys/tags`:stringSet CONTAINS \"b\""
			},
			migrate.Selection{},
			[]string{"PRJ-1", "PRJ-11"},
		},
		{
			"a query is for runs",
			func(cfg *neptune.Config) { cfg.RunsQuery = "`sys/tags`:stringSet CONTAINS \"b\"" },
			migrate.Selection{Scopes: allScopes},
			[]string{"PRJ-11", "PRJ-MOD", "PRJ-MOD-1"},
		},
		{"exact IDs", nil, migrate.Selection{Runs: []migrate.RunRef{ref("PRJ-1", ""), ref("PRJ-\"", ""), ref("PRJ-MOD", "model")}}, []string{"PRJ-1"}},
		{"exact IDs of scopes", nil, migrate.Selection{Runs: []migrate.RunRef{ref("PRJ-1", ""), ref("PRJ-MOD", "model")}, Scopes: allScopes}, []string{"PRJ-1", "PRJ-MOD"}},
		{"an expression is found anywhere", nil, migrate.Selection{IDMatch: regexp.MustCompile("J-1")}, []string{"PRJ-1", "PRJ-11"}},
		{"an expression with ends", nil, migrate.Selection{IDMatch: regexp.MustCompile("^PRJ-1$")}, []string{"PRJ-1"}},
		{"since", nil, migrate.Selection{Since: time.UnixMilli(1_700_000_000_501)}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.sel.Projects = []string{p.ID()}
			if diff := cmp.Diff(test.want, ids(t, open2(t, server, test.change), test.sel)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRunInfo2(t *testing.T) {
	p := trashed()
	source := open2(t, serve2(t, neptunetest.Options{}, p), nil)
	var got []migrate.RunInfo
	for run, err := range source.Runs(t.Context(), migrate.Selection{Projects: []string{p.ID()}, Scopes: []migrate.Scope{migrate.ScopeModelVersion}}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, run)
	}
	want := []migrate.RunInfo{{
		RunRef: migrate.RunRef{Project: p.ID(), ID: "PRJ-MOD-1", Scope: migrate.ScopeModelVersion}, SysID: "PRJ-MOD-1", Name: "name",
		Created: time.UnixMilli(1_700_000_000_000).UTC(), Modified: time.UnixMilli(1_700_000_000_500).UTC(), Size: 1500, State: migrate.Complete,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A project without models has none, and a query that the server does not understand is told of.
func TestEmptyAndWrongListings(t *testing.T) {
	p := project()
	server := serve2(t, neptunetest.Options{Complain: func(string) {}}, p)
	if got := ids(t, open2(t, server, nil), migrate.Selection{Projects: []string{p.ID()}, Scopes: allScopes}); !slices.Equal(got, []string{"PRJ-1"}) {
		t.Errorf("listed %v", got)
	}
	wrong := open2(t, server, func(cfg *neptune.Config) { cfg.RunsQuery = "sys/tags LIKES 'x'" })
	for _, err := range wrong.Runs(t.Context(), migrate.Selection{Projects: []string{p.ID()}}) {
		if err == nil || !strings.Contains(err.Error(), "Syntax error") {
			t.Errorf("error %v", err)
		}
	}
}

// A server that counts runs but lists none is not believed, and one that has none is.
func TestCountsOfNothing(t *testing.T) {
	for count, wrong := range map[string]bool{"0": false, "3": true} {
		var log bytes.Buffer
		source := open2(t, serve2(t, neptunetest.Options{NoGzip: true}, runs2(0, nil)), func(cfg *neptune.Config) {
			cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
			cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
				response, err := http.DefaultTransport.RoundTrip(r)
				if err != nil || !strings.HasSuffix(r.URL.Path, pathSearch2) {
					return response, err
				}
				return replaced(response, `"matchingItemCount":0`, count), nil
			})
		})
		var last error
		for _, err := range source.Runs(t.Context(), migrate.Selection{Projects: []string{"team/many"}}) {
			last = err
		}
		if (last != nil) != wrong {
			t.Errorf("the server counts %s: error %v", count, last)
		}
		if !wrong && log.Len() > 0 {
			t.Errorf("the server counts %s: said %s", count, &log)
		}
	}
}

// A run that vanishes while the listing is under way shifts others; they are listed all the same.
func TestRunsVanish(t *testing.T) {
	p := runs2(90, func(i int) int { return i })
	server := serve2(t, neptunetest.Options{PageRuns: 20}, p)
	left := &neptunetest.Project{Workspace: p.Workspace, Name: p.Name, Key: p.Key, Runs: p.Runs[5:]}
	var once sync.Once
	source := open2(t, server, nil)
	var got []string
	for run, err := range source.Runs(t.Context(), migrate.Selection{Projects: []string{p.ID()}}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, run.ID)
		once.Do(func() {
			server.Change(func([]*neptunetest.Project) []*neptunetest.Project { return []*neptunetest.Project{left} })
		})
	}
	for _, run := range left.Runs {
		if !slices.Contains(got, run.ID) {
			t.Errorf("%s is not listed", run.ID)
		}
	}
}

// A server that never lists as many runs as it counts is not believed.
func TestCountsThatDoNotFit(t *testing.T) {
	p := runs2(9, func(i int) int { return i })
	server := serve2(t, neptunetest.Options{NoGzip: true}, p)
	count := "12"
	source := open2(t, server, func(cfg *neptune.Config) {
		cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil || !strings.HasSuffix(r.URL.Path, pathSearch2) {
				return response, err
			}
			return replaced(response, `"matchingItemCount":9`, count), nil
		})
	})
	var last error
	n := 0
	for _, err := range source.Runs(t.Context(), migrate.Selection{Projects: []string{p.ID()}}) {
		if last = err; err == nil {
			n++
		}
	}
	if n != 9 || last == nil || !strings.Contains(last.Error(), "counts 12 but lists 9") {
		t.Errorf("%d runs and %v", n, last)
	}
}

// One project that cannot be listed, and one scope, do not keep the others from it.
func TestListingsAreIsolated(t *testing.T) {
	p := trashed()
	server := serve2(t, neptunetest.Options{Complain: func(string) {}}, p)
	server.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
		if r.URL.Query().Get("type") == "model" {
			return neptunetest.Fault{Status: 400}
		}
		return neptunetest.Fault{}
	})
	var got []string
	var last error
	for run, err := range open2(t, server, quick).Runs(t.Context(), migrate.Selection{Projects: []string{"no/such", p.ID()}, Scopes: allScopes}) {
		if last = err; err == nil {
			got = append(got, run.ID)
		}
	}
	if diff := cmp.Diff([]string{"PRJ-1", "PRJ-11", "PRJ-MOD-1"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !isNotFound(last) || errors.Is(last, migrate.ErrFatal) || !strings.Contains(fmt.Sprint(last), "list models of team/proj") {
		t.Errorf("error %v", last)
	}
}
