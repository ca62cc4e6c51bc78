package parquetstore

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	migrate "github.com/nexport-go/migrate"
)

// keepUnselected copies from the present copy what the selection leaves out, so that a run can be
// exported in several goes. It is called when the new attributes are written.
func (w *runWriter) keepUnselected(ctx context.Context) error {
	f, old := w.info.Filter, w.old.manifest
	unrecorded := old == nil && w.old.parts > 0 // of the Python tool, or its manifest is damaged
	if f.All() || old == nil && !unrecorded || old != nil && reflect.DeepEqual(old.Selections, w.m.Selections) {
		return nil
	}
	if err := w.endGroup(); err != nil {
		return err
	}
	runs, err := w.store.scanPlace(ctx, w.at)
	if err != nil {
		return err
	}
	for _, run := range runs {
		if err := w.keep(ctx, newReader(w.store, run)); err != nil {
			return fmt.Errorf("keep what was archived before: %w", err)
		}
	}
	if unrecorded { // nobody knows what was selected, so this does not count as more than was selected now
		return nil
	}
	w.noteAge(old.Run.Modified)
	w.m.Selections = join(old.selectedBefore(), selected(f, w.store.write.cfg.With))
	return nil
}

func (w *runWriter) keep(ctx context.Context, r *reader) error {
	f := w.info.Filter
	unselected := func(path string, k migrate.Kind) bool { return !f.Match(path, k) }
	for c, err := range r.Chunks(ctx, unselected) {
		if err != nil {
			return err
		}
		if err := w.chunk(ctx, c, r); err != nil {
			return err
		}
	}
	for _, p := range r.Problems() {
		if p.Path == "" || unselected(p.Path, p.Kind) {
			w.problem(p)
		}
	}
	return nil
}

// noteAge tells if what is kept is of another time.
func (w *runWriter) noteAge(was time.Time) {
	if now := w.info.Modified; !was.IsZero() && !now.IsZero() && !was.Equal(now) {
		w.problem(migrate.Problem{Code: migrate.CodeDiffers, Text: fmt.Sprintf(
			"attributes outside of the selection are those of %s; put all of the run to renew them", was.Format(time.RFC3339))})
	}
}

// errWorse stops a copy that would replace a better one.
var errWorse = errors.New("the new copy is worse")

// checkBetter refuses to replace a whole copy by one that lacks something, though it be newer.
func (w *runWriter) checkBetter() error {
	if n := w.m.losses(); n > 0 && w.old.sound() {
		w.problem(migrate.Problem{Code: migrate.CodeDiffers, Text: fmt.Sprintf(
			"the archive keeps its whole copy of %s, because the new one lacks %d things", w.old.manifest.Written.Format(time.RFC3339), n)})
		return errWorse
	}
	return nil
}
