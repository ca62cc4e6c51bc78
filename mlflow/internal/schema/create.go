package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNotEmpty is the error of [Create] when the database has tables already, of MLflow or others.
var ErrNotEmpty = errors.New("the database is not empty")

// Tx is what this package needs of a transaction; [SQL] and [Pgx] make one.
type Tx interface {
	// Exec runs one statement.
	Exec(ctx context.Context, sql string) error
	// Column gives the first column of all rows as text.
	Column(ctx context.Context, sql string) ([]string, error)
}

// tableNames are queries for what holds rows in the place where MLflow's tables are.
var tableNames = map[Dialect]string{
	SQLite: `SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND substr(name, 1, 7) != 'sqlite_' ORDER BY name`,
	PostgreSQL: `SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1`,
}

// lock makes a second creator wait for the first on PostgreSQL, until the transaction ends. The
// number is ours alone. SQLite has one writer anyway.
const lock = `SELECT pg_advisory_xact_lock(7235419823150977)`

// Revision gives the Alembic revision of MLflow's database, or "" for one without any table. A database
// with other tables only, or with MLflow's half made, is an error that says what to do.
func Revision(ctx context.Context, tx Tx, d Dialect) (string, error) {
	tables, err := tx.Column(ctx, tableNames[d])
	if err != nil {
		return "", fmt.Errorf("list the tables of the database: %w", err)
	}
	if len(tables) == 0 {
		return "", nil
	}
	if !slices.Contains(tables, "alembic_version") {
		return "", fmt.Errorf("the database has tables, but not MLflow's (%s); name another database, or start an MLflow server "+
			"on this one first, which makes them", some(tables))
	}
	revisions, err := tx.Column(ctx, "SELECT version_num FROM alembic_version")
	if err != nil {
		return "", fmt.Errorf("read the revision of MLflow's database: %w", err)
	}
	if len(revisions) != 1 {
		return "", fmt.Errorf("MLflow's database has %d revisions in alembic_version, which should be one: its creation or an upgrade "+
			"is going on or was cut off; wait for it, or run `mlflow db upgrade URI` with the newest MLflow", len(revisions))
	}
	return revisions[0], nil
}

// Create makes MLflow's tables and first rows, at revision [Newest], on an empty database. All of it
// happens in the given transaction, which the caller commits or, after an error, rolls back: both
// databases do so with tables too. It returns [ErrNotEmpty] when there are tables; so does the slower of two
// that create at the same time, on PostgreSQL after waiting. On SQLite begin the transaction as IMMEDIATE.
func Create(ctx context.Context, tx Tx, d Dialect) error {
	statements, err := Statements(d)
	if err != nil {
		return err
	}
	if d == PostgreSQL {
		if err := tx.Exec(ctx, lock); err != nil {
			return fmt.Errorf("wait for others that create MLflow's tables: %w", err)
		}
	}
	tables, err := tx.Column(ctx, tableNames[d])
	if err != nil {
		return fmt.Errorf("list the tables of the database: %w", err)
	}
	if len(tables) > 0 {
		return fmt.Errorf("create MLflow's tables: %w: it has %s", ErrNotEmpty, some(tables))
	}
	for _, sql := range statements {
		if err := tx.Exec(ctx, sql); err != nil {
			line, _, _ := strings.Cut(sql, "\n")
			return fmt.Errorf("create MLflow's tables: %s: %w", strings.TrimSuffix(line, " ("), err)
		}
	}
	return nil
}

// some names a few tables.
func some(tables []string) string {
	const few = 3
	if len(tables) <= few {
		return strings.Join(tables, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(tables[:few], ", "), len(tables)-few)
}
