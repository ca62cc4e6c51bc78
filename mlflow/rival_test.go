//go:build unix

package mlflow_test

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/mlflow"
)

// cutOff loads a run up to its last series.
func cutOff(t *testing.T, sink *mlflow.Sink, run migratetest.Run) {
	t.Helper()
	var m migratetest.Memory
	m.Add(run)
	r, err := m.OpenRun(t.Context(), run.Info)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sink.PutRun(t.Context(), run.Info, failingReader{r}); err == nil {
		t.Fatal("no error")
	}
}

// TestRivalWithOtherSteps: another load, with another multiplier, makes the run after this one has looked.
func TestRivalWithOtherSteps(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		cfg := fresh(t)
		other := cfg
		var err error
		if other.StepMultiplier, err = convert.ParseMultiplier("1"); err != nil {
			t.Fatal(err)
		}
		late := newDatabaseSink(t, other)
		first := example()
		first.Info.ID = "first"
		mustPut(t, late, first)
		run := example()
		cutOff(t, newDatabaseSink(t, cfg), run)
		if _, err := put(t, late, run); err == nil || !strings.Contains(err.Error(), "--step-multiplier 1000000") {
			t.Errorf("error %v", err)
		}
		mustPut(t, newDatabaseSink(t, cfg), run)
	})
}

// TestSourceChangedAfterCutOff: what a load that was cut off left is ours, and gives way to what the source
// has now.
func TestSourceChangedAfterCutOff(t *testing.T) {
	t.Run("points", func(t *testing.T) { changeAfterCutOff(t, false) })
	t.Run("params", func(t *testing.T) { changeAfterCutOff(t, true) })
}

func changeAfterCutOff(t *testing.T, gone bool) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		cfg, clean := fresh(t), fresh(t)
		run := example()
		run.Chunks = append(run.Chunks, floats("m/long", curve(60_000)...))
		cutOff(t, newDatabaseSink(t, cfg), run)
		changed := example()
		changed.Chunks = append(changed.Chunks, floats("m/long", curve(10)[5:]...))
		changed.Chunks = slices.DeleteFunc(changed.Chunks, func(c migrate.Chunk) bool { return gone && c.Kind == migrate.KindInt })
		var m migratetest.Memory
		m.Add(changed)
		r, err := m.OpenRun(t.Context(), changed.Info)
		if err != nil {
			t.Fatal(err)
		}
		if problems, err := newDatabaseSink(t, cfg).VerifyRun(t.Context(), changed.Info, r); err != nil || len(problems) == 0 {
			t.Errorf("before: problems %v, %v", problems, err)
		}
		mustPut(t, newDatabaseSink(t, cfg), changed)
		if !mustPut(t, newDatabaseSink(t, cfg), changed).Existed {
			t.Error("the run is not complete")
		}
		mustPut(t, newDatabaseSink(t, clean), changed)
		if diff := cmp.Diff(contents(t, open(t, clean)), contents(t, open(t, cfg)), withoutExperiment); diff != "" {
			t.Errorf("undisturbed (-) and completed (+) differ:\n%.3000s", diff)
		}
	})
}

// removingReader removes all runs before its last series, as `mlflow gc` does.
type removingReader struct {
	migrate.RunReader
	t  *testing.T
	db *sql.DB
}

func (r removingReader) Chunks(ctx context.Context, want migrate.Want) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) {
		for chunk, err := range r.RunReader.Chunks(ctx, want) {
			if chunk.Path == "m/late" {
				for _, table := range []string{"latest_metrics", "metrics", "params", "tags", "runs"} {
					mustExec(r.t, r.db, "DELETE FROM "+table)
				}
			}
			if !yield(chunk, err) {
				return
			}
		}
	}
}

func TestRunRemovedWhileLoaded(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		cfg := fresh(t)
		sink := newDatabaseSink(t, cfg)
		first := example()
		first.Info.ID = "first"
		mustPut(t, sink, first)
		run := example()
		run.Chunks = append(run.Chunks, floats("m/late", 1, 2))
		var m migratetest.Memory
		m.Add(run)
		r, err := m.OpenRun(t.Context(), run.Info)
		if err != nil {
			t.Fatal(err)
		}
		_, err = sink.PutRun(t.Context(), run.Info, removingReader{r, t, open(t, cfg)})
		if err == nil || errors.Is(err, migrate.ErrFatal) || !strings.Contains(err.Error(), "mlflow gc") {
			t.Errorf("error %v", err)
		}
		mustPut(t, newDatabaseSink(t, cfg), run)
	})
}
