package neptune

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"sync"
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
	// maxServerErrors ends the repeats of a request that the server answers with 500, or with what
	// cannot be decoded: it may be something it can never do.
	maxServerErrors = 4
	// maxRetryAfterWaits ends the repeats of a request that is put off again and again.
	maxRetryAfterWaits = 60
)

// retrier repeats requests. backoff alone does not know Retry-After and forgets the last error
// when the context ends.
type retrier struct {
	budget time.Duration
	log    *slog.Logger
	sleep  func(ctx context.Context, d time.Duration) bool // false: ctx ended
	met    *atomic.Bool                                    // the server has answered something
	pace   *pacer                                          // all wait when the server asks one to
}

// do calls attempt until it succeeds, fails for good, or the budget is spent.
func (r retrier) do(ctx context.Context, attempt func() error) error {
	policy := backoff.NewExponentialBackOff(backoff.WithInitialInterval(200*time.Millisecond),
		backoff.WithMaxInterval(20*time.Second), backoff.WithMaxElapsedTime(0))
	var spent time.Duration
	for tries, server, asked := 1, 0, 0; ; tries++ {
		err := attempt()
		if err == nil || !temporary(err) || ctx.Err() != nil {
			return repeat.WithCause(ctx, err)
		}
		if repeatable(err) {
			server++
		}
		budget := r.budget
		if !r.met.Load() {
			budget = min(budget, contactFor)
		}
		wait, after := policy.NextBackOff(), askedFor(err)
		if after > 0 {
			asked++
		} else {
			spent += wait
		}
		if spent > budget || server >= serverErrors(ctx) || asked > maxRetryAfterWaits {
			return fmt.Errorf("gave up after %d tries: %w", tries, err)
		}
		if after > 0 {
			r.pace.pause(after)
			wait = max(wait, after)
		}
		r.log.Warn("request repeated", "attempt", tries, "wait", wait, "err", err)
		if !r.sleep(ctx, wait) {
			return repeat.WithCause(ctx, err)
		}
	}
}

// triesKey is that of a context's own number of tries in the place of maxServerErrors.
type triesKey struct{}

// withTries is for the parts of a request that failed as a whole.
func withTries(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, triesKey{}, n)
}

func serverErrors(ctx context.Context) int {
	if n, ok := ctx.Value(triesKey{}).(int); ok {
		return n
	}
	return maxServerErrors
}

// repeatable reports an error that may be the server's last word on the request.
func repeatable(err error) bool {
	var (
		api     *APIError
		garbled *garbledError
	)
	return errors.As(err, &api) && api.Status == http.StatusInternalServerError || errors.As(err, &garbled)
}

// askedFor is the wait that the server asked for; 0 if it did not.
func askedFor(err error) time.Duration {
	var api *APIError
	if errors.As(err, &api) {
		return min(api.RetryAfter, maxRetryAfter)
	}
	return 0
}

// temporary reports whether err may pass: an answer that says so, or no answer at all.
func temporary(err error) bool {
	var api *APIError
	if errors.As(err, &api) {
		return api.Temporary()
	}
	var (
		fixed *repeat.Permanent
		cert  *tls.CertificateVerificationError
	)
	return !errors.As(err, &fixed) && !errors.As(err, &cert)
}

// retryAfter reads seconds, with a fraction too, or a date; 0 if there is neither.
func retryAfter(s string) time.Duration {
	if seconds, err := strconv.ParseFloat(s, 64); err == nil && !math.IsNaN(seconds) {
		return time.Duration(min(max(seconds, 0), maxRetryAfter.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// pacer spaces the requests of all workers to one host, and holds them back while the host wants
// to be left alone.
type pacer struct {
	every time.Duration // 0: as fast as they come
	sleep func(ctx context.Context, d time.Duration) bool

	mu   sync.Mutex
	next time.Time // when the next request may start
}

func newPacer(rate float64, sleep func(context.Context, time.Duration) bool) *pacer {
	p := &pacer{sleep: sleep}
	if rate > 0 {
		p.every = time.Duration(float64(time.Second) / rate)
	}
	return p
}

// wait returns when a request may start.
func (p *pacer) wait(ctx context.Context) error {
	p.mu.Lock()
	now := time.Now()
	at := p.next
	if at.Before(now) {
		at = now
	}
	if p.every > 0 {
		p.next = at.Add(p.every)
	}
	p.mu.Unlock()
	if d := at.Sub(now); d > 0 && !p.sleep(ctx, d) {
		return context.Cause(ctx)
	}
	return nil
}

// pause lets no request start for d.
func (p *pacer) pause(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.next) {
		p.next = until
	}
}
