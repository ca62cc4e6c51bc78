package neptune_test

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// numbered is a project of small runs, the later the higher their number.
func numbered(runs int) *neptunetest.Project {
	p := &neptunetest.Project{Workspace: "team", Name: "many", Key: "M"}
	for n := 1; n <= runs; n++ {
		p.Runs = append(p.Runs, &neptunetest.Run{
			ID: fmt.Sprintf("M-%d", n), CustomID: fmt.Sprintf("run %d", n),
			Attributes: []neptunetest.Attribute{
				{Path: "sys/creation_time", Value: neptunetest.Datetime(1_700_000_000_000 + 1000*int64(n))},
				{Path: "sys/modification_time", Value: neptunetest.Datetime(1_700_000_500_000 + 1000*int64(n))},
				{Path: "lr", Value: neptunetest.Float(float64(n))},
				{Path: "loss", Value: floats(n % 5)}, // every fifth has no points
				{Path: "acc", Value: floats(3)},
				{Path: "log", Value: neptunetest.StringSeries{{Step: 1, Value: fmt.Sprint(n)}}},
			},
		})
	}
	return p
}

func ids(t *testing.T, source migrate.Source, sel migrate.Selection) (list []string) {
	t.Helper()
	for run, err := range source.Runs(t.Context(), sel) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, run.ID)
	}
	return list
}

func TestSelections(t *testing.T) {
	p := numbered(9)
	p.Runs[2].CustomID = "" // goes by its short ID
	p.Runs[3].CustomID = `qu"ote\ and more`
	p.Runs[4].Attributes = append(p.Runs[4].Attributes, neptunetest.Attribute{Path: "sys/archived", Value: neptunetest.Bool(true)})
	p.Runs[5].Attributes = append(p.Runs[5].Attributes, neptunetest.Attribute{Path: "sys/trashed", Value: neptunetest.Bool(true)})
	p.Runs[8].CustomID = "run 1" // a second one
	projects := []string{p.ID()}
	ref := func(id string) migrate.RunRef { return migrate.RunRef{Project: p.ID(), ID: id} }
	for _, test := range []struct {
		name   string
		sel    migrate.Selection
		change func(*neptune.Config)
		want   []string
	}{
		{"all", migrate.Selection{Projects: projects}, nil, []string{"run 1", "run 2", "M-3", `qu"ote\ and more`, "run 7", "run 8", "M-9"}},
		{"archived too", migrate.Selection{Projects: projects}, everything, []string{"run 1", "run 2", "M-3", `qu"ote\ and more`, "run 5", "run 6", "run 7", "run 8", "M-9"}},
		{"by ID", migrate.Selection{Projects: projects, Runs: []migrate.RunRef{ref("run 2"), ref(`qu"ote\ and more`)}}, nil, []string{"run 2", `qu"ote\ and more`}},
		{"by short ID", migrate.Selection{Projects: projects, Runs: []migrate.RunRef{ref("M-3"), ref("M-7"), ref("M-99")}}, nil, []string{"M-3", "run 7"}},
		{"by ID without project", migrate.Selection{Projects: projects, Runs: []migrate.RunRef{{ID: "run 8"}}}, nil, []string{"run 8"}},
		{"project of the run", migrate.Selection{Runs: []migrate.RunRef{ref("run 8")}}, nil, []string{"run 8"}},
		{"by expression", migrate.Selection{Projects: projects, IDMatch: regexp.MustCompile("[78]$")}, nil, []string{"run 7", "run 8"}},
		{"since", migrate.Selection{Projects: projects, Since: time.UnixMilli(1_700_000_508_000)}, nil, []string{"run 8", "M-9"}},
		{"query", migrate.Selection{Projects: projects}, func(cfg *neptune.Config) { cfg.RunsQuery = "`lr`:float >= \"7\"" }, []string{"run 7", "run 8", "run 1"}},
		{"query and ID", migrate.Selection{Projects: projects, Runs: []migrate.RunRef{ref("run 7"), ref("run 2")}}, func(cfg *neptune.Config) { cfg.RunsQuery = "`lr`:float >= \"7\"" }, []string{"run 7"}},
		{"project of the configuration", migrate.Selection{}, func(cfg *neptune.Config) { cfg.Projects = projects }, []string{"run 1", "run 2", "M-3", `qu"ote\ and more`, "run 7", "run 8", "M-9"}},
		{"other scopes", migrate.Selection{Projects: projects, Scopes: []migrate.Scope{migrate.ScopeModel}}, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}, PageRuns: 2})
			if diff := cmp.Diff(test.want, ids(t, open(t, server, test.change), test.sel)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestManyChosenRuns(t *testing.T) {
	p := numbered(450)
	sel := migrate.Selection{Projects: []string{p.ID()}}
	for _, run := range p.Runs {
		sel.Runs = append(sel.Runs, migrate.RunRef{Project: p.ID(), ID: run.CustomID}, migrate.RunRef{ID: run.ID})
	}
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	got := ids(t, open(t, server, nil), sel)
	if slices.Sort(got); len(slices.Compact(got)) != 450 {
		t.Errorf("%d runs", len(got))
	}
}

func TestRunInfo(t *testing.T) {
	p := project(
		neptunetest.Attribute{Path: "sys/name", Value: neptunetest.String("exp")},
		neptunetest.Attribute{Path: "sys/creation_time", Value: neptunetest.Datetime(1_700_000_000_123)},
		neptunetest.Attribute{Path: "sys/modification_time", Value: neptunetest.Datetime(1_700_000_000_456)},
		neptunetest.Attribute{Path: "sys/size", Value: neptunetest.Int(77)},
		neptunetest.Attribute{Path: "sys/forking/parent", Value: neptunetest.String("mother")},
	)
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	for run, err := range open(t, server, nil).Runs(t.Context(), migrate.Selection{Projects: []string{p.ID()}}) {
		want := migrate.RunInfo{
			RunRef: migrate.RunRef{Project: "team/proj", ID: "first"}, SysID: "PRJ-1", Name: "exp", Parent: "mother",
			Created: time.UnixMilli(1_700_000_000_123).UTC(), Modified: time.UnixMilli(1_700_000_000_456).UTC(),
			Size: 77, State: migrate.Complete,
		}
		if diff := cmp.Diff(want, run); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
}

// Runs that vanish while a listing is read shift the others past the next page.
func TestRunsVanishDuringListing(t *testing.T) {
	p := numbered(20)
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}, PageRuns: 5})
	var got []string
	for run, err := range open(t, server, nil).Runs(t.Context(), migrate.Selection{Projects: []string{p.ID()}}) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, run.ID); len(got) == 4 {
			server.Change(func(projects []*neptunetest.Project) []*neptunetest.Project {
				projects[0].Runs = projects[0].Runs[3:]
				return projects
			})
		}
	}
	if len(got) != 20 {
		t.Errorf("%d runs: %v", len(got), got)
	}
}

// A server that counts more than it lists is not believed.
func TestListingThatFallsShort(t *testing.T) {
	p := numbered(3)
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	lie := func(cfg *neptune.Config) {
		cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, pathSearch) {
				return answer(r, "\x08\x05"), nil // five in all, none here
			}
			return http.DefaultTransport.RoundTrip(r)
		})
	}
	var last error
	for _, err := range open(t, server, lie).Runs(t.Context(), migrate.Selection{Projects: []string{p.ID()}}) {
		last = err
	}
	if last == nil || !strings.Contains(last.Error(), "counts 5 but lists 0") {
		t.Errorf("error %v", last)
	}
}

func TestWrongServer(t *testing.T) {
	p := project()
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	for body, want := range map[string]string{"<html>welcome</html>": "--neptune-url", "": "--exporter neptune2"} {
		status := 200
		if body == "" {
			status = 404
		}
		server.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
			if strings.HasSuffix(r.URL.Path, pathSearch) {
				return neptunetest.Fault{Status: status, Body: "<html>welcome</html>"}
			}
			return neptunetest.Fault{}
		})
		err := open(t, server, quick).Probe(t.Context(), p.ID())
		if err == nil || !strings.Contains(err.Error(), want) || status == 404 && !errors.Is(err, neptune.ErrGeneration) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
	server.SetFault(nil)
	if err := open(t, server, quick).Probe(t.Context(), p.ID()); err != nil {
		t.Error(err)
	}
}

func TestProjects(t *testing.T) {
	var list []*neptunetest.Project
	var want []string
	for i := range 450 {
		p := &neptunetest.Project{Workspace: "team", Name: fmt.Sprintf("p%03d", i), Key: "P"}
		list, want = append(list, p), append(want, p.ID())
	}
	list = append(list, &neptunetest.Project{Workspace: "other", Name: "p", Key: "O"})
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: list})
	got, err := open(t, server, nil).Projects(t.Context(), "team")
	if slices.Sort(got); err != nil || !slices.Equal(got, want) {
		t.Errorf("%d projects, %v", len(got), err)
	}
}

// Small runs are read together.
func TestRunsAreGathered(t *testing.T) {
	p := numbered(64)
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	got := readAll(t, open(t, server, nil), p.ID())
	for _, run := range p.Runs {
		if diff := cmp.Diff(seeded(run), got[run.ID]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", run.ID, diff)
		}
	}
	if values, floats := asks(server, pathValues), asks(server, pathFloats); values > 6 || floats > 6 {
		t.Errorf("%d requests for values and %d for float series of 64 runs", values, floats)
	}
}

// A run that the server cannot read does not harm those it is read together with.
func TestGatheredWithABadOne(t *testing.T) {
	for _, path := range []string{pathValues, pathFloats} {
		t.Run(path, func(t *testing.T) {
			p := numbered(20)
			server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
			bad := func(cfg *neptune.Config) {
				quick(cfg)
				cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
					if strings.HasSuffix(r.URL.Path, path) && strings.Contains(string(peek(r)), `"team/many/M-7"`) {
						bad := answer(r, "{}")
						bad.StatusCode = 500
						return bad, nil
					}
					return http.DefaultTransport.RoundTrip(r)
				})
			}
			source := open(t, server, bad)
			whole := 0
			for run, err := range source.Runs(t.Context(), migrate.Selection{Projects: []string{p.ID()}}) {
				if err != nil {
					t.Fatal(err)
				}
				got, problems := readRun(t, source, run)
				if diff := cmp.Diff(seeded(p.Runs[whole]), got); (diff != "" || len(problems) > 0) != (run.SysID == "M-7") {
					t.Errorf("%s: %v (-want +got):\n%s", run.SysID, problems, diff)
				}
				whole++
			}
			if whole != 20 {
				t.Errorf("%d runs", whole)
			}
		})
	}
}
