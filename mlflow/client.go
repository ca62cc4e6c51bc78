package mlflow

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nexport-go/migrate/internal/repeat"
)

const (
	maxAnswer    = 512 << 20 // of a JSON answer; a page of runs with very many params is some MB
	maxErrorBody = 4 << 10
	// uploadRate is the slowest upload that is not taken for a hang, in bytes a second.
	uploadRate = 64 << 10
)

// client speaks HTTP with one server. It is safe for concurrent use.
type client struct {
	http    *http.Client
	server  *url.URL
	header  http.Header // for the server alone: credentials and workspace
	timeout time.Duration
	retry   retrier

	met atomic.Bool

	mu  sync.Mutex
	api string // "/api/2.0", or "/ajax-api/2.0" where a static prefix hides the former
}

func newClient(cfg Config, server *url.URL, transport http.RoundTripper) *client {
	header := http.Header{}
	switch {
	case cfg.login != nil:
		password, _ := cfg.login.Password()
		header.Set("Authorization", basic(cfg.login.Username(), password))
	case cfg.Username != "" && cfg.Password != "":
		header.Set("Authorization", basic(cfg.Username, cfg.Password))
	case cfg.Token != "":
		header.Set("Authorization", "Bearer "+cfg.Token)
	}
	if cfg.Workspace != "" {
		header.Set("X-MLFLOW-WORKSPACE", cfg.Workspace)
	}
	c := &client{
		http:   &http.Client{Transport: transport, CheckRedirect: noRedirect},
		server: server, header: header, timeout: cfg.Timeout, api: "/api/2.0",
		retry: newRetrier(cfg),
	}
	c.retry.met = &c.met
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	return c
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// noRedirect keeps credentials on their host, and POST and PUT from becoming a GET that succeeds.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// call is one request. It can be sent again: body is opened for each attempt.
type call struct {
	op     string
	method string
	path   string // below the server's own path, already escaped; with "mlflow" in front: below the API
	query  url.Values
	body   func() (io.ReadCloser, error)
	size   int64
	media  string // Content-Type
	once   bool   // not to be repeated after an unclear failure
	read   func(io.Reader) error
}

// postJSON sends in and decodes the answer into out; nil leaves either away.
func (c *client) postJSON(ctx context.Context, op, path string, in, out any) error {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(in); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return c.do(ctx, jsonCall(op, path, body.Bytes(), out))
}

func jsonCall(op, path string, body []byte, out any) call {
	return call{
		op: op, method: http.MethodPost, path: path, media: "application/json", size: int64(len(body)),
		body: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
		read: into(out),
	}
}

func (c *client) getJSON(ctx context.Context, op, path string, query url.Values, out any) error {
	return c.do(ctx, call{op: op, method: http.MethodGet, path: path, query: query, read: into(out)})
}

// into decodes one JSON value. An answer that is not JSON, or cut off, is no answer: the request
// is repeated.
func into(out any) func(io.Reader) error {
	return func(r io.Reader) error {
		if out == nil {
			return json.NewDecoder(r).Decode(&struct{}{})
		}
		reflect.ValueOf(out).Elem().SetZero() // of an attempt before, whose answer was cut
		return json.NewDecoder(r).Decode(out)
	}
}

// do sends a call until it is answered, see retrier.
func (c *client) do(ctx context.Context, req call) error {
	if req.once && ctx.Err() == nil {
		longer, cancel := c.patient(ctx)
		defer cancel()
		return repeat.WithCause(ctx, c.attempt(longer, req))
	}
	return c.retry.do(ctx, func() error { return c.attempt(ctx, req) })
}

// patience is how long the answer to a request that cannot be repeated is waited for after the end of its context.
const patience = 5 * time.Second

// patient gives ctx a while more: when a load is interrupted, what a request made should be known rather than
// come to be after the next load has looked.
func (c *client) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	slept := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(slept)
		c.retry.sleep(longer, patience)
		cancel()
	})
	return longer, func() {
		cancel()
		if !stop() {
			<-slept
		}
	}
}

func (c *client) attempt(ctx context.Context, req call) error {
	timeout := c.timeout + time.Duration(req.size/uploadRate)*time.Second
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := c.request(ctx, req)
	if err != nil {
		return &repeat.Permanent{Err: fmt.Errorf("%s: %w", req.op, err)}
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("%s: %w", req.op, redact(err))
	}
	c.met.Store(true)
	defer func() {
		io.Copy(io.Discard, io.LimitReader(response.Body, maxErrorBody)) // so that the connection can be used again
		response.Body.Close()
	}()
	if response.StatusCode >= 300 {
		return c.failure(req, request, response)
	}
	if req.read == nil {
		return nil
	}
	err = req.read(io.LimitReader(response.Body, maxAnswer))
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%s: the answer of %s is no JSON, is the tracking URI that of an MLflow server? %w", req.op, request.URL.Path, err)
	}
	if err != nil {
		return fmt.Errorf("%s: read the answer of %s: %w", req.op, request.URL.Path, err)
	}
	return nil
}

func (c *client) request(ctx context.Context, req call) (*http.Request, error) {
	var body io.ReadCloser
	if req.body != nil {
		var err error
		if body, err = req.body(); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, req.method, c.url(req.path), body)
	if err != nil {
		return nil, err
	}
	if req.size == 0 && body != nil {
		request.Body = http.NoBody // else Go would send an empty chunked body
		body.Close()
	}
	request.ContentLength = req.size
	request.URL.RawQuery = req.query.Encode()
	request.Header.Set("User-Agent", "nexport")
	if c.owns(request.URL) {
		maps.Copy(request.Header, c.header)
	}
	if req.media != "" {
		request.Header.Set("Content-Type", req.media)
	}
	return request, nil
}

// owns reports whether a URL is of the tracking server. Whoever may create experiments can name another
// host for their artifacts, which must not learn the credentials.
func (c *client) owns(u *url.URL) bool {
	return u.Scheme == c.server.Scheme && strings.EqualFold(u.Hostname(), c.server.Hostname()) && portOf(u) == portOf(c.server)
}

func portOf(u *url.URL) string {
	if u.Port() == "" && u.Scheme == "https" {
		return "443"
	}
	return cmp.Or(u.Port(), "80")
}

// url puts a path behind the server's own; "mlflow..." are paths of the API.
func (c *client) url(path string) string {
	if strings.HasPrefix(path, "http://") || strings.HasPrefix(path, "https://") {
		return path
	}
	if strings.HasPrefix(path, "mlflow") {
		c.mu.Lock()
		path = c.api + "/" + path
		c.mu.Unlock()
	}
	return c.server.String() + path
}

// failure makes an APIError of an answer. A page that is not there is looked for under the
// interface's own prefix once, see docs of --static-prefix.
func (c *client) failure(req call, request *http.Request, response *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxErrorBody))
	e := &APIError{
		Op: req.op, Method: req.method, URL: request.URL.Scheme + "://" + request.URL.Host + request.URL.Path,
		Status: response.StatusCode, Message: strings.TrimSpace(string(body)),
		RetryAfter: retryAfter(response.Header.Get("Retry-After")),
	}
	var answer struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	e.Hint = e.hint(request.URL.Host)
	if !c.owns(request.URL) {
		e.elsewhere, e.Hint = true, cmp.Or(e.strange(request.URL.Host, c.server.Host), e.Hint)
	}
	if json.Unmarshal(body, &answer) == nil && answer.Code != "" {
		e.Code, e.Message = answer.Code, answer.Message
	} else if strings.HasPrefix(e.Message, "<") {
		e.Message = "" // HTML of a proxy or of another program
	}
	return e
}

// retryAfter reads seconds or a date; 0 if there is neither.
func retryAfter(s string) time.Duration {
	if seconds, err := strconv.Atoi(s); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// redact takes the query out of a URL in an error.
func redact(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		if u, parseErr := url.Parse(failed.URL); parseErr == nil {
			u.RawQuery, u.User = "", nil
			failed.URL = u.String()
		}
	}
	return err
}
