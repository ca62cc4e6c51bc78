package neptune

import (
	"context"
	"errors"
)

// errEnough ends a producer whose receiver has had enough.
var errEnough = errors.New("the receiver has had enough")

// chunksAhead is how many chunks of a job may wait for their receiver.
const chunksAhead = 2

// job reads something and sends what comes of it; send is false if the receiver has had enough. An error of one job
// ends all.
type job[T any] func(ctx context.Context, send func(T) bool) error

// started is a job that runs.
type started[T any] struct {
	sent chan T
	done chan error
}

// inOrder runs jobs, so many at once, and sends what comes of them in the order of the jobs. A job whose turn has
// not come waits when chunksAhead of what it sends have. When inOrder returns, all have ended.
func inOrder[T any](ctx context.Context, jobs []job[T], atOnce int, send func(T) bool) error {
	if len(jobs) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	queue := make(chan started[T], max(atOnce, 2)-2) // one more is being sent, and one waits to be queued
	go func() {
		defer close(queue)
		for _, j := range jobs {
			s := started[T]{make(chan T, chunksAhead), make(chan error, 1)}
			go s.run(ctx, j)
			select {
			case queue <- s:
			case <-ctx.Done():
				s.end()
				return
			}
		}
	}()
	defer func() {
		cancel(errEnough)
		for s := range queue {
			s.end()
		}
	}()
	for s := range queue {
		if err := s.sendAll(send); err != nil {
			cancel(err)
			s.end()
			return err
		}
	}
	return context.Cause(ctx)
}

func (s started[T]) run(ctx context.Context, j job[T]) {
	defer close(s.sent)
	s.done <- j(ctx, func(item T) bool {
		select {
		case s.sent <- item:
			return true
		case <-ctx.Done():
			return false
		}
	})
}

// sendAll sends what comes of a job until it has ended.
func (s started[T]) sendAll(send func(T) bool) error {
	for item := range s.sent {
		if !send(item) {
			return errEnough
		}
	}
	return <-s.done
}

// end waits until a job has ended whose context has.
func (s started[T]) end() {
	for range s.sent {
	}
}
