package neptune

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// errSilent says that a server stopped sending.
var errSilent = errors.New("the server sends nothing any more")

// idle ends a request when nothing has come for a while; how long the whole takes does not matter.
type idle struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	after  time.Duration
}

// watch gives the context for a request that may be silent for d at most.
func watch(ctx context.Context, d time.Duration) (context.Context, *idle) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &idle{ctx: ctx, cancel: cancel, after: d}
	w.timer = time.AfterFunc(d, func() { cancel(fmt.Errorf("%w for %s", errSilent, d)) })
	return ctx, w
}

func (w *idle) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// explain puts the watch's own reason in the place of "context canceled".
func (w *idle) explain(err error) error {
	if cause := context.Cause(w.ctx); errors.Is(cause, errSilent) {
		return cause
	}
	return err
}

// idleReader tells the watch that something has come.
type idleReader struct {
	io.Reader
	watch *idle
}

func (r *idleReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.watch.timer.Reset(r.watch.after)
	}
	if err != nil && err != io.EOF {
		err = r.watch.explain(err)
	}
	return n, err
}
