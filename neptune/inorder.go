package neptune

import (
	"context"
	"errors"
	"sync"
)

// errEnough ends a producer whose receiver has had enough.
var errEnough = errors.New("the receiver has had enough")

// chunksAhead is how many chunks of a job may wait for their receiver.
const chunksAhead = 2

// job reads something and sends what comes of it; send is false if the receiver has had enough. An error of one job
// ends all.
type job[T any] func(ctx context.Context, send func(T) bool) error

// turn is where what a job sends waits.
type turn[T any] struct {
	job  job[T]
	sent chan T
	done chan error
}

// inOrder runs jobs, so many at once, and sends what comes of them in the order of the jobs. A job whose turn has
// not come waits when chunksAhead of what it sends have. When inOrder returns, all have ended.
//
// Each of its goroutines runs one job after the other: one that is new has its stack copied several times until
// it is as large as a request needs.
func inOrder[T any](ctx context.Context, jobs []job[T], atOnce int, send func(T) bool) error {
	if len(jobs) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel(errEnough)
	atOnce = min(atOnce, len(jobs))
	work := make(chan turn[T], atOnce)
	for range atOnce {
		running.Go(func() {
			for t := range work {
				t.run(ctx)
			}
		})
	}
	defer close(work)
	var queue []turn[T]
	for len(jobs) > 0 || len(queue) > 0 {
		for len(queue) < atOnce && len(jobs) > 0 {
			t := turn[T]{jobs[0], make(chan T, chunksAhead), make(chan error, 1)}
			work <- t // never full: those that wait have left it
			queue, jobs = append(queue, t), jobs[1:]
		}
		if err := queue[0].sendAll(send); err != nil {
			cancel(err)
			return err
		}
		queue = queue[1:]
	}
	return context.Cause(ctx)
}

func (t turn[T]) run(ctx context.Context) {
	defer close(t.sent)
	if ctx.Err() != nil {
		t.done <- context.Cause(ctx)
		return
	}
	t.done <- t.job(ctx, func(item T) bool {
		select {
		case t.sent <- item:
			return true
		case <-ctx.Done():
			return false
		}
	})
}

// sendAll sends what comes of a job until it has ended.
func (t turn[T]) sendAll(send func(T) bool) error {
	for item := range t.sent {
		if !send(item) {
			return errEnough
		}
	}
	return <-t.done
}
