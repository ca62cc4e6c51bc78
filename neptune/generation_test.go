package neptune_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// generation is what tests of both generations need of one.
type generation struct {
	neptune.Generation
	small, odd string // worlds
	scopes     []migrate.Scope
	paths      []string // ends of paths that every run is asked for with, and listings
	floats     string   // of these, that of float series
	read       func(t testing.TB, source migrate.Source, project string) map[string]content
	want       func(run *neptunetest.Run, got content) content
}

var generations = []generation{
	{
		neptune.Neptune3, "neptune3-d-small", "neptune3-d-odd", nil,
		[]string{pathSearch, pathValues, pathFloats, pathSeries},
		pathFloats,
		readAll, func(run *neptunetest.Run, _ content) content { return seeded(run) },
	},
	{
		neptune.Neptune2, "neptune2-de-ordinary", "neptune2-de-odd", allScopes,
		[]string{pathSearch2, pathAttributes, pathFloats, pathStrings},
		pathFloats,
		readValues2, valuesBeside2,
	},
}

// String is how the command calls it.
func (g generation) String() string { return fmt.Sprintf("neptune%d", int(g.Generation)) }

// bothGenerations runs a test for each.
func bothGenerations(t *testing.T, test func(t *testing.T, g generation)) {
	for _, g := range generations {
		t.Run(g.String(), func(t *testing.T) { test(t, g) })
	}
}

func (g generation) serve(t testing.TB, opts neptunetest.Options, projects ...*neptunetest.Project) *neptunetest.Server {
	t.Helper()
	opts.Generation, opts.Projects = int(g.Generation), projects
	return neptunetest.NewServer(t, opts)
}

func (g generation) open(t testing.TB, server *neptunetest.Server, change func(*neptune.Config)) *neptune.Source {
	t.Helper()
	return open(t, server, func(cfg *neptune.Config) {
		if cfg.Generation = g.Generation; change != nil {
			change(cfg)
		}
	})
}

// check reads all runs of a project and compares them with the seed.
func (g generation) check(t *testing.T, source migrate.Source, p *neptunetest.Project) {
	t.Helper()
	got := g.read(t, source, p.ID())
	if len(got) != len(p.Runs) {
		t.Errorf("%d runs, want %d", len(got), len(p.Runs))
	}
	for _, run := range p.Runs {
		if diff := cmp.Diff(g.want(run, got[run.ID]), got[run.ID], cmp.Comparer(sameFloat)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", run.ID, diff)
		}
	}
}

// readValues2 reads all runs but their files.
func readValues2(t testing.TB, source migrate.Source, project string) map[string]content {
	t.Helper()
	got := map[string]content{}
	for run, err := range source.Runs(t.Context(), migrate.Selection{Projects: []string{project}}) {
		if err != nil {
			t.Fatal(err)
		}
		got[run.ID] = valuesIn(t, source, run)
	}
	return got
}

// valuesBeside2 is valuesOf2 with what of got is not seeded but made by the server.
func valuesBeside2(run *neptunetest.Run, got content) content {
	want := valuesOf2(run)
	for path, s := range got {
		if _, seeded := want[path]; !seeded && strings.HasPrefix(path, "sys/") {
			want[path] = s
		}
	}
	return want
}

func TestDetect(t *testing.T) {
	for _, g := range generations {
		for _, known := range []bool{true, false} {
			for _, p := range []*neptunetest.Project{project(), nil} {
				t.Run(fmt.Sprintf("%s/known %t/project %t", g, known, p != nil), func(t *testing.T) {
					var projects []*neptunetest.Project
					if p != nil {
						projects = append(projects, p)
					}
					server := g.serve(t, neptunetest.Options{Complain: func(string) {}}, projects...)
					cfg := neptune.WithoutWaits(neptune.Config{APIToken: server.Token()}, nil)
					if known {
						cfg.Projects = []string{"team/proj"}
					}
					got, err := neptune.Detect(t.Context(), cfg)
					if err != nil || got != g.Generation {
						t.Errorf("%s, %v", got, err)
					}
				})
			}
		}
	}
}

// A server of the other generation is told from one that does not know the project.
func TestWrongGeneration(t *testing.T) {
	for _, server := range generations {
		for _, client := range generations {
			t.Run(fmt.Sprintf("%s at %s", client, server), func(t *testing.T) {
				p := project()
				source := client.open(t, server.serve(t, neptunetest.Options{Complain: func(string) {}}, p), quick)
				wrong := server.Generation != client.Generation
				try := "try --exporter " + server.String()
				check := func(what string, err error, want bool) {
					if got := errors.Is(err, neptune.ErrGeneration); got != want || want && !strings.Contains(err.Error(), try) {
						t.Errorf("%s: %v", what, err)
					}
				}
				check("probe", source.Probe(t.Context(), p.ID()), wrong)
				if server.Generation == neptune.Neptune2 {
					check("probe of a project that is not there", source.Probe(t.Context(), "no/such"), wrong)
				}
				for _, err := range source.Runs(t.Context(), migrate.Selection{Projects: []string{p.ID()}}) {
					check("listing", err, wrong)
				}
			})
		}
	}
}

// A server of neither kind is neither.
func TestDetectNothing(t *testing.T) {
	server := neptunetest.NewServer(t, neptunetest.Options{})
	cfg := neptune.WithoutWaits(neptune.Config{APIToken: server.Token()}, nil)
	for _, status := range []int{404, 401, 400} {
		server.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
			return neptunetest.Fault{Status: status, Body: "<html>"}
		})
		got, err := neptune.Detect(t.Context(), cfg)
		if err == nil || errors.Is(err, neptune.ErrGeneration) == (status != 404) {
			t.Errorf("%d: %s, %v", status, got, err)
		}
	}
}
