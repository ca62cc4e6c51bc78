package neptunetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
)

// World is how ReadWorld makes a project of a world. The zero value is usable.
type World struct {
	// Generate gives the bytes of a file of which the world has only size and seed; nil: those of GeneratedFile.
	Generate func(run, attribute string, size, seed int64) ([]byte, error)
}

// ReadWorld reads the JSON of one project, without unknown fields:
//
//	{"version":1, "generation":3, "project":"ws/proj", "project_key":"PRJ", "runs":[
//	  {"sys_id":"PRJ-1", "custom_run_id":"first", "archived":false, "attributes":[
//	    {"path":"p/i",  "type":"int",              "value":7},
//	    {"path":"p/t",  "type":"datetime",         "value":1700000000123},          milliseconds since 1970
//	    {"path":"m/l",  "type":"float_series",     "points":[[step,value,ms],[step,value,ms,{"preview":true,"completion":0.5}]]},
//	    {"path":"s/h",  "type":"histogram_series", "points":[[step,{"type":"COUNTING","edges":[],"values":[]},ms]]},
//	    {"path":"f/a",  "type":"file",             "name":"a.txt", "mime":"text/plain", "b64":"" or "size":9,"seed":1}]}]}
//
// "NaN", "Infinity" and "-Infinity" stand for floats that JSON lacks. Types are spelled as in neptune-query;
// "experiment_state" and "git_ref" have no value in the API.
func (w World) ReadWorld(text []byte) (*Project, error) {
	var in world
	if err := strictJSON(text, &in); err != nil {
		return nil, fmt.Errorf("read world: %w", err)
	}
	if in.Version != 1 || in.Generation != 3 && in.Generation != 2 {
		return nil, fmt.Errorf("read world %s: version %d of generation %d is not served here", in.Project, in.Version, in.Generation)
	}
	if in.Generation == 3 && len(in.Models)+len(in.ModelVersions)+len(in.Attributes) > 0 {
		return nil, fmt.Errorf("read world %s: models and attributes of the project are of generation 2", in.Project)
	}
	p, err := w.project(in)
	if err != nil {
		return nil, fmt.Errorf("read world %s: %w", in.Project, err)
	}
	return p, nil
}

type world struct {
	Version       int
	Generation    int
	Project       string
	Key           string `json:"project_key"`
	Runs          []worldRun
	Models        []worldRun
	ModelVersions []worldRun       `json:"model_versions"`
	Attributes    []worldAttribute `json:"project_attributes"`
}

func (w World) project(in world) (*Project, error) {
	p := &Project{Key: in.Key}
	p.Workspace, p.Name, _ = strings.Cut(in.Project, "/")
	for _, kind := range []struct {
		from []worldRun
		to   *[]*Run
	}{{in.Runs, &p.Runs}, {in.Models, &p.Models}, {in.ModelVersions, &p.ModelVersions}} {
		for _, r := range kind.from {
			run, err := w.run(r, in.Generation)
			if err != nil {
				return nil, fmt.Errorf("run %s: %w", r.SysID, err)
			}
			*kind.to = append(*kind.to, run)
		}
	}
	own, err := w.run(worldRun{SysID: in.Key, Attributes: in.Attributes}, in.Generation)
	p.Attributes = own.Attributes
	return p, err
}

type worldRun struct {
	SysID      string `json:"sys_id"`
	CustomID   string `json:"custom_run_id"`
	Archived   bool
	Attributes []worldAttribute
}

type worldAttribute struct {
	Path, Type string
	Value      json.RawMessage
	Points     *[]json.RawMessage
	Hash       *string
	Files      *[]json.RawMessage
	Config     *SeriesConfig
	worldFile
}

type worldFile struct {
	Name, MIME, Description string
	B64                     *[]byte
	Size, Seed              *int64
}

func (w World) run(r worldRun, generation int) (*Run, error) {
	run := &Run{ID: r.SysID, CustomID: r.CustomID}
	read, away := w.value3, "sys/archived"
	if generation == 2 {
		read, away = w.value2, "sys/trashed"
	}
	for _, a := range r.Attributes {
		v, err := read(r, a)
		if err != nil {
			return run, fmt.Errorf("attribute %q: %w", a.Path, err)
		}
		run.Attributes = append(run.Attributes, Attribute{Path: a.Path, Value: v, Config: a.Config})
	}
	if r.Archived && !has(run, away) {
		run.Attributes = append(run.Attributes, Attribute{Path: away, Value: Bool(true)})
	}
	return run, nil
}

func has(run *Run, path string) bool {
	for _, a := range run.Attributes {
		if a.Path == path {
			return true
		}
	}
	return false
}

// value3 reads a value of generation 3.
func (w World) value3(r worldRun, a worldAttribute) (Value, error) {
	if err := a.only2(); err != nil {
		return nil, err
	}
	return w.value(r, a)
}

// value reads the value as its type tells.
func (w World) value(r worldRun, a worldAttribute) (Value, error) {
	switch a.Type {
	case "int":
		return scalar[Int](a.Value)
	case "float":
		f, err := scalar[worldFloat](a.Value)
		return Float(f), err
	case "string":
		return scalar[String](a.Value)
	case "bool":
		return scalar[Bool](a.Value)
	case "datetime":
		return scalar[Datetime](a.Value)
	case "string_set":
		return scalar[StringSet](a.Value)
	case "experiment_state":
		return Opaque{"experimentState"}, nil
	case "git_ref":
		return Opaque{"gitRef"}, nil
	case "file":
		return w.file(r, a.Path, a.worldFile)
	}
	if a.Points == nil {
		return nil, fmt.Errorf("type %q is unknown, or without points", a.Type)
	}
	return w.series(r, a)
}

func (w World) series(r worldRun, a worldAttribute) (Value, error) {
	switch a.Type {
	case "float_series":
		points, err := readPoints(*a.Points, func(f worldFloat) (float64, error) { return float64(f), nil })
		return FloatSeries(points), err
	case "string_series":
		points, err := readPoints(*a.Points, func(s string) (string, error) { return s, nil })
		return StringSeries(points), err
	case "histogram_series":
		points, err := readPoints(*a.Points, readHistogram)
		return HistogramSeries(points), err
	case "file_series":
		points, err := readPoints(*a.Points, func(f worldFile) (File, error) { return w.file(r, a.Path, f) })
		return FileSeries(points), err
	}
	return nil, fmt.Errorf("type %q is unknown", a.Type)
}

func scalar[T any](raw json.RawMessage) (v T, err error) {
	if raw == nil {
		return v, fmt.Errorf("no value")
	}
	return v, json.Unmarshal(raw, &v)
}

// readPoints reads [step, value, milliseconds] with, for some, a fourth member about previews.
// A world may list the steps in any order.
func readPoints[J, V any](raw []json.RawMessage, convert func(J) (V, error)) ([]Point[V], error) {
	points := make([]Point[V], 0, len(raw))
	for i, text := range raw {
		var step worldFloat
		var value J
		var preview struct {
			Preview    bool
			Completion float32
		}
		p := Point[V]{}
		members := []any{&step, &value, &p.TimeMS, &preview}
		if err := readArray(text, members, 3); err != nil {
			return nil, fmt.Errorf("point %d: %w", i, err)
		}
		v, err := convert(value)
		if err != nil {
			return nil, fmt.Errorf("point %d: %w", i, err)
		}
		p.Step, p.Value, p.Preview, p.Completion = float64(step), v, preview.Preview, preview.Completion
		points = append(points, p)
	}
	sort.SliceStable(points, func(i, j int) bool { return points[i].Step < points[j].Step })
	return points, nil
}

// readArray reads the members of an array, of which least have to be there.
func readArray(text json.RawMessage, members []any, least int) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	if len(raw) < least || len(raw) > len(members) {
		return fmt.Errorf("%d members", len(raw))
	}
	for i, r := range raw {
		if err := strictJSON(r, members[i]); err != nil {
			return err
		}
	}
	return nil
}

type worldHistogram struct {
	Type          string
	Edges, Values []worldFloat
}

func readHistogram(h worldHistogram) (Histogram, error) {
	out := Histogram{Type: h.Type}
	for _, f := range h.Edges {
		out.Edges = append(out.Edges, float64(f))
	}
	for _, f := range h.Values {
		out.Values = append(out.Values, float64(f))
	}
	return out, nil
}

func (w World) file(r worldRun, attribute string, f worldFile) (File, error) {
	out, err := w.content(r, attribute, f)
	out.Description = f.Description
	return out, err
}

func (w World) content(r worldRun, attribute string, f worldFile) (File, error) {
	switch {
	case f.B64 != nil:
		return FileOf(f.Name, f.MIME, *f.B64), nil
	case f.Size == nil || f.Seed == nil || *f.Size < 0:
		return File{}, fmt.Errorf("a file without content, or with a negative size")
	case w.Generate == nil:
		return GeneratedFile(f.Name, f.MIME, *f.Size, *f.Seed), nil
	}
	content, err := w.Generate(r.SysID, attribute, *f.Size, *f.Seed)
	return FileOf(f.Name, f.MIME, content), err
}

// worldFloat is a number or the name of one that JSON lacks.
type worldFloat float64

// UnmarshalJSON reads either form.
func (f *worldFloat) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case `"NaN"`:
		*f = worldFloat(math.NaN())
	case `"Infinity"`:
		*f = worldFloat(math.Inf(1))
	case `"-Infinity"`:
		*f = worldFloat(math.Inf(-1))
	default:
		v, err := strconv.ParseFloat(string(text), 64)
		*f = worldFloat(v)
		return err
	}
	return nil
}

func strictJSON(text []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}
