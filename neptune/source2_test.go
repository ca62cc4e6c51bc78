package neptune_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

var worlds2 = []string{"neptune2-de-ordinary", "neptune2-de-odd", "neptune2-de-warsaw"}

// allScopes are what a project of Neptune 2 has.
var allScopes = []migrate.Scope{migrate.ScopeRun, migrate.ScopeModel, migrate.ScopeModelVersion}

func serve2(t testing.TB, opts neptunetest.Options, projects ...*neptunetest.Project) *neptunetest.Server {
	t.Helper()
	opts.Generation, opts.Projects = 2, projects
	return neptunetest.NewServer(t, opts)
}

// open2 opens a server of generation 2.
func open2(t testing.TB, server *neptunetest.Server, change func(*neptune.Config)) *neptune.Source {
	t.Helper()
	return open(t, server, func(cfg *neptune.Config) {
		cfg.Generation = neptune.Neptune2
		if change != nil {
			change(cfg)
		}
	})
}

func TestContract2(t *testing.T) {
	p := world(t, "neptune2-de-ordinary")
	server := serve2(t, neptunetest.Options{}, p)
	migratetest.TestSource(t, open2(t, server, nil), migrate.Selection{Projects: []string{p.ID()}, Scopes: allScopes})
}

// valuesOf2 is what the source should give of the attributes that are no files.
func valuesOf2(run *neptunetest.Run) content {
	want := content{}
	for _, a := range run.Attributes {
		switch v := a.Value.(type) {
		case neptunetest.RunState:
			quoted, _ := json.Marshal(v)
			want[a.Path] = series{migrate.KindRunState, []point{{Value: string(quoted)}}}
		case neptunetest.GitRef:
			want[a.Path] = series{migrate.KindGitRef, []point{{Value: string(v)}}}
		case neptunetest.NotebookRef:
			want[a.Path] = series{migrate.KindNotebookRef, []point{{Value: string(v)}}}
		case neptunetest.File, neptunetest.FileSeries:
		default:
			if s, ok := seededSeries(v); ok {
				want[a.Path] = s
			}
		}
	}
	return want
}

// isFile is true of what tests of files compare.
func isFile(_ string, s series) bool {
	switch s.Kind {
	case migrate.KindFile, migrate.KindFileSeries, migrate.KindFileSet, migrate.KindArtifact:
		return true
	}
	return false
}

func TestReadsWhatTheServerHas2(t *testing.T) {
	for _, name := range worlds2 {
		for pages, opts := range map[string]neptunetest.Options{
			"ordinary": {}, "small": {PageRuns: 3, PageFloats: 5, PagePoints: 3, Window: 8}, "bare": {BareNaN: true, NoGzip: true},
		} {
			t.Run(name+"/"+pages, func(t *testing.T) {
				p := world(t, name)
				source := open2(t, serve2(t, opts, p), func(cfg *neptune.Config) {
					everything(cfg)
					*cfg = neptune.Window(*cfg, opts.Window)
				})
				got := map[string]content{}
				for run, err := range source.Runs(t.Context(), migrate.Selection{Projects: []string{p.ID()}, Scopes: allScopes}) {
					if err != nil {
						t.Fatal(err)
					}
					if got[run.ID] != nil {
						t.Errorf("%s is listed twice", run.RunRef)
					}
					got[run.ID] = valuesIn(t, source, run)
				}
				for _, run := range slices.Concat(p.Runs, p.Models, p.ModelVersions) {
					want := valuesOf2(run)
					for path, s := range got[run.ID] {
						if _, seeded := want[path]; !seeded && strings.HasPrefix(path, "sys/") {
							want[path] = s // made by the server
						}
					}
					if diff := cmp.Diff(want, got[run.ID], cmp.Comparer(sameFloat)); diff != "" {
						t.Errorf("%s (-want +got):\n%s", run.ID, diff)
					}
					delete(got, run.ID)
				}
				for id := range got {
					t.Errorf("%s is not in the seed", id)
				}
			})
		}
	}
}

// valuesIn reads all of a run that is no files.
func valuesIn(t testing.TB, source migrate.Source, run migrate.RunInfo) content {
	t.Helper()
	r, err := source.OpenRun(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	got := content{}
	noFiles := func(path string, kind migrate.Kind) bool { return !isFile(path, series{Kind: kind}) }
	for c, err := range r.Chunks(t.Context(), noFiles) {
		if err != nil {
			t.Fatalf("%s: %v", run, err)
		}
		s := got[c.Path]
		s.Kind = c.Kind
		for i := range c.Len() {
			s.Points = append(s.Points, pointOf(t, r, c, i))
		}
		got[c.Path] = s
	}
	for _, p := range r.Problems() {
		if p.Code.Lossy() {
			t.Errorf("%s: %s", run, p)
		}
	}
	return got
}

// first2 is the run of project.
func first2(p *neptunetest.Project) migrate.RunInfo {
	return migrate.RunInfo{RunRef: migrate.RunRef{Project: p.ID(), ID: "PRJ-1"}}
}

// Names are asked for exactly as they are listed, and both a and a/b may be there.
func TestNames2(t *testing.T) {
	var attributes []neptunetest.Attribute
	for _, path := range []string{"a", "a/b", "/lead", "trail/", "double//slash", "ü/ß?&=%2F", " space ", "sys"} {
		attributes = append(attributes, neptunetest.Attribute{Path: path, Value: floats(3)})
	}
	p := project(attributes...)
	got := valuesIn(t, open2(t, serve2(t, neptunetest.Options{}, p), nil), first2(p))
	for _, a := range attributes {
		if diff := cmp.Diff(valuesOf2(p.Runs[0])[a.Path], got[a.Path]); diff != "" {
			t.Errorf("%q (-want +got):\n%s", a.Path, diff)
		}
	}
}

// The types that the server names and this version cannot read are named, with what the server says of them.
func TestUnknownTypes2(t *testing.T) {
	p := project(neptunetest.Attribute{Path: "z", Value: neptunetest.Opaque{Type: "complex"}}, neptunetest.Attribute{Path: "m", Value: floats(2)})
	got, problems := readRun(t, open2(t, serve2(t, neptunetest.Options{}, p), nil), first2(p))
	if len(problems) != 1 || problems[0].Path != "z" || problems[0].Code != migrate.CodeUnreadable || !strings.Contains(problems[0].Text, `"complex"`) {
		t.Errorf("problems: %v", problems)
	}
	if len(got["m"].Points) != 2 {
		t.Errorf("m is %v", got["m"])
	}
}

// What is configured of a series, and that it is empty, is in the notes.
func TestNotesOfSeries(t *testing.T) {
	low := -1.5
	p := project(
		neptunetest.Attribute{Path: "m", Value: floats(2), Config: &neptunetest.SeriesConfig{Unit: "%", Min: &low}},
		neptunetest.Attribute{Path: "none", Value: neptunetest.FloatSeries{}},
		neptunetest.Attribute{Path: "no text", Value: neptunetest.StringSeries{}},
	)
	_, problems := readRun(t, open2(t, serve2(t, neptunetest.Options{}, p), nil), first2(p))
	var texts []string
	for _, problem := range problems {
		texts = append(texts, problem.String())
	}
	slices.Sort(texts)
	want := []string{`m: configured as {"min":-1.5,"unit":"%"} (detail)`, "no text: a series without points (detail)", "none: a series without points (detail)"}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestManyAttributes(t *testing.T) {
	var attributes []neptunetest.Attribute
	for i := range 20_000 {
		attributes = append(attributes, neptunetest.Attribute{Path: fmt.Sprintf("p/%05d", i), Value: neptunetest.Int(i)})
	}
	p := project(attributes...)
	server := serve2(t, neptunetest.Options{}, p)
	got := valuesIn(t, open2(t, server, nil), first2(p))
	for i, a := range attributes {
		if s := got[a.Path]; len(s.Points) != 1 || s.Points[0].Value != int64(i) {
			t.Fatalf("%s is %v", a.Path, s)
		}
	}
	if n := asks(server, "/leaderboard/v1/attributes"); n != 1 {
		t.Errorf("%d requests for attributes, want one", n)
	}
}

// A large series is read in its order, several pages at a time.
func TestLargeSeries2(t *testing.T) {
	const points = 123_456
	at := func(i int) neptunetest.Point[float64] {
		return neptunetest.Point[float64]{Step: float64(i) / 2, TimeMS: 1_700_000_000_000 + int64(i), Value: math.Sqrt(float64(i))}
	}
	p := project(neptunetest.Attribute{Path: "m", Value: neptunetest.GeneratedFloats{N: points, At: at}})
	source := open2(t, serve2(t, neptunetest.Options{NoRecord: true}, p), nil)
	r, err := source.OpenRun(t.Context(), first2(p))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for c, err := range r.Chunks(t.Context(), func(path string, _ migrate.Kind) bool { return path == "m" }) {
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range c.Values.(migrate.Floats) {
			want := at(n)
			if step, _ := migrate.StepOf(want.Step); c.Steps[i] != step || c.Times[i] != want.TimeMS || v != want.Value {
				t.Fatalf("point %d is %s, %d, %v", n, c.Steps[i], c.Times[i], v)
			}
			n++
		}
	}
	if n != points || len(r.Problems()) > 0 {
		t.Errorf("%d points of %d; problems %v", n, points, r.Problems())
	}
}

// A run that is gone, or of another scope, is not found.
func TestNotFound2(t *testing.T) {
	p := world(t, "neptune2-de-ordinary")
	source := open2(t, serve2(t, neptunetest.Options{}, p), quick)
	for _, ref := range []migrate.RunRef{
		{Project: p.ID(), ID: "NO-1"},
		{Project: p.ID(), ID: p.Models[0].ID},
		{Project: p.ID(), ID: p.Runs[0].ID, Scope: migrate.ScopeModel},
		{Project: "no/such", ID: p.Runs[0].ID},
	} {
		r, err := source.OpenRun(t.Context(), migrate.RunInfo{RunRef: ref})
		for _, chunkErr := range func() []error {
			var errs []error
			if err == nil {
				for _, err := range r.Chunks(t.Context(), nil) {
					errs = append(errs, err)
				}
			}
			return errs
		}() {
			err = chunkErr
		}
		if !isNotFound(err) {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

// An expired token may be told of with any status.
func TestExpiredTokens2(t *testing.T) {
	p := world(t, "neptune2-de-ordinary")
	for _, fault := range []neptunetest.Fault{
		{Status: 401},
		{Status: 403, Body: `{"errorType":"AUTHORIZATION_TOKEN_EXPIRED"}`},
		{Status: 500, Body: `{"errorType":"AUTHORIZATION_TOKEN_EXPIRED","message":"x"}`},
		{ExpiredToken: true},
	} {
		t.Run(fmt.Sprint(fault.Status, fault.Body), func(t *testing.T) {
			server := serve2(t, neptunetest.Options{}, p)
			var mu sync.Mutex
			refused := 0
			server.SetFault(func(n int, r *http.Request) neptunetest.Fault {
				mu.Lock()
				defer mu.Unlock()
				if n < 6 || refused > 0 || r.Header.Get("Authorization") == "" {
					return neptunetest.Fault{}
				}
				refused++
				return fault
			})
			var waits []time.Duration
			source := open2(t, server, func(cfg *neptune.Config) {
				*cfg = neptune.WithoutWaits(*cfg, func(d time.Duration) { mu.Lock(); defer mu.Unlock(); waits = append(waits, d) })
			})
			for run, err := range source.Runs(t.Context(), migrate.Selection{Projects: []string{p.ID()}}) {
				if err != nil {
					t.Fatal(err)
				}
				valuesIn(t, source, run)
			}
			if refused != 1 || len(waits) > 0 {
				t.Errorf("%d requests refused, waits %v", refused, waits)
			}
			if exchanges, refreshes := asks(server, pathExchange), asks(server, pathRefresh); exchanges != 1 || refreshes != 1 {
				t.Errorf("%d exchanges and %d refreshes, want one each", exchanges, refreshes)
			}
		})
	}
}

func isNotFound(err error) bool { return errors.Is(err, migrate.ErrNotFound) }

// replaced is a response whose body has one text, in the place of old's digits.
func replaced(response *http.Response, old, digits string) *http.Response {
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		return response
	}
	prefix := strings.TrimRight(old, "0123456789")
	body = bytes.ReplaceAll(body, []byte(old), []byte(prefix+digits))
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return response
}
