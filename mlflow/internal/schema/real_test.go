//go:build unix

package schema_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/nexport-go/migrate/internal/postgres"
	"github.com/nexport-go/migrate/mlflow/internal/schema"
)

// Names of the environments of the two lines of MLflow; `make e2e` sets them.
const (
	envMLflow3 = "NEXPORT_TEST_MLFLOW3"
	envMLflow2 = "NEXPORT_TEST_MLFLOW2"

	envMLflowNext = "NEXPORT_TEST_MLFLOWNEXT" // newer than envMLflow3, which can be installed
)

var databases postgres.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	databases.Stop()
	os.Exit(code)
}

// program gives a program of a Python environment, or skips the test.
func program(t *testing.T, env, name string) string {
	t.Helper()
	dir := os.Getenv(env)
	if dir == "" {
		t.Skipf("%s is not set: run this by make e2e", env)
	}
	return filepath.Join(dir, "bin", name)
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := output(name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), args[0], err, out)
	}
	return out
}

func output(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "MLFLOW_DISABLE_TELEMETRY=true")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out) + stderr.String(), err
	}
	return string(out), nil
}

func sqliteFile(t *testing.T, name string) (path, uri string) {
	path = filepath.Join(t.TempDir(), name)
	return path, "sqlite:///" + path
}

// createSQLite makes our database in a file.
func createSQLite(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := create(t, db); err != nil {
		t.Fatal(err)
	}
}

// createPostgres makes our database in an empty one.
func createPostgres(ctx context.Context, uri string) error {
	db, err := pgx.Connect(ctx, uri)
	if err != nil {
		return err
	}
	defer db.Close(ctx)
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		return schema.Create(ctx, schema.Pgx(tx), schema.PostgreSQL)
	})
}

// dumpSQLite gives everything that a database holds, one line an object or row.
func dumpSQLite(t *testing.T, path string) []string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx := schema.SQL(db)
	column := func(query string) []string {
		values, err := tx.Column(t.Context(), query)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return values
	}
	var lines []string
	for _, pragma := range []string{"journal_mode", "encoding", "page_size", "auto_vacuum", "user_version", "application_id"} {
		lines = append(lines, pragma+" "+column("PRAGMA " + pragma)[0])
	}
	for _, object := range column("SELECT type || ' ' || name || ' on ' || tbl_name || ': ' || coalesce(sql, '') FROM sqlite_master ORDER BY type, name") {
		lines = append(lines, normalize(object))
	}
	for _, table := range column("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name") {
		fields := column(fmt.Sprintf(`SELECT group_concat('quote("' || name || '")', '|| '', '' ||') FROM pragma_table_xinfo('%s')`, table))[0]
		for _, row := range column(fmt.Sprintf(`SELECT %s FROM "%s" ORDER BY 1`, fields, table)) {
			lines = append(lines, "row of "+table+": "+row)
		}
	}
	return lines
}

// normalize writes the text of an object without quotes around names, on one line, and sorts the constraints,
// which Alembic writes in another order each time. SQLAlchemy begins a line with each of them.
func normalize(object string) string {
	var others, constraints []string
	for line := range strings.Lines(strings.ReplaceAll(object, `"`, "")) {
		line = strings.TrimSuffix(strings.Join(strings.Fields(line), " "), ",")
		if strings.HasPrefix(line, "CONSTRAINT ") || strings.HasPrefix(line, "FOREIGN KEY") || strings.HasPrefix(line, "CHECK ") {
			constraints = append(constraints, line)
		} else {
			others = append(others, line)
		}
	}
	slices.Sort(constraints)
	return strings.Join(append(others, constraints...), ", ")
}

// dumpPostgres is what pg_dump writes, rows and sequences too, without the words that differ each time.
func dumpPostgres(t *testing.T, uri string) []string {
	t.Helper()
	out := run(t, filepath.Join(postgres.Programs(t), "pg_dump"), uri)
	return slices.DeleteFunc(strings.Split(out, "\n"), func(line string) bool {
		return strings.HasPrefix(line, `\restrict`) || strings.HasPrefix(line, `\unrestrict`)
	})
}

func TestEqualsMLflowSQLite(t *testing.T) {
	t.Parallel()
	mlflow := program(t, envMLflow3, "mlflow")
	theirs, uri := sqliteFile(t, "theirs.db")
	run(t, mlflow, "db", "upgrade", uri)
	ours, uri := sqliteFile(t, "ours.db")
	createSQLite(t, ours)

	created := dumpSQLite(t, ours)
	if diff := cmp.Diff(dumpSQLite(t, theirs), created); diff != "" {
		t.Errorf("a database of MLflow (-) and ours (+):\n%s", diff)
	}
	run(t, mlflow, "db", "upgrade", uri)
	if diff := cmp.Diff(created, dumpSQLite(t, ours)); diff != "" {
		t.Errorf("mlflow db upgrade changes our database:\n%s", diff)
	}
}

func TestEqualsMLflowPostgres(t *testing.T) {
	t.Parallel()
	mlflow := program(t, envMLflow3, "mlflow")
	theirs, ours := databases.Database(t), databases.Database(t)
	run(t, mlflow, "db", "upgrade", theirs)
	if err := createPostgres(t.Context(), ours); err != nil {
		t.Fatal(err)
	}

	created := dumpPostgres(t, ours)
	if diff := cmp.Diff(dumpPostgres(t, theirs), created); diff != "" {
		t.Errorf("a database of MLflow (-) and ours (+):\n%s", diff)
	}
	run(t, mlflow, "db", "upgrade", ours)
	if diff := cmp.Diff(created, dumpPostgres(t, ours)); diff != "" {
		t.Errorf("mlflow db upgrade changes our database:\n%s", diff)
	}
}

// The description is what describe.py prints: it can be made anew for the next revision.
func TestDescriptionIsPrinted(t *testing.T) {
	t.Parallel()
	python, mlflow := program(t, envMLflow3, "python"), program(t, envMLflow3, "mlflow")
	path, uri := sqliteFile(t, "new.db")
	db := databases.Database(t)
	run(t, mlflow, "db", "upgrade", uri)
	run(t, mlflow, "db", "upgrade", db)
	want, err := os.ReadFile("mlflow.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), run(t, python, "describe.py", path, db)); diff != "" {
		t.Errorf("mlflow.txt (-) and what describe.py prints (+):\n%s", diff)
	}
}

// useStore does what a server does at its start and for a first run.
const useStore = `
import sys
from mlflow.entities import Metric
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
store = SqlAlchemyStore(sys.argv[1], sys.argv[2])
print(store.get_experiment("0").name)
experiment = store.create_experiment("first")
run = store.create_run(experiment, "user", 1, [], "name")
store.log_metric(run.info.run_id, Metric("m", 1.5, 2, 3))
print(experiment, store.get_run(run.info.run_id).data.metrics)
`

func TestMLflowUsesOurs(t *testing.T) {
	t.Parallel()
	python := program(t, envMLflow3, "python")
	const want = "Default\n1 {'m': 1.5}\n"
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		path, uri := sqliteFile(t, "ours.db")
		createSQLite(t, path)
		if got := run(t, python, "-c", useStore, uri, t.TempDir()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		uri := databases.Database(t)
		if err := createPostgres(t.Context(), uri); err != nil {
			t.Fatal(err)
		}
		if got := run(t, python, "-c", useStore, uri, t.TempDir()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// An MLflow that is older than our database refuses it and leaves it alone.
func TestOlderMLflowRefuses(t *testing.T) {
	t.Parallel()
	python, mlflow := program(t, envMLflow2, "python"), program(t, envMLflow2, "mlflow")
	path, uri := sqliteFile(t, "ours.db")
	createSQLite(t, path)
	before := dumpSQLite(t, path)
	for _, command := range [][]string{{python, "-c", useStore, uri, t.TempDir()}, {mlflow, "db", "upgrade", uri}} {
		const want = "Can't locate revision identified by '" + schema.Newest
		if out, err := output(command[0], command[1:]...); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: got %v, want %q in\n%s", command[0], err, want, out)
		}
	}
	if diff := cmp.Diff(before, dumpSQLite(t, path)); diff != "" {
		t.Errorf("the older MLflow changed the database:\n%s", diff)
	}
}

// The database of an older MLflow can be written to, before and after the upgrade to the newest.
func TestDatabaseOfOlderMLflow(t *testing.T) {
	t.Parallel()
	python := program(t, envMLflow2, "python")
	path, uri := sqliteFile(t, "older.db")
	run(t, python, "-c", useStore, uri, t.TempDir())
	if got := revisionOf(t, path); got != "0584bdc529eb" {
		t.Errorf("MLflow 2.22 makes revision %s", got)
	}
	run(t, program(t, envMLflow3, "mlflow"), "db", "upgrade", uri)
	if got := revisionOf(t, path); got != schema.Newest {
		t.Errorf("MLflow 3.17 brings the database of 2.22 to revision %s", got)
	}
}

func revisionOf(t *testing.T, path string) string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	revision, err := schema.Revision(t.Context(), schema.SQL(db), schema.SQLite)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

// The slower of two that create at the same time waits, and then sees the tables of the other.
func TestTwoCreateOnPostgres(t *testing.T) {
	t.Parallel()
	uri := databases.Database(t)
	errs := make(chan error)
	for range 2 {
		go func() { errs <- createPostgres(t.Context(), uri) }()
	}
	first, second := <-errs, <-errs
	if first == nil {
		first, second = second, first
	}
	if second != nil || !errors.Is(first, schema.ErrNotEmpty) {
		t.Errorf("got %v and %v, want one success and ErrNotEmpty", first, second)
	}
	db, err := pgx.Connect(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	err = pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error {
		revision, err := schema.Revision(t.Context(), schema.Pgx(tx), schema.PostgreSQL)
		if revision != schema.Newest {
			t.Errorf("the database is at revision %q, want %s", revision, schema.Newest)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// migration is a line of migrations.py.
type migration struct {
	Revision string
	Columns  map[string]string
	Indexes  []string
}

// TestTraits walks MLflow's migrations: Check knows each of them, and its traits say all that differs
// between those that it allows.
func TestTraits(t *testing.T) {
	t.Parallel()
	path, _ := sqliteFile(t, "walk.db")
	out := run(t, program(t, envMLflowNext, "python"), "migrations.py", path)
	const oldest = "0584bdc529eb"
	var first map[string]string
	last := ""
	for line := range strings.Lines(out) {
		var m migration
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		last = m.Revision
		got, err := schema.Check(m.Revision)
		if first == nil && m.Revision != oldest {
			if err == nil || !strings.Contains(err.Error(), "before MLflow 2.22") {
				t.Errorf("%s: got %v, want that it is too old", m.Revision, err)
			}
			continue
		}
		if diff := cmp.Diff(m.traits(t, got.Release), got); err != nil || diff != "" {
			t.Errorf("%s: %v, MLflow's (-) and ours (+):\n%s", m.Revision, err, diff)
		}
		if first == nil {
			first = m.Columns
		}
		if diff := cmp.Diff(first, m.Columns); diff != "" {
			t.Errorf("%s: tables differ in what no trait tells:\n%s", m.Revision, diff)
		}
	}
	if got, err := schema.Check(last); err != nil || got.Release != "3.18.0" {
		t.Errorf("the newest migration %s is of %q: %v", last, got.Release, err)
	}
}

// traits takes what Traits tells out of the columns.
func (m migration) traits(t *testing.T, release string) schema.Traits {
	_, workspaces := m.Columns["experiments.workspace"]
	delete(m.Columns, "experiments.workspace")
	return schema.Traits{
		Revision: m.Revision, Release: release, Workspaces: workspaces,
		KeySteps:           slices.Contains(m.Indexes, "index_metrics_run_uuid_key_step"),
		ParamValue:         m.width(t, "params.value"),
		TagValue:           m.width(t, "tags.value"),
		ExperimentTagValue: m.width(t, "experiment_tags.value"),
	}
}

var width = regexp.MustCompile(`^VARCHAR\((\d+)\)(.*)$`)

// width cuts the width of text out of the type of a column and gives it.
func (m migration) width(t *testing.T, column string) int {
	kind := m.Columns[column]
	if kind == "TEXT" {
		m.Columns[column] = "VARCHAR"
		return 0
	}
	parts := width.FindStringSubmatch(kind)
	if parts == nil {
		t.Fatalf("%s has type %q", column, kind)
	}
	m.Columns[column] = "VARCHAR" + parts[2]
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
