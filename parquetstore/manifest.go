package parquetstore

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
	"unicode/utf8"

	migrate "github.com/nexport-go/migrate"
)

// ManifestFormat is the version of Manifest that this package writes. It reads no later ones.
const ManifestFormat = 1

// Manifest is the completion record of a run: the JSON file <run>-<digest>_manifest.json. Fields that
// are not known are ignored.
type Manifest struct {
	Format  int       `json:"format"`           // ManifestFormat
	Tool    string    `json:"tool"`             // "nexport v1.2.3"
	Source  string    `json:"source,omitempty"` // Config.Source
	Written time.Time `json:"written"`

	Run         ManifestRun    `json:"run"`
	SourceState string         `json:"source_state"`         // how far the source's copy could be trusted: a migrate.State
	Selections  []Selected     `json:"selections,omitempty"` // what was read of the run, together; none: all of it
	Attributes  ManifestCounts `json:"attributes"`           // by type
	Points      ManifestCounts `json:"points"`               // of series, by type

	Parts    []ManifestPart `json:"parts"`               // by number
	FilesDir string         `json:"files_dir,omitempty"` // of the run's files, below <files>/<project>
	Files    []ManifestFile `json:"files"`

	Complete bool              `json:"complete"`          // nothing that the source has of the run is missing
	Reasons  []string          `json:"reasons,omitempty"` // why it is not complete
	Problems []migrate.Problem `json:"problems,omitempty"`
}

// ManifestCounts are numbers by attribute type.
type ManifestCounts map[migrate.Kind]int64

// ManifestRun identifies a run and keeps what a listing tells of it.
type ManifestRun struct {
	Project  string        `json:"project_id"`
	ID       string        `json:"run_id"`
	Scope    migrate.Scope `json:"scope,omitempty"` // "model" or "model_version"
	SysID    string        `json:"sys_id,omitempty"`
	Name     string        `json:"name,omitempty"`
	Parent   string        `json:"parent,omitempty"`
	Created  time.Time     `json:"created,omitzero"`
	Modified time.Time     `json:"modified,omitzero"`
}

// ManifestPart is one Parquet file.
type ManifestPart struct {
	Rows   int64  `json:"rows"`
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // hexadecimal
	Wide   bool   `json:"wide_steps,omitempty"`
}

// ManifestFile is one file, and what the rows have no column for.
type ManifestFile struct {
	Path        string        `json:"path,omitempty"` // as in the rows; empty if there are no bytes
	Attribute   string        `json:"attribute"`
	Kind        migrate.Kind  `json:"type"`
	Name        string        `json:"name,omitempty"`        // migrate.FileRef.Name
	NameBytes   []byte        `json:"name_base64,omitempty"` // the exact Name, if it is not valid UTF-8
	Description string        `json:"description,omitempty"` // migrate.FileRef.Description
	MIME        string        `json:"mime,omitempty"`
	Size        int64         `json:"size"`             // bytes; -1 if unknown
	SHA256      string        `json:"sha256,omitempty"` // hexadecimal
	Step        *migrate.Step `json:"step,omitempty"`
}

// manifestFile records what a source says of a file.
func manifestFile(c migrate.Chunk, ref migrate.FileRef) ManifestFile {
	f := ManifestFile{
		Attribute: c.Path, Kind: c.Kind, Name: ref.Name, Description: ref.Description, MIME: ref.MIME, Size: ref.Size,
	}
	if !utf8.ValidString(ref.Name) { // of a member that was packed on an old system
		f.NameBytes = []byte(ref.Name)
	}
	return f
}

// ref is what was known of the file, without its key.
func (f *ManifestFile) ref() migrate.FileRef {
	ref := migrate.FileRef{Name: f.Name, Description: f.Description, MIME: f.MIME, Size: f.Size}
	if f.NameBytes != nil {
		ref.Name = string(f.NameBytes)
	}
	return ref
}

func manifestRun(info migrate.RunInfo) ManifestRun {
	return ManifestRun{
		Project: info.Project, ID: info.ID, Scope: info.Scope, SysID: info.SysID, Name: info.Name,
		Parent: info.Parent, Created: info.Created, Modified: info.Modified,
	}
}

// info is what a listing says of the run.
func (m *Manifest) info() migrate.RunInfo {
	r := m.Run
	info := migrate.RunInfo{
		RunRef: migrate.RunRef{Project: r.Project, ID: r.ID, Scope: r.Scope},
		SysID:  r.SysID, Name: r.Name, Parent: r.Parent, Created: r.Created, Modified: r.Modified,
		State: migrate.Partial,
	}
	for _, p := range m.Parts {
		info.Size += p.Size
	}
	if m.Complete {
		info.State = migrate.Complete
	}
	return info
}

// readManifest reads a manifest below root. The error matches fs.ErrNotExist or ErrCorrupt.
func readManifest(root *os.Root, name string) (*Manifest, error) {
	f, err := openRegular(root, name)
	if err != nil {
		return nil, fmt.Errorf("open manifest: %w", err)
	}
	defer f.Close()
	m := &Manifest{}
	if err := json.NewDecoder(bufio.NewReader(f)).Decode(m); err != nil {
		return nil, corrupt("manifest %q: %v", name, err)
	}
	if m.Format < 1 || m.Format > ManifestFormat {
		return nil, corrupt("manifest %q has format %d; this version of nexport knows those up to %d", name, m.Format, ManifestFormat)
	}
	return m, nil
}

func writeManifest(w io.Writer, m *Manifest) error {
	buf := bufio.NewWriter(w)
	enc := json.NewEncoder(buf)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	return errors.Join(enc.Encode(m), buf.Flush())
}

// ifThere turns the absence of a file into nil.
func ifThere(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
