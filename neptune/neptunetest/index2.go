package neptunetest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// places find what requests of Neptune 2 name by UUIDs.
type places struct {
	byUUID   map[string]*projectIndex
	entities map[string]*runIndex
	channels map[string]channel
}

// channel is an image series.
type channel struct {
	run  *runIndex
	attr *Attribute
}

// registry is what a project of Neptune 2 has beside its runs.
type registry struct {
	models, versions []*runIndex
	artifacts        map[string]Artifact // by hash
	where            []byte              // members of JSON objects that tell in which project something is
}

// entity tells a run, model, version or project of Neptune 2. All are indexed as runs.
type entity struct {
	kind string // as the API spells it; empty in Neptune 3
	uuid string
}

const (
	kindRun     = "run"
	kindModel   = "model"
	kindVersion = "modelVersion"
	kindProject = "project"
)

func (ix *index) project2(p *Project) (*projectIndex, error) {
	if ix.byUUID == nil {
		ix.places = places{map[string]*projectIndex{}, map[string]*runIndex{}, map[string]channel{}}
	}
	pi := &projectIndex{Project: p, byID: map[string]*runIndex{}, files: map[string]File{}}
	pi.artifacts, pi.where = map[string]Artifact{}, p.appendWhere(nil)
	ix.byUUID[uuid("project", p.ID())] = pi
	var err error
	if pi.runs, err = ix.addAll(pi, kindRun, p.Runs); err != nil {
		return nil, err
	}
	if pi.models, err = ix.addAll(pi, kindModel, p.Models); err != nil {
		return nil, err
	}
	if pi.versions, err = ix.addAll(pi, kindVersion, p.ModelVersions); err != nil {
		return nil, err
	}
	if _, err = ix.add2(pi, kindProject, 0, &Run{ID: p.Key, Attributes: p.Attributes}); err != nil {
		return nil, fmt.Errorf("attributes of the project: %w", err)
	}
	return pi, nil
}

func (p *Project) appendWhere(b []byte) []byte {
	b = append(b, `,"projectId":"`+uuid("project", p.ID())+`","projectName":`...)
	b = appendText(b, p.Name)
	b = append(b, `,"organizationId":"`+uuid("workspace", p.Workspace)+`","organizationName":`...)
	return appendText(b, p.Workspace)
}

func (ix *index) addAll(pi *projectIndex, kind string, runs []*Run) ([]*runIndex, error) {
	list := make([]*runIndex, 0, len(runs))
	for i, run := range runs {
		if run.ID == "" || strings.Contains(run.ID, "/") || pi.byID[run.ID] != nil {
			return nil, fmt.Errorf("%s %q: the ID is empty, has a slash or is there twice", kind, run.ID)
		}
		ri, err := ix.add2(pi, kind, i, run)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", kind, run.ID, err)
		}
		pi.byID[run.ID] = ri
		list = append(list, ri)
	}
	return list, nil
}

// add2 indexes the i-th of its kind, with its attributes sorted by path.
func (ix *index) add2(pi *projectIndex, kind string, i int, run *Run) (*runIndex, error) {
	ri := &runIndex{Run: run, project: pi, byPath: make(map[string]*Attribute, len(run.Attributes)+4)}
	ri.entity = entity{kind: kind, uuid: uuid(kind, pi.ID(), run.ID)}
	if kind == kindProject {
		ri.uuid = uuid(kind, pi.ID())
	}
	for k := range run.Attributes {
		a := &run.Attributes[k]
		if ri.byPath[a.Path] != nil || a.Path == "" {
			return nil, fmt.Errorf("attribute %q is there twice, or without a path", a.Path)
		}
		if err := checkValue2(a); err != nil {
			return nil, fmt.Errorf("attribute %q: %w", a.Path, err)
		}
		ri.add(a)
		ix.addFiles2(ri, a)
	}
	if err := ri.checkNames(); err != nil {
		return nil, err
	}
	ri.addDefaults(i)
	slices.SortFunc(ri.attrs, func(a, b *Attribute) int { return cmp.Compare(a.Path, b.Path) })
	ix.entities[ri.uuid] = ri
	return ri, nil
}

// addDefaults adds what no real run or model lacks.
func (ri *runIndex) addDefaults(i int) {
	if ri.ID != "" {
		ri.addDefault("sys/id", String(ri.ID))
	}
	ri.addDefault("sys/creation_time", Datetime(1_700_000_000_000+1000*int64(i)))
	if ri.kind != kindProject {
		ri.addDefault("sys/trashed", Bool(false))
	}
	if ri.CustomID != "" {
		ri.addDefault("sys/custom_run_id", String(ri.CustomID))
	}
	if model, _, ok := cutLast(ri.ID, 1); ok && ri.kind == kindVersion {
		ri.addDefault("sys/model_id", String(model))
	}
}

// addFiles2 gives images a channel, the lists of artifacts their place, and all files one in the storage.
func (ix *index) addFiles2(ri *runIndex, a *Attribute) {
	switch v := a.Value.(type) {
	case FileSeries:
		ix.channels[ri.channel(a)] = channel{ri, a}
	case FileSet:
		for i, f := range v.Files {
			ri.project.addFile(ri, fileKey{a.Path, i}, f)
		}
	case Artifact:
		ri.project.artifacts[v.Hash] = v
	}
	ri.project.addFiles(ri, a)
}

// channel is the ID of an image series.
func (ri *runIndex) channel(a *Attribute) string { return uuid("channel", ri.uuid, a.Path) }

func (ri *runIndex) trashed() bool {
	a := ri.byPath["sys/trashed"]
	return a != nil && a.Value == Value(Bool(true))
}

func checkValue2(a *Attribute) error {
	if _, series := a.Value.(floats); a.Config != nil && !series {
		return fmt.Errorf("a config of what is not a float series")
	}
	switch v := a.Value.(type) {
	case nil, HistogramSeries:
		return fmt.Errorf("no value, or histograms, which Neptune 2 does not have")
	case Opaque:
		if typeNames2[v.Type] || v.Type == "" {
			return fmt.Errorf("type %q has values", v.Type)
		}
	case RunState:
		if v != "running" && v != "idle" {
			return fmt.Errorf("state %q", v)
		}
	case GitRef:
		return checkObject(v)
	case NotebookRef:
		return checkObject(v)
	case FloatSeries:
		return checkPoints(v)
	case StringSeries:
		return checkPoints(v)
	case FileSeries:
		return checkPoints(v)
	}
	return nil
}

func checkObject(text []byte) error {
	var members map[string]json.RawMessage
	var compact bytes.Buffer
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return fmt.Errorf("%.100q is not a JSON object: %w", text, err)
	}
	return json.Compact(&compact, text)
}

func checkPoints[V any](points []Point[V]) error {
	for _, p := range points {
		if p.Preview {
			return fmt.Errorf("step %v is a preview, which Neptune 2 does not have", p.Step)
		}
	}
	return checkSteps(points)
}
