package neptune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/contents"
)

const (
	// requestsAtOnce2 is how many requests are on their way for all runs together.
	requestsAtOnce2 = 32
	// keptIDs is how many UUIDs of listed objects are kept for when they are opened.
	keptIDs = 200_000
)

// source2 speaks the protocol of generation 2.
type source2 struct {
	*core
	contents   contents.Opener // of artifacts
	slots      chan struct{}   // requests on their way
	paging     paging
	smallPages atomic.Bool // of listings: the server takes no large ones

	mu       sync.Mutex
	projects map[string]string         // UUIDs by name
	ids      map[migrate.RunRef]string // UUIDs of what was listed, of at most keptIDs
}

var _ protocol = (*source2)(nil)

func newSource2(c *core) *source2 {
	c.api.header = http.Header{"X-Neptune-Legacyclient": {"false"}}
	s := &source2{
		core: c, slots: make(chan struct{}, requestsAtOnce2),
		projects: map[string]string{}, ids: map[migrate.RunRef]string{},
	}
	s.contents.Silence = c.cfg.Timeout
	if c.cfg.located {
		c.api.auth.locate = s.locate
	}
	return s
}

// locate asks the server where its API is: GET /api/backend/v1/clients/config, as the Python client 1.14 does. Without
// an answer, or if no token should go there, it stays where the API token says. It is false if the server may answer later.
func (s *source2) locate(ctx context.Context) bool {
	var out struct {
		URL string `json:"apiUrl"`
	}
	err := s.api.send(withTries(ctx, 1), call{
		op: "read the client configuration", method: http.MethodGet, url: "/api/backend/v1/clients/config",
		query: url.Values{"alpha": {"true"}}, bare: true, read: into(&out),
		header: http.Header{"X-Neptune-Api-Token": {s.cfg.APIToken}},
	}, "")
	if err != nil {
		return !temporary(err)
	}
	base, err := parseBase(out.URL)
	if err != nil || s.api.base.Scheme == "https" && base.Scheme != "https" {
		return true
	}
	s.api.base = base
	s.api.auth.secure = base.Scheme == "https"
	return true
}

func (s *source2) has(scope migrate.Scope) bool {
	switch scope {
	case migrate.ScopeRun, migrate.ScopeModel, migrate.ScopeModelVersion:
		return true
	}
	return false
}

func (s *source2) open(run migrate.RunInfo) migrate.RunReader { return newReader2(s, run) }

// get asks the API, when few other requests are on their way. read must not keep the answer.
func (s *source2) get(ctx context.Context, op, path string, query url.Values, read func([]byte) error) error {
	return s.do(ctx, call{op: op, method: http.MethodGet, url: path, query: query, read: read})
}

// post is get with a body.
func (s *source2) post(ctx context.Context, op, path string, query url.Values, in any, read func([]byte) error) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return s.do(ctx, call{
		op: op, method: http.MethodPost, url: path, query: query, body: body,
		header: http.Header{"Content-Type": {"application/json"}}, read: read,
	})
}

func (s *source2) do(ctx context.Context, req call) error {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s.slots }()
	return s.api.do(ctx, req)
}

// project gives the UUID of a project, asking once: GET /api/backend/v1/projects/get, as the Python client
// 1.14 does.
func (s *source2) project(ctx context.Context, name string) (id string, err error) {
	s.mu.Lock()
	id = s.projects[name]
	s.mu.Unlock()
	if id != "" {
		return id, nil
	}
	var out struct {
		ID string `json:"id"`
	}
	op := "find the project " + name
	err = s.get(ctx, op, "/api/backend/v1/projects/get", url.Values{"projectIdentifier": {name}}, into(&out))
	if err == nil && out.ID == "" {
		err = fmt.Errorf("%s: the answer has no ID in it; %w", op, otherGeneration{Neptune2})
	}
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.projects[name] = out.ID
	return out.ID, nil
}

// learn keeps the UUID of what was listed.
func (s *source2) learn(ref migrate.RunRef, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ids) < keptIDs {
		s.ids[ref] = id
	}
}

// find gives the UUID of a run, model or model version: the one that its listing had, or by GET
// /api/leaderboard/v1/experiments, as the Python client 1.14 does.
func (s *source2) find(ctx context.Context, ref migrate.RunRef) (id string, err error) {
	s.mu.Lock()
	id = s.ids[ref]
	s.mu.Unlock()
	if id != "" {
		return id, nil
	}
	var out struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	}
	err = s.get(ctx, "find "+ref.String(), "/api/leaderboard/v1/experiments",
		url.Values{"experimentId": {ref.Project + "/" + ref.ID}}, into(&out))
	if err != nil {
		return "", err
	}
	if out.ID == "" || out.Type != "" && out.Type != typeOf(ref.Scope) {
		return "", fmt.Errorf("%s: %w", ref, migrate.ErrNotFound)
	}
	s.learn(ref, out.ID)
	return out.ID, nil
}

// typeOf is the API's name of a scope.
func typeOf(scope migrate.Scope) string {
	switch scope {
	case migrate.ScopeModel:
		return "model"
	case migrate.ScopeModelVersion:
		return "modelVersion"
	default:
		return "run"
	}
}

// onlyIn2 is a path that descriptions of later APIs do not have.
const onlyIn2 = "/api/leaderboard/v1/attributes/download"

// probe asks for a run of the project, and looks into the description of the API: those of the generations have
// much in common, and the calls that list runs are in both.
func (s *source2) probe(ctx context.Context, project string) error {
	id, err := s.project(ctx, project)
	if err == nil {
		_, err = s.search(ctx, search2{op: "list runs of " + project, project: id, kind: "run", limit: 1, paths: []string{attrID}})
	}
	var api *APIError
	if err != nil && (!errors.As(err, &api) || api.Temporary() || errors.Is(err, migrate.ErrFatal)) {
		return err
	}
	paths, ok := s.described(ctx)
	switch {
	case err == nil && ok && !paths[onlyIn2]:
		return fmt.Errorf("the server does not give the files of Neptune 2.x; %w", otherGeneration{Neptune2})
	case ok && !paths[onlyIn2], !ok && absent(err):
		return fmt.Errorf("%w; %w", err, otherGeneration{Neptune2})
	}
	return err
}

// explain adds what it means that something is not there, if the server's description of its API is not there either, or is
// another one. What is not there in Neptune 2.x gives the same answer.
func (s *source2) explain(ctx context.Context, err error) error {
	if !absent(err) || errors.Is(err, migrate.ErrFatal) {
		return err
	}
	if paths, ok := s.described(ctx); ok && paths[onlyIn2] {
		return err
	}
	return fmt.Errorf("%w; %w", err, otherGeneration{Neptune2})
}

// described gives which paths the server says that it has; ok is false if it does not say.
func (s *source2) described(ctx context.Context) (paths map[string]bool, ok bool) {
	var out struct {
		Paths map[string]struct{} `json:"paths"`
	}
	err := s.get(withTries(ctx, 1), "read the description of the API", "/api/leaderboard/swagger.json", nil, into(&out))
	if err != nil || len(out.Paths) == 0 {
		return nil, false
	}
	paths = map[string]bool{}
	for path := range out.Paths {
		paths[path] = true
	}
	return paths, true
}
