package neptunetest

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// worldMember is a file of a file set.
type worldMember struct {
	Path string
	worldFile
}

// worldTracked is a file of an artifact.
type worldTracked struct {
	Path, Hash, Kind string
	Size             int64
	NoSize           bool `json:"no_size"`
	Metadata         map[string]string
}

// only2 refuses in an attribute of generation 3 what there is in generation 2 alone.
func (a worldAttribute) only2() error {
	if a.Hash != nil || a.Files != nil || a.Config != nil || a.Description != "" {
		return fmt.Errorf("hash, files, config and description are of generation 2")
	}
	return nil
}

// value2 reads a value of generation 2 as its type tells.
func (w World) value2(r worldRun, a worldAttribute) (Value, error) {
	switch a.Type {
	case "int", "float", "string", "bool", "datetime", "string_set", "file":
		return w.value(r, a)
	case "float_series", "string_series", "file_series":
		if a.Points == nil {
			return nil, fmt.Errorf("no points")
		}
		return w.series(r, a)
	case "run_state", "experiment_state":
		return scalar[RunState](a.Value)
	case "git_ref":
		text, err := compacted(a.Value)
		return GitRef(text), err
	case "notebook_ref":
		text, err := compacted(a.Value)
		return NotebookRef(text), err
	case "file_set":
		return w.fileSet(r, a)
	case "artifact":
		return w.artifact(a)
	}
	return nil, fmt.Errorf("type %q is unknown", a.Type)
}

func compacted(text json.RawMessage) ([]byte, error) {
	var out bytes.Buffer
	if err := checkObject(text); err != nil {
		return nil, err
	}
	err := json.Compact(&out, text)
	return out.Bytes(), err
}

func (w World) fileSet(r worldRun, a worldAttribute) (Value, error) {
	if a.Files == nil {
		return nil, fmt.Errorf("no files")
	}
	set := FileSet{}
	for i, text := range *a.Files {
		var m worldMember
		if err := strictJSON(text, &m); err != nil {
			return nil, fmt.Errorf("file %d: %w", i, err)
		}
		if m.Path == "" || m.Name != "" {
			return nil, fmt.Errorf("file %d has no path, or a name", i)
		}
		m.Name = m.Path
		f, err := w.file(r, a.Path, m.worldFile)
		if err != nil {
			return nil, fmt.Errorf("file %q: %w", m.Path, err)
		}
		set.Files = append(set.Files, f)
	}
	return set, nil
}

func (w World) artifact(a worldAttribute) (Value, error) {
	if a.Files == nil || a.Hash == nil {
		return nil, fmt.Errorf("no files, or no hash")
	}
	out := Artifact{Hash: *a.Hash}
	for i, text := range *a.Files {
		var f worldTracked
		if err := strictJSON(text, &f); err != nil {
			return nil, fmt.Errorf("file %d: %w", i, err)
		}
		out.Files = append(out.Files, ArtifactFile{
			Path: f.Path, Hash: f.Hash, Type: f.Kind, Size: f.Size, NoSize: f.NoSize, Metadata: f.Metadata,
		})
	}
	return out, nil
}
