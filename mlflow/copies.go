package mlflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

// Over REST a run can come to be twice: a runs/create whose answer nobody waits for any more may be carried out after
// the next load has looked, and MLflow has no name for a run that would make the second one fail. Such a copy has nothing
// but the tags of its creation, which the other one has too; so it can be told apart, and deleted without loss: by the
// same load in Finish, or by the next one. Whatever has more is nobody's to delete. Databases give runs IDs made from the
// identity (see runUUID), so only those that came over REST can be there twice, and stay.

// inspected is a run with what it has now.
type inspected struct {
	target
	is    stored
	stage stage
}

// stage is how far a load came with a run.
type stage int

const (
	gone     stage = iota // deleted since it was found
	empty                 // but for the tags of its creation
	begun                 // params, points or artifacts are there
	inPart                // ended, and said that something lacks
	finished              // ended
)

// inspect asks the server, since what a search said may be old.
func (s *Sink) inspect(ctx context.Context, run target) (inspected, error) {
	is, err := s.to.stored(ctx, run.runID)
	if errors.Is(err, migrate.ErrNotFound) || err == nil && is.deleted {
		return inspected{}, nil
	}
	if err != nil {
		return inspected{}, err
	}
	run.tags = maps.Clone(is.tags)
	maps.DeleteFunc(run.tags, func(key, _ string) bool { return !strings.HasPrefix(key, tagPrefix) })
	found := inspected{target: run, is: is, stage: begun}
	switch is.tags[convert.TagState] {
	case convert.StateComplete:
		found.stage = finished
	case convert.StatePartial:
		found.stage = inPart
	case convert.StateLoading:
		if len(is.params)+len(is.metrics) > 0 {
			break
		}
		files, err := s.files(ctx, run)
		if err != nil {
			return inspected{}, err
		}
		if files == 0 {
			found.stage = empty
		}
	}
	return found, nil
}

func (s *Sink) files(ctx context.Context, run target) (int, error) {
	store, err := s.to.artifacts(ctx, run)
	if err != nil {
		return 0, err
	}
	files, err := store.list(ctx)
	return len(files), err
}

// adds reports whether a copy has anything that kept has not, down to a tag that somebody set.
func (c *inspected) adds(kept *inspected) bool {
	if c.stage != empty {
		return true
	}
	for key, value := range c.is.tags {
		if has, there := kept.is.tags[key]; key != convert.TagState && (!there || has != value) {
			return true
		}
	}
	return false
}

// earlier gives the run that an earlier load made. Of several the one that is furthest counts; the others are deleted if
// they add nothing, and noted if they stay.
func (s *Sink) earlier(ctx context.Context, p *project, ref migrate.RunRef) (before target, found bool, notes []migrate.Problem, err error) {
	all := p.all(ref)
	if len(all) == 0 {
		return target{}, false, nil, nil
	}
	if len(all) == 1 {
		return all[0], true, nil, nil
	}
	kept, left, err := s.settle(ctx, all)
	if err != nil {
		return target{}, false, nil, err
	}
	p.settled(ref, kept, left)
	return kept, kept.runID != "", copiesLeft(kept, left), nil
}

// settle chooses among runs of one identity: the one that is furthest, of equals the first. left are the others that
// are still there.
func (s *Sink) settle(ctx context.Context, runs []target) (kept target, left []target, err error) {
	copies := make([]inspected, len(runs))
	best := 0
	for i, run := range runs {
		if copies[i], err = s.inspect(ctx, run); err != nil {
			return target{}, nil, err
		}
		if copies[i].stage > copies[best].stage {
			best = i
		}
	}
	for i := range copies {
		if copies[i].stage == gone || copies[i].runID == copies[best].runID {
			continue
		}
		deleted, err := s.deleteCopy(ctx, &copies[i], &copies[best])
		if err != nil {
			return target{}, nil, err
		}
		if !deleted {
			left = append(left, copies[i].target)
		}
	}
	return copies[best].target, left, nil
}

// deleteCopy deletes a run that adds nothing to kept, if the server lets it: who may load need not be one who may delete.
// The error is that of ctx.
func (s *Sink) deleteCopy(ctx context.Context, run, kept *inspected) (deleted bool, err error) {
	if s.plan != nil || run.adds(kept) {
		return false, nil
	}
	if err := s.to.deleteRun(ctx, run.runID); err != nil {
		s.cfg.Log.Warn("an empty copy of a run, left by a load that was cut off, cannot be deleted", "copy", run.runID, "run", kept.runID, "err", err)
		return false, ctx.Err()
	}
	s.cfg.Log.Info("deleted an empty copy of a run, left by a load that was cut off", "copy", run.runID, "run", kept.runID)
	return true, nil
}

func copiesLeft(kept target, left []target) []migrate.Problem {
	if len(left) == 0 {
		return nil
	}
	ids := make([]string, len(left))
	for i, run := range left {
		ids[i] = run.runID
	}
	return []migrate.Problem{{Code: migrate.CodeSuspect, Text: fmt.Sprintf(
		"MLflow has this run %d times: %s is the one that counts; look at %s, and delete what is not wanted (mlflow runs delete --run-id ID)",
		len(left)+1, kept.runID, strings.Join(ids, ", "))}}
}

// Finish deletes empty copies of runs that ended, which the server may have made only now for a load that was
// cut off shortly before. migrate.Run calls it. It asks the server only where there can be any: in experiments
// that this Sink did not make, or where it has not learned what came of a request. What goes wrong is logged, since all runs
// are there, and the next load looks again; the error is that of ctx.
func (s *Sink) Finish(ctx context.Context) error {
	if s.plan != nil {
		return nil
	}
	s.mu.Lock()
	projects := slices.Collect(maps.Values(s.projects))
	s.mu.Unlock()
	for _, p := range projects {
		if err := s.sweep(ctx, p); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("cannot see whether runs were made twice; the next load looks again", "project", p.name, "err", err)
		}
	}
	return context.Cause(ctx)
}

func (s *Sink) sweep(ctx context.Context, p *project) error {
	var loading []target // pages are counted in runs, so nothing is deleted while they are read
	for run, err := range s.to.loaded(ctx, p.doubtful(), convert.Tag{Key: convert.TagState, Value: convert.StateLoading}) {
		if err != nil {
			return err
		}
		loading = append(loading, run)
	}
	for _, run := range loading {
		counts := p.byID(run.tags[convert.TagID])
		if counts.runID == "" || counts.runID == run.runID {
			continue // of a run that this load did not choose, or could not finish
		}
		kept, err := s.inspect(ctx, counts)
		if err != nil {
			return err
		}
		late, err := s.inspect(ctx, run)
		if err != nil {
			return err
		}
		if kept.ended() && late.stage != gone {
			if _, err := s.deleteCopy(ctx, &late, &kept); err != nil {
				return err
			}
		}
	}
	return nil
}
