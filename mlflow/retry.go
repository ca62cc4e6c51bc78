package mlflow

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/nexport-go/migrate/internal/repeat"
)

const (
	// DefaultRetryFor is how long one request is repeated, waits the server asked for left out.
	DefaultRetryFor = 5 * time.Minute
	// contactFor is that of the first contact, where a wrong address is likelier than a server that
	// just starts.
	contactFor = 15 * time.Second
	// maxRetryAfter caps the wait that a server can ask for.
	maxRetryAfter = 10 * time.Minute
	// maxServerErrors ends the repeats of a request that the server answers with 500: it may be
	// something it can never do.
	maxServerErrors = 4
)

// retrier repeats requests. backoff alone does not know Retry-After and forgets the last error
// when the context ends.
type retrier struct {
	budget time.Duration
	log    *slog.Logger
	sleep  func(ctx context.Context, d time.Duration) bool // false: ctx ended
	met    *atomic.Bool                                    // the server has answered something; nil: it has
}

func newRetrier(cfg Config) retrier {
	r := retrier{budget: cfg.RetryFor, log: cfg.Log, sleep: cfg.sleep}
	if r.budget <= 0 {
		r.budget = DefaultRetryFor
	}
	if r.sleep == nil {
		r.sleep = repeat.Sleep
	}
	return r
}

// do calls attempt until it succeeds, fails for good, or the budget is spent.
func (r retrier) do(ctx context.Context, attempt func() error) error {
	policy := backoff.NewExponentialBackOff(backoff.WithInitialInterval(200*time.Millisecond),
		backoff.WithMaxInterval(20*time.Second), backoff.WithMaxElapsedTime(0))
	var spent time.Duration
	for tries, server := 1, 0; ; tries++ {
		err := attempt()
		if err == nil || !temporary(err) || ctx.Err() != nil {
			return repeat.WithCause(ctx, err)
		}
		var api *APIError
		if errors.As(err, &api) && api.Status == 500 {
			server++
		}
		budget := r.budget
		if r.met != nil && !r.met.Load() {
			budget = min(budget, contactFor)
		}
		wait := policy.NextBackOff()
		if spent += wait; spent > budget || server >= maxServerErrors {
			return fmt.Errorf("gave up after %d tries: %w", tries, err)
		}
		if api != nil {
			wait = max(wait, min(api.RetryAfter, maxRetryAfter))
		}
		r.log.Warn("request repeated", "attempt", tries, "wait", wait, "err", err)
		if !r.sleep(ctx, wait) {
			return repeat.WithCause(ctx, err)
		}
	}
}

// temporary reports whether err may pass: an answer that says so, or no answer at all.
func temporary(err error) bool {
	var api *APIError
	if errors.As(err, &api) {
		return api.Temporary()
	}
	var (
		fixed  *repeat.Permanent
		cert   *tls.CertificateVerificationError
		syntax *json.SyntaxError
	)
	return !errors.As(err, &fixed) && !errors.As(err, &cert) && !errors.As(err, &syntax) && !isSource(err) && !isAlert(err)
}

// isAlert reports that the server ended TLS and said why: it wants another certificate of us, or another version.
func isAlert(err error) bool {
	var network *net.OpError // crypto/tls has no type of its own for it
	return errors.As(err, &network) && network.Op == "remote error"
}
