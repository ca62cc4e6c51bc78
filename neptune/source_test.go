package neptune_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/fixture"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

var worlds = []string{"neptune3-d-small", "neptune3-d-odd", "neptune3-d-multipart"}

func world(t testing.TB, name string) *neptunetest.Project {
	t.Helper()
	p, err := neptunetest.World{}.ReadWorld(fixture.World(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func open(t testing.TB, server *neptunetest.Server, change func(*neptune.Config)) *neptune.Source {
	t.Helper()
	cfg := neptune.Config{APIToken: server.Token()}
	if change != nil {
		change(&cfg)
	}
	source, err := neptune.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func everything(cfg *neptune.Config) { cfg.IncludeArchived, cfg.IncludePreviews = true, true }

func TestContract(t *testing.T) {
	p := world(t, "neptune3-d-small")
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	migratetest.TestSource(t, open(t, server, nil), migrate.Selection{Projects: []string{p.ID()}})
}

// small pages make every loop turn.
var smallPages = neptunetest.Options{PageRuns: 3, PageAttributes: 7, PageFloats: 5, PagePoints: 3}

func TestReadsWhatTheServerHas(t *testing.T) {
	for _, name := range worlds {
		for pages, opts := range map[string]neptunetest.Options{"ordinary": {}, "small": smallPages} {
			t.Run(name+"/"+pages, func(t *testing.T) {
				p := world(t, name)
				if name == "neptune3-d-multipart" && pages == "small" {
					opts.PageFloats, opts.PagePoints = 700, 300
				}
				opts.Projects = []*neptunetest.Project{p}
				server := neptunetest.NewServer(t, opts)
				got := readAll(t, open(t, server, everything), p.ID())
				if len(got) != len(p.Runs) {
					t.Errorf("%d runs, want %d", len(got), len(p.Runs))
				}
				for _, run := range p.Runs {
					if diff := cmp.Diff(seeded(run), got[run.ID], cmp.Comparer(sameFloat)); diff != "" {
						t.Errorf("%s (-want +got):\n%s", run.ID, diff)
					}
				}
			})
		}
	}
}

func sameFloat(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// content is what a run has, by path: the kind, and points whose Step and Time are zero where there
// are none.
type content map[string]series

type series struct {
	Kind   migrate.Kind
	Points []point
}

type point struct {
	Step  string
	Time  int64
	Value any
}

// readAll reads all runs, by their short IDs, and their files.
func readAll(t testing.TB, source migrate.Source, project string) map[string]content {
	t.Helper()
	all := map[string]content{}
	for run, err := range source.Runs(t.Context(), migrate.Selection{Projects: []string{project}}) {
		if err != nil {
			t.Fatal(err)
		}
		if all[run.SysID] != nil {
			t.Errorf("%s is listed twice", run.SysID)
		}
		all[run.SysID], _ = readRun(t, source, run)
	}
	return all
}

func readRun(t testing.TB, source migrate.Source, run migrate.RunInfo) (content, []migrate.Problem) {
	t.Helper()
	r, err := source.OpenRun(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	got := content{}
	for c, err := range r.Chunks(t.Context(), nil) {
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
	return got, r.Problems()
}

func pointOf(t testing.TB, r migrate.RunReader, c migrate.Chunk, i int) (p point) {
	t.Helper()
	if c.Steps != nil {
		p.Step, p.Time = c.Steps[i].String(), c.Times[i]
	}
	switch v := c.Values.(type) {
	case migrate.Ints:
		p.Value = v[i]
	case migrate.Floats:
		p.Value = v[i]
	case migrate.Strings:
		p.Value = v[i]
	case migrate.Bools:
		p.Value = v[i]
	case migrate.Datetimes:
		p.Value = v[i]
	case migrate.StringSets:
		p.Value = slices.Sorted(slices.Values(v[i]))
	case migrate.Histograms:
		p.Value = histogram(v[i].Type, v[i].Edges, v[i].Values)
	case migrate.Files:
		p.Value = fileText(t, r, v[i])
	}
	return p
}

func histogram(kind string, edges, values []float64) string { return fmt.Sprint(kind, edges, values) }

func fileText(t testing.TB, r migrate.RunReader, ref migrate.FileRef) string {
	t.Helper()
	body, err := r.OpenFile(t.Context(), ref)
	if err != nil {
		return "no bytes"
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if err != nil {
		t.Errorf("file %q: %v", ref.Key, err)
	}
	return ref.MIME + " " + string(text)
}

// seeded is what the source should give of a run.
func seeded(run *neptunetest.Run) content {
	want := content{}
	for _, a := range run.Attributes {
		if s, ok := seededSeries(a.Value); ok {
			want[a.Path] = s
		}
	}
	for path, value := range map[string]any{"sys/id": run.ID, "sys/custom_run_id": run.CustomID} {
		if _, ok := want[path]; !ok && value != "" {
			want[path] = series{migrate.KindString, []point{{Value: value}}}
		}
	}
	for _, path := range []string{"sys/archived", "sys/trashed"} {
		if _, ok := want[path]; !ok {
			want[path] = series{migrate.KindBool, []point{{Value: false}}}
		}
	}
	return want
}

func seededSeries(v neptunetest.Value) (s series, ok bool) {
	one := func(k migrate.Kind, value any) (series, bool) { return series{k, []point{{Value: value}}}, true }
	switch v := v.(type) {
	case neptunetest.Int:
		return one(migrate.KindInt, int64(v))
	case neptunetest.Float:
		return one(migrate.KindFloat, float64(v))
	case neptunetest.String:
		return one(migrate.KindString, string(v))
	case neptunetest.Bool:
		return one(migrate.KindBool, bool(v))
	case neptunetest.Datetime:
		return one(migrate.KindDatetime, int64(v))
	case neptunetest.StringSet:
		return one(migrate.KindStringSet, slices.Sorted(slices.Values([]string(v))))
	case neptunetest.File:
		return one(migrate.KindFile, seededFile(v))
	case neptunetest.FloatSeries:
		return points(migrate.KindFloatSeries, v, func(f float64) any { return f })
	case neptunetest.StringSeries:
		return points(migrate.KindStringSeries, v, func(s string) any { return s })
	case neptunetest.HistogramSeries:
		return points(migrate.KindHistogramSeries, v, func(h neptunetest.Histogram) any {
			return histogram(h.Type, h.Edges, h.Values)
		})
	case neptunetest.FileSeries:
		return points(migrate.KindFileSeries, v, func(f neptunetest.File) any { return seededFile(f) })
	}
	return s, false
}

func seededFile(f neptunetest.File) string {
	if f.Content == nil {
		return "no bytes"
	}
	text, _ := io.ReadAll(io.NewSectionReader(f.Content, 0, f.Size))
	return f.MIME + " " + string(text)
}

func points[V any](kind migrate.Kind, list []neptunetest.Point[V], value func(V) any) (s series, ok bool) {
	s.Kind = kind
	for _, p := range list {
		step, _ := migrate.StepOf(p.Step)
		s.Points = append(s.Points, point{step.String(), p.TimeMS, value(p.Value)})
	}
	return s, len(list) > 0
}

// project is one of a single run.
func project(attributes ...neptunetest.Attribute) *neptunetest.Project {
	return &neptunetest.Project{Workspace: "team", Name: "proj", Key: "PRJ", Runs: []*neptunetest.Run{
		{ID: "PRJ-1", CustomID: "first", Attributes: attributes},
	}}
}

func floats(n int) (s neptunetest.FloatSeries) {
	for i := range n {
		s = append(s, neptunetest.Point[float64]{Step: float64(i) / 4, TimeMS: 1_700_000_000_000 + int64(i), Value: float64(i)})
	}
	return s
}

func TestPagesOfFloats(t *testing.T) {
	for _, test := range []struct {
		name   string
		series []int // points of each
		page   int   // most points of a page
	}{
		{"one point", []int{1}, 0},
		{"more than one answer", []int{300_000}, 0},
		{"a server with short pages", []int{10, 1000, 3}, 7},
		{"exactly as many as a page", []int{7, 14}, 7},
		{"many series", slices.Repeat([]int{5}, 300), 0},
		{"many series that need two pages", slices.Repeat([]int{3000}, 130), 0},
		{"short and long ones", []int{1, 140_000, 1, 5000, 140_000, 2}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			var attributes []neptunetest.Attribute
			want := map[string]int{}
			for i, n := range test.series {
				path := fmt.Sprintf("m/%03d", i)
				attributes = append(attributes, neptunetest.Attribute{Path: path, Value: floats(n)})
				want[path] = n
			}
			p := project(attributes...)
			server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}, PageFloats: test.page})
			r, err := open(t, server, nil).OpenRun(t.Context(), migrate.RunInfo{RunRef: migrate.RunRef{Project: p.ID(), ID: "first"}})
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for c, err := range r.Chunks(t.Context(), func(_ string, k migrate.Kind) bool { return k == migrate.KindFloatSeries }) {
				if err != nil {
					t.Fatal(err)
				}
				checkFloats(t, c, got[c.Path])
				got[c.Path] += c.Len()
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("points (-want +got):\n%s", diff)
			}
			if problems := r.Problems(); len(problems) > 0 {
				t.Errorf("problems: %v", problems)
			}
			t.Logf("%d requests", len(server.Requests()))
		})
	}
}

// checkFloats compares a chunk that begins with point number n of floats.
func checkFloats(t *testing.T, c migrate.Chunk, n int) {
	t.Helper()
	values := c.Values.(migrate.Floats)
	for i := range values {
		at := n + i
		if values[i] != float64(at) || c.Steps[i] != migrate.Step(at)*migrate.StepUnit/4 || c.Times[i] != 1_700_000_000_000+int64(at) {
			t.Fatalf("%s: point %d is %v at step %s, time %d", c.Path, at, values[i], c.Steps[i], c.Times[i])
		}
	}
}

func TestTypesWithoutValues(t *testing.T) {
	p := project(
		neptunetest.Attribute{Path: "git", Value: neptunetest.Opaque{Type: "gitRef"}},
		neptunetest.Attribute{Path: "z", Value: neptunetest.Opaque{Type: "complex"}},
		neptunetest.Attribute{Path: "sys/state", Value: neptunetest.Opaque{Type: "experimentState"}},
	)
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	_, problems := readRun(t, open(t, server, nil), migrate.RunInfo{RunRef: migrate.RunRef{Project: p.ID(), ID: "first"}})
	var got []string
	for _, problem := range problems {
		got = append(got, problem.Path+" "+string(problem.Kind)+" "+string(problem.Code))
	}
	want := []string{"git git_ref unreadable", "sys/state run_state suspect", "z complex unreadable"}
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(got))); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestFileNames(t *testing.T) {
	file := func(mime string) neptunetest.File { return neptunetest.FileOf("x", mime, []byte("x")) }
	p := project(
		neptunetest.Attribute{Path: "a/model.pt", Value: file("application/octet-stream")},
		neptunetest.Attribute{Path: "a/readme", Value: file("text/markdown; charset=utf-8")},
		neptunetest.Attribute{Path: "a/odd", Value: file("x/y")},
	)
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	r, err := open(t, server, nil).OpenRun(t.Context(), migrate.RunInfo{RunRef: migrate.RunRef{Project: p.ID(), ID: "first"}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for c, err := range r.Chunks(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if files, ok := c.Values.(migrate.Files); ok {
			got[c.Path] = files[0].Name
		}
	}
	want := map[string]string{"a/model.pt": "model.pt", "a/readme": "readme.md", "a/odd": "odd"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestPreviews(t *testing.T) {
	s := floats(3)
	s[2].Preview, s[2].Completion = true, 0.25
	p := project(neptunetest.Attribute{Path: "m", Value: s})
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	run := migrate.RunInfo{RunRef: migrate.RunRef{Project: p.ID(), ID: "first"}}
	without, problems := readRun(t, open(t, server, nil), run)
	if n := len(without["m"].Points); n != 2 || len(problems) > 0 {
		t.Errorf("without previews: %d points and %v", n, problems)
	}
	with, problems := readRun(t, open(t, server, everything), run)
	if n := len(with["m"].Points); n != 3 {
		t.Errorf("with previews: %d points", n)
	}
	want := []migrate.Problem{{
		Path: "m", Kind: migrate.KindFloatSeries, Code: migrate.CodeApproximate,
		Text: "1 points are previews, not final; step (completion): 0.5 (0.25)",
	}}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// A receiver may stop at any time; nothing is left running.
func TestReceiverStops(t *testing.T) {
	p := project(neptunetest.Attribute{Path: "m", Value: floats(150_000)}, neptunetest.Attribute{Path: "n", Value: floats(10)})
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	r, err := open(t, server, nil).OpenRun(t.Context(), migrate.RunInfo{RunRef: migrate.RunRef{Project: p.ID(), ID: "first"}})
	if err != nil {
		t.Fatal(err)
	}
	for stop := range 8 {
		n := 0
		for _, err := range r.Chunks(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n > stop {
				break
			}
		}
	}
}

func TestFilterSavesRequests(t *testing.T) {
	p := world(t, "neptune3-d-small")
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	run := migrate.RunInfo{
		RunRef: migrate.RunRef{Project: p.ID(), ID: p.Runs[0].CustomID}, SysID: p.Runs[0].ID,
		Filter: migrate.Filter{Kinds: []migrate.Kind{migrate.KindFloat}},
	}
	got, _ := readRun(t, open(t, server, nil), run)
	for path, s := range got {
		if s.Kind != migrate.KindFloat {
			t.Errorf("%s is a %s", path, s.Kind)
		}
	}
	for _, request := range server.Requests() {
		if strings.Contains(request.Path, "attributes/query") && !bytes.Contains(request.Body, []byte(`"attributeFilter":[{"attributeType":"float"}]`)) {
			t.Errorf("asks for more: %s", request.Body)
		}
	}
}
