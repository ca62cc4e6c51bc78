package mlflow_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/mlflow"
	"github.com/nexport-go/migrate/mlflow/mlflowtest"
)

// interruptCreate begins a load that is cancelled when its runs/create has reached the server, which carries it out
// when release is called. A patient one calls it itself while it waits for the answer, and knows the run then.
func interruptCreate(t *testing.T, server *mlflowtest.Server, run migratetest.Run, patient bool) (known string, release func()) {
	t.Helper()
	late := make(chan struct{})
	release = sync.OnceFunc(func() { close(late) })
	t.Cleanup(release) // before the server's own end, which waits for its requests
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server.SetFault(func(_ int, r *http.Request) mlflowtest.Fault {
		if !isCreate(r) {
			return mlflowtest.Fault{}
		}
		cancel()
		return mlflowtest.Fault{Late: late}
	})
	defer server.SetFault(nil)
	cfg := mlflow.WithSleep(mlflow.Config{TrackingURI: server.URL}, func(ctx context.Context) bool {
		if patient {
			release()
			<-ctx.Done() // nobody waits any more
		}
		return false
	})
	var m migratetest.Memory
	m.Add(run)
	r, err := m.OpenRun(t.Context(), run.Info)
	if err != nil {
		t.Fatal(err)
	}
	result, err := newSink(t, cfg).PutRun(ctx, run.Info, r)
	if err == nil {
		t.Fatal("the load was not interrupted")
	}
	return result.Target, release
}

func isCreate(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "runs/create") }

// carriedOut waits until the server has so many runs.
func carriedOut(t *testing.T, server *mlflowtest.Server, runs int) {
	t.Helper()
	for range 60_000 {
		if len(server.Runs()) >= runs {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%d runs, not %d", len(server.Runs()), runs)
}

// undisturbed is the state of a server that got the run at once.
func undisturbed(t *testing.T, run migratetest.Run) []mlflowtest.Run {
	t.Helper()
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), run)
	return state(t, server)
}

func mustBe(t *testing.T, server *mlflowtest.Server, want []mlflowtest.Run) {
	t.Helper()
	if diff := cmp.Diff(want, state(t, server), stateOptions); diff != "" {
		t.Errorf("undisturbed (-), this (+):\n%.2000s", diff)
	}
}

// TestInterruptedCreate: an interrupted load waits for the answer to runs/create, so that the next one finds the run.
func TestInterruptedCreate(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	run := example()
	known, _ := interruptCreate(t, server, run, true)
	if runs := server.Runs(); len(runs) != 1 || runs[0].ID != known {
		t.Fatalf("%d runs after the interrupted load has ended, which knows %q", len(runs), known)
	}
	mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL}), run)
	mustBe(t, server, undisturbed(t, run))
}

// TestLateCreate: the server makes a run for a load that was killed only after the next load has made it, too.
func TestLateCreate(t *testing.T) {
	run := example()
	want := undisturbed(t, run)
	t.Run("before the next load ends", func(t *testing.T) {
		server := mlflowtest.NewServer(t, mlflowtest.Options{})
		_, release := interruptCreate(t, server, run, false)
		sink := atOnce(t, mlflow.Config{TrackingURI: server.URL})
		mustPut(t, sink, run)
		release()
		carriedOut(t, server, 2)
		if err := sink.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustBe(t, server, want)
	})
	t.Run("after it", func(t *testing.T) {
		server := mlflowtest.NewServer(t, mlflowtest.Options{})
		_, release := interruptCreate(t, server, run, false)
		mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL}), run)
		release()
		carriedOut(t, server, 2)
		mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL, DryRun: true}), run)
		if n := len(server.Runs()); n != 2 {
			t.Errorf("%d runs after a dry run", n)
		}
		if !mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL}), run).Existed {
			t.Error("the load that deleted the copy says that it loaded")
		}
		mustBe(t, server, want)
	})
	t.Run("and the next is cut off too", func(t *testing.T) {
		server := mlflowtest.NewServer(t, mlflowtest.Options{})
		_, release := interruptCreate(t, server, run, false)
		cutOff(t, atOnce(t, mlflow.Config{TrackingURI: server.URL}), run)
		release()
		carriedOut(t, server, 2)
		begun := server.Runs()[0].ID
		if result := mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL}), run); result.Target != begun {
			t.Errorf("loaded into %s, not into %s, which has a part of it", result.Target, begun)
		}
		mustBe(t, server, want)
	})
	t.Run("twice by one load", func(t *testing.T) {
		server := mlflowtest.NewServer(t, mlflowtest.Options{})
		late := make(chan struct{})
		release := sync.OnceFunc(func() { close(late) })
		t.Cleanup(release)
		first := true
		server.SetFault(func(_ int, r *http.Request) mlflowtest.Fault {
			if !isCreate(r) || !first {
				return mlflowtest.Fault{}
			}
			first = false
			return mlflowtest.Fault{Late: late}
		})
		sink := newSink(t, mlflow.WithoutWaiting(mlflow.Config{TrackingURI: server.URL, Timeout: 50 * time.Millisecond}, nil))
		mustPut(t, sink, run)
		release()
		carriedOut(t, server, 2)
		if err := sink.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustBe(t, server, want)
	})
}

// atOnce is newSink without pauses.
func atOnce(t *testing.T, cfg mlflow.Config) *mlflow.Sink {
	t.Helper()
	return newSink(t, mlflow.WithoutWaiting(cfg, nil))
}

// named is the example as another run of the project.
func named(id string) migratetest.Run {
	run := example()
	run.Info.ID = id
	return run
}

// cutAtCreate ends a load right after the run was made.
func cutAtCreate(t *testing.T, server *mlflowtest.Server, run migratetest.Run) (runID string) {
	t.Helper()
	server.SetFault(func(_ int, r *http.Request) mlflowtest.Fault {
		if strings.HasSuffix(r.URL.Path, "log-batch") {
			return mlflowtest.Fault{Status: http.StatusTeapot}
		}
		return mlflowtest.Fault{}
	})
	defer server.SetFault(nil)
	if _, err := put(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), run); err == nil {
		t.Fatal("no error")
	}
	runs := server.Runs()
	return runs[len(runs)-1].ID
}

func active(server *mlflowtest.Server) (ids []string) {
	for _, run := range server.Runs() {
		ids = append(ids, run.ID)
	}
	return ids
}

// notes reports whether the result tells of a copy without calling the run partial.
func notes(result migrate.Result, copied string) bool {
	return slices.ContainsFunc(result.Problems, func(p migrate.Problem) bool {
		return !p.Code.Lossy() && strings.Contains(p.Text, copied)
	})
}

// TestCopyThatIsMore: only a copy that has nothing of its own is deleted; others are named by each load, and by Verify.
func TestCopyThatIsMore(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*mlflowtest.Run)
		deleted bool
	}{
		"nothing":      {func(*mlflowtest.Run) {}, true},
		"param":        {func(r *mlflowtest.Run) { r.Params["p"] = "1" }, false},
		"metric":       {func(r *mlflowtest.Run) { r.Metrics["m"] = []mlflowtest.Point{{}} }, false},
		"artifact":     {func(r *mlflowtest.Run) { r.Artifacts["a/b.txt"] = []byte("text") }, false},
		"new tag":      {func(r *mlflowtest.Run) { r.Tags["mine"] = "x" }, false},
		"changed tag":  {func(r *mlflowtest.Run) { r.Tags["mlflow.user"] = "me" }, false},
		"not a load's": {func(r *mlflowtest.Run) { delete(r.Tags, convert.TagState) }, false},
		"ended":        {func(r *mlflowtest.Run) { r.Status = "FAILED" }, false},
		"end":          {func(r *mlflowtest.Run) { r.End = new(int64(1)) }, false},
		"dataset":      {func(r *mlflowtest.Run) { r.Datasets = []string{"d"} }, false},
		"version":      {func(r *mlflowtest.Run) { r.Tags[convert.TagModified] = "1" }, true},
		"complete":     {func(r *mlflowtest.Run) { r.Tags[convert.TagState] = convert.StateComplete }, false},
	} {
		server := mlflowtest.NewServer(t, mlflowtest.Options{})
		mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL}), named("before"))
		sink := atOnce(t, mlflow.Config{TrackingURI: server.URL})
		whole := mustPut(t, sink, named("it")).Target
		copied := server.MakeAgain(whole)
		server.ChangeRun(copied, c.change)
		early := atOnce(t, mlflow.Config{TrackingURI: server.URL})
		mustPut(t, early, named("before")) // so the sink knows the copy before Finish deletes it
		if err := sink.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(active(server), copied) == c.deleted {
			t.Errorf("%s: runs %v after Finish, deleted should be %v", name, active(server), c.deleted)
		}
		if result := mustPut(t, early, named("it")); !result.Existed || result.Target != whole || notes(result, copied) == c.deleted {
			t.Errorf("%s: index from before Finish: %+v", name, result)
		}
		if c.deleted {
			copied = server.MakeAgain(whole)
		}
		dry := mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL, DryRun: true}), named("it"))
		if !dry.Existed || !notes(dry, copied) || !slices.Contains(active(server), copied) {
			t.Errorf("%s: dry run %+v, runs %v", name, dry, active(server))
		}
		var m migratetest.Memory
		m.Add(named("it"))
		r, err := m.OpenRun(t.Context(), named("it").Info)
		if err != nil {
			t.Fatal(err)
		}
		problems, err := atOnce(t, mlflow.Config{TrackingURI: server.URL}).VerifyRun(t.Context(), named("it").Info, r)
		if err != nil || len(problems) != 1 || problems[0].Code != migrate.CodeDiffers || !slices.Contains(active(server), copied) {
			t.Errorf("%s: verify: %v, %v; runs %v", name, problems, err, active(server))
		}
		for range 2 { // by the same sink too
			result := mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL}), named("it"))
			if !result.Existed || result.Target != whole || notes(result, copied) == c.deleted || slices.Contains(active(server), copied) == c.deleted {
				t.Errorf("%s: load: %+v, runs %v, deleted should be %v", name, result, active(server), c.deleted)
			}
		}
	}
}

// TestCopyThatCounts: the one that is furthest, of equals the first, whatever their order.
func TestCopyThatCounts(t *testing.T) {
	stages := []func(*mlflowtest.Run){
		func(*mlflowtest.Run) {},
		func(r *mlflowtest.Run) { r.Artifacts["file.bin"] = []byte("hello") },
		func(r *mlflowtest.Run) { r.Tags[convert.TagState] = convert.StatePartial },
		func(r *mlflowtest.Run) { r.Tags[convert.TagState] = convert.StateComplete },
	}
	for i, one := range stages {
		for j, other := range stages {
			server := mlflowtest.NewServer(t, mlflowtest.Options{})
			first := cutAtCreate(t, server, example())
			second := server.MakeAgain(first)
			server.ChangeRun(first, one)
			server.ChangeRun(second, other)
			want := first
			if j > i {
				want = second
			}
			result := mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL}), example())
			if result.Target != want || !slices.Contains(active(server), want) {
				t.Errorf("stages %d and %d: %s counts, want %s; runs %v", i, j, result.Target, want, active(server))
			}
			if left := len(active(server)) == 2; left != (min(i, j) > 0) {
				t.Errorf("stages %d and %d: runs %v", i, j, active(server))
			}
		}
	}
}

// TestIndexReadTwice: what a search lists again, after an error or because pages have shifted, is no copy.
func TestIndexReadTwice(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{SearchPage: 2})
	begun := cutAtCreate(t, server, named("begun"))
	copied := server.MakeAgain(begun)
	server.ChangeRun(copied, func(r *mlflowtest.Run) { r.Params["p"] = "1" })
	mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL}), named("whole"))
	server.ChangeRun(begun, func(r *mlflowtest.Run) { r.Artifacts["a"] = []byte("1") })
	pages := 0
	server.SetFault(func(_ int, r *http.Request) mlflowtest.Fault {
		if strings.HasSuffix(r.URL.Path, "runs/search") {
			if pages++; pages == 2 {
				return mlflowtest.Fault{Status: http.StatusTeapot}
			}
		}
		return mlflowtest.Fault{}
	})
	sink := atOnce(t, mlflow.Config{TrackingURI: server.URL})
	if _, err := put(t, sink, named("begun")); err == nil {
		t.Fatal("no error")
	}
	result := mustPut(t, sink, named("begun"))
	if result.Target != begun || !slices.ContainsFunc(result.Problems, func(p migrate.Problem) bool {
		return strings.Contains(p.Text, "this run 2 times") && strings.Contains(p.Text, "look at "+copied)
	}) {
		t.Errorf("result %+v, want %s and once %s", result, begun, copied)
	}
	if n := len(active(server)); n != 3 {
		t.Errorf("%d runs", n)
	}
}

// TestFinishLeavesOthers: Finish deletes nothing if its own run did not come to its end, or is not there any more.
func TestFinishLeavesOthers(t *testing.T) {
	for name, spoil := range map[string]func(*mlflowtest.Run){
		"deleted":  func(r *mlflowtest.Run) { r.Deleted = true },
		"reopened": func(r *mlflowtest.Run) { r.Tags[convert.TagState] = convert.StateLoading },
	} {
		server := mlflowtest.NewServer(t, mlflowtest.Options{})
		mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL}), named("before"))
		sink := atOnce(t, mlflow.Config{TrackingURI: server.URL})
		own := mustPut(t, sink, named("it")).Target
		copied := server.MakeAgain(own)
		server.ChangeRun(own, spoil)
		if err := sink.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(active(server), copied) {
			t.Errorf("%s: runs %v", name, active(server))
		}
	}
}

// TestMayNotDelete: an account that may load need not be one that may delete. The load has done its work all the same.
func TestMayNotDelete(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL}), named("before"))
	server.SetFault(func(_ int, r *http.Request) mlflowtest.Fault {
		if strings.HasSuffix(r.URL.Path, "runs/delete") {
			return mlflowtest.Fault{Status: http.StatusForbidden, Body: "Permission denied"}
		}
		return mlflowtest.Fault{}
	})
	sink := atOnce(t, mlflow.Config{TrackingURI: server.URL})
	whole := mustPut(t, sink, named("it")).Target
	copied := server.MakeAgain(whole)
	if err := sink.Finish(t.Context()); err != nil {
		t.Error(err)
	}
	for range 2 {
		if result := mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL}), named("it")); !result.Existed || result.Target != whole || !notes(result, copied) {
			t.Errorf("result %+v", result)
		}
	}
}

// TestParentTwice: a child that is loaded alone gets the parent that stays.
func TestParentTwice(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	late := cutAtCreate(t, server, named("parent"))
	begun := server.MakeAgain(late)
	server.ChangeRun(begun, func(r *mlflowtest.Run) { r.Artifacts["file.bin"] = []byte("hello") })
	child := named("child")
	child.Info.Parent = "parent"
	for range 2 {
		mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL}), child)
		if result := mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL}), named("parent")); result.Target != begun {
			t.Errorf("parent is %s, want %s", result.Target, begun)
		}
		for _, run := range server.Runs() {
			if run.Name == "child" && run.Tags[convert.TagMLflowParent] != begun {
				t.Errorf("child of %s, want %s", run.Tags[convert.TagMLflowParent], begun)
			}
		}
	}
}

// TestChildrenStay: the one of two runs that has children counts, even if neither has anything else.
func TestChildrenStay(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	late := cutAtCreate(t, server, named("parent"))
	parent := server.MakeAgain(late)
	child := server.MakeAgain(late)
	server.ChangeRun(child, func(r *mlflowtest.Run) {
		r.Tags = map[string]string{convert.TagMLflowParent: parent}
	})
	result := mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL}), named("parent"))
	if result.Target != parent || slices.Contains(active(server), late) {
		t.Errorf("%s counts, want %s; runs %v", result.Target, parent, active(server))
	}
}

// TestRivalIsLeft: another load makes its run for the same identity and goes on with it while this one looks.
func TestRivalIsLeft(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL}), named("before"))
	var rival string
	sink := newSink(t, mlflow.WithSleep(mlflow.Config{TrackingURI: server.URL}, func(context.Context) bool {
		server.ChangeRun(rival, func(r *mlflowtest.Run) { r.Params["p"] = "1" })
		return true
	}))
	rival = server.MakeAgain(mustPut(t, sink, named("it")).Target)
	if err := sink.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(active(server), rival) {
		t.Error("the run of another load is deleted")
	}
}

// TestMayNotLook: a copy that cannot be looked at is left, and the load goes on.
func TestMayNotLook(t *testing.T) {
	for _, path := range []string{"artifacts/list", "runs/get"} {
		server := mlflowtest.NewServer(t, mlflowtest.Options{})
		whole := mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL}), named("it")).Target
		copied := server.MakeAgain(whole)
		server.SetFault(func(_ int, r *http.Request) mlflowtest.Fault {
			if strings.HasSuffix(r.URL.Path, path) && r.URL.Query().Get("run_id") != whole {
				return mlflowtest.Fault{Status: http.StatusForbidden}
			}
			return mlflowtest.Fault{}
		})
		if result := mustPut(t, atOnce(t, mlflow.Config{TrackingURI: server.URL}), named("it")); !result.Existed || result.Target != whole || !notes(result, copied) {
			t.Errorf("%s: result %+v", path, result)
		}
	}
}

// TestOtherLayoutIsNoCopy: a project that is loaded in two layouts has its runs twice on purpose.
func TestOtherLayoutIsNoCopy(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	run, unnamed := named("x"), named("y")
	run.Info.Name = "one"
	for range 2 {
		for _, by := range []string{mlflow.ByName, mlflow.ByProject} {
			sink := atOnce(t, mlflow.Config{TrackingURI: server.URL, ExperimentBy: by})
			mustPut(t, sink, unnamed) // in the experiment of the project in both layouts
			if result := mustPut(t, sink, run); slices.ContainsFunc(result.Problems, func(p migrate.Problem) bool { return p.Code == migrate.CodeSuspect }) {
				t.Errorf("by %s: %v", by, result.Problems)
			}
			if err := sink.Finish(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := len(active(server)); n != 3 {
		t.Errorf("%d runs, want x twice and y once", n)
	}
}

// TestCopyInDatabase: an empty copy that came over REST stays when the load goes into the database, and is named.
func TestCopyInDatabase(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		cfg := fresh(t)
		whole := mustPut(t, newDatabaseSink(t, cfg), example()).Target
		copied := strings.Repeat("f", 32)
		db := open(t, cfg)
		mustExec(t, db, `INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, source_version, user_id, status, start_time, lifecycle_stage, experiment_id, artifact_uri)
			SELECT '`+copied+`', name, source_type, source_name, entry_point_name, source_version, user_id, 'RUNNING', start_time, 'active', experiment_id, artifact_uri || 'x' FROM runs`)
		mustExec(t, db, `INSERT INTO tags (key, value, run_uuid) SELECT key, value, '`+copied+`' FROM tags WHERE key <> 'nexport.state'`)
		mustExec(t, db, `INSERT INTO tags (key, value, run_uuid) VALUES ('nexport.state', 'loading', '`+copied+`')`)
		for range 2 {
			if result := mustPut(t, newDatabaseSink(t, cfg), example()); !result.Existed || result.Target != whole || !notes(result, copied) {
				t.Errorf("result %+v", result)
			}
		}
	})
}

// TestFinishAsks: only where a run can have been made twice.
func TestFinishAsks(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	run, later := example(), example()
	later.Info.ID = "later"
	for i, put := range []struct {
		run  migratetest.Run
		asks int
	}{{run, 0}, {run, 0}, {later, 1}} {
		sink := newSink(t, mlflow.Config{TrackingURI: server.URL})
		mustPut(t, sink, put.run)
		before := len(server.Requests())
		if err := sink.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(server.Requests()) - before; n != put.asks {
			t.Errorf("load %d: Finish made %d requests, want %d", i, n, put.asks)
		}
	}
	if state := server.Runs()[1].Tags[convert.TagState]; state != convert.StateComplete {
		t.Errorf("state %q", state)
	}
}

// TestVerifyThenPut: a run that was cut off is still completed by a Sink that has verified it.
func TestVerifyThenPut(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	run := example()
	cutOff(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), run)
	sink := newSink(t, mlflow.Config{TrackingURI: server.URL})
	var m migratetest.Memory
	m.Add(run)
	r, err := m.OpenRun(t.Context(), run.Info)
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := sink.VerifyRun(t.Context(), run.Info, r); err != nil || len(problems) == 0 {
		t.Errorf("verify: %v, %v", problems, err)
	}
	mustPut(t, sink, run)
	mustBe(t, server, undisturbed(t, run))
}
