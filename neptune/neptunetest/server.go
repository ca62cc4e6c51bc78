package neptunetest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say what the server holds and how it answers. The zero value is an empty server like a real one.
type Options struct {
	Generation int // of Neptune: 3 (also if 0) or 2
	Projects   []*Project
	Address    string // to listen on, "127.0.0.1:8080"; empty: a free port of 127.0.0.1
	Prefix     string // of all paths, such as "/neptune"; empty: none

	PageRuns       int // most runs of a page of a search; 0: as many as are asked for
	PageAttributes int // most definitions or values of a page; 0: 10,000
	PageFloats     int // most points of a float series of a page; 0: as many as are asked for
	PagePoints     int // most points of all other series of a page together; 0: 10,000

	// Of Neptune 2 alone.
	Window      int      // up to where a search can be paged; 0: 10,000
	ZipPolls    int      // how often a zip is not ready yet; 0: once; negative: it is ready at once
	ZipName     string   // told of all zips; empty: the name of the file set
	Redirect    bool     // sends clients from files, images and zips to signed links of another host
	Ranges      bool     // sends parts of files and images; else always the whole
	BySteps     bool     // pages float series by skipToStep, as in 2024, and takes no notice of offset
	BareNaN     bool     // writes NaN and Infinity without quotes, as JSON does not have them
	Lacks       []string // operations that this server does not have, such as "getChannelValues"
	NoArtifacts bool     // says that artifacts are switched off, and has no API of them

	TokenLife time.Duration // of access tokens; 0: a day
	LinkLife  time.Duration // of signed links; 0: an hour
	Provider  string        // of the storage: "gcp" (also if empty), "aws", "azure"

	NoGzip   bool // never packs API answers; else where the client allows it
	GzipFile bool // packs files sent as a whole, as storages do for files that were uploaded packed
	NoRecord bool // does not keep requests, for benchmarks

	Now func() time.Time // for the age of tokens and links; nil: time.Now
	// Complain is told of requests that no server would take, or no client should send. Nil: the test
	// fails, or without a test the complaint is only answered.
	Complain func(complaint string)
}

// Request is a request as the server got it.
type Request struct {
	Method string
	Path   string // escaped, without Options.Prefix
	Query  string
	Header http.Header
	Body   []byte
}

// Server is a fake Neptune server. Its methods may be called while it serves.
type Server struct {
	URL string // without a slash at the end

	opts    Options
	http    *httptest.Server
	closing chan struct{}
	auth    *auth
	packers sync.Pool

	content sync.RWMutex // the index, and what it points to
	index   *index
	swagger map[string][]byte // descriptions of the API of Neptune 2, by path

	mu       sync.Mutex
	requests []Request
	count    int
	fault    func(n int, r *http.Request) Fault
	linkAge  int // links of an earlier age have expired
	zips     map[string]*zipJob
}

// NewServer starts a server that ends with the test and fails it by requests that are wrong.
func NewServer(t testing.TB, opts Options) *Server {
	t.Helper()
	if opts.Complain == nil {
		opts.Complain = func(complaint string) { t.Errorf("neptunetest: %s", complaint) }
	}
	s, err := Start(opts)
	if err != nil {
		t.Fatalf("neptunetest: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// Start starts a server without a test; it must be closed.
func Start(opts Options) (*Server, error) {
	setDefaults(&opts)
	if _, known := linkNames[opts.Provider]; !known {
		return nil, fmt.Errorf("storage provider %q; gcp, aws and azure are known", opts.Provider)
	}
	if opts.Generation != 2 && opts.Generation != 3 {
		return nil, fmt.Errorf("generation %d of Neptune; 2 and 3 are served", opts.Generation)
	}
	ix, err := newIndex(opts.Projects, opts.Generation)
	if err != nil {
		return nil, err
	}
	s := &Server{opts: opts, index: ix, closing: make(chan struct{}), swagger: swagger(opts), zips: map[string]*zipJob{}}
	s.http = httptest.NewUnstartedServer(s)
	if opts.Address != "" {
		s.http.Listener.Close()
		if s.http.Listener, err = net.Listen("tcp", opts.Address); err != nil {
			return nil, fmt.Errorf("listen on %s: %w", opts.Address, err)
		}
	}
	s.URL = "http://" + s.http.Listener.Addr().String() + opts.Prefix
	s.auth = newAuth(s.URL, opts)
	s.http.Start() // last: what serves must see all of the above
	return s, nil
}

func setDefaults(o *Options) {
	o.Generation = positive(o.Generation, 3)
	o.Window = positive(o.Window, maxWindow)
	if o.ZipPolls == 0 {
		o.ZipPolls = 1
	}
	if o.NoArtifacts {
		o.Lacks = append(slices.Clone(o.Lacks), "listArtifactFiles")
	}
	o.Prefix = strings.TrimSuffix(o.Prefix, "/")
	o.PageAttributes = positive(o.PageAttributes, 10_000)
	o.PagePoints = positive(o.PagePoints, 10_000)
	if o.TokenLife == 0 {
		o.TokenLife = 24 * time.Hour
	}
	if o.LinkLife == 0 {
		o.LinkLife = time.Hour
	}
	if o.Provider == "" {
		o.Provider = "gcp"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Complain == nil {
		o.Complain = func(string) {}
	}
}

func positive(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

// Close ends all requests, hanging ones too, and the server.
func (s *Server) Close() {
	close(s.closing)
	s.http.CloseClientConnections()
	s.http.Close()
}

// Token returns an API token with the server's address, as NEPTUNE_API_TOKEN holds it.
func (s *Server) Token() string { return s.auth.apiToken }

// Change changes the content while nothing is served. It panics if a run or an attribute is there twice.
func (s *Server) Change(change func(projects []*Project) []*Project) {
	s.content.Lock()
	defer s.content.Unlock()
	projects := make([]*Project, 0, len(s.index.projects))
	for _, p := range s.index.projects {
		projects = append(projects, p.Project)
	}
	ix, err := newIndex(change(projects), s.opts.Generation)
	if err != nil {
		panic(fmt.Sprintf("neptunetest: %v", err))
	}
	s.index = ix
}

// Requests returns all requests so far, those that became the victims of faults too. Nothing in them may be changed.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	r.Body = io.NopCloser(bytes.NewReader(body)) // for the fault's function
	fault := s.record(r, body)
	if !s.delay(r, fault) {
		panic(http.ErrAbortHandler)
	}
	if fault.Reset {
		reset(w)
		return
	}
	out := &faultWriter{ResponseWriter: w, fault: fault, done: r.Context().Done()}
	a := s.answer(r, body, fault)
	if a.file != nil {
		a.file(out, r)
		return
	}
	s.send(out, r, a)
}

// record keeps the request and asks what is to happen to it.
func (s *Server) record(r *http.Request, body []byte) Fault {
	s.mu.Lock()
	fault, n := s.fault, s.count
	s.count++
	if !s.opts.NoRecord {
		s.requests = append(s.requests, Request{
			Method: r.Method, Path: s.path(r), Query: r.URL.RawQuery,
			Header: maps.Clone(r.Header), Body: body,
		})
	}
	s.mu.Unlock()
	if fault == nil {
		return Fault{}
	}
	return fault(n, r)
}

// path is the escaped path below the prefix, or one that does not exist if it is not there.
func (s *Server) path(r *http.Request) string {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), s.opts.Prefix)
	if !ok {
		return "outside of the prefix: " + r.URL.EscapedPath()
	}
	return path
}

// answer is the answer to a request: a body or, with file, one that writes itself.
type answer struct {
	status int
	body   []byte
	kind   string // Content-Type
	header map[string]string
	file   func(w http.ResponseWriter, r *http.Request)
}

const (
	kindJSON  = "application/json"
	kindProto = "application/x-protobuf"
)

func (s *Server) send(w http.ResponseWriter, r *http.Request, a answer) {
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	if a.kind != "" {
		w.Header().Set("Content-Type", a.kind)
	}
	if !s.opts.NoGzip && len(a.body) > 1024 && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		a.body = s.packed(a.body)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client may have gone
}

// packed packs into memory. Packers are kept, as each begins with more than a megabyte of its own.
func (s *Server) packed(body []byte) []byte {
	var out sliceWriter
	z, ok := s.packers.Get().(*gzip.Writer)
	if ok {
		z.Reset(&out)
	} else {
		z, _ = gzip.NewWriterLevel(&out, gzip.BestSpeed) // the level is valid
	}
	_, _ = z.Write(body)
	_ = z.Close()
	s.packers.Put(z)
	return out
}

type sliceWriter []byte

func (w *sliceWriter) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}

// handler answers a request whose bearer token is good.
type handler func(s *Server, c *call) answer

// handlers are by method and path, below Options.Prefix. Both match exactly: a redirect would end a client.
var handlers = map[string]handler{
	"GET /api/backend/v1/projects":                                      (*Server).listProjects,
	"GET /api/backend/v1/projects/listForOrganization":                  (*Server).listProjects,
	"GET /api/backend/v1/projects/get":                                  (*Server).getProject,
	"GET /api/backend/v1/myOrganizations":                               (*Server).organizations,
	"POST /api/leaderboard/v1/proto/leaderboard/entries/search/":        (*Server).search,
	"POST /api/leaderboard/v1/proto/leaderboard/entries/global/search/": (*Server).globalSearch,
	"POST /api/leaderboard/v1/leaderboard/attributes/definitions/query": (*Server).definitions,
	"POST /api/leaderboard/v1/proto/leaderboard/attributes/query":       (*Server).values,
	"POST /api/leaderboard/v1/proto/attributes/series/float":            (*Server).floatSeries,
	"POST /api/leaderboard/v1/proto/attributes/series":                  (*Server).otherSeries,
	"POST /api/storagebridge/v1/signedUrl":                              (*Server).sign,
	"POST /api/storagebridge/v1/azure/signedUrl":                        (*Server).sign,
}

// answer carries the request out, or does what the fault says.
func (s *Server) answer(r *http.Request, body []byte, fault Fault) answer {
	path := s.path(r)
	if rest, ok := strings.CutPrefix(path, storageRoot); ok {
		if fault.Status != 0 {
			return fault.answer()
		}
		return s.download(r, rest, fault.ExpiredLink)
	}
	switch {
	case fault.Status != 0:
		return fault.answer()
	case r.Method == http.MethodPost && path == refreshPath:
		return s.auth.refresh(r, body, s.complainf)
	case r.Method == http.MethodGet && s.auth.open[path] != nil:
		return s.auth.open[path](r)
	}
	c := &call{s: s, r: r, body: body, name: r.Method + " " + path}
	h := handlers[c.name]
	if s.opts.Generation == 2 {
		if document := s.swagger[path]; document != nil && r.Method == http.MethodGet {
			return jsonAnswer(document)
		}
		h = c.find()
	}
	if h == nil && (s.otherGeneration(c) || r.Method == http.MethodGet && swaggerPath.MatchString(path)) {
		return nothingThere(c)
	}
	if h == nil {
		s.complainf("no endpoint %s %s", r.Method, path)
		return failure(http.StatusNotFound, "BAD_REQUEST", "no endpoint %s %s", r.Method, path)
	}
	if a := s.auth.check(r, fault.ExpiredToken); a != nil {
		return *a
	}
	s.content.RLock()
	defer s.content.RUnlock()
	return c.run(h)
}

// nothingThere is the answer of a server that does not know the path.
func nothingThere(*call) answer {
	return answer{status: http.StatusNotFound, body: []byte("<html>404 Not Found</html>"), kind: "text/html"}
}

// otherGeneration reports a request that servers of the other generation answer: a client may ask to find out which one this is.
func (s *Server) otherGeneration(c *call) bool {
	if s.opts.Generation == 2 {
		return handlers[c.name] != nil
	}
	operation, _ := c.operationOf()
	return operation != nil
}

func (s *Server) complainf(format string, args ...any) {
	s.opts.Complain(fmt.Sprintf(format, args...))
}
