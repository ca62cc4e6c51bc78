package neptune

import (
	"context"
	"errors"
	"iter"

	migrate "github.com/nexport-go/migrate"
)

// errEnough ends a producer whose receiver has had enough.
var errEnough = errors.New("the receiver has had enough")

// chunksAhead is how many chunks may wait for their receiver.
const chunksAhead = 2

// ahead runs produce in a goroutine of its own, which has ended when the sequence has.
func ahead(ctx context.Context, produce func(context.Context, func(migrate.Chunk) bool) error) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		chunks, done := make(chan migrate.Chunk, chunksAhead), make(chan error, 1)
		go func() {
			defer close(chunks)
			done <- produce(ctx, func(c migrate.Chunk) bool {
				select {
				case chunks <- c:
					return true
				case <-ctx.Done():
					return false
				}
			})
		}()
		defer func() {
			cancel(errEnough)
			for range chunks { // until the producer has ended
			}
		}()
		for c := range chunks {
			if !yield(c, nil) {
				return
			}
		}
		if err := <-done; err != nil {
			yield(migrate.Chunk{}, err)
		}
	}
}
