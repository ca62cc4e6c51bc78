package mlflow_test

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/mlflow"
	"github.com/nexport-go/migrate/mlflow/mlflowtest"
)

const start = 1_700_000_000_000

func floats(path string, values ...float64) migrate.Chunk {
	c := migrate.Chunk{Path: path, Kind: migrate.KindFloatSeries, Values: migrate.Floats(values)}
	for i := range values {
		c.Steps = append(c.Steps, migrate.Step(i)*migrate.StepUnit)
		c.Times = append(c.Times, start+int64(i))
	}
	return c
}

func curve(n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = math.Sqrt(float64(i))
	}
	return values
}

// example is a run that needs several requests of every sort.
func example() migratetest.Run {
	text := migrate.Chunk{
		Path: "log", Kind: migrate.KindStringSeries, Values: migrate.Strings{"a", "b"},
		Steps: []migrate.Step{0, migrate.StepUnit}, Times: []int64{start, migrate.NoTime},
	}
	run := migratetest.Run{
		Info: migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/p", ID: "it's"}},
		Chunks: []migrate.Chunk{
			{Path: "sys/creation_time", Kind: migrate.KindDatetime, Values: migrate.Datetimes{start}},
			{Path: "sys/ping_time", Kind: migrate.KindDatetime, Values: migrate.Datetimes{start + 5000}},
			{Path: "sys/owner", Kind: migrate.KindString, Values: migrate.Strings{"ann"}},
			{Path: "sys/failed", Kind: migrate.KindBool, Values: migrate.Bools{true}},
			{Path: "text", Kind: migrate.KindString, Values: migrate.Strings{strings.Repeat("é🚀", 4000)}},
			{Path: "file", Kind: migrate.KindFile, Values: migrate.Files{{Key: "k", Name: "a b.bin", Size: 5}}},
			{Path: "empty", Kind: migrate.KindFile, Values: migrate.Files{{Key: "none", Name: "none.txt", Size: 0}}},
			{Path: "unsized", Kind: migrate.KindFile, Values: migrate.Files{{Key: "k", Name: "x", Size: -1}}},
		},
		Files: map[string][]byte{"k": []byte("hello"), "none": nil},
	}
	for i := range 120 {
		run.Chunks = append(run.Chunks, migrate.Chunk{Path: "p/" + string(rune('a'+i%26)) + strings.Repeat("x", i/26), Kind: migrate.KindInt, Values: migrate.Ints{int64(i)}})
	}
	run.Chunks = append(run.Chunks,
		floats("m/curve", curve(1500)...),
		floats("m/odd", math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), math.NaN(), 5e-324, 1e308),
		text)
	return run
}

func put(t *testing.T, sink migrate.Sink, run migratetest.Run) (migrate.Result, error) {
	t.Helper()
	var m migratetest.Memory
	m.Add(run)
	r, err := m.OpenRun(t.Context(), run.Info)
	if err != nil {
		t.Fatal(err)
	}
	return sink.PutRun(t.Context(), run.Info, r)
}

func mustPut(t *testing.T, sink migrate.Sink, run migratetest.Run) migrate.Result {
	t.Helper()
	result, err := put(t, sink, run)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// state is what a server holds, without its own IDs and in one order.
func state(t *testing.T, s *mlflowtest.Server) []mlflowtest.Run {
	t.Helper()
	runs := s.Runs()
	for i := range runs {
		runs[i].ID = ""
		for _, points := range runs[i].Metrics {
			slices.SortFunc(points, func(a, b mlflowtest.Point) int { return int(a.Step - b.Step) })
		}
	}
	slices.SortFunc(runs, func(a, b mlflowtest.Run) int {
		return strings.Compare(a.Tags[convert.TagID], b.Tags[convert.TagID])
	})
	return runs
}

var stateOptions = cmp.Options{cmp.Comparer(samePoints), cmp.Comparer(bytes.Equal), cmpopts.IgnoreUnexported(mlflowtest.Run{})}

// samePoints is what cmp would find out by itself, a hundred times slower.
func samePoints(a, b []mlflowtest.Point) bool {
	return slices.EqualFunc(a, b, func(p, q mlflowtest.Point) bool {
		return p.Step == q.Step && p.Time == q.Time && (p.Value == q.Value || math.IsNaN(p.Value) && math.IsNaN(q.Value))
	})
}

func TestLoadedRun(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	result := mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), example())
	runs := server.Runs()
	if len(runs) != 1 || result.Target != runs[0].ID || result.Existed {
		t.Fatalf("result %+v, runs %d", result, len(runs))
	}
	run := runs[0]
	end := int64(start + 5000)
	if run.Status != "FAILED" || run.Start != start || run.End == nil || *run.End != end || run.User != "ann" || run.Name != "it's" {
		t.Errorf("run is %s, %d, %v, %q, %q", run.Status, run.Start, run.End, run.User, run.Name)
	}
	if got := run.Tags[convert.TagState]; got != convert.StateComplete {
		t.Errorf("state %q", got)
	}
	if got, want := len(run.Params), 125; got != want {
		t.Errorf("%d params, want %d", got, want)
	}
	if got := len(run.Metrics["m/curve"]); got != 1500 {
		t.Errorf("%d points", got)
	}
	names := slices.Sorted(maps.Keys(run.Artifacts))
	want := []string{"empty.txt", "file.bin", "log.txt", "nexport.jsonl", "text.txt", "unsized"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("artifacts (-want +got):\n%s", diff)
	}
	if got := string(run.Artifacts["file.bin"]); got != "hello" {
		t.Errorf("file %q", got)
	}
	if got := string(run.Artifacts["text.txt"]); got != strings.Repeat("é🚀", 4000) {
		t.Errorf("text of %d bytes", len(got))
	}
}

func TestSecondLoadWritesNothing(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	first := mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), example())
	before := len(server.Requests())
	second := mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), example())
	if !second.Existed || second.Target != first.Target {
		t.Errorf("second load: %+v", second)
	}
	for _, request := range server.Requests()[before:] {
		if !strings.HasPrefix(request, "GET ") && !strings.HasSuffix(request, "/search") {
			t.Errorf("second load sent %s", request)
		}
	}
}

// TestFaultAtEveryRequest lets each request in turn fail in each way, loads again, and wants the
// state of an undisturbed load.
func TestFaultAtEveryRequest(t *testing.T) {
	run := example()
	clean := mlflowtest.NewServer(t, mlflowtest.Options{})
	mustPut(t, newSink(t, mlflow.Config{TrackingURI: clean.URL}), run)
	want, requests := state(t, clean), len(clean.Requests())
	for name, fault := range map[string]mlflowtest.Fault{
		"refused":     {Status: http.StatusTeapot},
		"lost answer": {Lose: true},
		"cut answer":  {Cut: true},
		"unavailable": {Status: http.StatusServiceUnavailable},
		"500":         {Status: http.StatusInternalServerError, Body: "<html>"},
	} {
		t.Run(name, func(t *testing.T) {
			for k := range requests {
				server := mlflowtest.NewServer(t, mlflowtest.Options{})
				server.SetFault(func(n int, _ *http.Request) mlflowtest.Fault {
					if n == k {
						return fault
					}
					return mlflowtest.Fault{}
				})
				cfg := mlflow.WithoutWaiting(mlflow.Config{TrackingURI: server.URL}, nil)
				_, err := put(t, newSink(t, cfg), run)
				if err != nil && fault.Status != http.StatusTeapot {
					t.Errorf("request %d, %s: %v", k, server.Requests()[k], err)
				}
				if err != nil {
					for _, held := range server.Runs() {
						if held.Tags[convert.TagState] == convert.StateComplete {
							t.Errorf("request %d: the run looks complete after %v", k, err)
						}
					}
				}
				mustPut(t, newSink(t, cfg), run)
				if diff := cmp.Diff(want, state(t, server), stateOptions); diff != "" {
					t.Fatalf("request %d, %s (-want +got):\n%.3000s", k, server.Requests()[k], diff)
				}
			}
		})
	}
}

// TestDroppedWrites has a server that answers 200 and does nothing, as MLflow does with what it
// cannot parse. No run may look complete, and the next load must mend it.
func TestDroppedWrites(t *testing.T) {
	run := example()
	clean := mlflowtest.NewServer(t, mlflowtest.Options{})
	mustPut(t, newSink(t, mlflow.Config{TrackingURI: clean.URL}), run)
	for k, request := range clean.Requests() {
		if !strings.Contains(request, "log-batch") && !strings.HasPrefix(request, "PUT ") || k == len(clean.Requests())-1 {
			continue
		}
		server := mlflowtest.NewServer(t, mlflowtest.Options{})
		server.SetFault(func(n int, _ *http.Request) mlflowtest.Fault { return mlflowtest.Fault{Drop: n == k} })
		cfg := mlflow.WithoutWaiting(mlflow.Config{TrackingURI: server.URL}, nil)
		if _, err := put(t, newSink(t, cfg), run); err == nil {
			t.Errorf("%s was dropped and nobody noticed", request)
		}
		mustPut(t, newSink(t, cfg), run)
		if diff := cmp.Diff(state(t, clean), state(t, server), stateOptions); diff != "" {
			t.Errorf("%s dropped (-want +got):\n%.2000s", request, diff)
		}
	}
}

func TestConflictingParam(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	cfg := mlflow.Config{TrackingURI: server.URL}
	result := mustPut(t, newSink(t, cfg), example())
	server.ChangeRun(result.Target, func(r *mlflowtest.Run) {
		r.Params["p/a"] = "other"
		r.Tags[convert.TagState] = convert.StateLoading
	})
	result = mustPut(t, newSink(t, cfg), example())
	if !slices.ContainsFunc(result.Problems, func(p migrate.Problem) bool { return p.Code == migrate.CodeDiffers }) {
		t.Errorf("problems %v do not say that a param differs", result.Problems)
	}
	if got := server.Runs()[0].Tags[convert.TagState]; got != convert.StatePartial {
		t.Errorf("state %q", got)
	}
}

func TestRefusedEntriesAreIsolated(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{Refuse: func(key string) bool { return key == "p/c" || key == "m/odd" }})
	result := mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), example())
	run := server.Runs()[0]
	if len(run.Params) != 124 || len(run.Metrics["m/curve"]) != 1500 || run.Tags[convert.TagState] != convert.StatePartial {
		t.Errorf("%d params, %d points, state %q", len(run.Params), len(run.Metrics["m/curve"]), run.Tags[convert.TagState])
	}
	refused := map[string]int{}
	for _, p := range result.Problems {
		if p.Code == migrate.CodeUnsupported {
			refused[p.Path]++
		}
	}
	if diff := cmp.Diff(map[string]int{"p/c": 1, "m/odd": 7}, refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
}

func TestOtherMultiplier(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), example())
	one, err := convert.ParseMultiplier("1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = put(t, newSink(t, mlflow.Config{TrackingURI: server.URL, StepMultiplier: one}), example())
	if err == nil || !strings.Contains(err.Error(), "1000000") || len(server.Runs()) != 1 {
		t.Errorf("error %v, %d runs", err, len(server.Runs()))
	}
}

func TestFamily(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	sink := newSink(t, mlflow.Config{TrackingURI: server.URL, ExperimentBy: mlflow.ByName})
	parent := example()
	parent.Info.Name = "one"
	child, orphan, self := example(), example(), example()
	child.Info.ID, child.Info.Name, child.Info.Parent = "child", "two", parent.Info.ID
	orphan.Info.ID, orphan.Info.Parent = "orphan", "nowhere"
	self.Info.ID, self.Info.Parent = "self", "self"
	target := mustPut(t, sink, parent).Target
	for _, run := range []migratetest.Run{child, orphan, self} {
		mustPut(t, sink, run)
	}
	runs := server.Runs()
	if runs[1].Tags[convert.TagMLflowParent] != target || runs[1].ExperimentID != runs[0].ExperimentID {
		t.Errorf("child has parent %q in experiment %s", runs[1].Tags[convert.TagMLflowParent], runs[1].ExperimentID)
	}
	for _, run := range runs[2:] {
		if run.Tags[convert.TagOrphan] != "true" || run.Tags[convert.TagMLflowParent] != "" {
			t.Errorf("%s: orphan %q, parent %q", run.Name, run.Tags[convert.TagOrphan], run.Tags[convert.TagMLflowParent])
		}
	}
}

// TestSplitForks: a fork goes where its name says, and still names its parent. A second load, with or without the
// option, finds it there.
func TestSplitForks(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	parent, child := example(), example()
	parent.Info.Name = "one"
	child.Info.ID, child.Info.Name, child.Info.Parent = "child", "two", parent.Info.ID
	for _, split := range []bool{true, true, false} {
		sink := newSink(t, mlflow.Config{TrackingURI: server.URL, ExperimentBy: mlflow.ByName, SplitForks: split})
		target := mustPut(t, sink, parent).Target
		mustPut(t, sink, child)
		runs := server.Runs()
		if len(runs) != 2 || runs[1].Tags[convert.TagMLflowParent] != target {
			t.Fatalf("%d runs, parent %q of the fork, want %q", len(runs), runs[1].Tags[convert.TagMLflowParent], target)
		}
		if e := server.Experiments()[2]; e.Name != "ws/p/two" || runs[1].ExperimentID != e.ID {
			t.Errorf("fork in experiment %s, which is not %+v", runs[1].ExperimentID, e)
		}
	}
}

// TestLayoutsShareAnExperiment: a run without a name goes to the same experiment in both layouts,
// so each must find it.
func TestLayoutsShareAnExperiment(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	for _, by := range []string{mlflow.ByProject, mlflow.ByName, mlflow.ByProject, mlflow.ByName} {
		mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL, ExperimentBy: by}), example())
	}
	if n := len(server.Runs()); n != 1 {
		t.Errorf("%d runs", n)
	}
}

func TestDeletedExperiment(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), example())
	server.DeleteExperiment("ws/p")
	_, err := put(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), example())
	if err == nil || !strings.Contains(err.Error(), "restore") {
		t.Errorf("error %v", err)
	}
	mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL, NamePrefix: "x/"}), example())
}

func TestForeignArtifactRoot(t *testing.T) {
	for _, root := range []string{"s3://bucket/x", "gs://b", "wasbs://c@a.blob.core.windows.net/x", "abfss://f@a/x", "dbfs:/x"} {
		server := mlflowtest.NewServer(t, mlflowtest.Options{ArtifactRoot: root})
		_, err := put(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), example())
		if !errors.Is(err, migrate.ErrFatal) || !strings.Contains(err.Error(), "--artifacts-destination") {
			t.Errorf("%s: error %v", root, err)
		}
	}
}

func TestDryRun(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	sink := newSink(t, mlflow.Config{TrackingURI: server.URL, DryRun: true})
	mustPut(t, sink, example())
	if n := len(server.Runs()) + len(server.Experiments()); n != 1 {
		t.Errorf("a dry run wrote: %d runs and experiments", n)
	}
	plan := sink.Plan()
	if plan.Runs != 1 || plan.Experiments != 1 || plan.Params != 125 || plan.Points != 1507 || plan.Artifacts != 6 || plan.Bytes == 0 {
		t.Errorf("plan %+v", plan)
	}
}

func TestDryRunWithoutServer(t *testing.T) {
	sink := newSink(t, mlflow.WithoutWaiting(mlflow.Config{TrackingURI: "http://127.0.0.1:1", DryRun: true}, nil))
	mustPut(t, sink, example())
	if plan := sink.Plan(); !plan.Unreachable || plan.Runs != 1 || plan.Points != 1507 {
		t.Errorf("plan %+v", plan)
	}
}

// TestPartialAgain loads a run twice that lacks a file: the second load has nothing to add and says so, and what
// could not be moved it says again. Then the file is there.
func TestPartialAgain(t *testing.T) {
	for name, uri := range map[string]string{
		"rest": mlflowtest.NewServer(t, mlflowtest.Options{}).URL, "sqlite": "sqlite:///" + filepath.Join(t.TempDir(), "mlflow.db"),
	} {
		t.Run(name, func(t *testing.T) {
			if name == "sqlite" && testing.Short() {
				t.Skip("SQLite is slow under the race detector")
			}
			run := example()
			whole := run.Files["k"]
			delete(run.Files, "k")
			cfg := mlflow.Config{TrackingURI: uri, ArtifactsDir: t.TempDir()}
			for i, existed := range []bool{false, true, true} {
				result := mustPut(t, newSink(t, cfg), run)
				lossy := slices.ContainsFunc(result.Problems, func(p migrate.Problem) bool { return p.Code.Lossy() })
				if result.Existed != existed || !lossy {
					t.Errorf("load %d: existed %v, want %v; problems %v", i, result.Existed, existed, result.Problems)
				}
			}
			run.Files["k"] = whole
			if result := mustPut(t, newSink(t, cfg), run); result.Existed {
				t.Error("the file came, and the load says that it added nothing")
			}
		})
	}
}

// TestChangedFile loads a run whose file has other bytes of the same number since it was loaded, whole or in part.
func TestChangedFile(t *testing.T) {
	for _, cut := range []bool{false, true} {
		server := mlflowtest.NewServer(t, mlflowtest.Options{})
		run := example()
		run.Info.Modified = time.UnixMilli(start)
		if cut {
			server.SetFault(func(_ int, r *http.Request) mlflowtest.Fault {
				if strings.HasSuffix(r.URL.Path, "runs/update") {
					return mlflowtest.Fault{Status: http.StatusBadRequest}
				}
				return mlflowtest.Fault{}
			})
		}
		if _, err := put(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), run); (err != nil) != cut {
			t.Fatalf("first load: %v", err)
		}
		server.SetFault(nil)
		run.Files["k"] = []byte("HELLO")
		run.Info.Modified = run.Info.Modified.Add(time.Hour)
		mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), run)
		for name, body := range server.Runs()[0].Artifacts {
			if bytes.Equal(body, []byte("hello")) {
				t.Errorf("cut %v: %s is still the old file", cut, name)
			}
		}
	}
}
