package neptunetest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// index finds content by the names that requests have.
type index struct {
	generation int
	projects   []*projectIndex
	byID       map[string]*projectIndex
	places     // of Neptune 2
}

type projectIndex struct {
	*Project
	runs     []*runIndex
	byID     map[string]*runIndex
	byCustom map[string]*runIndex // of several runs with one custom ID, the first
	files    map[string]File      // by storage path
	registry                      // of Neptune 2
}

// runIndex is a run with the attributes that every run has.
type runIndex struct {
	*Run
	project *projectIndex
	attrs   []*Attribute
	byPath  map[string]*Attribute
	paths   map[fileKey]string // storage paths of files
	totals  sync.Map           // aggregates of float series by *Attribute, made when asked for
	entity                     // of Neptune 2
}

// fileKey names a file of a run: its attribute and, in a series, its place.
type fileKey struct {
	attribute string
	i         int
}

func newIndex(projects []*Project, generation int) (*index, error) {
	ix := &index{generation: generation, byID: map[string]*projectIndex{}}
	for _, p := range projects {
		if p.Workspace == "" || p.Name == "" || strings.Contains(p.Workspace+p.Name, "/") {
			return nil, fmt.Errorf("project %q: workspace and name must not be empty or have slashes", p.ID())
		}
		if ix.byID[p.ID()] != nil {
			return nil, fmt.Errorf("project %s is there twice", p.ID())
		}
		pi, err := ix.project(p)
		if err != nil {
			return nil, fmt.Errorf("project %s: %w", p.ID(), err)
		}
		ix.projects = append(ix.projects, pi)
		ix.byID[p.ID()] = pi
	}
	return ix, nil
}

func (ix *index) project(p *Project) (*projectIndex, error) {
	if ix.generation == 2 {
		return ix.project2(p)
	}
	return indexProject(p)
}

func indexProject(p *Project) (*projectIndex, error) {
	if len(p.Models)+len(p.ModelVersions)+len(p.Attributes) > 0 {
		return nil, fmt.Errorf("models, model versions and attributes of projects are of Neptune 2")
	}
	pi := &projectIndex{
		Project: p, byID: map[string]*runIndex{}, byCustom: map[string]*runIndex{}, files: map[string]File{},
	}
	for _, run := range p.Runs {
		if run.ID == "" || strings.Contains(run.ID, "/") || pi.byID[run.ID] != nil {
			return nil, fmt.Errorf("run %q: the ID is empty, has a slash or is there twice", run.ID)
		}
		ri, err := pi.indexRun(run)
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", run.ID, err)
		}
		pi.runs = append(pi.runs, ri)
		pi.byID[run.ID] = ri
		if _, there := pi.byCustom[run.CustomID]; !there && run.CustomID != "" {
			pi.byCustom[run.CustomID] = ri
		}
	}
	return pi, nil
}

func (pi *projectIndex) indexRun(run *Run) (*runIndex, error) {
	ri := &runIndex{
		Run: run, project: pi,
		attrs:  make([]*Attribute, 0, len(run.Attributes)+4),
		byPath: make(map[string]*Attribute, len(run.Attributes)+4),
	}
	for i := range run.Attributes {
		a := &run.Attributes[i]
		if ri.byPath[a.Path] != nil {
			return nil, fmt.Errorf("attribute %q is there twice", a.Path)
		}
		if err := checkValue(a.Value); err != nil {
			return nil, fmt.Errorf("attribute %q: %w", a.Path, err)
		}
		ri.add(a)
		pi.addFiles(ri, a)
	}
	if err := ri.checkNames(); err != nil {
		return nil, err
	}
	ri.addDefault("sys/id", String(run.ID))
	ri.addDefault("sys/archived", Bool(false))
	ri.addDefault("sys/trashed", Bool(false))
	if run.CustomID != "" {
		ri.addDefault("sys/custom_run_id", String(run.CustomID))
	}
	return ri, nil
}

func (ri *runIndex) add(a *Attribute) {
	ri.attrs = append(ri.attrs, a)
	ri.byPath[a.Path] = a
}

func (ri *runIndex) addDefault(path string, v Value) {
	if ri.byPath[path] == nil {
		ri.add(&Attribute{Path: path, Value: v})
	}
}

// checkNames refuses attributes that give the run another name than it has.
func (ri *runIndex) checkNames() error {
	for path, name := range map[string]string{"sys/id": ri.ID, "sys/custom_run_id": ri.CustomID} {
		if a := ri.byPath[path]; a != nil && a.Value != Value(String(name)) {
			return fmt.Errorf("attribute %s is %v, not %q as the run says", path, a.Value, name)
		}
	}
	return nil
}

func checkValue(v Value) error {
	if v == nil {
		return fmt.Errorf("no value")
	}
	if !typeNames[v.TypeName()] {
		return fmt.Errorf("type %q is not one of the API", v.TypeName())
	}
	switch v := v.(type) {
	case FloatSeries:
		return checkSteps(v)
	case StringSeries:
		return checkSteps(v)
	case FileSeries:
		return checkSteps(v)
	case HistogramSeries:
		for _, p := range v {
			if len(p.Value.Edges) != len(p.Value.Values)+1 {
				return fmt.Errorf("step %v: %d edges for %d values", p.Step, len(p.Value.Edges), len(p.Value.Values))
			}
		}
		return checkSteps(v)
	}
	return nil
}

func checkSteps[V any](points []Point[V]) error {
	for i := 1; i < len(points); i++ {
		if !(points[i-1].Step < points[i].Step) {
			return fmt.Errorf("step %v comes after step %v", points[i].Step, points[i-1].Step)
		}
	}
	return nil
}

// addFiles gives each file of the attribute a place in the storage.
func (pi *projectIndex) addFiles(ri *runIndex, a *Attribute) {
	switch v := a.Value.(type) {
	case File:
		pi.addFile(ri, fileKey{a.Path, 0}, v)
	case FileSeries:
		for i, p := range v {
			pi.addFile(ri, fileKey{a.Path, i}, p.Value)
		}
	}
}

func (pi *projectIndex) addFile(ri *runIndex, key fileKey, f File) {
	hash := sha256.Sum256([]byte(ri.ID + "\x00" + key.attribute + "\x00" + strconv.Itoa(key.i)))
	// Slashes would make segments like "..", which clients take out of links.
	name := strings.ReplaceAll(f.Name, "/", "_")
	path := "runs/" + ri.ID + "/" + hex.EncodeToString(hash[:8]) + "-" + name
	pi.files[path] = f
	if ri.paths == nil {
		ri.paths = map[fileKey]string{}
	}
	ri.paths[key] = path
}

// run finds a run by the identifier of a request: project and sys/id, or CUSTOM, project and custom ID.
func (ix *index) run(identifier string) *runIndex {
	rest, custom := strings.CutPrefix(identifier, "CUSTOM/")
	parts := strings.SplitN(rest, "/", 3)
	if len(parts) < 3 {
		return nil
	}
	pi := ix.byID[parts[0]+"/"+parts[1]]
	switch {
	case pi == nil:
		return nil
	case custom:
		return pi.byCustom[parts[2]]
	}
	return pi.byID[parts[2]]
}

// aggregates are those of a float series.
func (ri *runIndex) aggregates(a *Attribute) aggregates {
	if g, ok := ri.totals.Load(a); ok {
		return g.(aggregates)
	}
	g := aggregate(a.Value.(floats))
	ri.totals.Store(a, g)
	return g
}

// text is the value of a string attribute, empty if there is none.
func (ri *runIndex) text(path string) string {
	if a := ri.byPath[path]; a != nil {
		if s, ok := a.Value.(String); ok {
			return string(s)
		}
	}
	return ""
}

// parent is the run that this one was forked from, and the last step it has from there.
func (ri *runIndex) parent() (*runIndex, float64) {
	name := ri.text("sys/forking/parent")
	at := ri.byPath["sys/forking/step"]
	if name == "" || at == nil {
		return nil, 0
	}
	p := ri.project.byCustom[name]
	if p == nil {
		p = ri.project.byID[name]
	}
	switch step := at.Value.(type) {
	case Int:
		return p, float64(step)
	case Float:
		return p, float64(step)
	}
	return nil, 0
}

// uuid is the same for the same names each time.
func uuid(names ...string) string {
	h := sha256.Sum256([]byte(strings.Join(names, "\x00")))
	x := hex.EncodeToString(h[:16])
	return x[:8] + "-" + x[8:12] + "-4" + x[13:16] + "-8" + x[17:20] + "-" + x[20:32]
}

// escapePath escapes each segment of a path, as links have it.
func escapePath(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = strings.ReplaceAll(url.PathEscape(s), "+", "%2B")
	}
	return strings.Join(segments, "/")
}
