package neptune

import (
	"context"
	"encoding/base64"
	"time"
)

// WithoutWaits makes a Source not wait between repeats; waits are told to told.
func WithoutWaits(cfg Config, told func(time.Duration)) Config {
	cfg.sleep = func(ctx context.Context, d time.Duration) bool {
		if told != nil {
			told(d)
		}
		return ctx.Err() == nil
	}
	return cfg
}

// Window makes a Source page searches of Neptune 2.x less far.
func Window(cfg Config, n int) Config {
	cfg.window = n
	return cfg
}

// At sets the clock of a Source.
func At(cfg Config, now func() time.Time) Config {
	cfg.now = now
	return cfg
}

func segment(json string) string { return base64.RawURLEncoding.EncodeToString([]byte(json)) }
