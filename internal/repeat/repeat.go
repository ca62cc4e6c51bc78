// Package repeat has what is common to the packages that send requests again: which errors are final, and
// how to wait and to end without losing the reason.
package repeat

import (
	"context"
	"errors"
	"time"
)

// Permanent is an error that will be the same next time.
type Permanent struct{ Err error }

func (p *Permanent) Error() string { return p.Err.Error() }

// Unwrap gives the error itself.
func (p *Permanent) Unwrap() error { return p.Err }

// WithCause joins the reason why ctx ended with the last error, which would else be lost.
func WithCause(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || errors.Is(err, context.Cause(ctx)) {
		return err
	}
	return errors.Join(context.Cause(ctx), err)
}

// Sleep waits for d; it returns false if ctx ended before.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
