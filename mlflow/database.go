package mlflow

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/repeat"
	"github.com/nexport-go/migrate/mlflow/internal/schema"
)

// database is the backend that writes MLflow's own tables. What MLflow's store keeps true of them
// is kept true here (mlflow/store/tracking/sqlalchemy_store.py of 3.17.2); the comments name it.
//
// A run is hidden until it is finished: deleted, in no experiment, and with the tag tagHidden that
// names its experiment. No view of MLflow shows it, `mlflow gc` may remove it, and the next load
// completes it. So no transaction is longer than one batch, and a server beside us can write. A run that is
// seen is hidden again by the first batch, or artifact, that adds to it (dbhidden.go).
type database struct {
	engine
	retry     retrier
	workspace string
	files     artifactPlaces

	mu    sync.Mutex
	known *schema.Traits // nil until there is a database
}

// engine is what SQLite and PostgreSQL do differently.
type engine interface {
	dialect() schema.Dialect
	// parameter is the n-th of a statement, which has them in order.
	parameter(n int) string
	// handles are for writing and for reading; both may be one. missing is true where there is no
	// database yet, and create was not asked for.
	handles(ctx context.Context, create bool) (write, read *sql.DB, missing bool, err error)
	// insertPoints adds points that the run may have in part.
	insertPoints(ctx context.Context, conn *sql.Conn, runID string, points []keyedPoint) (added int64, err error)
	// reading gives the points of a run that come after the row "after": row, key, step, timestamp,
	// value, is_nan. If there are as many as most, there may be more.
	reading(ctx context.Context, read *sql.DB, runID string, after int64) (rows *sql.Rows, most int, err error)
	// explain tells what kind of error err is, and adds what to do.
	explain(err error) (explained error, again bool)
	// rest is called between two transactions, the first of which took d.
	rest(ctx context.Context, d time.Duration)
	close() error
}

// sqlBatch makes transactions of some tenths of a second.
var sqlBatch = batchLimits{points: 50_000, keys: 50_000, params: 5_000, tags: 5_000, bytes: 32 << 20}

func newDatabase(cfg Config, e engine) *database {
	return &database{engine: e, retry: newRetrier(cfg), workspace: strings.TrimSpace(cfg.Workspace), files: artifactPlaces{dir: cfg.ArtifactsDir}}
}

// traits are those of a server of the version that the database belongs to: what is loaded into it
// may be looked at, and completed, through one.
func (d *database) traits(ctx context.Context) (traits, error) {
	known, err := d.prepare(ctx, false)
	if err != nil {
		return traits{}, err
	}
	release := assumed
	if known != nil {
		release = known.Release
	}
	t := traitsOf(release)
	t.batch, t.resend, t.hides, t.prefixes = sqlBatch, true, true, false // the check reads all points
	return t, nil
}

// prepare looks at the database, and makes it if it has no tables and create is true. It returns nil
// where there is none. Others may hold a lock for long, so it is as patient as everything after it.
func (d *database) prepare(ctx context.Context, create bool) (*schema.Traits, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known != nil {
		return d.known, nil
	}
	var known *schema.Traits
	err := d.retry.do(ctx, func() (err error) {
		known, err = d.look(ctx, create)
		return err
	})
	if err != nil {
		return nil, &repeat.Permanent{Err: err}
	}
	d.known = known
	return known, nil
}

func (d *database) look(ctx context.Context, create bool) (*schema.Traits, error) {
	write, read, missing, err := d.handles(ctx, create && d.inDefault())
	if err != nil {
		return nil, d.unusable("open the database", err)
	}
	revision := ""
	if !missing {
		if revision, err = schema.Revision(ctx, schema.SQL(read), d.dialect()); err != nil {
			return nil, d.unusable("look at the database", err)
		}
	}
	switch {
	case revision == "" && !d.inDefault():
		return nil, d.noWorkspace("a new database has only the default workspace")
	case revision == "" && !create:
		return nil, nil
	case revision == "":
		if revision, err = d.create(ctx, write); err != nil {
			return nil, d.unusable("create MLflow's tables", err)
		}
	}
	known, err := schema.Check(revision)
	if err != nil {
		return nil, d.unusable("look at the database", err)
	}
	return &known, d.unusable("find the workspace", d.checkWorkspace(ctx, read, known))
}

// create makes the tables. Of two that create at once the slower finds those of the other.
func (d *database) create(ctx context.Context, write *sql.DB) (revision string, err error) {
	err = d.txOn(ctx, write, func(conn *sql.Conn) error {
		err := schema.Create(ctx, schema.SQL(conn), d.dialect())
		if errors.Is(err, schema.ErrNotEmpty) {
			revision, err = schema.Revision(ctx, schema.SQL(conn), d.dialect())
			return err
		}
		revision = schema.Newest
		return err
	})
	return revision, err
}

// numbered writes the parameters $1, $2 ... as the database wants them.
func (d *database) numbered(query string) string {
	if d.dialect() == schema.SQLite {
		return strings.ReplaceAll(query, "$", "?")
	}
	return query
}

func (d *database) exec(ctx context.Context, conn *sql.Conn, query string, args ...any) error {
	_, err := conn.ExecContext(ctx, d.numbered(query), args...)
	return err
}

// reader gives the handle for reading; nil if there is no database yet.
func (d *database) reader(ctx context.Context) (*sql.DB, error) {
	if known, err := d.prepare(ctx, false); err != nil || known == nil {
		return nil, err
	}
	_, read, _, err := d.handles(ctx, false)
	return read, err
}

// tx runs f in a transaction, again if others were in the way; f must not keep anything of an
// attempt before.
func (d *database) tx(ctx context.Context, op string, f func(conn *sql.Conn) error) error {
	if _, err := d.prepare(ctx, true); err != nil {
		return err
	}
	write, _, _, err := d.handles(ctx, true)
	if err != nil {
		return d.failed(op, err)
	}
	return d.again(ctx, op, func() error { return d.txOn(ctx, write, f) })
}

// again runs f until the database answers, others are out of the way, or patience ends; f starts anew each
// time.
func (d *database) again(ctx context.Context, op string, f func() error) error {
	if err := d.retry.do(ctx, func() error { return d.failed(op, f()) }); err != nil {
		return &repeat.Permanent{Err: err}
	}
	return nil
}

// txOn uses a connection, not an sql.Tx, so that the driver's own ways are open to f.
func (d *database) txOn(ctx context.Context, write *sql.DB, f func(conn *sql.Conn) error) (err error) {
	conn, err := write.Conn(ctx)
	if err != nil {
		return err
	}
	begun := time.Now()
	defer conn.Close()
	defer func() { d.rest(ctx, time.Since(begun)) }()
	begin := "BEGIN"
	if d.dialect() == schema.SQLite {
		begin = "BEGIN IMMEDIATE" // a transaction that begins with reading may be refused to write
	}
	if _, err := conn.ExecContext(ctx, begin); err != nil {
		return err
	}
	if err := f(conn); err != nil {
		return errors.Join(err, rollback(ctx, conn))
	}
	if _, err := conn.ExecContext(ctx, "COMMIT"); err != nil {
		return errors.Join(err, rollback(ctx, conn))
	}
	return nil
}

// rollback works also when ctx has ended. A connection on which it fails is not used again.
func rollback(ctx context.Context, conn *sql.Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if _, err := conn.ExecContext(ctx, "ROLLBACK"); err != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	return nil
}

// unusable ends the job: no other run would fare better.
func (d *database) unusable(op string, err error) error {
	if err == nil || errors.Is(err, migrate.ErrFatal) {
		return d.failed(op, err)
	}
	return fmt.Errorf("%w: %w", migrate.ErrFatal, d.failed(op, err))
}

// failed makes an error that says what was done and whether repeating it may help.
func (d *database) failed(op string, err error) error {
	if err == nil || isSource(err) {
		return err
	}
	explained, again := d.explain(err)
	explained = fmt.Errorf("%s: %w", op, explained)
	if again {
		return explained
	}
	return &repeat.Permanent{Err: explained}
}
