package neptune

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/repeat"
	"github.com/nexport-go/migrate/neptune/internal/wire3"
)

// file is the reference to a file's bytes. Its key is the path in the server's storage.
func (r *reader) file(attr string, kind migrate.Kind, f wire3.FileRef) migrate.FileRef {
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
func (r *reader) OpenFile(ctx context.Context, ref migrate.FileRef) (io.ReadCloser, error) {
	if ref.Key == "" {
		return nil, fmt.Errorf("the server does not say where the file is: %w", migrate.ErrNotFound)
	}
	d := &download{ctx: ctx, reader: r, ref: ref, size: -1}
	if err := d.open(); err != nil {
		return nil, ofFile(err)
	}
	return d, nil
}

// ofFile marks what the storage answers to this request only, and has answered to all its repeats.
func ofFile(err error) error {
	var api *APIError
	if errors.As(err, &api) && api.storage && refusal(err) && !errors.Is(err, migrate.ErrNotFound) && !errors.Is(err, migrate.ErrUnauthorized) {
		return fmt.Errorf("%w; %w", err, migrate.ErrCorrupt)
	}
	return err
}

const (
	// maxLinks is how often a link is replaced without a byte having come by the one before.
	maxLinks = 3
	// maxStalls is how often a transfer is taken up again without a byte having come.
	maxStalls = 5
)

// download reads a file over as many requests as it takes.
type download struct {
	ctx    context.Context
	reader *reader
	ref    migrate.FileRef

	url    string
	tag    string // ETag of the first answer: a file that changes must not be put together from two
	off    int64
	size   int64 // as the storage says; -1: it does not
	stalls int
	body   io.ReadCloser
	idle   *idle
	err    error
}

// open sends a request for what is still to come.
func (d *download) open() error {
	r, renewed := d.reader, 0
	return r.source.api.retry.do(d.ctx, func() error {
		for anew := false; ; anew = true {
			if d.url == "" || anew {
				address, err := r.links.get(d.ctx, d.ref.Key, anew)
				if err != nil {
					return &repeat.Permanent{Err: err} // was repeated already
				}
				d.url = address
			}
			err := d.attempt()
			if !expired(err) || renewed == maxLinks {
				return err
			}
			renewed++
		}
	})
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

func (d *download) attempt() error {
	ctx, idle := watch(d.ctx, d.reader.source.cfg.Timeout)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		idle.stop()
		return &repeat.Permanent{Err: errors.New("the server gives a link that is no URL")}
	}
	request.Header.Set("User-Agent", "nexport")
	request.Header.Set("Accept-Encoding", "identity") // the bytes as they were uploaded
	if d.off > 0 {
		request.Header.Set("Range", "bytes="+strconv.FormatInt(d.off, 10)+"-")
		if d.tag != "" {
			request.Header.Set("If-Range", d.tag)
		}
	}
	response, err := d.reader.source.storage.Do(request)
	if err != nil {
		err = fmt.Errorf("download file %q: %w", d.ref.Key, redact(idle.explain(err)))
		idle.stop()
		return err
	}
	body := &idleReader{response.Body, idle}
	if err := d.accept(request, response, body); err != nil {
		response.Body.Close()
		idle.stop()
		return err
	}
	d.idle = idle
	d.body = struct {
		io.Reader
		io.Closer
	}{body, response.Body}
	return nil
}

// accept checks that an answer goes on where the last one ended.
func (d *download) accept(request *http.Request, response *http.Response, body io.Reader) error {
	switch {
	case response.StatusCode == http.StatusPartialContent && d.off > 0:
		from, size, ok := contentRange(response.Header.Get("Content-Range"))
		if !ok || from != d.off || size >= 0 && d.size >= 0 && size != d.size {
			return &repeat.Permanent{Err: fmt.Errorf("download file %q: the storage answers with another part than asked for", d.ref.Key)}
		}
		return nil
	case response.StatusCode == http.StatusOK && d.off == 0:
		d.size, d.tag = response.ContentLength, strongTag(response.Header.Get("ETag"))
		return nil
	case response.StatusCode == http.StatusOK:
		if tag := strongTag(response.Header.Get("ETag")); tag != d.tag || d.size >= 0 && response.ContentLength >= 0 && response.ContentLength != d.size {
			return &repeat.Permanent{Err: fmt.Errorf("download file %q: it changed while it was read, start again", d.ref.Key)}
		}
		if _, err := io.CopyN(io.Discard, body, d.off); err != nil {
			return fmt.Errorf("download file %q: %w", d.ref.Key, err)
		}
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(body, maxErrorBody))
	e := failure(fmt.Sprintf("download file %q", d.ref.Key), request, response, text)
	e.storage, e.Message, e.Hint = true, "", "" // a storage's message is XML that repeats the link
	return e
}

// strongTag leaves out tags that do not stand for the very same bytes.
func strongTag(tag string) string {
	if strings.HasPrefix(tag, "W/") {
		return ""
	}
	return tag
}

// contentRange reads "bytes 5-9/10"; size is -1 if it is not said.
func contentRange(s string) (from, size int64, ok bool) {
	s, found := strings.CutPrefix(s, "bytes ")
	span, total, cut := strings.Cut(s, "/")
	start, _, dash := strings.Cut(span, "-")
	from, err := strconv.ParseInt(start, 10, 64)
	if !found || !cut || !dash || err != nil {
		return 0, 0, false
	}
	if size, err = strconv.ParseInt(total, 10, 64); err != nil {
		size = -1
	}
	return from, size, true
}

// Read gives bytes of the file, and io.EOF only after its last one.
func (d *download) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, d.err
	}
	for d.err == nil {
		n, err := d.body.Read(p)
		d.off += int64(n)
		if n > 0 {
			d.stalls = 0
		}
		switch {
		case err == io.EOF:
			d.err = d.end()
		case err != nil:
			d.err = d.resume(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, d.err
}

// end decides what an end means: io.EOF, nil if the transfer goes on in another request, or an error.
func (d *download) end() error {
	switch {
	case d.size >= 0 && d.off < d.size, d.size < 0 && d.off < d.ref.Size:
		return d.resume(io.ErrUnexpectedEOF)
	case d.ref.Size >= 0 && d.off < d.ref.Size:
		return fmt.Errorf("download file %q: the server says %d bytes and its storage has only %d; %w", d.ref.Key, d.ref.Size, d.off, migrate.ErrCorrupt)
	case d.ref.Size >= 0 && d.off > d.ref.Size:
		d.reader.notef("", "", migrate.CodeSuspect, "file %q has %d bytes, the server says %d", d.ref.Key, d.off, d.ref.Size)
	}
	return io.EOF
}

// resume opens the rest after a cut.
func (d *download) resume(cause error) error {
	d.close()
	if d.ctx.Err() != nil {
		return context.Cause(d.ctx)
	}
	if d.stalls++; d.stalls > maxStalls {
		return fmt.Errorf("download file %q: cut after %d bytes, again and again: %w; %w", d.ref.Key, d.off, cause, migrate.ErrCorrupt)
	}
	d.reader.source.cfg.Log.Warn("transfer resumed", "file", d.ref.Key, "at", d.off, "err", cause)
	return ofFile(d.open())
}

func (d *download) close() {
	if d.body != nil {
		d.body.Close()
		d.idle.stop()
		d.body = nil
	}
}

// Close ends the transfer.
func (d *download) Close() error {
	d.close()
	if d.err == nil {
		d.err = errors.New("file is closed")
	}
	return nil
}
