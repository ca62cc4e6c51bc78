package mlflow

import (
	"context"
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

// SQLiteName is what SQLite gets for an absolute path with slashes.
var SQLiteName = sqliteName

// PostgresConfig is what pgx gets for an address.
var PostgresConfig = postgresConfig
