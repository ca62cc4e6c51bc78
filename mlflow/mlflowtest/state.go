package mlflowtest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

// Experiment is an experiment as the server holds it.
type Experiment struct {
	ID, Name string
	Root     string // where its runs keep artifacts
	Deleted  bool
	Tags     map[string]string
}

// Run is a run as the server holds it.
type Run struct {
	ID, ExperimentID, Name, User, Status string

	Start     int64
	End       *int64 // nil: none was set
	Deleted   bool
	Params    map[string]string
	Tags      map[string]string
	Metrics   map[string][]Point // in the order they came, each once
	Artifacts map[string][]byte
	Datasets  []string // that it used; loads send none

	seen map[string]map[[3]uint64]struct{} // points by metric key
}

// Point is a metric's point as a server on SQLite holds it: infinities are the largest floats, -0.0
// is 0.0.
type Point struct {
	Step, Time int64
	Value      float64
}

// key tells points apart as the database's primary key does.
func (p Point) key() [3]uint64 {
	v := p.Value
	if v != v {
		v = math.NaN()
	}
	return [3]uint64{uint64(p.Step), uint64(p.Time), math.Float64bits(v)}
}

// Runs returns copies of all runs that are not deleted, in the order of their creation.
func (s *Server) Runs() []Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	var runs []Run
	for _, run := range s.runs {
		if run.Deleted {
			continue
		}
		c := *run
		c.Params, c.Tags, c.Artifacts = maps.Clone(run.Params), maps.Clone(run.Tags), maps.Clone(run.Artifacts)
		c.Metrics = map[string][]Point{}
		for key, points := range run.Metrics {
			c.Metrics[key] = slices.Clone(points)
		}
		runs = append(runs, c)
	}
	return runs
}

// Experiments returns copies of all experiments, deleted ones too.
func (s *Server) Experiments() []Experiment {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Experiment
	for _, e := range s.experiments {
		c := *e
		c.Tags = maps.Clone(e.Tags)
		all = append(all, c)
	}
	return all
}

// AddExperiment makes an experiment without tags, as a user of the server would.
func (s *Server) AddExperiment(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addExperiment(name)
}

func (s *Server) addExperiment(name string) *Experiment {
	e := &Experiment{ID: strconv.Itoa(len(s.experiments)), Name: name, Tags: map[string]string{}}
	e.Root = s.opts.ArtifactRoot + "/" + e.ID
	s.experiments = append(s.experiments, e)
	return e
}

// ChangeExperiment changes an experiment behind the back of everybody.
func (s *Server) ChangeExperiment(name string, change func(*Experiment)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.experiments {
		if e.Name == name {
			change(e)
			return
		}
	}
	s.t.Errorf("no experiment %q to change", name)
}

// SetArtifactRoot is a restart of the server with another root, which new experiments get.
func (s *Server) SetArtifactRoot(root string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.ArtifactRoot = root
}

// DeleteExperiment deletes an experiment and its runs, as a user of the server would.
func (s *Server) DeleteExperiment(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.experiments {
		if e.Name == name {
			e.Deleted = true
		}
	}
	for _, run := range s.runs {
		if e := s.experiment(run.ExperimentID); e != nil && e.Deleted {
			run.Deleted = true
		}
	}
}

// ChangeRun changes a run behind the back of everybody; the others of its fields can be set too.
func (s *Server) ChangeRun(id string, change func(*Run)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if run := s.run(id); run != nil {
		change(run)
		run.seen = nil
		return
	}
	s.t.Errorf("no run %q to change", id)
}

func (s *Server) experiment(id string) *Experiment {
	for _, e := range s.experiments {
		if e.ID == id {
			return e
		}
	}
	return nil
}

func (s *Server) run(id string) *Run {
	for _, run := range s.runs {
		if run.ID == id {
			return run
		}
	}
	return nil
}

// MakeAgain makes a run with what another one was made with, as a server does that carries out a runs/create late.
func (s *Server) MakeAgain(id string) (copied string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.run(id)
	if of == nil {
		s.t.Fatalf("no run %q to make again", id)
	}
	c := &Run{
		ID: fmt.Sprintf("%032x", len(s.runs)+1), ExperimentID: of.ExperimentID, Name: of.Name, User: of.User, Status: "RUNNING",
		Start: of.Start, Params: map[string]string{}, Tags: maps.Clone(of.Tags), Metrics: map[string][]Point{}, Artifacts: map[string][]byte{},
	}
	c.Tags["nexport.state"] = "loading"
	s.runs = append(s.runs, c)
	return c.ID
}
