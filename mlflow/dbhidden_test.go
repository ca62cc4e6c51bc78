//go:build unix

package mlflow_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
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
)

// version gives the run as it was first, and as it is later: longer, with a changed file, a new param and a new series.
func version(later bool) migratetest.Run {
	run := example()
	run.Info.Modified = time.UnixMilli(start)
	n := 100
	if later {
		n = 120_000 // more than two transactions take
		run.Info.Modified = run.Info.Modified.Add(time.Hour)
		run.Files["k"] = []byte("HELLO")
		run.Chunks = append(run.Chunks, migrate.Chunk{Path: "new", Kind: migrate.KindInt, Values: migrate.Ints{1}}, floats("m/new", 1, 2))
	}
	run.Chunks = append(run.Chunks, floats("m/long", curve(n)...))
	return run
}

// seen is what the queries of MLflow find.
func seen(t *testing.T, db *sql.DB) int {
	t.Helper()
	return count(t, db, "runs WHERE experiment_id IS NOT NULL OR lifecycle_stage <> 'deleted'")
}

// loadedWithOthers has the first version, to which somebody else has added.
func loadedWithOthers(t *testing.T, cfg mlflow.Config) (id string, db *sql.DB) {
	t.Helper()
	id = mustPut(t, newDatabaseSink(t, cfg), version(false)).Target
	db = open(t, cfg)
	for _, statement := range []string{
		"INSERT INTO tags (key, value, run_uuid) VALUES ('review', 'good', '%s')",
		"INSERT INTO params (key, value, run_uuid) VALUES ('reviewer', 'bob', '%s')",
		"INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES ('score', 3, 4, 5, false, '%s')",
		"INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES ('score', 3, 4, 5, false, '%s')",
	} {
		mustExec(t, db, fmt.Sprintf(statement, id))
	}
	return id, db
}

// interruptingReader calls do before a series, and then ends with an error if ctx has ended.
type interruptingReader struct {
	migrate.RunReader
	path string
	do   func()
}

func (r interruptingReader) Chunks(ctx context.Context, want migrate.Want) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) {
		part := 0
		for chunk, err := range r.RunReader.Chunks(ctx, want) {
			if chunk.Path == r.path {
				if part++; part == 1 {
					r.do()
				}
			}
			if !yield(chunk, err) {
				return
			}
		}
	}
}

func putWith(t *testing.T, ctx context.Context, cfg mlflow.Config, run migratetest.Run, wrap func(migrate.RunReader) migrate.RunReader) error {
	t.Helper()
	var m migratetest.Memory
	m.Add(run)
	r, err := m.OpenRun(ctx, run.Info)
	if err != nil {
		t.Fatal(err)
	}
	_, err = newDatabaseSink(t, cfg).PutRun(ctx, run.Info, wrap(r))
	return err
}

// TestSeenRunIsHiddenWhileItGrows cuts off the load of a later version in several ways: nothing is seen until the
// next one, which gives what an undisturbed load gives. What others added stays.
func TestSeenRunIsHiddenWhileItGrows(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		clean := fresh(t)
		_, undisturbed := loadedWithOthers(t, clean)
		mustPut(t, newDatabaseSink(t, clean), version(true))
		want := contents(t, undisturbed)
		if want[0].Params["reviewer"] != "bob" || want[0].Params["new"] != "1" || len(want[0].Metrics["m/long"]) != 120_000 || string(want[0].Artifacts["file.bin"]) != "HELLO" {
			t.Fatal("the undisturbed load is wrong")
		}
		for name, cut := range map[string]func(cfg mlflow.Config) error{
			"source fails": func(cfg mlflow.Config) error {
				return putWith(t, t.Context(), cfg, version(true), func(r migrate.RunReader) migrate.RunReader { return failingReader{r} })
			},
			"interrupted": func(cfg mlflow.Config) error {
				ctx, cancel := context.WithCancel(t.Context())
				return putWith(t, ctx, cfg, version(true), func(r migrate.RunReader) migrate.RunReader { return interruptingReader{r, "m/long", cancel} })
			},
		} {
			t.Run(name, func(t *testing.T) {
				cfg := fresh(t)
				id, db := loadedWithOthers(t, cfg)
				if err := cut(cfg); err == nil {
					t.Fatal("no error")
				}
				if n := seen(t, db); n != 0 {
					t.Errorf("%d runs are seen", n)
				}
				if n := count(t, db, "params WHERE key = 'new'"); n != 1 {
					t.Errorf("the load was cut before it had begun")
				}
				if n := count(t, db, "runs WHERE deleted_time IS NOT NULL"); n != 0 {
					t.Error("`mlflow gc` would remove the run")
				}
				again := mustPut(t, newDatabaseSink(t, cfg), version(true))
				if diff := cmp.Diff(want, contents(t, db), withoutExperiment); diff != "" || again.Target != id {
					t.Errorf("run %s, not %s; undisturbed (-) and completed (+) differ:\n%.3000s", again.Target, id, diff)
				}
				if n := count(t, db, "tags WHERE key IN ('nexport.hidden', 'nexport.shown')"); n != 0 {
					t.Errorf("%d marks are left", n)
				}
				checkLatest(t, db)
			})
		}
	})
}

// TestArtifactHidesRun: a changed file alone hides the run, too.
func TestArtifactHidesRun(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		cfg := fresh(t)
		mustPut(t, newDatabaseSink(t, cfg), version(false))
		changed := version(false)
		changed.Info.Modified = changed.Info.Modified.Add(time.Hour)
		changed.Files["k"] = []byte("HELLO")
		if err := putWith(t, t.Context(), cfg, changed, func(r migrate.RunReader) migrate.RunReader { return failingReader{r} }); err == nil {
			t.Fatal("no error")
		}
		db := open(t, cfg)
		if n := seen(t, db); n != 0 {
			t.Errorf("%d runs are seen", n)
		}
		mustPut(t, newDatabaseSink(t, cfg), changed)
		if got := contents(t, db); len(got) != 1 || string(got[0].Artifacts["file.bin"]) != "HELLO" {
			t.Errorf("%d runs", len(got))
		}
	})
}

// TestNothingToAddChangesNothing repeats the load of a run that stays partial, cut off and whole.
func TestNothingToAddChangesNothing(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		cfg := fresh(t)
		run := version(true)
		delete(run.Files, "k")
		mustPut(t, newDatabaseSink(t, cfg), run)
		db := open(t, cfg)
		before := everything(t, db)
		if err := putWith(t, t.Context(), cfg, run, func(r migrate.RunReader) migrate.RunReader { return failingReader{r} }); err == nil {
			t.Fatal("no error")
		}
		if diff := cmp.Diff(before, everything(t, db)); diff != "" {
			t.Errorf("before (-) and after a load that was cut off (+):\n%s", diff)
		}
		if !mustPut(t, newDatabaseSink(t, cfg), run).Existed {
			t.Error("the load says that it added something")
		}
		if diff := cmp.Diff(before, everything(t, db)); diff != "" {
			t.Errorf("before (-) and after (+):\n%s", diff)
		}
	})
}

// everything has rows of runs and tags, and the artifacts with their times.
func everything(t *testing.T, db *sql.DB) (all []string) {
	t.Helper()
	var id, stage, status, key, value, artifacts string
	var in, deleted sql.NullInt64
	each(t, db, "SELECT run_uuid, lifecycle_stage, status, experiment_id, deleted_time, artifact_uri FROM runs", []any{&id, &stage, &status, &in, &deleted, &artifacts}, func() {
		all = append(all, fmt.Sprint(id, stage, status, in, deleted))
		for _, name := range slices.Sorted(maps.Keys(files(t, artifacts))) {
			info, err := os.Stat(filepath.Join(artifacts, name))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, name+info.ModTime().String())
		}
	})
	each(t, db, "SELECT run_uuid, key, value FROM tags ORDER BY run_uuid, key", []any{&id, &key, &value}, func() { all = append(all, id+key+"="+value) })
	return all
}

const deleteRuns = "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = 1" // as MLflow does

// TestSeenRunDeletedMeanwhile: it stays deleted, and the next load makes another.
func TestSeenRunDeletedMeanwhile(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		for _, moment := range []string{"log" /* before anything is hidden */, "m/new" /* while it is hidden */} {
			cfg := fresh(t)
			first, db := loadedWithOthers(t, cfg)
			err := putWith(t, t.Context(), cfg, version(true), func(r migrate.RunReader) migrate.RunReader {
				return interruptingReader{r, moment, func() { mustExec(t, db, deleteRuns) }}
			})
			if err == nil || !strings.Contains(err.Error(), "deleted while it was loaded") || errors.Is(err, migrate.ErrFatal) {
				t.Errorf("%s: error %v", moment, err)
			}
			second := mustPut(t, newDatabaseSink(t, cfg), version(true))
			if runs := contents(t, db); second.Target == first || len(runs) != 1 || runs[0].Params["reviewer"] != "" {
				t.Errorf("%s: first load %s, second %+v, %d runs", moment, first, second, len(runs))
			}
			if n := count(t, db, "params WHERE key = 'reviewer'"); n != 1 {
				t.Errorf("%s: what others added is gone", moment)
			}
		}
	})
}

// TestSeenRunIsNotGivenUp: the source changes again after a load was cut off, so that what it left does not fit.
func TestSeenRunIsNotGivenUp(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		cfg := fresh(t)
		id, db := loadedWithOthers(t, cfg)
		if err := putWith(t, t.Context(), cfg, version(true), func(r migrate.RunReader) migrate.RunReader { return failingReader{r} }); err == nil {
			t.Fatal("no error")
		}
		if _, err := put(t, newDatabaseSink(t, cfg), version(false)); err == nil || !strings.Contains(err.Error(), "mlflow runs delete --run-id "+id) {
			t.Errorf("error %v", err)
		}
		if n := count(t, db, "runs WHERE deleted_time IS NULL"); n != 1 || count(t, db, "runs") != 1 {
			t.Errorf("%d of %d runs are not deleted", n, count(t, db, "runs"))
		}
		mustPut(t, newDatabaseSink(t, cfg), version(true))
		if runs := contents(t, db); len(runs) != 1 || runs[0].Tags["review"] != "good" || runs[0].Tags[convert.TagState] != convert.StateComplete {
			t.Errorf("%d runs", len(runs))
		}
	})
}

// TestTwoLoadersOfASeenRun at once.
func TestTwoLoadersOfASeenRun(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		cfg, clean := fresh(t), fresh(t)
		_, undisturbed := loadedWithOthers(t, clean)
		mustPut(t, newDatabaseSink(t, clean), version(true))
		_, db := loadedWithOthers(t, cfg)
		var wait sync.WaitGroup
		for range 2 {
			wait.Go(func() {
				if _, err := put(t, newDatabaseSink(t, cfg), version(true)); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if diff := cmp.Diff(contents(t, undisturbed), contents(t, db), withoutExperiment); diff != "" {
			t.Errorf("one loader (-) and two (+) differ:\n%.3000s", diff)
		}
		checkLatest(t, db)
	})
}
