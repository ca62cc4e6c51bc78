package convert

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/nexport-go/migrate"
)

const (
	// SidecarName is the artifact that says what is where. Artifacts never gives it away.
	SidecarName    = "nexport.jsonl"
	sidecarFormat  = "nexport-run"
	sidecarVersion = 1
)

// Header is the first line of a sidecar.
type Header struct {
	Format     string `json:"format"`  // "nexport-run"; AppendHeader sets it
	Version    int    `json:"version"` // 1; AppendHeader sets it
	Project    string `json:"project"`
	Scope      string `json:"scope"` // ScopeName
	RunID      string `json:"run_id"`
	SysID      string `json:"sys_id,omitempty"`
	Multiplier string `json:"step_multiplier"`
}

// HeaderOf fills a Header for a run.
func HeaderOf(run migrate.RunInfo, m Multiplier) Header {
	return Header{
		Format: sidecarFormat, Version: sidecarVersion, Project: run.Project, Scope: ScopeName(run.Scope),
		RunID: run.ID, SysID: run.SysID, Multiplier: m.String(),
	}
}

// AppendHeader appends the first line of a sidecar.
func AppendHeader(b []byte, h Header) []byte {
	h.Format, h.Version = sidecarFormat, sidecarVersion
	return appendLine(b, h)
}

// Attribute is a line of a sidecar that says where an attribute is. The lists of one with many
// files may be spread over several lines with the same Path and Kind; they continue each other.
type Attribute struct {
	Path string       `json:"path"`
	Kind migrate.Kind `json:"kind"`
	// PathBase64 has the exact bytes of a Path that is not valid UTF-8. AppendAttribute and
	// ReadSidecar take care of it.
	PathBase64 []byte `json:"path_base64,omitempty"`

	Param     string   `json:"param,omitempty"`     // key of the param
	Metric    string   `json:"metric,omitempty"`    // key of the metric
	Artifacts []string `json:"artifacts,omitempty"` // paths; "" where the source had no bytes
	// Names are the original names of the members of a file set, of the files of an artifact or a
	// file series, one for each of Artifacts. AppendAttribute leaves them out where each of Artifacts
	// is Path, "/" and the name, or where no file of a series has one; ReadSidecar adds them again for
	// sets and artifacts.
	Names []string `json:"names,omitempty"`
	// NamesBase64 stands instead of Names if one of them is not valid UTF-8. AppendAttribute and
	// ReadSidecar take care of it.
	NamesBase64 [][]byte `json:"names_base64,omitempty"`

	// Descriptions of the files of a series, one for each of Artifacts; left out if all are empty.
	Descriptions []string `json:"descriptions,omitempty"`

	Steps []string `json:"steps,omitempty"` // of a file series, exact decimals, one for each of Artifacts
	Times []*int64 `json:"times,omitempty"` // of a file series: ms, or null where a point has none

	Base64     []byte   `json:"base64,omitempty"`      // exact bytes of a string that Clean had to change
	Base64List [][]byte `json:"base64_list,omitempty"` // the same for each string of a set
	Points     int64    `json:"points,omitempty"`      // number of points of a series
}

// KeepExact stores the exact bytes of the scalar v[i] in the line if Clean has to change its text.
func (a *Attribute) KeepExact(v migrate.Values, i int) {
	if _, exact := Clean(Param(v, i)); exact {
		return
	}
	switch v := v.(type) {
	case migrate.Strings:
		a.Base64 = []byte(v[i])
	case migrate.StringSets:
		a.Base64List = bytesOf(v[i])
	}
}

func bytesOf(list []string) [][]byte {
	out := make([][]byte, len(list))
	for i, s := range list {
		out[i] = []byte(s)
	}
	return out
}

// AddFile adds a file of a series, of which ref has the name and the description.
func (a *Attribute) AddFile(artifact string, ref migrate.FileRef, step migrate.Step, ms int64) {
	a.AddMember(artifact, ref.Name)
	a.Descriptions = append(a.Descriptions, ref.Description)
	a.Steps = append(a.Steps, step.String())
	if ms == migrate.NoTime {
		a.Times = append(a.Times, nil)
	} else {
		a.Times = append(a.Times, &ms)
	}
}

// AddMember adds a member of a file set, or a file of an artifact.
func (a *Attribute) AddMember(artifact, name string) {
	a.Artifacts = append(a.Artifacts, artifact)
	a.Names = append(a.Names, name)
}

// AppendAttribute appends an attribute's line. Names that follow from Artifacts are left out.
func AppendAttribute(b []byte, a Attribute) []byte {
	if !utf8.ValidString(a.Path) {
		a.PathBase64 = []byte(a.Path)
	}
	if plainNames(a) || allEmpty(a.Names) && a.Kind == migrate.KindFileSeries {
		a.Names = nil
	}
	if allEmpty(a.Descriptions) {
		a.Descriptions = nil
	}
	if slices.ContainsFunc(a.Names, func(name string) bool { return !utf8.ValidString(name) }) {
		a.Names, a.NamesBase64 = nil, bytesOf(a.Names)
	}
	return appendLine(b, a)
}

func allEmpty(texts []string) bool {
	return !slices.ContainsFunc(texts, func(s string) bool { return s != "" })
}

func plainNames(a Attribute) bool {
	if len(a.Names) != len(a.Artifacts) {
		return false
	}
	for i, name := range a.Names {
		if a.Artifacts[i] != a.Path+"/"+name {
			return false
		}
	}
	return true
}

// ExactPoint is a point of a metric that the server holds differently.
type ExactPoint struct {
	Index int64 // position in the series, in step order, from 0
	Step  migrate.Step
	Time  int64 // ms, or NoTime
	Value float64
}

// AppendExact appends a line with exact points of the metric of path. A series may have several
// such lines, before or after its attribute's.
func AppendExact(b []byte, path string, points []ExactPoint) []byte {
	text, _ := json.Marshal(path) // a string always has a JSON form
	b = append(append(b, `{"path":`...), text...)
	if !utf8.ValidString(path) {
		raw, _ := json.Marshal([]byte(path))
		b = append(append(b, `,"path_base64":`...), raw...)
	}
	b = append(b, `,"exact":[`...)
	for i, p := range points {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendExactPoint(b, p)
	}
	return append(b, "]}\n"...)
}

func appendExactPoint(b []byte, p ExactPoint) []byte {
	b = strconv.AppendInt(append(b, '['), p.Index, 10)
	b = p.Step.Append(append(b, `,"`...))
	b = append(b, `",`...)
	if p.Time == migrate.NoTime {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, p.Time, 10)
	}
	b = append(append(b, `,"`...), valueText(p.Value)...)
	return append(b, `"]`...)
}

// appendLine appends v as a line of JSON without HTML's escapes.
func appendLine(b []byte, v any) []byte {
	buf := bytes.NewBuffer(b)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // only for types that have no JSON form; ours have
	}
	return buf.Bytes()
}
