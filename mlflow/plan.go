package mlflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"slices"
	"strings"
	"sync"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

// Plan is what a load would send. It is made with what is there already; only where a server puts the artifacts of
// a new experiment is not known before it is made.
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

	// Unreachable: nobody answered, because of Cause. The plan is that for an empty server of the version Assumed,
	// so what is there already, or in the way, is not in it.
	Unreachable bool   `json:"unreachable,omitempty"`
	Cause       string `json:"cause,omitempty"`
	Assumed     string `json:"assumed,omitempty"`
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
	asking sync.Mutex
	mu     sync.Mutex
	sum    Plan
	made   map[string]bool // run IDs that only the plan has
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

// traits goes on without a server, as if there were an empty one. One call at a time asks, so that only
// one waits for a server that does not answer.
func (p *planner) traits(ctx context.Context) (traits, error) {
	p.asking.Lock()
	defer p.asking.Unlock()
	if p.offline() {
		return traitsOf(assumed), nil
	}
	known, err := p.backend.traits(ctx)
	if err == nil || ctx.Err() != nil || !unreachable(err) {
		return known, err
	}
	p.mu.Lock()
	p.sum.Unreachable, p.sum.Assumed = true, assumed
	p.sum.Cause = strings.ReplaceAll(err.Error(), ": "+migrate.ErrFatal.Error(), "") // the plan does go on
	p.mu.Unlock()
	return traitsOf(assumed), nil
}

// unreachable reports that there was no answer at all. Any other error is that of the load, too.
func unreachable(err error) bool {
	var (
		failed *net.OpError
		slow   net.Error
		api    *APIError
	)
	return !errors.As(err, &api) && (errors.As(err, &failed) || errors.As(err, &slow) && slow.Timeout())
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

// ensureExperiment looks the name up: an experiment of another layout, or one that is deleted, may have it.
func (p *planner) ensureExperiment(ctx context.Context, name string, tags []convert.Tag) (exp experiment, err error) {
	exp, writes := experiment{name: name}, int64(1)
	if !p.offline() {
		if exp, writes, err = p.backend.findExperiment(ctx, name, tags); err != nil {
			return experiment{}, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sum.Requests += writes
	p.sum.Bytes += writes * int64(len(name))
	if exp.id == "" {
		p.sum.Experiments++
	}
	return exp, nil
}

func (p *planner) loaded(ctx context.Context, experimentIDs []string, tag convert.Tag) iter.Seq2[target, error] {
	if p.offline() || slices.Contains(experimentIDs, "") { // an experiment that only the plan has
		return func(func(target, error) bool) {}
	}
	return p.backend.loaded(ctx, experimentIDs, tag)
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
