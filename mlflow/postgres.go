package mlflow

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/mlflow/internal/schema"
)

// postgresEngine is a database on a PostgreSQL server.
type postgresEngine struct {
	config *pgx.ConnConfig

	mu sync.Mutex
	db *sql.DB
}

func newPostgres(uri string) (*postgresEngine, error) {
	config, err := postgresConfig(uri)
	if err != nil {
		return nil, err
	}
	return &postgresEngine{config: config}, nil
}

// idleConns stay open for other runs: by default all but two are closed after each transaction, and a
// new one costs more than what a small run writes.
const idleConns = 64

func (*postgresEngine) dialect() schema.Dialect { return schema.PostgreSQL }

func (*postgresEngine) parameter(n int) string { return "$" + strconv.Itoa(n) }

func (e *postgresEngine) handles(ctx context.Context, _ bool) (write, read *sql.DB, missing bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.db != nil {
		return e.db, e.db, false, nil
	}
	db := stdlib.OpenDB(*e.config)
	if err := db.PingContext(ctx); err != nil {
		return nil, nil, false, errors.Join(e.unreachable(err), db.Close())
	}
	db.SetMaxIdleConns(idleConns)
	e.db = db
	return db, db, false, nil
}

// unreachable tells what to do when the first connection fails.
func (e *postgresEngine) unreachable(err error) error {
	at := fmt.Sprintf("PostgreSQL database %q of user %q at %s:%d", e.config.Database, e.config.User, e.config.Host, e.config.Port)
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return fmt.Errorf("%s cannot be reached: %w: %w", at, migrate.ErrFatal, err)
	}
	switch {
	case strings.HasPrefix(answer.Code, "28"): // invalid authorization
		return fmt.Errorf("%s: set PGPASSWORD, or a line of ~/.pgpass: %w: %w: %s", at, migrate.ErrUnauthorized, migrate.ErrFatal, answer.Message)
	case answer.Code == "3D000":
		return fmt.Errorf("%s is not there: make it with `createdb %s`: %w", at, e.config.Database, migrate.ErrFatal)
	}
	return fmt.Errorf("%s: %w: %w", at, migrate.ErrFatal, err)
}

// insertPoints copies. If a point is there already, an INSERT sorts out which.
func (e *postgresEngine) insertPoints(ctx context.Context, conn *sql.Conn, runID string, points []keyedPoint) (added int64, err error) {
	if _, err := conn.ExecContext(ctx, "SAVEPOINT points"); err != nil {
		return 0, err
	}
	err = copyPoints(ctx, conn, "metrics", runID, points)
	var failed *pgconn.PgError
	if !errors.As(err, &failed) || failed.Code != uniqueViolation {
		return int64(len(points)), err
	}
	for _, statement := range []string{
		"ROLLBACK TO SAVEPOINT points",
		"CREATE TEMPORARY TABLE IF NOT EXISTS nexport_points (key text, value float8, timestamp bigint, step bigint, is_nan boolean, run_uuid text) ON COMMIT DELETE ROWS",
	} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return 0, err
		}
	}
	if err := copyPoints(ctx, conn, "nexport_points", runID, points); err != nil {
		return 0, err
	}
	result, err := conn.ExecContext(ctx, `INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid)
		SELECT key, value, timestamp, step, is_nan, run_uuid FROM nexport_points ON CONFLICT DO NOTHING`)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func copyPoints(ctx context.Context, conn *sql.Conn, table, runID string, points []keyedPoint) error {
	return conn.Raw(func(raw any) error {
		_, err := raw.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{table},
			[]string{"key", "value", "timestamp", "step", "is_nan", "run_uuid"}, &pointRows{points: points, runID: runID, next: -1})
		return err
	})
}

// pointRows is a pgx.CopyFromSource.
type pointRows struct {
	points []keyedPoint
	runID  string
	next   int
	values [6]any
}

func (r *pointRows) Next() bool { r.next++; return r.next < len(r.points) }
func (r *pointRows) Err() error { return nil }

func (r *pointRows) Values() ([]any, error) {
	p := &r.points[r.next]
	value, isNaN := p.column()
	r.values = [6]any{p.key, value, p.time, p.step, isNaN, r.runID}
	return r.values[:], nil
}

// reading streams all points: a reader keeps nobody waiting here.
func (e *postgresEngine) reading(ctx context.Context, read *sql.DB, runID string, _ int64) (*sql.Rows, int, error) {
	rows, err := read.QueryContext(ctx, `SELECT 0::bigint, key, step, timestamp, value, is_nan FROM metrics WHERE run_uuid = $1`, runID)
	return rows, math.MaxInt, err
}

const uniqueViolation = "23505"

// explain knows the classes of error codes (PostgreSQL's manual, appendix A).
func (e *postgresEngine) explain(err error) (error, bool) {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		var connect *pgconn.ConnectError
		lost := errors.As(err, &connect) || pgconn.SafeToRetry(err) || pgconn.Timeout(err) || isLost(err)
		return err, lost && !errors.Is(err, migrate.ErrFatal)
	}
	switch {
	case strings.HasPrefix(answer.Code, "22"): // data exception: too long, not representable
		return fmt.Errorf("%w: %w", errRefused, err), false
	case strings.HasPrefix(answer.Code, "40"), answer.Code == "55P03", strings.HasPrefix(answer.Code, "57P"), strings.HasPrefix(answer.Code, "08"):
		return err, true // rolled back for others' sake, locked, shutting down, connection lost
	case answer.Code == uniqueViolation:
		return err, true // somebody made the same at this moment, and it will be found
	case answer.Code == "23503": // foreign key
		return fmt.Errorf("%w: %w", errGone, err), false
	case answer.Code == "42501", strings.HasPrefix(answer.Code, "25006"):
		return fmt.Errorf("user %q may not write this database: %w: %w", e.config.User, migrate.ErrFatal, err), false
	case strings.HasPrefix(answer.Code, "53"):
		return fmt.Errorf("the PostgreSQL server is short of resources (disk, memory or connections): %w: %w", migrate.ErrFatal, err), false
	}
	return err, false
}

// isLost reports that the connection ended in the middle.
func isLost(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, driver.ErrBadConn)
}

func (*postgresEngine) rest(context.Context, time.Duration) {}

func (e *postgresEngine) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.db == nil {
		return nil
	}
	return e.db.Close()
}
