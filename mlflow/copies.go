package mlflow

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

// Over REST a run can come to be twice: a runs/create whose answer nobody waits for any more may be carried out after
// the next load has looked, and MLflow has no name for a run that would make the second one fail. What comes to be so is
// empty but for its tags, so it can be told apart and deleted: by the same load in Finish, or by the next one.
// Databases need none of this, see runUUID.

// earlier gives the run that an earlier load made. Of several the one that is furthest counts; empty ones among the
// others are deleted, the rest is noted.
func (s *Sink) earlier(ctx context.Context, p *project, ref migrate.RunRef) (before target, found bool, notes []migrate.Problem, err error) {
	before, copies := p.copies(ref)
	if len(copies) == 0 {
		return before, before.runID != "", nil, nil
	}
	before, left, err := s.settle(ctx, copies)
	if err != nil {
		return target{}, false, nil, err
	}
	p.put(ref, before)
	if len(left) > 0 {
		notes = append(notes, copiesLeft(before, left))
	}
	return before, true, notes, nil
}

func copiesLeft(kept target, left []target) migrate.Problem {
	ids := make([]string, len(left))
	for i, run := range left {
		ids[i] = run.runID
	}
	return migrate.Problem{Code: migrate.CodeSuspect, Text: fmt.Sprintf("MLflow has this run %d times, and none is empty: %s goes on; look at %s, and delete what is not wanted (mlflow runs delete --run-id ID)",
		len(left)+1, kept.runID, strings.Join(ids, ", "))}
}

// settle chooses among runs of one identity: the one that is furthest, of equals the first. It deletes those that are
// empty, and gives back the others.
func (s *Sink) settle(ctx context.Context, copies []target) (kept target, left []target, err error) {
	best, bestStage := 0, nothing
	stages := make([]stage, len(copies))
	for i, run := range copies {
		if stages[i], err = s.stage(ctx, run); err != nil {
			return target{}, nil, err
		}
		if stages[i] > bestStage {
			best, bestStage = i, stages[i]
		}
	}
	for i, run := range copies {
		switch {
		case i == best:
		case stages[i] == nothing:
			if err := s.deleteCopy(ctx, run, copies[best]); err != nil {
				return target{}, nil, err
			}
		default:
			left = append(left, run)
		}
	}
	return copies[best], left, nil
}

// stage is how far a load came with a run.
type stage int

const (
	nothing  stage = iota // but for the tags of its creation
	begun                 // params or points are there
	inPart                // ended, and said that something lacks
	finished              // ended
)

func (s *Sink) stage(ctx context.Context, run target) (stage, error) {
	switch run.tags[convert.TagState] {
	case convert.StateComplete:
		return finished, nil
	case convert.StatePartial:
		return inPart, nil
	}
	is, err := s.to.stored(ctx, run.runID)
	if err != nil || len(is.params)+len(is.metrics) > 0 {
		return begun, err
	}
	return nothing, nil
}

func (s *Sink) deleteCopy(ctx context.Context, run, kept target) error {
	if s.plan != nil {
		return nil
	}
	s.cfg.Log.Info("deletes the empty copy of a run that a load which was cut off left", "copy", run.runID, "run", kept.runID)
	return s.to.deleteRun(ctx, run.runID)
}

// Finish deletes empty copies of the runs that were put, which the server may have made only now for a load that was cut
// off shortly before. migrate.Run calls it. It asks the server only where there can be any: where this load
// has made runs in an experiment that was there before it, or has not learned what came of a request.
func (s *Sink) Finish(ctx context.Context) error {
	if s.plan != nil {
		return nil
	}
	s.mu.Lock()
	projects := slices.Collect(maps.Values(s.projects))
	s.mu.Unlock()
	for _, p := range projects {
		if err := s.sweep(ctx, p); err != nil {
			return fmt.Errorf("look for runs that were made twice in %s: %w", p.name, err)
		}
	}
	return nil
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
		kept := p.byID(run.tags[convert.TagID])
		if kept.runID == run.runID || !kept.ended() { // another load's, or of a run that failed now and is the next load's
			continue
		}
		far, err := s.stage(ctx, run)
		if err != nil {
			return err
		}
		if far > nothing {
			s.cfg.Log.Warn("MLflow has a run twice: another load may be at work on it", "copy", run.runID, "run", kept.runID)
			continue
		}
		if err := s.deleteCopy(ctx, run, kept); err != nil {
			return err
		}
	}
	return nil
}
