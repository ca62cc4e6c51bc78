package neptune

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/repeat"
)

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

// origin gives the requests for the bytes of one file.
type origin interface {
	// request makes one for all bytes. Its errors are final.
	request(ctx context.Context) (*http.Request, error)
	// do sends a request.
	do(request *http.Request) (*http.Response, error)
	// stale reports that the answer is due to what the request was made with, and that the next
	// request will be made with something else.
	stale(err error) bool
	// answered completes the error that an answer became.
	answered(e *APIError, response *http.Response)
}

// download reads a file over as many requests as it takes.
type download struct {
	ctx    context.Context
	core   *core
	origin origin
	notes  *notes
	name   string // for errors
	length int64  // as the server says; -1: it does not

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
	renewed := 0
	return d.core.api.retry.do(d.ctx, func() error {
		for {
			err := d.attempt()
			if err == nil || renewed == maxLinks || !d.origin.stale(err) {
				return err
			}
			renewed++
		}
	})
}

func (d *download) attempt() error {
	ctx, idle := watch(d.ctx, d.core.cfg.Timeout)
	request, err := d.origin.request(ctx)
	if err != nil {
		idle.stop()
		return err
	}
	request.Header.Set("User-Agent", "nexport")
	request.Header.Set("Accept-Encoding", "identity") // the bytes as they were uploaded
	if d.off > 0 {
		request.Header.Set("Range", "bytes="+strconv.FormatInt(d.off, 10)+"-")
		if d.tag != "" {
			request.Header.Set("If-Range", d.tag)
		}
	}
	response, err := d.origin.do(request)
	if err != nil {
		err = fmt.Errorf("download file %q: %w", d.name, redact(idle.explain(err)))
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
			return &repeat.Permanent{Err: fmt.Errorf("download file %q: the storage answers with another part than asked for", d.name)}
		}
		return nil
	case response.StatusCode == http.StatusOK && d.off == 0:
		d.size, d.tag = response.ContentLength, strongTag(response.Header.Get("ETag"))
		return nil
	case response.StatusCode == http.StatusOK:
		if tag := strongTag(response.Header.Get("ETag")); tag != d.tag || d.size >= 0 && response.ContentLength >= 0 && response.ContentLength != d.size {
			return &repeat.Permanent{Err: fmt.Errorf("download file %q: it changed while it was read, start again", d.name)}
		}
		if _, err := io.CopyN(io.Discard, body, d.off); err != nil {
			return fmt.Errorf("download file %q: %w", d.name, err)
		}
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(body, maxErrorBody))
	e := failure(fmt.Sprintf("download file %q", d.name), request, response, text)
	d.origin.answered(e, response)
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
	case d.size >= 0 && d.off < d.size, d.size < 0 && d.off < d.length:
		return d.resume(io.ErrUnexpectedEOF)
	case d.length >= 0 && d.off < d.length:
		return fmt.Errorf("download file %q: the server says %d bytes and its storage has only %d; %w", d.name, d.length, d.off, migrate.ErrCorrupt)
	case d.length >= 0 && d.off > d.length:
		d.notes.notef("", "", migrate.CodeSuspect, "file %q has %d bytes, the server says %d", d.name, d.off, d.length)
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
		return fmt.Errorf("download file %q: cut after %d bytes, again and again: %w; %w", d.name, d.off, cause, migrate.ErrCorrupt)
	}
	d.core.cfg.Log.Warn("transfer resumed", "file", d.name, "at", d.off, "err", cause)
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
