package mlflowtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Options say what the server is. The zero value is a current one without authentication.
type Options struct {
	Version      string   // of GET /version; empty: "3.18.0"
	User         string   // with Password: Basic authentication is demanded
	Password     string   //
	Token        string   // Bearer authentication is demanded
	AllowedHosts []string // host:port that the Host header may have; none: all
	ArtifactRoot string   // below which new experiments keep artifacts; empty: "mlflow-artifacts:"
	HistoryPage  int      // most points of a page of metrics/get-history; 0: 25,000
	SearchPage   int      // most runs of a page of runs/search; 0: 50,000
	MaxBody      int      // bodies of more bytes are answered 413, as by a gateway; 0: none
	SharedDisk   bool     // ArtifactRoot is a directory of this machine, and listed from there
	// Refuse makes the server answer 400 to batches with this key.
	Refuse func(key string) bool
	// Forbid makes the server answer 403 to runs/create in experiments of this name, as to an account
	// that may only read them.
	Forbid func(experiment string) bool
	// Discard makes the server answer log-batch and uploads without looking at them, for benchmarks.
	Discard bool
}

// Fault is what happens to a request instead of the usual.
type Fault struct {
	Status     int    // answer with this status; 0: carry the request out
	Body       string // of that answer; empty: MLflow's JSON
	RetryAfter string // header of that answer
	Drop       bool   // answer 200 and do nothing
	Lose       bool   // carry the request out and cut the connection
	Cut        bool   // carry the request out and cut the answer short
	// Late lets the server go on with other requests, and carry this one out when the channel is closed, whether or
	// not anybody still waits for the answer.
	Late <-chan struct{}
}

// Server is a fake MLflow server. Its methods may be called while it serves.
type Server struct {
	URL string

	t    testing.TB
	opts Options

	mu          sync.Mutex
	experiments []*Experiment
	runs        []*Run
	requests    []string
	fault       func(n int, r *http.Request) Fault
	bytes       int64
}

// NewServer starts a server that ends with the test.
func NewServer(t testing.TB, opts Options) *Server {
	if opts.Version == "" {
		opts.Version = "3.18.0"
	}
	if opts.ArtifactRoot == "" {
		opts.ArtifactRoot = "mlflow-artifacts:"
	}
	s := &Server{t: t, opts: opts}
	s.experiments = []*Experiment{{ID: "0", Name: "Default", Root: opts.ArtifactRoot + "/0", Tags: map[string]string{}}}
	httpServer := httptest.NewServer(s)
	t.Cleanup(httpServer.Close)
	s.URL = httpServer.URL
	return s
}

// SetFault installs faults: fault is asked for each request, n counts from 0 since SetFault.
func (s *Server) SetFault(fault func(n int, r *http.Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := len(s.requests)
	s.fault = nil
	if fault != nil {
		s.fault = func(n int, r *http.Request) Fault { return fault(n-first, r) }
	}
}

// Requests returns all requests so far, as "METHOD path" below the API's root.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Bytes is the size of all bodies received.
func (s *Server) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

const root = "/api/2.0/"

// ServeHTTP serves one request at a time, except those that are late.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return // the client went away
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.requests)
	s.requests = append(s.requests, r.Method+" "+strings.TrimPrefix(r.URL.Path, root))
	s.bytes += int64(len(body))
	s.checkRequest(r)
	fault := Fault{}
	if s.fault != nil {
		fault = s.fault(n, r)
	}
	if fault.Late != nil {
		s.mu.Unlock()
		<-fault.Late
		s.mu.Lock()
	}
	answer := answer{status: http.StatusOK, body: "{}"}
	switch {
	case fault.Status != 0:
		answer = faultAnswer(fault)
	case !fault.Drop:
		answer = s.handle(r, body)
	}
	s.send(w, answer, fault)
}

// checkRequest complains about what a server would take without a word, or not at all.
func (s *Server) checkRequest(r *http.Request) {
	if r.Header.Get("Origin") != "" {
		s.t.Errorf("%s %s has a header Origin", r.Method, r.URL.Path)
	}
	if r.ContentLength < 0 {
		s.t.Errorf("%s %s has no Content-Length", r.Method, r.URL.Path)
	}
	if r.Method == http.MethodPost && r.Header.Get("Content-Type") != "application/json" {
		s.t.Errorf("%s %s has Content-Type %q", r.Method, r.URL.Path, r.Header.Get("Content-Type"))
	}
}

type answer struct {
	status int
	body   string
	header map[string]string
}

func faultAnswer(f Fault) answer {
	a := answer{status: f.Status, body: f.Body, header: map[string]string{}}
	if f.RetryAfter != "" {
		a.header["Retry-After"] = f.RetryAfter
	}
	if a.body == "" {
		a.body = errorBody("INTERNAL_ERROR", "fault of the test")
	}
	return a
}

func (s *Server) send(w http.ResponseWriter, a answer, f Fault) {
	if f.Lose {
		panic(http.ErrAbortHandler)
	}
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	if f.Cut {
		_, _ = io.WriteString(w, a.body[:len(a.body)/2])
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(w, a.body)
}

// handle finds the endpoint.
func (s *Server) handle(r *http.Request, body []byte) answer {
	if len(s.opts.AllowedHosts) > 0 && !slices.Contains(s.opts.AllowedHosts, r.Host) {
		return answer{status: http.StatusForbidden, body: "Invalid Host header - possible DNS rebinding attack detected"}
	}
	if s.opts.MaxBody > 0 && len(body) > s.opts.MaxBody {
		return answer{status: http.StatusRequestEntityTooLarge, body: "<html><head><title>413 Request Entity Too Large</title></head>"}
	}
	if r.URL.Path == "/version" {
		return answer{status: http.StatusOK, body: s.opts.Version}
	}
	if !s.authorized(r) {
		return answer{
			status: http.StatusUnauthorized, body: "You are not authenticated.",
			header: map[string]string{"WWW-Authenticate": `Basic realm="mlflow"`},
		}
	}
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), root)
	if !ok {
		return answer{status: http.StatusNotFound, body: "<!doctype html><title>404 Not Found</title>"}
	}
	if name, ok := strings.CutPrefix(path, "mlflow-artifacts/artifacts/"); ok {
		return s.artifact(r.Method, name, body)
	}
	if handler, ok := endpoints[r.Method+" "+path]; ok {
		return handler(s, call{t: s.t, name: path, body: body, query: r.URL.Query()})
	}
	s.t.Errorf("no endpoint %s %s", r.Method, path)
	return answer{status: http.StatusNotFound, body: "<!doctype html><title>404 Not Found</title>"}
}

func (s *Server) authorized(r *http.Request) bool {
	switch user, password, _ := r.BasicAuth(); {
	case s.opts.User != "":
		return user == s.opts.User && password == s.opts.Password
	case s.opts.Token != "":
		return r.Header.Get("Authorization") == "Bearer "+s.opts.Token
	}
	return true
}

// call is a request to an endpoint.
type call struct {
	t     testing.TB
	name  string
	body  []byte
	query map[string][]string
}

// read decodes the body strictly: what MLflow's parser would drop fails the test.
func (c call) read(into any) bool {
	dec := json.NewDecoder(bytes.NewReader(c.body))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil && dec.More() {
		err = fmt.Errorf("more than one JSON value")
	}
	if err != nil {
		c.t.Errorf("%s: body %.200q: %v", c.name, c.body, err)
	}
	return err == nil
}

func (c call) get(name string) string {
	if values := c.query[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func ok(v any) answer {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fail(http.StatusInternalServerError, "INTERNAL_ERROR", "%v", err)
	}
	return answer{status: http.StatusOK, body: string(body)}
}

func fail(status int, code, format string, args ...any) answer {
	return answer{status: status, body: errorBody(code, fmt.Sprintf(format, args...))}
}

func invalid(format string, args ...any) answer {
	return fail(http.StatusBadRequest, "INVALID_PARAMETER_VALUE", format, args...)
}

func errorBody(code, message string) string {
	body, _ := json.Marshal(map[string]string{"error_code": code, "message": message})
	return string(body)
}

var endpoints = map[string]func(*Server, call) answer{
	"POST mlflow/experiments/create":             (*Server).createExperiment,
	"POST mlflow/experiments/search":             (*Server).searchExperiments,
	"GET mlflow/experiments/get":                 (*Server).getExperiment,
	"GET mlflow/experiments/get-by-name":         (*Server).experimentByName,
	"POST mlflow/experiments/update":             (*Server).updateExperiment,
	"POST mlflow/experiments/delete":             (*Server).deleteExperiment,
	"POST mlflow/experiments/set-experiment-tag": (*Server).setExperimentTag,
	"POST mlflow/runs/create":                    (*Server).createRun,
	"POST mlflow/runs/search":                    (*Server).searchRuns,
	"POST mlflow/runs/update":                    (*Server).updateRun,
	"POST mlflow/runs/delete":                    (*Server).deleteRun,
	"POST mlflow/runs/log-batch":                 (*Server).logBatch,
	"POST mlflow/runs/set-tag":                   (*Server).setTag,
	"GET mlflow/runs/get":                        (*Server).getRun,
	"GET mlflow/metrics/get-history":             (*Server).history,
	"GET mlflow/artifacts/list":                  (*Server).listArtifacts,
}
