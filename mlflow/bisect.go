package mlflow

import (
	"context"
	"fmt"

	migrate "github.com/nexport-go/migrate"
)

// leastBatch is the size of batches, in bytes, below which a gateway does not make them: every point fits.
const leastBatch = 4 << 10

// maxRefused is how many entries of a run the server may refuse before the run itself fails.
const maxRefused = 20

// bisect sends a batch that the server refused in halves, until it is known which entries it does
// not take. Those become Problems; all else is written. Nothing of a refused batch was stored.
func (l *load) bisect(ctx context.Context, b *batch, cause error) error {
	n := b.len()
	if n == 1 {
		return l.refuse(b, cause)
	}
	if isTooLarge(cause) { // so is the next one, unless it is smaller
		l.batch.limits.bytes = min(l.batch.limits.bytes, max(len(b.body(l.to.runID))/2, leastBatch))
	}
	for _, half := range []batch{b.part(0, n/2), b.part(n/2, n)} {
		err := l.send(ctx, &half)
		if isRefusal(err) {
			err = l.bisect(ctx, &half, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// refuse takes the only entry of b out of what is expected and says so.
func (l *load) refuse(b *batch, cause error) error {
	l.refused++
	if l.refused > maxRefused {
		return fmt.Errorf("the server refuses too much of the run: %w", cause)
	}
	var key, what string
	switch {
	case len(b.params) > 0:
		key, what = b.params[0].key, fmt.Sprintf("param %q", b.params[0].value)
		delete(l.want.params, key)
	case len(b.tags) > 0:
		key, what = b.tags[0].Key, fmt.Sprintf("tag %q", b.tags[0].Value)
		delete(l.want.tags, key)
	default:
		p := b.points[0]
		key, what = p.key, fmt.Sprintf("point %v at step %d, time %d", p.value, p.step, p.time)
		l.lacking = append(l.lacking, p)
	}
	l.note(migrate.Problem{Path: key, Code: migrate.CodeUnsupported, Text: fmt.Sprintf("the server refuses the %s: %v", clip(what), cause)})
	return nil
}

// subtract takes the refused points out of what is expected. It comes after the series, whose
// digests are set at their end.
func (l *load) subtract() {
	for _, p := range l.lacking {
		s := l.want.metrics[p.key]
		s.remove(p.point)
		l.want.metrics[p.key] = s
	}
}
