package schema_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nexport-go/migrate/mlflow/internal/schema"
	_ "modernc.org/sqlite"
)

// open gives an empty SQLite database with foreign keys on.
func open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(t.TempDir(), "mlflow.db"))+"?_pragma=foreign_keys(1)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// within runs f in a transaction, which is kept if f succeeds.
func within(t *testing.T, db *sql.DB, f func(tx schema.Tx) error) error {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if err := f(schema.SQL(tx)); err != nil {
		return err
	}
	return tx.Commit()
}

func create(t *testing.T, db *sql.DB) error {
	t.Helper()
	return within(t, db, func(tx schema.Tx) error { return schema.Create(t.Context(), tx, schema.SQLite) })
}

func TestCreate(t *testing.T) {
	t.Parallel()
	db := open(t)
	if err := create(t, db); err != nil {
		t.Fatal(err)
	}
	revision, err := schema.Revision(t.Context(), schema.SQL(db), schema.SQLite)
	if err != nil || revision != schema.Newest {
		t.Errorf("the new database is at %q, %v; want %q", revision, err, schema.Newest)
	}
	if _, err := schema.Check(revision); err != nil {
		t.Errorf("the new database cannot be written to: %v", err)
	}
	if err := create(t, db); !errors.Is(err, schema.ErrNotEmpty) {
		t.Errorf("a second creation gives %v, want ErrNotEmpty", err)
	}
}

// What the database itself has to refuse, or to do.
func TestConstraints(t *testing.T) {
	t.Parallel()
	db := open(t)
	if err := create(t, db); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ sql, refused string }{
		{`INSERT INTO experiments (name, lifecycle_stage) VALUES ('a', 'active')`, ""},
		{`INSERT INTO experiments (name) VALUES ('a')`, "experiments.workspace, experiments.name"},
		{`INSERT INTO experiments (name, workspace) VALUES ('a', 'other')`, ""},
		{`INSERT INTO experiments (name, lifecycle_stage) VALUES ('b', 'lost')`, "experiments_lifecycle_stage"},
		{`INSERT INTO runs (run_uuid, experiment_id, status) VALUES ('r', 1, 'RUNNING')`, ""},
		{`INSERT INTO runs (run_uuid, experiment_id, status) VALUES ('s', 1, 'DREAMING')`, "CHECK"},
		{`INSERT INTO runs (run_uuid, experiment_id) VALUES ('s', 9)`, "FOREIGN KEY"},
		{`INSERT INTO params VALUES ('p', NULL, 'r')`, "params.value"},
		{`INSERT INTO metrics ("key", value, timestamp, run_uuid) VALUES ('m', 1, 1, 'r')`, ""},
		{`INSERT INTO metrics VALUES ('m', 1, 1, 'r', 0, 0)`, "UNIQUE"},
		{`INSERT INTO metrics VALUES ('m', 1, 1, 'r', 0, 2)`, "CHECK"},
		{`INSERT INTO datasets VALUES ('u', 1, 'n', 'd', 't', 's', NULL, NULL)`, ""},
		{`INSERT INTO secrets (secret_id, secret_name, encrypted_value, wrapped_dek, kek_version, masked_value, created_at, last_updated_at)
			VALUES ('i', 'n', x'', x'', 1, '', 0, 0)`, ""},
		{`UPDATE secrets SET description = 'd'`, ""},
		{`UPDATE secrets SET secret_name = 'o'`, "immutable"},
	} {
		_, err := db.ExecContext(t.Context(), step.sql)
		if got := err != nil; got != (step.refused != "") || got && !strings.Contains(err.Error(), step.refused) {
			t.Errorf("%s: got %v, want %q", step.sql, err, step.refused)
		}
	}
}

func TestRevisionOfOtherDatabases(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, sql, revision, problem string }{
		{name: "empty"},
		{name: "counted", sql: "CREATE TABLE a (i INTEGER PRIMARY KEY AUTOINCREMENT); DROP TABLE a"},
		{name: "of an MLflow", sql: "CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES ('x')", revision: "x"},
		{name: "of others", sql: "CREATE TABLE a (i); CREATE TABLE b (i); CREATE TABLE c (i); CREATE VIEW d AS SELECT 1", problem: "a, b, c and 1 more"},
		{name: "half made", sql: "CREATE TABLE experiments (i); CREATE TABLE alembic_version (version_num)", problem: "has 0 revisions"},
		{
			name: "two heads", sql: "CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES ('x'), ('y')",
			problem: "has 2 revisions",
		},
		{name: "another alembic_version", sql: "CREATE TABLE alembic_version (i)", problem: "read the revision"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			if _, err := db.ExecContext(t.Context(), c.sql); err != nil {
				t.Fatal(err)
			}
			got, err := schema.Revision(t.Context(), schema.SQL(db), schema.SQLite)
			if got != c.revision || (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
				t.Errorf("got %q, %v; want %q, %q", got, err, c.revision, c.problem)
			}
		})
	}
}

// failing is a transaction that breaks after some statements.
type failing struct {
	schema.Tx
	left *int
}

func (f failing) Exec(ctx context.Context, sql string) error {
	if *f.left--; *f.left < 0 {
		return errors.New("disk full")
	}
	return f.Tx.Exec(ctx, sql)
}

func TestCreateIsAllOrNothing(t *testing.T) {
	t.Parallel()
	db := open(t)
	statements, err := schema.Statements(schema.SQLite)
	if err != nil {
		t.Fatal(err)
	}
	for _, after := range []int{0, 1, 20, len(statements) - 1} {
		err := within(t, db, func(tx schema.Tx) error { return schema.Create(t.Context(), failing{tx, &after}, schema.SQLite) })
		if err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Fatalf("a creation that breaks gives %v", err)
		}
		if got, err := schema.Revision(t.Context(), schema.SQL(db), schema.SQLite); got != "" || err != nil {
			t.Errorf("a creation that broke left %q, %v", got, err)
		}
	}
	if err := create(t, db); err != nil {
		t.Errorf("create after a creation that broke: %v", err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, want := range []schema.Traits{
		{Revision: "0584bdc529eb", Release: "2.22.5", ParamValue: 8000, TagValue: 8000, ExperimentTagValue: 5000},
		{Revision: "400f98739977", Release: "3.1.4", ParamValue: 8000, TagValue: 8000, ExperimentTagValue: 5000},
		{Revision: "bda7b8c39065", Release: "3.1.4", ParamValue: 8000, TagValue: 8000, ExperimentTagValue: 5000},
		{Revision: "bf29a5ff90ea", Release: "3.7.0", ParamValue: 8000, TagValue: 8000, ExperimentTagValue: 5000},
		{Revision: "1b5f0d9ad7c1", Release: "3.13.0", Workspaces: true, ParamValue: 8000, TagValue: 8000, ExperimentTagValue: 5000},
		{Revision: "da6fb0208061", Release: "3.13.0", Workspaces: true, KeySteps: true, ParamValue: 8000, TagValue: 8000, ExperimentTagValue: 5000},
		{Revision: schema.Newest, Release: "3.17.2", Workspaces: true, KeySteps: true, ParamValue: 8000, TagValue: 8000},
	} {
		got, err := schema.Check(want.Revision)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", want.Revision, err, diff)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	for revision, want := range map[string]string{
		"acf3f17fdcc7": "before MLflow 2.22", // 2.9.2
		"f5a4f2784254": "before MLflow 2.22",
		"a6d4e8b2c901": "probably it is newer",
		"":             `revision ""`,
		"\x1b[2J":      `"\x1b[2J"`,
	} {
		if _, err := schema.Check(revision); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "load over REST") {
			t.Errorf("%q: got %v, want %q", revision, err, want)
		}
	}
}
