package neptune

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/contents"
	"github.com/nexport-go/migrate/neptune/internal/wire2"
)

const (
	// listName is what the official tool calls the list of an artifact's files.
	listName = "files_list.json"
	// maxKeptList is the largest list that is kept until it is asked for.
	maxKeptList = 4 << 20
	// checksAtOnce is how many files of an artifact are looked for at the same time.
	checksAtOnce = 8
	// namedElsewhere is how many locations the note about files that were not reached names.
	namedElsewhere = 3
)

// artifact sends the hash, then the list of the files, and those files that are where it says and are the same
// since.
func (p *pass2) artifact(ctx context.Context, a wire2.Attribute, send sender) error {
	r := p.reader
	hash := migrate.Strings{r.text(a.Name, migrate.KindArtifact, a.Hash)}
	if !send(migrate.Chunk{Path: a.Name, Kind: migrate.KindArtifact, Values: hash}) {
		return errEnough
	}
	files, err := r.artifactFiles(ctx, a.Hash)
	if err != nil {
		if !passes(err) {
			return err
		}
		r.notef(a.Name, migrate.KindArtifact, migrate.CodeUnreadable, "only its hash is there, the server does not list its files: %v", err)
		return nil
	}
	list := listJSON(files)
	refs := migrate.Files{{Key: joinKey(keyList, a.Name, a.Hash), Name: listName, MIME: "application/json", Size: int64(len(list))}}
	if len(list) <= maxKeptList {
		r.handed.keep(refs[0].Key, list)
	}
	found, err := r.contents(ctx, a.Name, files)
	if err != nil {
		return err
	}
	refs = append(refs, found...)
	return sendFiles(a.Name, migrate.KindArtifact, len(refs), func(i int) migrate.FileRef { return refs[i] }, func() {}, send)
}

// artifactFiles lists the files of an artifact: GET /api/artifacts/v1/artifact/files, as the Python client 1.14
// does.
func (r *reader2) artifactFiles(ctx context.Context, hash string) (files []wire2.ArtifactFile, err error) {
	project, err := r.source.project(ctx, r.run.Project)
	if err != nil {
		return nil, err
	}
	err = r.source.do(ctx, call{
		op: "list the files of the artifact " + hash, method: http.MethodGet, url: "/api/artifacts/v1/artifact/files",
		query:  url.Values{"projectIdentifier": {project}, "hash": {hash}},
		header: http.Header{"X-Neptune-Artifact-Api-Version": {"2"}},
		read: func(b []byte) (err error) {
			files, err = wire2.ArtifactFiles(b)
			return err
		},
	})
	return files, err
}

// listJSON is the list as a file: JSON as the official tool writes it, a file on each line.
func listJSON(files []wire2.ArtifactFile) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	b.WriteByte('[')
	for i, f := range files {
		if i > 0 {
			b.Truncate(b.Len() - 1) // the encoder ends each with a newline
			b.WriteString(",\n")
		}
		if err := encoder.Encode(f); err != nil {
			panic(err) // strings and numbers can be encoded
		}
	}
	if len(files) > 0 {
		b.Truncate(b.Len() - 1)
	}
	b.WriteByte(']')
	return b.Bytes()
}

// openList gives the list again.
func (r *reader2) openList(ctx context.Context, parts []string, _ migrate.FileRef) (io.ReadCloser, error) {
	files, err := r.artifactFiles(ctx, parts[1])
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(listJSON(files))), nil
}

// location is where a file was when it was logged.
func location(f wire2.ArtifactFile) string {
	if f.Type == "S3" {
		return f.Value("location")
	}
	return f.Value("file_path")
}

// contents looks which files of an artifact can be had, and notes which cannot.
func (r *reader2) contents(ctx context.Context, attr string, files []wire2.ArtifactFile) (migrate.Files, error) {
	reasons := make([]error, len(files))
	if r.source.cfg.NoArtifactContents {
		for i := range reasons {
			reasons[i] = errNotAsked
		}
	} else if err := r.check(ctx, files, reasons); err != nil {
		return nil, err
	}
	names := newNames(&r.notes, attr, migrate.KindArtifact)
	defer names.end()
	var refs migrate.Files
	for i, f := range files {
		if reasons[i] == nil {
			name := names.take(f.Path)
			key := joinKey(keyContent, f.Hash, strconv.FormatInt(f.Bytes(), 10), location(f))
			refs = append(refs, migrate.FileRef{Key: key, Name: name, MIME: mimeOf(name), Size: f.Bytes()})
		}
	}
	r.noteElsewhere(attr, files, reasons)
	return refs, nil
}

var errNotAsked = errors.New("not asked for")

// check finds out of each file why it cannot be had; nil if it can.
func (r *reader2) check(ctx context.Context, files []wire2.ArtifactFile, reasons []error) error {
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(checksAtOnce)
	for i, f := range files {
		group.Go(func() error {
			reasons[i] = r.source.contents.Check(within, contents.File{Location: location(f), Hash: f.Hash, Size: f.Bytes()})
			if within.Err() != nil {
				return context.Cause(within)
			}
			return nil
		})
	}
	return group.Wait()
}

// noteElsewhere says of how many files only the location is known.
func (r *reader2) noteElsewhere(attr string, files []wire2.ArtifactFile, reasons []error) {
	r.noteLater(attr, files, reasons)
	var some []string
	count := 0
	for i, f := range files {
		if reasons[i] == nil || errors.Is(reasons[i], contents.ErrLater) {
			continue
		}
		if count++; count > namedElsewhere {
			continue
		}
		where := location(f)
		if where == "" {
			where = f.Path
		}
		some = append(some, fmt.Sprintf("%q (%v)", where, reasons[i]))
	}
	if count == 0 {
		return
	}
	if count > namedElsewhere {
		some = append(some, "…")
	}
	r.notef(attr, migrate.KindArtifact, migrate.CodeElsewhere,
		"Neptune holds no contents of artifacts, and %d of its %d files were not reached where they were: %s", count, len(files), strings.Join(some, ", "))
}

// noteLater says of how many files it is not known whether they can be had. This is a loss, so that a later export asks again.
func (r *reader2) noteLater(attr string, files []wire2.ArtifactFile, reasons []error) {
	count, first := 0, -1
	for i, reason := range reasons {
		if errors.Is(reason, contents.ErrLater) {
			if count++; first < 0 {
				first = i
			}
		}
	}
	if count > 0 {
		r.notef(attr, migrate.KindArtifact, migrate.CodeUnreadable,
			"%d of its %d files could not be looked for, such as %q: %v", count, len(files), location(files[first]), reasons[first])
	}
}

// openContent opens a file of an artifact where it lies.
func (r *reader2) openContent(ctx context.Context, parts []string, _ migrate.FileRef) (io.ReadCloser, error) {
	size, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || r.source.cfg.NoArtifactContents {
		return nil, errNoFile
	}
	body, err := r.source.contents.Open(ctx, contents.File{Hash: parts[0], Size: size, Location: parts[2]})
	if err != nil {
		return nil, fmt.Errorf("%s: %w; %w", parts[2], err, migrate.ErrNotFound)
	}
	return &contentReader{ReadCloser: body, location: parts[2]}, nil
}

// contentReader says whose bytes ended with an error.
type contentReader struct {
	io.ReadCloser
	location string
}

func (c *contentReader) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%s: %w; %w", c.location, err, migrate.ErrCorrupt)
	}
	return n, err
}
