package mlflow

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"testing"
	"time"
)

// WithoutWaiting makes the pauses between attempts take no time, and tells how long they would be.
func WithoutWaiting(cfg Config, waits func(time.Duration)) Config {
	cfg.sleep = func(ctx context.Context, d time.Duration) bool {
		if waits != nil {
			waits(d)
		}
		return ctx.Err() == nil
	}
	return cfg
}

// WithSleep replaces the pauses; ctx ends when nobody waits any more.
func WithSleep(cfg Config, sleep func(ctx context.Context) bool) Config {
	cfg.sleep = func(ctx context.Context, _ time.Duration) bool { return sleep(ctx) }
	return cfg
}

// SQLiteName is what SQLite gets for an absolute path with slashes.
var SQLiteName = sqliteName

// Clip cuts texts for reports.
var Clip = clip

// Owns reports whether a client of one URL gives its credentials to another.
func Owns(t *testing.T, server, other string) bool {
	t.Helper()
	own, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(other)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(Config{}, own, nil).owns(u)
}

// PostgresConfig is what pgx gets for an address.
var PostgresConfig = postgresConfig

// LockAtFirst makes the database of a Sink locked for the first accesses.
func LockAtFirst(s *Sink, times int) {
	d := s.to.(*database)
	d.engine = &lockedEngine{engine: d.engine, times: times}
}

type lockedEngine struct {
	engine
	times int
}

var errLocked = errors.New("mlflow.db is locked by another program")

func (e *lockedEngine) handles(ctx context.Context, create bool) (write, read *sql.DB, missing bool, err error) {
	if e.times--; e.times >= 0 {
		return nil, nil, false, errLocked
	}
	return e.engine.handles(ctx, create)
}

func (e *lockedEngine) explain(err error) (error, bool) {
	if errors.Is(err, errLocked) {
		return err, true
	}
	return e.engine.explain(err)
}
