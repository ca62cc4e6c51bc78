package neptune

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/repeat"
	"github.com/nexport-go/migrate/neptune/internal/wire3"
)

// file is the reference to a file's bytes. Its key is the path in the server's storage.
func (r *reader3) file(attr string, kind migrate.Kind, f wire3.FileRef) migrate.FileRef {
	ref := migrate.FileRef{Key: f.Path, Name: fileName(attr, f), MIME: r.text(attr, kind, f.MIME), Size: f.Size}
	if ref.Size <= 0 { // the answer does not tell an empty file from one of unknown size
		ref.Size = -1
	}
	if ref.Key == "" {
		r.notef(attr, kind, migrate.CodeMissing, "the server does not say where the file is")
	}
	return ref
}

// fileName is the last part of an attribute's path, with the extension that goes with the file's type
// if it has none.
func fileName(attr string, f wire3.FileRef) string {
	name := path.Base(attr)
	if ext := path.Ext(name); ext != "" && ext != name && len(ext) <= 10 {
		return name
	}
	media, _, _ := strings.Cut(f.MIME, ";")
	if ext, ok := extensions[strings.ToLower(strings.TrimSpace(media))]; ok {
		return name + ext
	}
	return name
}

// extensions are the usual ones. The system's own table would make names depend on where an export is
// made.
var extensions = map[string]string{
	"application/gzip": ".gz", "application/javascript": ".js", "application/json": ".json",
	"application/octet-stream": ".bin", "application/pdf": ".pdf", "application/x-hdf5": ".h5",
	"application/x-tar": ".tar", "application/x-yaml": ".yaml", "application/xml": ".xml", "application/yaml": ".yaml",
	"application/zip": ".zip", "audio/mpeg": ".mp3", "audio/wav": ".wav", "audio/x-wav": ".wav",
	"image/bmp": ".bmp", "image/gif": ".gif", "image/jpeg": ".jpg", "image/png": ".png", "image/svg+xml": ".svg",
	"image/tiff": ".tiff", "image/webp": ".webp", "text/css": ".css", "text/csv": ".csv", "text/html": ".html",
	"text/javascript": ".js", "text/markdown": ".md", "text/plain": ".txt", "text/tab-separated-values": ".tsv",
	"text/x-python": ".py", "text/xml": ".xml", "video/mp4": ".mp4", "video/mpeg": ".mpeg", "video/webm": ".webm",
}

// OpenFile opens a file by a signed link. What is cut short goes on from where it was cut, and a
// link that has expired is replaced. The error, also of a Read, matches migrate.ErrNotFound, ErrUnauthorized or ErrCorrupt
// if the storage was reached and does not give this file; others may still be read.
func (r *reader3) OpenFile(ctx context.Context, ref migrate.FileRef) (io.ReadCloser, error) {
	if ref.Key == "" {
		return nil, fmt.Errorf("the server does not say where the file is: %w", migrate.ErrNotFound)
	}
	d := &download{
		ctx: ctx, core: r.source.core, origin: &linkedFile{links: r.links, storage: r.source.storage, path: ref.Key},
		notes: &r.notes, name: ref.Key, length: ref.Size, size: -1,
	}
	if err := d.open(); err != nil {
		return nil, ofFile(err)
	}
	return d, nil
}

// linkedFile is a file behind a signed link.
type linkedFile struct {
	links   *links
	storage *http.Client
	path    string
	url     string // empty: none yet
	anew    bool   // the last one did not do
}

func (f *linkedFile) request(ctx context.Context) (*http.Request, error) {
	if f.url == "" || f.anew {
		address, err := f.links.get(ctx, f.path, f.anew)
		if err != nil {
			return nil, &repeat.Permanent{Err: err} // was repeated already
		}
		f.url, f.anew = address, false
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url, nil)
	if err != nil {
		return nil, &repeat.Permanent{Err: errors.New("the server gives a link that is no URL")}
	}
	return request, nil
}

func (f *linkedFile) do(request *http.Request) (*http.Response, error) { return f.storage.Do(request) }

func (f *linkedFile) stale(err error) bool {
	f.anew = expired(err)
	return f.anew
}

// answered leaves out what a storage says: XML that repeats the link.
func (f *linkedFile) answered(e *APIError, _ *http.Response) {
	e.storage, e.Message, e.Hint = true, "", ""
}

// expired reports an answer that storages give for a link that is too old: 403 of S3 and Google, 401
// or 403 of Azure, 400 and 410 of others.
func expired(err error) bool {
	var api *APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.Status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusGone:
		return true
	}
	return false
}
