package mlflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"

	"github.com/nexport-go/migrate/convert"
)

// Plan is what a dry run would have sent.
type Plan struct {
	Experiments int64 `json:"experiments"` // to be created
	Runs        int64 `json:"runs"`        // to be created
	Completed   int64 `json:"completed"`   // there in part, to be completed
	Existing    int64 `json:"existing"`    // complete already
	Params      int64 `json:"params"`
	Points      int64 `json:"points"`
	Artifacts   int64 `json:"artifacts"`
	Requests    int64 `json:"requests"` // that write; those of the check are not counted
	Bytes       int64 `json:"bytes"`    // of their bodies

	// Unreachable: the server did not answer, and the plan is that for an empty one.
	Unreachable bool `json:"unreachable,omitempty"`
}

// Plan returns the counts of a dry run so far; of another Sink all are zero.
func (s *Sink) Plan() Plan {
	if s.plan == nil {
		return Plan{}
	}
	s.plan.mu.Lock()
	defer s.plan.mu.Unlock()
	return s.plan.sum
}

// planner is the backend of a dry run: it reads the server, and counts instead of writing.
type planner struct {
	backend
	mu   sync.Mutex
	sum  Plan
	made map[string]bool // run IDs that only the plan has
}

func newPlanner(server backend) *planner {
	return &planner{backend: server, made: map[string]bool{}}
}

// count adds to the plan; every call stands for one request.
func (p *planner) count(bytes int64, add func(*Plan)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sum.Requests++
	p.sum.Bytes += bytes
	if add != nil {
		add(&p.sum)
	}
}

// countExisting notes a run that needs nothing; it may be called on nil.
func (p *planner) countExisting() {
	if p == nil {
		return
	}
	p.mu.Lock()
	p.sum.Existing++
	p.mu.Unlock()
}

func (p *planner) isMade(runID string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made[runID]
}

// assumed is the server of a plan without one.
const assumed = "3.18.0"

// traits goes on without a server, as if there were an empty one.
func (p *planner) traits(ctx context.Context) (traits, error) {
	if p.offline() {
		return traitsOf(assumed), nil
	}
	known, err := p.backend.traits(ctx)
	var api *APIError
	if err == nil || ctx.Err() != nil || errors.As(err, &api) {
		return known, err
	}
	p.mu.Lock()
	p.sum.Unreachable = true
	p.mu.Unlock()
	return traitsOf(assumed), nil
}

func (p *planner) offline() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sum.Unreachable
}

func (p *planner) experiments(ctx context.Context, layout string) ([]experiment, error) {
	if p.offline() {
		return nil, nil
	}
	return p.backend.experiments(ctx, layout)
}

// ensureExperiment pretends that the name is free. An experiment of this layout would have been
// found before.
func (p *planner) ensureExperiment(_ context.Context, name string, tags []convert.Tag) (experiment, error) {
	p.count(int64(len(name)), func(sum *Plan) { sum.Experiments++ })
	return experiment{name: name}, nil
}

func (p *planner) loaded(ctx context.Context, experimentIDs []string, id string) iter.Seq2[target, error] {
	for _, experimentID := range experimentIDs {
		if experimentID == "" { // only the plan has it
			return func(func(target, error) bool) {}
		}
	}
	return p.backend.loaded(ctx, experimentIDs, id)
}

func (p *planner) createRun(_ context.Context, exp experiment, run newRun) (target, error) {
	size := len(run.name) + len(run.user)
	for _, tag := range run.tags {
		size += len(tag.Key) + len(tag.Value) + len(`{"key":"","value":""},`)
	}
	var id string
	p.count(int64(size), func(sum *Plan) {
		sum.Runs++
		id = fmt.Sprintf("(new %d)", sum.Runs)
		p.made[id] = true
	})
	return target{runID: id, experiment: exp.id}, nil
}

func (p *planner) deleteRun(context.Context, string) error { return nil }

func (p *planner) log(_ context.Context, runID string, b *batch) (added int64, err error) {
	p.count(int64(len(b.body(runID))), func(sum *Plan) {
		sum.Params += int64(len(b.params))
		sum.Points += int64(len(b.points))
	})
	return b.data(), nil
}

func (p *planner) finish(_ context.Context, runID, _ string, _ *int64, tags []convert.Tag) error {
	marks := batch{tags: tags}
	p.count(int64(len(marks.body(runID))), nil)
	p.count(100, func(sum *Plan) {
		if !p.made[runID] {
			sum.Completed++
		}
	})
	return nil
}

func (p *planner) artifacts(ctx context.Context, to target) (artifactStore, error) {
	if p.isMade(to.runID) {
		return plannedArtifacts{p, nil}, nil
	}
	there, err := p.backend.artifacts(ctx, to)
	return plannedArtifacts{p, there}, err
}

// plannedArtifacts counts uploads; there is nil for a run that only the plan has.
type plannedArtifacts struct {
	p     *planner
	there artifactStore
}

func (a plannedArtifacts) put(_ context.Context, _ string, size int64, _ func() (io.ReadCloser, error)) error {
	a.p.count(size, func(sum *Plan) { sum.Artifacts++ })
	return nil
}

func (a plannedArtifacts) list(ctx context.Context) (map[string]int64, error) {
	if a.there == nil {
		return map[string]int64{}, nil
	}
	return a.there.list(ctx)
}
