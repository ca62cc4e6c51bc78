package mlflow

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/dburl"
	"github.com/nexport-go/migrate/internal/repeat"
	"github.com/nexport-go/migrate/mlflow/internal/schema"
)

// sqliteEngine is a database in one file, with one writer at a time.
type sqliteEngine struct {
	path string

	mu          sync.Mutex
	write, read *sql.DB
}

func newSQLite(uri string) (*sqliteEngine, error) {
	u, err := dburl.Parse(uri)
	if err != nil {
		return nil, fmt.Errorf("the tracking URI %w: it should look like sqlite:///mlflow.db", err)
	}
	path, err := sqlitePath(u)
	return &sqliteEngine{path: path}, err
}

// sqlitePath gives the file of an address as SQLAlchemy has it: three slashes and a path, which is
// relative unless it begins with a fourth one or, on Windows, a drive. Python's drivers with a name
// are taken if they read the same files; others encrypt, and have a password in the address.
func sqlitePath(u dburl.URL) (string, error) {
	file, ok := u.File()
	if !ok {
		return "", errors.New("the tracking URI names no plain SQLite file: give sqlite:///mlflow.db for one in this directory, or sqlite:////home/me/mlflow.db")
	}
	return filepath.FromSlash(file), writable(u.Query)
}

// writable refuses options that ask SQLite not to write, or that would be a part of the file's name:
// pysqlite takes its own off, and with uri leaves the others there.
func writable(options url.Values) error {
	for name := range options {
		value := options.Get(name)
		switch name {
		case "timeout", "isolation_level", "detect_types", "check_same_thread", "cached_statements", "uri":
			continue
		case "mode":
			if value != "rw" && value != "rwc" {
				return errors.New("the tracking URI has a mode in which nothing can be loaded into the database: leave that out")
			}
		case "immutable":
			if value != "0" {
				return errors.New("the tracking URI says that the database is immutable, so that nothing can be loaded into it: leave that out")
			}
		}
		if options.Has("uri") {
			return errors.New("the tracking URI has options of SQLite's own (uri=true): leave them out")
		}
	}
	return nil
}

func (*sqliteEngine) dialect() schema.Dialect { return schema.SQLite }

// parameter has no number: the driver looks up the name of every parameter, and numbered ones have a name,
// which costs a third of the time of an INSERT of 600.
func (*sqliteEngine) parameter(int) string { return "?" }

const (
	// sqliteWait is how long one statement waits for other writers, as MLflow does itself
	// (mlflow/store/db/utils.py: 20 s).
	sqliteWait = 20 * time.Second
	// sqliteCache holds the pages that a batch changes, in KiB; the driver takes twice as much for them.
	sqliteCache = 16 << 10
	// sqlitePage is the number of points that are read at once; a reader keeps writers waiting.
	sqlitePage = 50_000
)

func (e *sqliteEngine) handles(_ context.Context, create bool) (write, read *sql.DB, missing bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.write != nil {
		return e.write, e.read, false, nil
	}
	info, err := os.Stat(e.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if !create {
			return nil, nil, true, nil
		}
		// As MLflow does (mlflow/store/db/utils.py, _make_parent_dirs_if_sqlite).
		if err := os.MkdirAll(filepath.Dir(e.path), 0o777); err != nil {
			return nil, nil, false, fmt.Errorf("make the directory for %s: %w", e.path, err)
		}
	case err != nil:
		return nil, nil, false, err
	case info.IsDir():
		return nil, nil, false, fmt.Errorf("%s is a directory, not a database", e.path)
	}
	if e.write, err = e.open(fmt.Sprintf("&_pragma=cache_size(-%d)", sqliteCache)); err != nil {
		return nil, nil, false, err
	}
	e.write.SetMaxOpenConns(1)
	if e.read, err = e.open(""); err != nil {
		err = errors.Join(err, e.write.Close())
		e.write = nil
		return nil, nil, false, err
	}
	e.read.SetMaxIdleConns(idleConns)
	return e.write, e.read, false, nil
}

// open leaves the journal mode as it is: it belongs to the file, and so to MLflow.
func (e *sqliteEngine) open(more string) (*sql.DB, error) {
	path, err := filepath.Abs(e.path)
	if err != nil {
		return nil, err
	}
	return sql.Open("sqlite", sqliteName(filepath.ToSlash(path))+fmt.Sprintf("?_pragma=busy_timeout(%d)&_pragma=foreign_keys(1)", sqliteWait.Milliseconds())+more)
}

// sqliteName is the address that SQLite itself takes for an absolute path. A drive follows a slash, or it
// would be taken for a host.
func sqliteName(path string) string {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

func (e *sqliteEngine) insertPoints(ctx context.Context, conn *sql.Conn, runID string, points []keyedPoint) (added int64, err error) {
	return insertRows(ctx, conn, e, `INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES`, `ON CONFLICT DO NOTHING`, len(points), 6,
		func(args []any, i int) []any {
			p := &points[i]
			value, isNaN := p.column()
			return append(args, p.key, value, p.time, p.step, isNaN, runID)
		})
}

func (e *sqliteEngine) reading(ctx context.Context, read *sql.DB, runID string, after int64) (*sql.Rows, int, error) {
	rows, err := read.QueryContext(ctx, `SELECT rowid, key, step, timestamp, value, is_nan FROM metrics
		WHERE run_uuid = ? AND rowid > ? ORDER BY rowid LIMIT ?`, runID, after, sqlitePage)
	return rows, sqlitePage, err
}

// explain knows the result codes of SQLite (sqlite.org/rescode.html). But for a lock they would meet every run.
func (e *sqliteEngine) explain(err error) (error, bool) {
	var failed *sqlite.Error
	if !errors.As(err, &failed) {
		return err, false
	}
	if failed.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY {
		return fmt.Errorf("%w: %w", errGone, err), false
	}
	what := ""
	switch failed.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%s is locked by another program, for instance an MLflow server that writes for long: %w", e.path, err), true
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		what = "cannot be written: check its permissions and those of its directory"
	case sqlite3.SQLITE_FULL:
		what = "has no room left on its disk: free some and load again"
	case sqlite3.SQLITE_NOTADB:
		what = "is no SQLite database"
	case sqlite3.SQLITE_CORRUPT:
		what = "is damaged: restore it from a backup, or load into a new one"
	case sqlite3.SQLITE_CANTOPEN:
		what = "cannot be opened: check its permissions and those of its directory"
	case sqlite3.SQLITE_IOERR:
		what = "cannot be read or written"
	default:
		return err, false
	}
	return fmt.Errorf("%s %s: %w: %w", e.path, what, migrate.ErrFatal, err), false
}

// rest leaves the lock free for a while: a server beside us tries every tenth of a second at the rarest,
// for 20 s, and would never meet the moment between two transactions.
func (e *sqliteEngine) rest(ctx context.Context, d time.Duration) {
	repeat.Sleep(ctx, d/16)
}

func (e *sqliteEngine) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var err error
	if e.write != nil {
		err = e.write.Close()
	}
	if e.read != nil {
		err = errors.Join(err, e.read.Close())
	}
	return err
}
