package neptune

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/setzip"
	"github.com/nexport-go/migrate/neptune/internal/wire2"
)

const downloadPath = "/api/leaderboard/v1/attributes/download"

// anyBytes is the media type that the Python client asks for.
const anyBytes = "application/octet-stream"

// The beginnings of FileRef.Key; what follows are the parts of joinKey.
const (
	keyFile    = "file"    // of a file attribute: its path
	keyMember  = "member"  // of a file set, out of its zip: the set's path, the member's name
	keySingle  = "single"  // of a file set, asked for alone: the set's path, the file's path
	keyImage   = "image"   // of a series: its path, the image's index
	keyList    = "list"    // of an artifact's files: its path, its hash
	keyContent = "content" // of an artifact: its file's hash, size, location
)

// joinKey makes a key that splitKey can take apart, and people can read.
func joinKey(kind string, parts ...string) string {
	key := kind
	for i, part := range parts {
		key += ":"
		if i < len(parts)-1 {
			key += strconv.Itoa(len(part)) + ":"
		}
		key += part
	}
	return key
}

// splitKey takes a key apart that has n parts.
func splitKey(key string, n int) (parts []string, ok bool) {
	_, rest, ok := strings.Cut(key, ":")
	for ; ok && n > 1; n-- {
		number, text, cut := strings.Cut(rest, ":")
		size, err := strconv.Atoi(number)
		if !cut || err != nil || size < 0 || size >= len(text) || text[size] != ':' {
			return nil, false
		}
		parts, rest = append(parts, text[:size]), text[size+1:]
	}
	return append(parts, rest), ok
}

// file sends the reference to a file.
func (p *pass2) file(a wire2.Attribute, send sender) bool {
	r := p.reader
	name := r.text(a.Name, migrate.KindFile, uploadedName(a))
	ref := migrate.FileRef{Key: joinKey(keyFile, a.Name), Name: name, MIME: mimeOf(name), Size: a.Size}
	return send(migrate.Chunk{Path: a.Name, Kind: migrate.KindFile, Values: migrate.Files{ref}})
}

// uploadedName is the name of a file as it was uploaded, without directories and with its extension.
func uploadedName(a wire2.Attribute) string {
	name := path.Base(a.FileName)
	if name == "." || name == "/" {
		name = path.Base(a.Name)
	}
	ext := strings.TrimPrefix(a.Ext, ".")
	if has := strings.TrimPrefix(path.Ext(name), "."); ext != "" && !strings.EqualFold(has, ext) && !strings.HasSuffix(name, "."+ext) {
		name += "." + ext
	}
	return name
}

// mimeOf is the media type that goes with a name's extension; empty if it is not a usual one.
func mimeOf(name string) string { return mediaTypes[strings.ToLower(path.Ext(name))] }

// mediaTypes is in words what the types of uploads are: Neptune 2 keeps extensions only.
var mediaTypes = map[string]string{
	".bmp": "image/bmp", ".css": "text/css", ".csv": "text/csv", ".gif": "image/gif", ".gz": "application/gzip", ".h5": "application/x-hdf5",
	".htm": "text/html", ".html": "text/html", ".jpeg": "image/jpeg", ".jpg": "image/jpeg", ".js": "text/javascript",
	".json": "application/json", ".md": "text/markdown", ".mp3": "audio/mpeg", ".mp4": "video/mp4", ".pdf": "application/pdf",
	".png": "image/png", ".py": "text/x-python", ".svg": "image/svg+xml", ".tar": "application/x-tar", ".tif": "image/tiff",
	".tiff": "image/tiff", ".tsv": "text/tab-separated-values", ".txt": "text/plain", ".wav": "audio/wav", ".webm": "video/webm",
	".webp": "image/webp", ".xml": "application/xml", ".yaml": "application/yaml", ".yml": "application/yaml", ".zip": "application/zip",
}

// errNoFile is about a reference that this reader did not make, or that names nothing.
var errNoFile = fmt.Errorf("the server does not say where the file is: %w", migrate.ErrNotFound)

// OpenFile opens a file. What is cut short goes on from where it was cut. The error, also of a Read, matches
// migrate.ErrNotFound, ErrUnauthorized or ErrCorrupt if the server was reached and does not give this file; others
// may still be read.
func (r *reader2) OpenFile(ctx context.Context, ref migrate.FileRef) (io.ReadCloser, error) {
	if b, ok := r.handed.bytes(ref.Key); ok {
		return io.NopCloser(bytes.NewReader(b)), nil
	}
	kind, _, _ := strings.Cut(ref.Key, ":")
	open := map[string]struct {
		parts int
		by    func(context.Context, []string, migrate.FileRef) (io.ReadCloser, error)
	}{
		keyFile: {1, r.openFile}, keyMember: {2, r.openMember}, keySingle: {2, r.openSingle}, keyImage: {2, r.openImage},
		keyList: {2, r.openList}, keyContent: {3, r.openContent},
	}[kind]
	parts, ok := splitKey(ref.Key, open.parts)
	if !ok || open.by == nil {
		return nil, errNoFile
	}
	body, err := open.by(ctx, parts, ref)
	if err != nil {
		return nil, err
	}
	return body, nil
}

// openFile opens the file of an attribute: GET /api/leaderboard/v1/attributes/download, as the Python client 1.14
// does.
func (r *reader2) openFile(ctx context.Context, parts []string, ref migrate.FileRef) (io.ReadCloser, error) {
	query, err := r.of(ctx, parts[0])
	if err != nil {
		return nil, err
	}
	return r.fetch(ctx, parts[0], downloadPath, query, ref.Size, anyBytes)
}

// openSingle opens one file of a set, by the parameter of the same call that the API's description has for it.
func (r *reader2) openSingle(ctx context.Context, parts []string, ref migrate.FileRef) (io.ReadCloser, error) {
	query, err := r.of(ctx, parts[0])
	if err != nil {
		return nil, err
	}
	query.Set("path", parts[1])
	return r.fetch(ctx, parts[0]+": "+parts[1], downloadPath, query, ref.Size, anyBytes)
}

// passes reports an error that is about one file or one set of them only, so that the run goes on.
func passes(err error) bool {
	return !errors.Is(err, migrate.ErrFatal) &&
		(refusal(err) || errors.Is(err, migrate.ErrNotFound) || errors.Is(err, migrate.ErrUnauthorized) ||
			errors.Is(err, migrate.ErrCorrupt) || errors.Is(err, setzip.ErrRefused))
}

const (
	// filesAtOnce is how many references a chunk has at most.
	filesAtOnce = 1_000
	// namesAtOnce bounds the bytes of their names.
	namesAtOnce = migrate.MaxChunkBytes / 4
)

// sendFiles sends n references in chunks, at least one. before is called before each.
func sendFiles(path string, kind migrate.Kind, n int, ref func(i int) migrate.FileRef, before func(), send sender) error {
	for i := 0; i == 0 || i < n; {
		refs, names := migrate.Files{}, 0
		for ; i < n && len(refs) < filesAtOnce && names < namesAtOnce; i++ {
			refs = append(refs, ref(i))
			names += len(refs[len(refs)-1].Key) + len(refs[len(refs)-1].Name)
		}
		before()
		if !send(migrate.Chunk{Path: path, Kind: kind, Values: refs}) {
			return errEnough
		}
		if n == 0 {
			return nil
		}
	}
	return nil
}
