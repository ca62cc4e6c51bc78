package neptune

import "context"

// maxLosses is how many attributes in a row must be unreadable before the next is asked for only once.
const maxLosses = 5

// tries is the context for a part of a request that failed: the more in vain, the fewer.
func (p *pass3) tries(ctx context.Context) context.Context {
	if p.losses < maxLosses {
		return withTries(ctx, 2)
	}
	return withTries(ctx, 1)
}

// inParts gets a batch of series. If the server refuses, it gets half as many at once, down to the one
// that is to blame. taken is told of each what came of it, an error only of one that was asked for
// alone; it wants that if it answers again. An error that is no refusal ends it.
func inParts[S any](ctx context.Context, p *pass3, batch []S, get func(context.Context, []S) error,
	taken func(s S, alone bool, err error) (again bool),
) error {
	err := get(ctx, batch)
	alone := len(batch) == 1
	switch {
	case err == nil:
		p.losses = 0
	case !refusal(err):
		return err
	case !alone:
		half := len(batch) / 2
		if err := inParts(p.tries(ctx), p, batch[:half], get, taken); err != nil {
			return err
		}
		return inParts(p.tries(ctx), p, batch[half:], get, taken)
	}
	for i, s := range batch {
		if taken(s, alone, err) {
			if err := inParts(p.tries(ctx), p, batch[i:i+1], get, taken); err != nil {
				return err
			}
		}
	}
	return nil
}
