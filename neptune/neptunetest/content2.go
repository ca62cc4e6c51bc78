package neptunetest

import "encoding/json"

// SeriesConfig is what Neptune 2 keeps of a float series beside its points.
type SeriesConfig struct {
	Unit     string
	Min, Max *float64 // of a chart; nil: none
}

// FileSet is a tree of files. The names of Files are their paths, with slashes; those without Content are listed but
// in no zip.
type FileSet struct {
	Files []File
	Zip   []byte // what clients get instead of a zip of Files, be it one or not; nil: that of Files
}

// Artifact is a list of files that lie elsewhere. Artifacts of one project that have the same Hash have the same list.
type Artifact struct {
	Hash  string
	Files []ArtifactFile
}

// ArtifactFile is one file of an artifact. Its metadata says where it is: "file_path" of a Local one is its URL
// "file:///...", "location" of one in S3 is "s3://bucket/key".
type ArtifactFile struct {
	Path, Hash string // SHA-1 in hexadecimal; in S3 the ETag
	Type       string // "Local" (also if empty) or "S3"
	Size       int64
	NoSize     bool // the server does not tell the size
	Metadata   map[string]string
}

// What Neptune 2 has and clients of Neptune 3 cannot read: the JSON object as the server tells it, without
// attributeName and attributeType.
type (
	GitRef      json.RawMessage
	NotebookRef json.RawMessage
)

// RunState is "running" or "idle".
type RunState string

// TypeName is the API's name of the type, for this type and those below.
func (FileSet) TypeName() string     { return "fileSet" }
func (Artifact) TypeName() string    { return "artifact" }
func (GitRef) TypeName() string      { return "gitRef" }
func (NotebookRef) TypeName() string { return "notebookRef" }
func (RunState) TypeName() string    { return "experimentState" }

// typeNames2 are the types of the API of Neptune 2 that its clients know.
var typeNames2 = map[string]bool{
	"int": true, "float": true, "string": true, "bool": true, "datetime": true, "stringSet": true, "file": true,
	"fileSet": true, "artifact": true, "floatSeries": true, "stringSeries": true, "imageSeries": true,
	"gitRef": true, "notebookRef": true, "experimentState": true,
}

// typeName is the type as the run's server spells it.
func (ri *runIndex) typeName(v Value) string {
	if ri.kind == "" {
		return v.TypeName()
	}
	switch v.(type) {
	case File:
		return "file"
	case FileSeries:
		return "imageSeries"
	}
	return v.TypeName()
}

// size is that of all files together.
func (v FileSet) size() (n int64) {
	for _, f := range v.Files {
		n += f.Size
	}
	return n
}
