package mlflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

// Over REST a run can come to be twice: a runs/create whose answer nobody waits for any more may be carried out after
// the next load has looked, and MLflow has no name for a run that would make the second one fail. Such a copy has nothing
// but the tags of its creation, and is as untouched as MLflow made it; so it can be told apart, and deleted: by the same
// load in Finish, or by the next one that loads that run. Whatever has more is nobody's to delete. Databases give runs IDs
// made from the identity (see runUUID), so only those that came over REST can be there twice; there they stay.

// inspected is a run with what it has now.
type inspected struct {
	target
	is    stored
	stage stage
}

// stage is how far a load came with a run.
type stage int

const (
	stageGone   stage = iota // deleted since it was found
	stageEmpty               // nothing but what it was made with
	stageBegun               // there is more in it, or that cannot be known
	stageInPart              // ended, and said that something lacks
	stageEnded
)

// inspect asks the server, since what a search said may be old. What it does not let us see is taken for more than
// empty. The error is that of ctx.
func (s *Sink) inspect(ctx context.Context, p *project, run target) (inspected, error) {
	is, err := s.to.stored(ctx, run.runID)
	if errors.Is(err, migrate.ErrNotFound) || err == nil && is.deleted {
		return inspected{}, nil
	}
	if err != nil {
		s.cfg.Log.Warn("a run that is there twice cannot be looked at", "run", run.runID, "err", err)
		is.tags = run.tags
	}
	run.tags = maps.Clone(is.tags)
	maps.DeleteFunc(run.tags, func(key, _ string) bool { return !strings.HasPrefix(key, tagPrefix) })
	found := inspected{target: run, is: is, stage: stageBegun}
	switch is.tags[convert.TagState] {
	case convert.StateComplete:
		found.stage = stageEnded
	case convert.StatePartial:
		found.stage = stageInPart
	case convert.StateLoading:
		if is.untouched && len(is.params)+len(is.metrics) == 0 && !s.hasMore(ctx, p, run) {
			found.stage = stageEmpty
		}
	}
	return found, context.Cause(ctx)
}

// hasMore reports whether a run has artifacts or children, or may have.
func (s *Sink) hasMore(ctx context.Context, p *project, run target) bool {
	store, err := s.to.artifacts(ctx, run)
	if err != nil {
		return true
	}
	if files, err := store.list(ctx); err != nil || len(files) > 0 {
		return true
	}
	for range s.to.loaded(ctx, p.experimentIDs(), convert.Tag{Key: convert.TagMLflowParent, Value: run.runID}) {
		return true // a child, or an error
	}
	return false
}

// adds reports whether a copy has anything that kept has not, down to a tag that somebody set. Tags that loads change
// do not count.
func (c *inspected) adds(kept *inspected) bool {
	if c.stage != stageEmpty {
		return true
	}
	for key, value := range c.is.tags {
		switch key {
		case convert.TagState, convert.TagModified, convert.TagOrphan:
			continue
		}
		if has, there := kept.is.tags[key]; !there || has != value {
			return true
		}
	}
	return false
}

// earlier gives the run that an earlier load made. Of several the one that is furthest counts; the others are deleted if
// they add nothing, and noted if they stay. Each identity is looked at once.
func (s *Sink) earlier(ctx context.Context, p *project, ref migrate.RunRef) (before target, found bool, notes []migrate.Problem, err error) {
	all, settled := p.all(ref)
	if len(all) == 0 {
		return target{}, false, nil, nil
	}
	if len(all) == 1 || settled {
		return all[0], true, copiesLeft(all[0], all[1:]), nil
	}
	kept, left, err := s.settle(ctx, p, all)
	if err != nil {
		return target{}, false, nil, err
	}
	p.settle(ref, kept, left)
	return kept, kept.runID != "", copiesLeft(kept, left), nil
}

// settle chooses among runs of one identity: the one that is furthest, of equals the first. left are the others that
// are still there.
func (s *Sink) settle(ctx context.Context, p *project, runs []target) (kept target, left []target, err error) {
	copies := make([]inspected, len(runs))
	best := 0
	for i, run := range runs {
		if copies[i], err = s.inspect(ctx, p, run); err != nil {
			return target{}, nil, err
		}
		if copies[i].stage > copies[best].stage {
			best = i
		}
	}
	for i := range copies {
		if copies[i].stage == stageGone || copies[i].runID == copies[best].runID {
			continue
		}
		deleted, err := s.deleteCopy(ctx, p, copies[i], copies[best])
		if err != nil {
			return target{}, nil, err
		}
		if !deleted {
			left = append(left, copies[i].target)
		}
	}
	return copies[best].target, left, nil
}

// secondLook is how long what looks like a copy is left alone before it is deleted. A load puts the first things into a
// run at once, so by then one that another load is at work on has something.
const secondLook = 2 * time.Second

// deleteCopy deletes a run that adds nothing to kept, if the server lets it: who may load need not be one who may delete.
// The error is that of ctx.
func (s *Sink) deleteCopy(ctx context.Context, p *project, run, kept inspected) (deleted bool, err error) {
	if s.plan != nil || run.adds(&kept) {
		return false, nil
	}
	newRetrier(s.cfg).sleep(ctx, secondLook)
	run, err = s.inspect(ctx, p, run.target)
	if err != nil || run.stage == stageGone || run.adds(&kept) {
		return run.stage == stageGone, err
	}
	if err := s.to.deleteRun(ctx, run.runID); err != nil {
		s.cfg.Log.Warn("an empty copy of a run, left by a load that was cut off, cannot be deleted", "copy", run.runID, "run", kept.runID, "err", err)
		return false, context.Cause(ctx)
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
// that this Sink did not make, or where it has not learned what came of a request. What goes wrong ends it and is logged,
// since all runs are there, and the next load looks again; the error is that of ctx.
func (s *Sink) Finish(ctx context.Context) error {
	if s.plan != nil {
		return nil
	}
	s.mu.Lock()
	projects := slices.Collect(maps.Values(s.projects))
	s.mu.Unlock()
	for _, p := range projects {
		if err := s.sweep(ctx, p); err != nil {
			s.cfg.Log.Warn("cannot see whether runs were made twice; the next load looks again", "project", p.name, "err", err)
			break
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
		if counts.experiment != run.experiment || counts.runID == run.runID {
			continue // another load's, or of a run that this load could not finish
		}
		kept, err := s.inspect(ctx, p, counts)
		if err != nil {
			return err
		}
		late, err := s.inspect(ctx, p, run)
		if err != nil {
			return err
		}
		if !kept.ended() || late.stage == stageGone {
			continue
		}
		deleted, err := s.deleteCopy(ctx, p, late, kept)
		if err != nil {
			return err
		}
		if !deleted {
			s.cfg.Log.Warn("MLflow has a run twice; the next load looks again", "run", kept.runID, "copy", late.runID)
		}
	}
	return nil
}
