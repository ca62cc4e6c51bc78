//go:build unix

package mlflow_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/dburl"
	"github.com/nexport-go/migrate/internal/postgres"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/mlflow"
	"github.com/nexport-go/migrate/mlflow/mlflowtest"
)

var pgServer postgres.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	pgServer.Stop()
	os.Exit(code)
}

// databases runs a test with each kind of database; fresh gives the address of one that is not there or empty.
func databases(t *testing.T, test func(t *testing.T, fresh func(t *testing.T) mlflow.Config)) {
	t.Run("sqlite", func(t *testing.T) { test(t, freshSQLite) })
	t.Run("postgres", func(t *testing.T) {
		test(t, func(t *testing.T) mlflow.Config {
			return mlflow.Config{TrackingURI: pgServer.Database(t), ArtifactsDir: t.TempDir()}
		})
	})
}

func freshSQLite(t *testing.T) mlflow.Config {
	dir := t.TempDir()
	return mlflow.Config{TrackingURI: dburl.SQLite(filepath.Join(dir, "mlflow.db")), ArtifactsDir: filepath.Join(dir, "artifacts")}
}

// newDatabaseSink is passed over in short tests: SQLite, which is translated from C, takes minutes under the race
// detector. TestTwoLoadersAtOnce is the one for that.
func newDatabaseSink(t *testing.T, cfg mlflow.Config) *mlflow.Sink {
	t.Helper()
	if testing.Short() {
		t.Skip("databases are left to the tests that are not short")
	}
	return databaseSink(t, cfg)
}

func databaseSink(t *testing.T, cfg mlflow.Config) *mlflow.Sink {
	t.Helper()
	sink := newSink(t, cfg)
	t.Cleanup(func() {
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
	})
	return sink
}

// open opens a database apart from the sink.
func open(t *testing.T, cfg mlflow.Config) *sql.DB {
	t.Helper()
	driver, name := "pgx", cfg.TrackingURI
	if u, err := dburl.Parse(cfg.TrackingURI); err == nil && u.Dialect == "sqlite" {
		driver, name = "sqlite", (&url.URL{Scheme: "file", Path: u.Database}).String()
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func mustExec(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// each calls f for the rows of a query, whose columns scan takes.
func each(t *testing.T, db *sql.DB, query string, scan []any, f func()) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(scan...); err != nil {
			t.Fatal(err)
		}
		f()
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// contents reads what state gives of a server.
func contents(t *testing.T, db *sql.DB) []mlflowtest.Run {
	t.Helper()
	var runs []mlflowtest.Run
	at := map[string]*mlflowtest.Run{}
	var r mlflowtest.Run
	var artifacts string
	var end sql.NullInt64
	each(t, db, `SELECT r.run_uuid, r.name, r.user_id, r.status, r.start_time, r.end_time, r.artifact_uri FROM runs r
		JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = 'nexport.id' WHERE lifecycle_stage = 'active' ORDER BY t.value`,
		[]any{&r.ID, &r.Name, &r.User, &r.Status, &r.Start, &end, &artifacts}, func() {
			r.Params, r.Tags, r.Metrics, r.Artifacts, r.End = map[string]string{}, map[string]string{}, map[string][]mlflowtest.Point{}, files(t, artifacts), nil
			if v := end.Int64; end.Valid {
				r.End = &v
			}
			runs = append(runs, r)
		})
	for i := range runs {
		at[runs[i].ID] = &runs[i]
	}
	var id, key, value string
	for table, into := range map[string]func(*mlflowtest.Run) map[string]string{
		"params": func(r *mlflowtest.Run) map[string]string { return r.Params },
		"tags":   func(r *mlflowtest.Run) map[string]string { return r.Tags },
	} {
		each(t, db, "SELECT run_uuid, key, value FROM "+table, []any{&id, &key, &value}, func() {
			if at[id] != nil {
				into(at[id])[key] = value
			}
		})
	}
	var p mlflowtest.Point
	var isNaN bool
	each(t, db, "SELECT run_uuid, key, step, timestamp, value, is_nan FROM metrics ORDER BY step, timestamp, value", []any{&id, &key, &p.Step, &p.Time, &p.Value, &isNaN}, func() {
		if isNaN {
			p.Value = math.NaN()
		}
		if at[id] != nil {
			at[id].Metrics[key] = append(at[id].Metrics[key], p)
		}
	})
	for i := range runs {
		runs[i].ID = ""
	}
	return runs
}

func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		found[name], err = os.ReadFile(path)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return found
}

func TestDatabaseContract(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		migratetest.TestSink(t, func(t *testing.T) migrate.Sink { return newDatabaseSink(t, fresh(t)) })
	})
}

// withoutExperiment leaves out what servers choose.
var withoutExperiment = append(cmp.Options{cmpopts.IgnoreFields(mlflowtest.Run{}, "ExperimentID")}, stateOptions...)

// TestDatabaseHoldsWhatAServerHolds loads a run both ways, and completes one that was cut off.
func TestDatabaseHoldsWhatAServerHolds(t *testing.T) {
	rest := mlflowtest.NewServer(t, mlflowtest.Options{})
	mustPut(t, newSink(t, mlflow.Config{TrackingURI: rest.URL}), example())
	mustPut(t, newSink(t, mlflow.Config{TrackingURI: rest.URL}), fromNeptune2())
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		cfg := fresh(t)
		mustPut(t, newDatabaseSink(t, cfg), example())
		mustPut(t, newDatabaseSink(t, cfg), fromNeptune2())
		verifyAll(t, newDatabaseSink(t, cfg), fromNeptune2())
		db := open(t, cfg)
		if diff := cmp.Diff(state(t, rest), contents(t, db), withoutExperiment); diff != "" {
			t.Errorf("a server (-) and the database (+) differ:\n%.3000s", diff)
		}
		checkLatest(t, db)
		var name, location string
		each(t, db, "SELECT name, artifact_location FROM experiments WHERE experiment_id = 0", []any{&name, &location}, func() {})
		if want := filepath.ToSlash(cfg.ArtifactsDir) + "/0"; name != "Default" || location != want {
			t.Errorf("experiment 0 is %q in %q, not Default in %q", name, location, want)
		}
		if !mustPut(t, newDatabaseSink(t, cfg), example()).Existed {
			t.Error("a second load did not find the run")
		}
	})
}

// checkLatest compares latest_metrics with what metrics says.
func checkLatest(t *testing.T, db *sql.DB) {
	t.Helper()
	type row struct {
		Value      float64
		Time, Step int64
		NaN        bool
	}
	var id, key string
	var r row
	want, got := map[string]row{}, map[string]row{}
	each(t, db, "SELECT run_uuid, key, value, timestamp, step, is_nan FROM metrics ORDER BY step, timestamp, value", []any{&id, &key, &r.Value, &r.Time, &r.Step, &r.NaN},
		func() { want[id+" "+key] = r })
	each(t, db, "SELECT run_uuid, key, value, timestamp, step, is_nan FROM latest_metrics", []any{&id, &key, &r.Value, &r.Time, &r.Step, &r.NaN},
		func() { got[id+" "+key] = r })
	if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
		t.Errorf("latest_metrics (-want +got):\n%.2000s", diff)
	}
}

// TestLatestMetrics has series in no order, with many equal steps and times.
func TestLatestMetrics(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		random := rand.New(rand.NewPCG(1, 2))
		run := migratetest.Run{Info: migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/p", ID: "a"}}}
		for k := range 30 {
			c := migrate.Chunk{Path: fmt.Sprintf("m/%d", k), Kind: migrate.KindFloatSeries}
			values := migrate.Floats{}
			for i := range 1000 {
				c.Steps = append(c.Steps, migrate.Step(i/3)*migrate.StepUnit)
				c.Times = append(c.Times, start+random.Int64N(3))
				values = append(values, float64(random.IntN(5)-2))
			}
			c.Values = values
			run.Chunks = append(run.Chunks, c)
		}
		cfg := fresh(t)
		mustPut(t, newDatabaseSink(t, cfg), run)
		checkLatest(t, open(t, cfg))
	})
}

// TestRunIsHiddenUntilItIsWhole reads a source that fails after most of the run was written.
func TestRunIsHiddenUntilItIsWhole(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		cfg := fresh(t)
		run := example()
		run.Chunks = append(run.Chunks, floats("m/long", curve(60_000)...)) // more than a transaction takes
		var m migratetest.Memory
		m.Add(run)
		r, err := m.OpenRun(t.Context(), run.Info)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newDatabaseSink(t, cfg).PutRun(t.Context(), run.Info, failingReader{r}); err == nil {
			t.Fatal("no error")
		}
		db := open(t, cfg)
		var seen, rows int
		each(t, db, "SELECT COUNT(*) FROM runs WHERE experiment_id IS NOT NULL OR lifecycle_stage <> 'deleted'", []any{&seen}, func() {})
		each(t, db, "SELECT COUNT(*) FROM metrics", []any{&rows}, func() {})
		if seen != 0 || rows == 0 {
			t.Errorf("%d runs are seen, %d points are written", seen, rows)
		}
		mustPut(t, newDatabaseSink(t, cfg), run)
		var all int
		each(t, db, "SELECT COUNT(*) FROM runs", []any{&all}, func() {})
		clean := fresh(t)
		mustPut(t, newDatabaseSink(t, clean), run)
		if diff := cmp.Diff(contents(t, open(t, clean)), contents(t, db), withoutExperiment); diff != "" || all != 1 {
			t.Errorf("%d runs; undisturbed (-) and completed (+) differ:\n%.3000s", all, diff)
		}
		checkLatest(t, db)
	})
}

// TestDeletedRunIsLoadedAgain: what somebody deleted stays deleted.
func TestDeletedRunIsLoadedAgain(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		cfg := fresh(t)
		first := mustPut(t, newDatabaseSink(t, cfg), example()).Target
		db := open(t, cfg)
		mustExec(t, db, "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = 1")
		second := mustPut(t, newDatabaseSink(t, cfg), example())
		if second.Existed || second.Target == first || len(contents(t, db)) != 1 {
			t.Errorf("first load %s, second %+v, %d runs", first, second, len(contents(t, db)))
		}
	})
}

func TestDeletedExperimentInDatabase(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		cfg := fresh(t)
		mustPut(t, newDatabaseSink(t, cfg), example())
		mustExec(t, open(t, cfg), "UPDATE experiments SET lifecycle_stage = 'deleted' WHERE experiment_id <> 0")
		if _, err := put(t, newDatabaseSink(t, cfg), example()); !errors.Is(err, migrate.ErrFatal) || !strings.Contains(err.Error(), "mlflow experiments restore") {
			t.Errorf("error %v", err)
		}
	})
}

// TestTwoLoadersAtOnce has two processes' worth of sinks load the same runs.
func TestTwoLoadersAtOnce(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		source := new(migratetest.Memory)
		for i := range 4 {
			run := example()
			run.Info.ID = fmt.Sprint(i)
			source.Add(run)
		}
		cfg := fresh(t)
		var wait sync.WaitGroup
		for range 2 {
			sink := databaseSink(t, cfg)
			wait.Go(func() {
				report, err := migrate.Run(t.Context(), migrate.Job{Source: source, Sink: sink})
				if err != nil || report.Err() != nil {
					t.Errorf("%v, %v", err, report.Err())
				}
			})
		}
		wait.Wait()
		clean := fresh(t)
		if report, err := migrate.Run(t.Context(), migrate.Job{Source: source, Sink: databaseSink(t, clean)}); err != nil || report.Err() != nil {
			t.Fatalf("%v, %v", err, report.Err())
		}
		db := open(t, cfg)
		if diff := cmp.Diff(contents(t, open(t, clean)), contents(t, db), withoutExperiment); diff != "" {
			t.Errorf("one loader (-) and two (+) differ:\n%.3000s", diff)
		}
		checkLatest(t, db)
	})
}

func TestDatabaseOfAnotherRevision(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		cfg := fresh(t)
		mustPut(t, newDatabaseSink(t, cfg), example())
		db := open(t, cfg)
		other := example()
		other.Info.ID = "other"
		for revision, advice := range map[string]string{
			"acf3f17fdcc7": "mlflow db upgrade", // 2.9.2
			"0000000000ff": "over REST",         // nobody knows it
		} {
			mustExec(t, db, "UPDATE alembic_version SET version_num = '"+revision+"'")
			_, err := put(t, newDatabaseSink(t, cfg), other)
			if !errors.Is(err, migrate.ErrFatal) || !strings.Contains(err.Error(), revision) || !strings.Contains(err.Error(), advice) {
				t.Errorf("error %v", err)
			}
		}
		mustExec(t, db, "DROP TABLE alembic_version")
		if _, err := put(t, newDatabaseSink(t, cfg), other); !errors.Is(err, migrate.ErrFatal) {
			t.Errorf("error %v", err)
		}
		if n := len(contents(t, db)); n != 1 {
			t.Errorf("%d runs", n)
		}
	})
}

// TestWithoutWorkspaces has the tables without workspaces.
func TestWithoutWorkspaces(t *testing.T) {
	cfg := freshSQLite(t)
	mustPut(t, newDatabaseSink(t, cfg), example())
	db := open(t, cfg)
	for _, statement := range []string{
		"DELETE FROM tags", "DELETE FROM params", "DELETE FROM metrics", "DELETE FROM latest_metrics", "DELETE FROM runs",
		"CREATE TABLE e AS SELECT experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time FROM experiments WHERE experiment_id = 0",
		"DELETE FROM experiment_tags", "DROP TABLE experiments",
		"CREATE TABLE experiments (experiment_id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(256) NOT NULL UNIQUE, artifact_location VARCHAR(256), lifecycle_stage VARCHAR(32), creation_time BIGINT, last_update_time BIGINT)",
		"INSERT INTO experiments SELECT * FROM e", "DROP TABLE e", "UPDATE alembic_version SET version_num = 'bf29a5ff90ea'",
	} {
		mustExec(t, db, statement)
	}
	mustPut(t, newDatabaseSink(t, cfg), example())
	if !mustPut(t, newDatabaseSink(t, cfg), example()).Existed {
		t.Error("a second load did not find the run")
	}
	cfg.Workspace = "team"
	mustRefuseWorkspace(t, cfg)
	cfg.Workspace = "default"
	if !mustPut(t, newDatabaseSink(t, cfg), example()).Existed {
		t.Error("the default workspace did not find the run")
	}
}

// TestWorkspaces: one that the database does not have is refused, and nothing is written.
func TestWorkspaces(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		cfg := fresh(t)
		team := cfg
		team.Workspace = "team"
		mustRefuseWorkspace(t, team)
		if path, ok := strings.CutPrefix(cfg.TrackingURI, "sqlite:///"); ok {
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a database was made: %v", err)
			}
		}
		cfg.Workspace = "default"
		mustPut(t, newDatabaseSink(t, cfg), example())
		mustRefuseWorkspace(t, team)
		db := open(t, cfg)
		if n := count(t, db, "experiments WHERE workspace <> 'default'"); n != 0 {
			t.Errorf("%d experiments in other workspaces", n)
		}

		mustExec(t, db, "INSERT INTO workspaces (name) VALUES ('team')")
		if mustPut(t, newDatabaseSink(t, team), example()).Existed {
			t.Error("the run of another workspace was found")
		}
		var name, location string
		each(t, db, "SELECT name, artifact_location FROM experiments WHERE workspace = 'team'", []any{&name, &location}, func() {})
		if name != "ws/p" || !strings.Contains(location, "/workspaces/team/") {
			t.Errorf("experiment %q in %q", name, location)
		}
	})
}

// mustRefuseWorkspace loads, dry and for real.
func mustRefuseWorkspace(t *testing.T, cfg mlflow.Config) {
	t.Helper()
	for _, cfg.DryRun = range []bool{true, false} {
		_, err := put(t, newDatabaseSink(t, cfg), example())
		if !errors.Is(err, migrate.ErrFatal) || !strings.Contains(err.Error(), `workspace "team"`) || !strings.Contains(err.Error(), "MLFLOW_WORKSPACE") {
			t.Errorf("dry %v: error %v", cfg.DryRun, err)
		}
	}
}

// count gives the number of rows.
func count(t *testing.T, db *sql.DB, from string) (n int) {
	t.Helper()
	each(t, db, "SELECT COUNT(*) FROM "+from, []any{&n}, func() {})
	return n
}

// TestWorkspaceWithAPlaceOfItsOwn is as with SqlAlchemyStore.resolve_artifact_root.
func TestWorkspaceWithAPlaceOfItsOwn(t *testing.T) {
	cfg := freshSQLite(t)
	mustPut(t, newDatabaseSink(t, cfg), example())
	db, own := open(t, cfg), filepath.ToSlash(t.TempDir())
	mustExec(t, db, "INSERT INTO workspaces (name, default_artifact_root) VALUES ('team', ?)", own)
	given := cfg.ArtifactsDir
	cfg.Workspace = " team" // MLflow trims, too
	for dir, want := range map[string]string{"": own + "/", given: filepath.ToSlash(given) + "/workspaces/team/"} {
		cfg.ArtifactsDir, cfg.NamePrefix = dir, "x"+dir
		mustPut(t, newDatabaseSink(t, cfg), example())
		var location string
		each(t, db, "SELECT artifact_location FROM experiments ORDER BY experiment_id", []any{&location}, func() {})
		if !strings.HasPrefix(location, want) || strings.Count(location, "/") != strings.Count(want, "/") {
			t.Errorf("%q: experiment in %q, not %q", dir, location, want)
		}
	}
}

// TestVerifyChangesNothing also where there is no database.
func TestVerifyChangesNothing(t *testing.T) {
	cfg := freshSQLite(t)
	path := strings.TrimPrefix(cfg.TrackingURI, "sqlite:///")
	run := example()
	verify := func() []migrate.Problem {
		var m migratetest.Memory
		m.Add(run)
		r, err := m.OpenRun(t.Context(), run.Info)
		if err != nil {
			t.Fatal(err)
		}
		problems, err := newDatabaseSink(t, cfg).VerifyRun(t.Context(), run.Info, r)
		if err != nil {
			t.Fatal(err)
		}
		return problems
	}
	if problems := verify(); len(problems) != 1 || problems[0].Code != migrate.CodeMissing {
		t.Errorf("without a database: %v", problems)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a database was made: %v", err)
	}
	mustPut(t, newDatabaseSink(t, cfg), run)
	if problems := verify(); len(problems) != 0 {
		t.Errorf("problems %v", problems)
	}
	mustExec(t, open(t, cfg), "UPDATE metrics SET value = 7 WHERE key = 'm/curve' AND step = 3000000")
	if problems := verify(); len(problems) != 1 || problems[0].Path != "m/curve" {
		t.Errorf("a changed point: %v", problems)
	}
}

// TestWaitsForAnotherWriter holds the lock for a moment.
func TestWaitsForAnotherWriter(t *testing.T) {
	cfg := freshSQLite(t)
	mustPut(t, newDatabaseSink(t, cfg), example())
	conn, err := open(t, cfg).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	released := time.AfterFunc(200*time.Millisecond, func() { conn.ExecContext(t.Context(), "ROLLBACK") })
	other := example()
	other.Info.ID = "other"
	mustPut(t, newDatabaseSink(t, cfg), other)
	if released.Stop() {
		t.Error("the load did not wait")
	}
}

// TestLockedAtFirst: the first access waits as every other does, and says for what.
func TestLockedAtFirst(t *testing.T) {
	var log strings.Builder
	waits := 0
	cfg := freshSQLite(t)
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	sink := newDatabaseSink(t, mlflow.WithoutWaiting(cfg, func(time.Duration) { waits++ }))
	mlflow.LockAtFirst(sink, 6)
	mustPut(t, sink, example())
	if waits != 6 || !strings.Contains(log.String(), "is locked by another program") {
		t.Errorf("%d waits; log:\n%s", waits, log.String())
	}
	locked := newDatabaseSink(t, mlflow.WithoutWaiting(cfg, nil))
	mlflow.LockAtFirst(locked, 1000)
	if _, err := put(t, locked, example()); !errors.Is(err, migrate.ErrFatal) || !strings.Contains(err.Error(), "is locked by another program") {
		t.Errorf("error %v", err)
	}
}

func TestArtifactPlaces(t *testing.T) {
	dir := t.TempDir()
	for location, test := range map[string]struct {
		dir   string // Config.ArtifactsDir
		below string // where the files are; "" for an error
	}{
		filepath.ToSlash(dir) + "/plain/0":                                          {below: "plain/1"},
		filepath.ToSlash(dir) + "/own":                                              {dir: "given", below: "given/1"}, // says nothing of others
		(&url.URL{Scheme: "file", Path: filepath.ToSlash(dir) + "/a b/0"}).String(): {below: "a b/1"},
		"mlflow-artifacts:/0":                                                       {dir: "served", below: "served/1"},
		"s3://bucket/0":                                                             {dir: "instead", below: "instead/1"},
		filepath.ToSlash(dir) + "/a%20b%/0":                                         {below: "a b%/1"}, // as MLflow reads it
		filepath.ToSlash(dir) + "/one":                                              {dir: "given%20%2", below: "given%20%2/1"},
		"mlflow-artifacts:/../../0":                                                 {dir: "inner"},
		"mlflow-artifacts:/0#":                                                      {},
		"s3://bucket/x/0":                                                           {},
		"mlruns/0":                                                                  {},
		"file://elsewhere/x/0":                                                      {},
		filepath.ToSlash(dir) + "/" + strings.Repeat("x", 200) + "/0":               {below: strings.Repeat("x", 200) + "/1"},
	} {
		t.Run(location[max(0, len(location)-20):], func(t *testing.T) {
			cfg := freshSQLite(t)
			seed := example()
			seed.Info.Project = "ws/seed"
			mustPut(t, newDatabaseSink(t, cfg), seed)
			db := open(t, cfg)
			mustExec(t, db, "DELETE FROM experiment_tags")
			for _, table := range []string{"tags", "params", "metrics", "latest_metrics", "runs"} {
				mustExec(t, db, "DELETE FROM "+table)
			}
			mustExec(t, db, "DELETE FROM experiments WHERE experiment_id <> 0")
			mustExec(t, db, "UPDATE experiments SET artifact_location = ? WHERE experiment_id = 0", strings.TrimSuffix(location, "#"))
			cfg.ArtifactsDir = ""
			if test.dir != "" {
				cfg.ArtifactsDir = filepath.Join(dir, test.dir)
			}
			result, err := put(t, newDatabaseSink(t, cfg), example())
			if test.below == "" {
				if !errors.Is(err, migrate.ErrFatal) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			at := filepath.Join(dir, filepath.FromSlash(test.below), result.Target)
			if got := files(t, filepath.Join(at, "artifacts")); string(got["file.bin"]) != "hello" || len(got) < 4 {
				t.Errorf("files in %s: %d", at, len(got))
			}
			if _, err := os.Stat(filepath.Join(at, "nexport-parts")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("parts are left: %v", err)
			}
		})
	}
}

// failingReader fails after the last series.
type failingReader struct{ migrate.RunReader }

func (r failingReader) Chunks(ctx context.Context, want migrate.Want) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) {
		for chunk, err := range r.RunReader.Chunks(ctx, want) {
			if !yield(chunk, err) {
				return
			}
		}
		if want("x", migrate.KindFloatSeries) {
			yield(migrate.Chunk{}, errors.New("the disk is gone"))
		}
	}
}

// TestLongArtifactDirectory: the column of other databases than SQLite is narrow.
func TestLongArtifactDirectory(t *testing.T) {
	cfg := mlflow.Config{TrackingURI: pgServer.Database(t), ArtifactsDir: filepath.Join(t.TempDir(), strings.Repeat("x", 200))}
	if _, err := put(t, newDatabaseSink(t, cfg), example()); !errors.Is(err, migrate.ErrFatal) || !strings.Contains(err.Error(), "--artifacts-dir") {
		t.Errorf("error %v", err)
	}
}

// TestPostgresOptions: all that libpq knows and that MLflow may be given. A service file has some too.
func TestPostgresOptions(t *testing.T) {
	uri := pgServer.Database(t)
	service := filepath.Join(t.TempDir(), "services")
	if err := os.WriteFile(service, []byte("[it]\nkeepalives=1\nsslcompression=0\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	for _, options := range []string{
		"keepalives=1&keepalives_idle=30&keepalives_interval=10&keepalives_count=3&tcp_user_timeout=1000",
		"gssencmode=disable&krbsrvname=postgres&gsslib=gssapi&gssdelegation=0",
		"channel_binding=prefer&sslmode=prefer&sslcompression=0&ssl_min_protocol_version=TLSv1.2&sslsni=1",
		"requirepeer=postgres&target_session_attrs=read-write&load_balance_hosts=random&connect_timeout=10",
		"client_encoding=latin1&fallback_application_name=x&application_name=mine",
		"service=it&servicefile=" + url.QueryEscape(service),
		"host=" + u.Host,
		"host=" + u.Host + "&host=" + u.Host,
		"hostaddr=127.0.0.1&host=no.such.host.invalid",
		"options=-csearch_path=pg_catalog,public%20-cstatement_timeout=70s",
	} {
		config, err := mlflow.PostgresConfig(uri + "?" + options)
		if err != nil {
			t.Errorf("%s: %v", options, err)
			continue
		}
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if err != nil {
			t.Errorf("%s: %v", options, err)
			continue
		}
		var name, encoding, timeout string
		err = conn.QueryRow(t.Context(), "SELECT current_setting('application_name'), current_setting('client_encoding'), current_setting('statement_timeout')").
			Scan(&name, &encoding, &timeout)
		if err != nil || encoding != "UTF8" || (name == "mine") != strings.Contains(options, "mine") || (timeout == "70s") != strings.Contains(options, "70s") {
			t.Errorf("%s: application %s, encoding %s, timeout %s, %v", options, name, encoding, timeout, err)
		}
		conn.Close(t.Context())
	}
}
