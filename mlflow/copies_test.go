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
	late, ended := make(chan struct{}), make(chan struct{})
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
	cfg := mlflow.WithoutWaiting(mlflow.Config{TrackingURI: server.URL}, func(time.Duration) {
		if patient {
			release()
			<-ended
		}
	})
	var m migratetest.Memory
	m.Add(run)
	r, err := m.OpenRun(t.Context(), run.Info)
	if err != nil {
		t.Fatal(err)
	}
	result, err := newSink(t, cfg).PutRun(ctx, run.Info, r)
	close(ended)
	if err == nil {
		t.Fatal("the load was not interrupted")
	}
	return result.Target, release
}

func isCreate(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "runs/create") }

// carriedOut waits until the server has so many runs.
func carriedOut(t *testing.T, server *mlflowtest.Server, runs int) {
	t.Helper()
	for len(server.Runs()) < runs {
		if t.Context().Err() != nil {
			t.Fatal(t.Context().Err())
		}
		time.Sleep(time.Millisecond)
	}
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
	mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), run)
	mustBe(t, server, undisturbed(t, run))
}

// TestLateCreate: the server makes a run for a load that was killed only after the next load has made it, too.
func TestLateCreate(t *testing.T) {
	run := example()
	want := undisturbed(t, run)
	t.Run("before the next load ends", func(t *testing.T) {
		server := mlflowtest.NewServer(t, mlflowtest.Options{})
		_, release := interruptCreate(t, server, run, false)
		sink := newSink(t, mlflow.Config{TrackingURI: server.URL})
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
		mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), run)
		release()
		carriedOut(t, server, 2)
		mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL, DryRun: true}), run)
		if n := len(server.Runs()); n != 2 {
			t.Errorf("%d runs after a dry run", n)
		}
		if !mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), run).Existed {
			t.Error("the load that deleted the copy says that it loaded")
		}
		mustBe(t, server, want)
	})
	t.Run("and the next is cut off too", func(t *testing.T) {
		server := mlflowtest.NewServer(t, mlflowtest.Options{})
		_, release := interruptCreate(t, server, run, false)
		cutOff(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), run)
		release()
		carriedOut(t, server, 2)
		begun := server.Runs()[0].ID
		if result := mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), run); result.Target != begun {
			t.Errorf("loaded into %s, not into %s, which has a part of it", result.Target, begun)
		}
		mustBe(t, server, want)
	})
	t.Run("twice by one load", func(t *testing.T) {
		server := mlflowtest.NewServer(t, mlflowtest.Options{})
		late := make(chan struct{})
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
		close(late)
		carriedOut(t, server, 2)
		if err := sink.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustBe(t, server, want)
	})
}

// TestCopyWithData: what has data is not deleted. Loads say so, and Verify does.
func TestCopyWithData(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	run := example()
	_, release := interruptCreate(t, server, run, false)
	sink := newSink(t, mlflow.Config{TrackingURI: server.URL})
	whole := mustPut(t, sink, run).Target
	release()
	carriedOut(t, server, 2)
	copied := server.Runs()[1].ID
	server.ChangeRun(copied, func(r *mlflowtest.Run) { r.Params["p"] = "of another load" })
	if err := sink.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		result := mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), run)
		if !result.Existed || result.Target != whole || !slices.ContainsFunc(result.Problems, func(p migrate.Problem) bool {
			return !p.Code.Lossy() && strings.Contains(p.Text, copied)
		}) {
			t.Errorf("result %+v, want %s and a note of %s", result, whole, copied)
		}
	}
	if n := len(server.Runs()); n != 2 {
		t.Errorf("%d runs", n)
	}
	var m migratetest.Memory
	m.Add(run)
	r, err := m.OpenRun(t.Context(), run.Info)
	if err != nil {
		t.Fatal(err)
	}
	problems, err := newSink(t, mlflow.Config{TrackingURI: server.URL}).VerifyRun(t.Context(), run.Info, r)
	if err != nil || len(problems) != 1 || problems[0].Code != migrate.CodeDiffers {
		t.Errorf("verify: %v, %v", problems, err)
	}
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
