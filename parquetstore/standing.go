package parquetstore

import (
	"context"
	"fmt"
	"time"

	migrate "github.com/nexport-go/migrate"
)

// Standing says what an archive has of a run that a source lists.
type Standing int

const (
	// Absent: nothing under the present names. A copy in a layout of old versions does not count.
	Absent Standing = iota
	// Unfinished: something is missing, or not all that is selected, and asked for, was so before.
	Unfinished
	// Outdated: finished, but modified at the source since.
	Outdated
	// Finished: nothing is missing. So is a copy of the Python tool, which has no manifest.
	Finished
)

// Standing says what the archive has of run, of which run.Filter is selected and which was last
// modified at run.Modified. with is Config.With of the PutRun that it is asked for. It reads no more than
// names, sizes and the manifest.
func (s *Store) Standing(ctx context.Context, run migrate.RunInfo, with ...string) (Standing, error) {
	if err := checkRef(run.RunRef); err != nil {
		return Absent, err
	}
	at := placeOf(run.RunRef)
	old, err := s.held(at)
	if err != nil {
		return Absent, fmt.Errorf("look for run %s in the archive: %w", run.RunRef, err)
	}
	return s.standing(ctx, at, old, run, with)
}

func (s *Store) standing(ctx context.Context, at place, old held, run migrate.RunInfo, with []string) (Standing, error) {
	switch {
	case old.parts == 0 && old.manifest == nil && !old.damaged:
		return Absent, nil
	case old.manifest == nil && (old.parts == 0 || old.damaged),
		old.manifest != nil && !(old.sound() && old.manifest.covers(selected(run.Filter, with))):
		return Unfinished, nil
	}
	was, err := s.modified(ctx, at, old)
	if err != nil {
		return Absent, err
	}
	if !was.IsZero() && !run.Modified.IsZero() && !was.Equal(run.Modified) {
		return Outdated, nil
	}
	return Finished, nil
}

// modified is when the run had been modified last at the source when it was archived; zero if it
// is not known.
func (s *Store) modified(ctx context.Context, at place, old held) (time.Time, error) {
	if old.manifest != nil {
		return old.manifest.Run.Modified, nil
	}
	runs, err := s.scanPlace(ctx, at)
	if err != nil {
		return time.Time{}, err
	}
	for _, r := range runs {
		if r.info.RunRef == at.ref {
			return r.info.Modified, nil
		}
	}
	return time.Time{}, nil
}

// serves reports whether a run need not be written again.
func (s Standing) serves(renew Renew) bool {
	switch renew {
	case RenewAll:
		return false
	case RenewNone:
		return s >= Outdated
	default:
		return s == Finished
	}
}
