package mlflow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

// Sink loads runs into one MLflow server, or into the database of one. It is safe for concurrent use.
type Sink struct {
	cfg   Config
	to    backend
	plan  *planner // nil unless DryRun
	close func() error

	mu       sync.Mutex
	projects map[string]*project
}

var (
	_ migrate.Sink     = (*Sink)(nil)
	_ migrate.Verifier = (*Sink)(nil)
	_ migrate.Finisher = (*Sink)(nil)
)

// New makes a Sink. It does not speak to the server, or open the database, yet.
func New(cfg Config) (*Sink, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	switch cfg.ExperimentBy {
	case "":
		cfg.ExperimentBy = ByProject
	case ByProject, ByName:
	default:
		return nil, fmt.Errorf("experiments cannot be made by %q: give %s or %s", cfg.ExperimentBy, ByProject, ByName)
	}
	s := &Sink{cfg: cfg, projects: map[string]*project{}}
	var err error
	if s.to, s.close, err = cfg.backend(); err != nil {
		return nil, err
	}
	if cfg.DryRun {
		s.plan = newPlanner(s.to)
		s.to = s.plan
	}
	return s, nil
}

// Close releases what the Sink has open. It must not be used afterwards.
func (s *Sink) Close() error { return s.close() }

// backend chooses by the scheme of TrackingURI.
func (c *Config) backend() (to backend, closing func() error, err error) {
	scheme, _, _ := strings.Cut(c.TrackingURI, ":")
	dialect, _, _ := strings.Cut(scheme, "+") // a Python driver
	if isFileStore(c.TrackingURI, scheme) {
		return nil, nil, errFileStore
	}
	var e engine
	switch dialect {
	case "sqlite":
		e, err = newSQLite(c.TrackingURI)
	case "postgresql", "postgres":
		e, err = newPostgres(c.TrackingURI)
	default:
		return c.server()
	}
	if err != nil {
		return nil, nil, err
	}
	return newDatabase(*c, e), e.close, nil
}

// errFileStore does not repeat the address, which may be that of a database without its scheme.
var errFileStore = errors.New("a tracking URI that is a directory is MLflow's file store, which MLflow has deprecated: " +
	"make a database of it with `mlflow migrate-filestore --source DIRECTORY --target sqlite:///mlflow.db` (MLflow 3.10 and newer) " +
	"and load into that, with --mlflow-tracking-uri sqlite:///mlflow.db; the address of a server begins with http://")

// isFileStore reports that MLflow takes an address for a directory of its file store.
func isFileStore(address, scheme string) bool {
	switch {
	case address == "", address == "databricks", address == "uc":
		return false
	case scheme == address, scheme == "file", strings.ContainsAny(scheme, `/\`):
		return true
	}
	return len(scheme) == 1 // a drive of Windows
}

// PutRun loads one run. The errors match migrate.ErrFatal where no other run would fare better. Those that match
// migrate.ErrUnauthorized alone are of this run: its experiment is forbidden, others need not be. A run that was loaded
// with another step multiplier is an error. When ctx ends while a server makes the run, its answer is waited for up to five
// seconds.
func (s *Sink) PutRun(ctx context.Context, run migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	known, err := s.to.traits(ctx)
	if err != nil {
		return migrate.Result{}, err
	}
	p, err := s.project(ctx, run.Project)
	if err != nil {
		return migrate.Result{}, err
	}
	before, found, notes, err := s.earlier(ctx, p, run.RunRef)
	if err != nil {
		return migrate.Result{}, err
	}
	if found {
		if err := s.sameSteps(run, before); err != nil {
			return migrate.Result{}, err
		}
		if complete(run, before) {
			s.plan.countExisting()
			return migrate.Result{Existed: true, Target: before.runID, Problems: notes}, nil
		}
	}
	l := &load{sink: s, project: p, run: run, source: r, traits: known, to: before, resumed: found, problems: notes}
	defer func() { l.close() }()
	err = l.do(ctx)
	if errors.Is(err, errStale) {
		if err = l.giveUp(ctx); err != nil {
			return migrate.Result{}, err
		}
		l.close()
		l = &load{sink: s, project: p, run: run, source: r, traits: known}
		err = l.do(ctx)
	}
	if err != nil {
		return migrate.Result{Target: l.to.runID}, err
	}
	return migrate.Result{Existed: l.existed(), Target: l.to.runID, Problems: l.problems}, nil
}

// complete reports whether an earlier load finished this run as it is now.
func complete(run migrate.RunInfo, before target) bool {
	modified := before.tags[convert.TagModified]
	// Only loads of all attributes call a run complete, so it has whatever this one chooses.
	return before.tags[convert.TagState] == convert.StateComplete &&
		(modified == "" || run.Modified.IsZero() || modified == strconv.FormatInt(run.Modified.UnixMilli(), 10))
}

func (s *Sink) sameSteps(run migrate.RunInfo, before target) error {
	was, now := before.tags[convert.TagMultiplier], s.cfg.StepMultiplier.String()
	if was == "" || was == now {
		return nil
	}
	return fmt.Errorf("run was loaded with --step-multiplier %s into MLflow run %s: load with that again, "+
		"or with a --name-prefix for a second copy with %s", was, before.runID, now)
}

// project is what the server has of one project, in the layout of this Sink.
type project struct {
	name   string
	layout string

	mu          sync.Mutex
	filled      bool
	experiments map[string]experiment // by name
	runs        map[string]target     // by convert.RunID
	copies      map[string][]target   // further runs of one identity
	settled     map[string]bool       // identities of which runs has the one that counts
	doubts      map[string]bool       // experiment IDs where a run may come to be twice
}

// project returns the index of a project, read from the server the first time.
func (s *Sink) project(ctx context.Context, name string) (*project, error) {
	s.mu.Lock()
	p := s.projects[name]
	if p == nil {
		p = &project{
			name: name, layout: convert.LayoutID(s.cfg.NamePrefix, s.cfg.ExperimentBy, name),
			experiments: map[string]experiment{}, runs: map[string]target{},
			copies: map[string][]target{}, settled: map[string]bool{}, doubts: map[string]bool{},
		}
		s.projects[name] = p
	}
	s.mu.Unlock()
	return p, p.fill(ctx, s.to)
}

func (p *project) fill(ctx context.Context, to backend) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.filled {
		return nil
	}
	found, err := to.experiments(ctx, p.layout)
	if err != nil {
		return err
	}
	ids := make([]string, 0, len(found))
	for _, exp := range found {
		p.experiments[exp.name] = exp
		ids = append(ids, exp.id)
	}
	if err := p.read(ctx, to, ids); err != nil {
		return err
	}
	p.filled = true
	return nil
}

// experimentIDs gives the experiments that the project has runs in.
func (p *project) experimentIDs() (ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, exp := range p.experiments {
		ids = append(ids, exp.id)
	}
	return ids
}

// read enters the runs of experiments. One can be listed twice: pages shift when others make runs, and an index that
// could not be read to its end is read again. Of runs in different experiments, which two layouts that share one can make, a
// complete one counts, else the first; only two in one experiment are copies.
func (p *project) read(ctx context.Context, to backend, experimentIDs []string) error {
	for run, err := range to.loaded(ctx, experimentIDs, convert.Tag{}) {
		if err != nil {
			return err
		}
		id := run.tags[convert.TagID]
		first, there := p.runs[id]
		switch {
		case !there:
			p.runs[id] = run
		case first.experiment != run.experiment:
			if complete := convert.StateComplete; run.tags[convert.TagState] == complete && first.tags[convert.TagState] != complete {
				p.runs[id] = run
				delete(p.copies, id)
			}
		case first.runID != run.runID && !slices.ContainsFunc(p.copies[id], func(t target) bool { return t.runID == run.runID }):
			p.copies[id] = append(p.copies[id], run)
		}
	}
	return nil
}

// all gives the runs of that identity; if they are settled, the first is the one that counts.
func (p *project) all(ref migrate.RunRef) (runs []target, settled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := convert.RunID(ref)
	first, there := p.runs[id]
	if !there {
		return nil, false
	}
	return append([]target{first}, p.copies[id]...), p.settled[id]
}

// settle enters all runs of that identity; kept is the zero target if none is left.
func (p *project) settle(ref migrate.RunRef, kept target, left []target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := convert.RunID(ref)
	delete(p.runs, id)
	delete(p.copies, id)
	p.settled[id] = true
	if kept.runID != "" {
		p.runs[id] = kept
	}
	if len(left) > 0 {
		p.copies[id] = left
	}
}

// byID gives the run with that convert.RunID, or the zero target.
func (p *project) byID(id string) target {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.runs[id]
}

// put enters the run of that identity which counts.
func (p *project) put(ref migrate.RunRef, t target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runs[convert.RunID(ref)] = t
}

// doubt notes that a run of the experiment may come to be twice.
func (p *project) doubt(experimentID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doubts[experimentID] = true
}

func (p *project) doubtful() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.doubts))
}

// forget makes room for another run of that identity.
func (p *project) forget(ref migrate.RunRef) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := convert.RunID(ref)
	delete(p.runs, id)
	delete(p.copies, id)
}

// experiment returns the experiment of that name, made and tagged if need be.
func (p *project) experiment(ctx context.Context, to backend, name string) (experiment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if exp, ok := p.experiments[name]; ok {
		return exp, nil
	}
	exp, err := to.ensureExperiment(ctx, name, []convert.Tag{
		{Key: convert.TagLayout, Value: p.layout},
		{Key: convert.TagProject, Value: p.name},
		{Key: convert.TagMLflowKind, Value: convert.KindCustom},
	})
	if err != nil {
		return experiment{}, err
	}
	p.experiments[name] = exp
	return exp, p.read(ctx, to, []string{exp.id})
}

// holding gives the experiment of a run of the project.
func (p *project) holding(run *target) experiment {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, exp := range p.experiments {
		if exp.id == run.experiment {
			return exp
		}
	}
	return experiment{id: run.experiment}
}
