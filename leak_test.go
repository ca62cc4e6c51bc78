package migrate_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	migrate "github.com/nexport-go/migrate"
)

// TestRunLeavesNoGoroutines ends jobs in every way there is. A goroutine that outlives Run stays
// blocked in the bubble, which fails the test.
func TestRunLeavesNoGoroutines(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		job  migrate.Job
		put  func(cancel func()) error
		list func(migrate.Source) migrate.Source
	}{
		"all moved":                       {},
		"fatal":                           {put: func(func()) error { return errors.Join(migrate.ErrFatal, boom) }},
		"stop on error":                   {job: migrate.Job{StopOnError: true}, put: func(func()) error { return boom }},
		"all fail":                        {put: func(func()) error { return boom }},
		"cancelled":                       {put: func(cancel func()) error { cancel(); return context.Canceled }},
		"cancelled, but the sink goes on": {put: func(cancel func()) error { cancel(); return nil }},
		"listing broke":                   {list: func(s migrate.Source) migrate.Source { return brokenListing{forest(50)} }},
	} {
		for _, concurrency := range []int{1, 8} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					job := c.job
					job.Source, job.Concurrency = forest(203), concurrency
					if c.list != nil {
						job.Source = c.list(job.Source)
					}
					job.Sink = sinkFunc(func(ctx context.Context, _ migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
						for range r.Chunks(ctx, nil) {
							break
						}
						if c.put == nil {
							return migrate.Result{}, nil
						}
						return migrate.Result{}, c.put(cancel)
					})
					report, _ := migrate.Run(ctx, job)
					if report == nil {
						t.Error("no report")
					}
				})
			})
		}
	}
}
