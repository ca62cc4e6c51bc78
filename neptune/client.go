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
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nexport-go/migrate/internal/repeat"
)

const (
	// DefaultTimeout is how long a server may be silent before a request is repeated; it is that of
	// neptune-query.
	DefaultTimeout = 60 * time.Second

	maxAnswer    = 128 << 20 // of an answer of the API; those asked for here are some MB
	maxKept      = 32 << 20  // of a buffer that is kept for the next answer
	maxErrorBody = 4 << 10
)

// errTooLarge says that less should be asked for at once.
var errTooLarge = fmt.Errorf("the answer is larger than %d MB", maxAnswer>>20)

// client speaks HTTP with one server. It is safe for concurrent use.
type client struct {
	http    *http.Client
	base    *url.URL
	auth    *session
	pace    *pacer
	timeout time.Duration
	retry   retrier
	met     atomic.Bool
	header  http.Header // of all requests
	buffers sync.Pool   // *bytes.Buffer
}

// noRedirect keeps credentials on their host, and POST from becoming a GET that succeeds.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// call is one request to the API. It can be sent again.
type call struct {
	op     string
	method string
	url    string // absolute, or a path below the server's own
	query  url.Values
	body   []byte
	header http.Header
	bare   bool // without a bearer token
	read   func([]byte) error
}

// post sends in as JSON and hands the answer to read, which must not keep it.
func (c *client) post(ctx context.Context, op, path string, query url.Values, in any, read func([]byte) error) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return c.do(ctx, call{
		op: op, method: http.MethodPost, url: path, query: query, body: body,
		header: http.Header{"Content-Type": {"application/json"}}, read: read,
	})
}

func (c *client) getJSON(ctx context.Context, op, path string, query url.Values, out any) error {
	return c.do(ctx, call{op: op, method: http.MethodGet, url: path, query: query, read: into(out)})
}

func into(out any) func([]byte) error {
	return func(b []byte) error { return json.Unmarshal(b, out) }
}

// do sends a call until it is answered, see retrier.
func (c *client) do(ctx context.Context, req call) error {
	return c.retry.do(ctx, func() error { return c.attempt(ctx, req) })
}

// maxRenewals is how often in a row a bearer token may be refused. A renewed one can be refused too, if somebody ends
// sessions meanwhile.
const maxRenewals = 4

// attempt sends a call once. A bearer token that the server does not take any more is renewed; if it
// does not take the renewed one either, the API token is exchanged anew.
func (c *client) attempt(ctx context.Context, req call) error {
	if req.bare {
		return c.send(ctx, req, "")
	}
	token, err := c.auth.token(ctx, "", false)
	for renewed := 0; err == nil; renewed++ {
		err = c.send(ctx, req, token)
		if renewed == maxRenewals || !renewable(err) {
			return err
		}
		token, err = c.auth.token(ctx, token, renewed > 0)
	}
	return err
}

// renewable reports an answer to a bearer token that a new one may help with.
func renewable(err error) bool {
	var api *APIError
	return errors.As(err, &api) && (api.Status == http.StatusUnauthorized || api.Code == codeExpired)
}

// own reports an address on the API's host.
func (c *client) own(address *url.URL) bool {
	return address.Scheme == c.base.Scheme && address.Host == c.base.Host
}

// send sends a call once with a token.
func (c *client) send(ctx context.Context, req call, token string) error {
	if err := c.pace.wait(ctx); err != nil {
		return err
	}
	ctx, idle := watch(ctx, c.timeout)
	defer idle.stop()
	request, err := c.request(ctx, req, token)
	if err != nil {
		return &repeat.Permanent{Err: fmt.Errorf("%s: %w", req.op, err)}
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("%s: %w", req.op, redact(idle.explain(err)))
	}
	c.met.Store(true)
	c.retry.log.Debug("request", "op", req.op, "path", request.URL.Path, "status", response.StatusCode)
	defer func() {
		io.Copy(io.Discard, io.LimitReader(response.Body, maxErrorBody)) // so that the connection can be used again
		response.Body.Close()
	}()
	body := &idleReader{response.Body, idle}
	if response.StatusCode >= 300 {
		text, err := io.ReadAll(io.LimitReader(body, maxErrorBody))
		if err != nil { // half of an error may be taken for another
			return fmt.Errorf("%s: read the answer of %s, %s: %w", req.op, request.URL.Path, response.Status, err)
		}
		return failure(req.op, request, response, text)
	}
	return c.read(req, request, response.ContentLength, body)
}

func (c *client) request(ctx context.Context, req call, token string) (*http.Request, error) {
	address := req.url
	if strings.HasPrefix(address, "/") {
		address = c.base.String() + address
	}
	request, err := http.NewRequestWithContext(ctx, req.method, address, bytes.NewReader(req.body))
	if err != nil {
		return nil, errors.New("the server's address cannot be used")
	}
	if req.query != nil {
		request.URL.RawQuery = req.query.Encode()
	}
	request.Header.Set("User-Agent", "nexport")
	for key, values := range c.header {
		request.Header[key] = values
	}
	for key, values := range req.header {
		request.Header[key] = values
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return request, nil
}

// read reads an answer to its end and has it decoded.
func (c *client) read(req call, request *http.Request, size int64, body io.Reader) error {
	buffer, _ := c.buffers.Get().(*bytes.Buffer)
	if buffer == nil {
		buffer = new(bytes.Buffer)
	}
	defer func() {
		if buffer.Cap() <= maxKept {
			c.buffers.Put(buffer)
		}
	}()
	buffer.Reset()
	if size > 0 && size < maxKept {
		buffer.Grow(int(size) + bytes.MinRead)
	}
	if _, err := buffer.ReadFrom(io.LimitReader(body, maxAnswer)); err != nil {
		return fmt.Errorf("%s: read the answer of %s: %w", req.op, request.URL.Path, err)
	}
	if buffer.Len() == maxAnswer {
		return &repeat.Permanent{Err: fmt.Errorf("%s: %s: %w", req.op, request.URL.Path, errTooLarge)}
	}
	if err := req.read(buffer.Bytes()); err != nil {
		if start := bytes.TrimSpace(buffer.Bytes()); len(start) > 0 && start[0] == '<' {
			return &repeat.Permanent{Err: fmt.Errorf("%s: %s answers with a web page, is the address that of a Neptune server? Name the server with --neptune-url",
				req.op, request.URL.Path)}
		}
		return fmt.Errorf("%s: %s: %w", req.op, request.URL.Path, &garbledError{err})
	}
	return nil
}
