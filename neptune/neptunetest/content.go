package neptunetest

import (
	"bytes"
	"encoding/binary"
	"io"
)

// Project is a project and its runs.
type Project struct {
	Workspace, Name string
	Key             string // in front of the runs' numbers; only told, never checked
	Archived        bool
	Runs            []*Run

	// Of Neptune 2 alone: the registry, and the attributes of the project itself. The ID of a model is "MN-NET", that
	// of a version "MN-NET-1"; their CustomID is not used.
	Models, ModelVersions []*Run
	Attributes            []Attribute
}

// ID is how requests name the project: "workspace/name".
func (p *Project) ID() string { return p.Workspace + "/" + p.Name }

// Run is a run, or in Neptune 2 a model or a version of one. The attributes sys/id, sys/custom_run_id (unless CustomID is empty), sys/archived and
// sys/trashed (both false) are served even if they are not among Attributes. A run is a fork if it has
// sys/forking/parent, the CustomID or ID of a run of the same project, and sys/forking/step.
//
// Neptune 2 has no sys/archived and no forks. It also serves sys/creation_time, a second later for each run, and
// sys/model_id of a model version, if they are not among Attributes.
type Run struct {
	ID         string // unique in the project: "MN-1"
	CustomID   string // empty: none, which the neptune-query client cannot list
	Attributes []Attribute
}

// Attribute is one attribute of a run; no two have the same path.
type Attribute struct {
	Path   string
	Value  Value
	Config *SeriesConfig // of a float series of Neptune 2; nil: none
}

// Value is one of the types of this package: Int, Float, String, Bool, Datetime, StringSet, File,
// FloatSeries, GeneratedFloats, StringSeries, HistogramSeries, FileSeries, Opaque. Neptune 2 has no histograms, but
// FileSet, Artifact, GitRef, NotebookRef and RunState; its file series are series of images.
type Value interface {
	// TypeName is the type as the API of Neptune 3 spells it, such as "floatSeries"; that of Neptune 2 has other names
	// for File and FileSeries.
	TypeName() string
}

// The scalar types.
type (
	Int       int64
	Float     float64
	String    string
	Bool      bool
	Datetime  int64 // milliseconds since 1970, UTC
	StringSet []string
)

// Point is a point of a series. The steps of a series ascend strictly.
type Point[V any] struct {
	Step       float64
	TimeMS     int64 // since 1970, UTC
	Value      V
	Preview    bool    // not final; comes after all others
	Completion float32 // of a preview, 0 to 1; others are always complete
}

// The series types.
type (
	FloatSeries     []Point[float64]
	StringSeries    []Point[string]
	HistogramSeries []Point[Histogram]
	FileSeries      []Point[File]
)

// GeneratedFloats is a float series whose points are made when they are asked for, so that it can be longer
// than memory allows. At is called from several goroutines and gives the same point each time.
type GeneratedFloats struct {
	N  int
	At func(i int) Point[float64]
}

// Histogram has one more edge than values.
type Histogram struct {
	Type          string // "COUNTING" for counts
	Edges, Values []float64
}

// File is a file in the storage. Without Content the storage has lost it, and downloads answer 404.
type File struct {
	Name    string // the end of its path in the storage, where slashes become underscores; need not be unique
	MIME    string
	Size    int64 // as the server tells it
	Content io.ReaderAt

	Description string // of an image of Neptune 2
}

// Opaque is an attribute of a type that has no values in the API: experimentState, gitRef, complex. In Neptune 2 it is
// one of a type that clients do not know.
type Opaque struct{ Type string }

// TypeName is the API's name of the type, for this type and those below.
func (Int) TypeName() string             { return "int" }
func (Float) TypeName() string           { return "float" }
func (String) TypeName() string          { return "string" }
func (Bool) TypeName() string            { return "bool" }
func (Datetime) TypeName() string        { return "datetime" }
func (StringSet) TypeName() string       { return "stringSet" }
func (File) TypeName() string            { return "fileRef" }
func (FloatSeries) TypeName() string     { return "floatSeries" }
func (GeneratedFloats) TypeName() string { return "floatSeries" }
func (StringSeries) TypeName() string    { return "stringSeries" }
func (HistogramSeries) TypeName() string { return "histogramSeries" }
func (FileSeries) TypeName() string      { return "fileRefSeries" }
func (o Opaque) TypeName() string        { return o.Type }

// typeNames are all types of the API; another name makes neptune-query refuse the whole answer.
var typeNames = map[string]bool{
	"int": true, "float": true, "string": true, "bool": true, "datetime": true, "stringSet": true,
	"fileRef": true, "floatSeries": true, "stringSeries": true, "histogramSeries": true,
	"fileRefSeries": true, "experimentState": true, "gitRef": true, "complex": true,
}

// FileOf is a file with this content, which is kept.
func FileOf(name, mime string, content []byte) File {
	return File{Name: name, MIME: mime, Size: int64(len(content)), Content: bytes.NewReader(content)}
}

// GeneratedFile is a file of any size whose bytes follow from the seed and take no memory.
func GeneratedFile(name, mime string, size, seed int64) File {
	return File{Name: name, MIME: mime, Size: size, Content: noise(seed)}
}

// noise reads as eight bytes of splitmix64 for each position, so that any range can be made alone.
type noise uint64

func (n noise) ReadAt(p []byte, off int64) (int, error) {
	for i := 0; i < len(p); {
		var word [8]byte
		at := off + int64(i)
		binary.LittleEndian.PutUint64(word[:], mix(uint64(n)+uint64(at/8)*0x9e3779b97f4a7c15))
		i += copy(p[i:], word[at%8:])
	}
	return len(p), nil
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// floats are the points of a float series of either form.
type floats interface {
	Len() int
	Point(i int) Point[float64]
}

// Len is the number of points.
func (s FloatSeries) Len() int { return len(s) }

// Point is the i-th point.
func (s FloatSeries) Point(i int) Point[float64] { return s[i] }

// Len is the number of points.
func (s GeneratedFloats) Len() int { return s.N }

// Point is the i-th point.
func (s GeneratedFloats) Point(i int) Point[float64] { return s.At(i) }
