package neptunetest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// call is a request to an endpoint of the API.
type call struct {
	s    *Server
	r    *http.Request
	name string
	body []byte

	// Of Neptune 2.
	operation *operation
	segments  map[string]string // of the path, where the operation's has names
	sent      url.Values        // of the query
}

// refusal is an error that is answered: what the client sent is wrong, or not there.
type refusal struct {
	status    int
	errorType string
	text      string
	title     string // as Neptune 2 has it for queries
	quiet     bool   // happens to good clients too
}

func (e *refusal) Error() string { return e.text }

// bad is a request that no client should send.
func bad(format string, args ...any) error {
	return &refusal{status: http.StatusBadRequest, errorType: "BAD_REQUEST", text: fmt.Sprintf(format, args...)}
}

// denied is the answer for a project that is not there: in Neptune 3 the same as for one without access.
func (s *Server) denied(project string) error {
	if s.opts.Generation == 2 {
		return missing("PROJECT_NOT_FOUND", "no project %q", project)
	}
	return &refusal{
		status: http.StatusForbidden, errorType: "ACCESS_DENIED", quiet: true,
		text: fmt.Sprintf("project %q does not exist or is not accessible", project),
	}
}

// run calls the handler; it panics with what fail was given.
func (c *call) run(h handler) (out answer) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case *refusal:
			if !v.quiet {
				c.s.complainf("%s: %s", c.name, v.text)
			}
			out = failure(v.status, v.errorType, "%s", v.text)
			if v.title != "" {
				out = okJSON(object{"title": v.title, "message": v.text})
				out.status = v.status
			}
		default:
			panic(v)
		}
	}()
	c.checkHeader()
	return h(c.s, c)
}

// must ends the call with the refusal err, if it is one.
func must(err error) {
	if err == nil {
		return
	}
	var r *refusal
	if !errors.As(err, &r) {
		r = &refusal{status: http.StatusBadRequest, errorType: "BAD_REQUEST", text: err.Error()}
	}
	panic(r)
}

func (c *call) checkHeader() {
	if c.r.Method == http.MethodPost && (c.s.opts.Generation == 3 || len(c.body) > 0) {
		if kind, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";"); kind != kindJSON {
			must(bad("Content-Type %q", kind))
		}
	}
	if n := len(c.r.Header.Get("X-Neptune-Client-Metadata")); n > maxMetadata {
		must(bad("X-Neptune-Client-Metadata of %d bytes; at most %d are taken", n, maxMetadata))
	}
}

// read decodes the body strictly and ends the call if it is malformed.
func (c *call) read(into any) {
	dec := json.NewDecoder(bytes.NewReader(c.body))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, more := dec.Token(); more != io.EOF {
			err = fmt.Errorf("more than one JSON value")
		}
	}
	if err != nil {
		must(&refusal{
			status: http.StatusBadRequest, errorType: "MALFORMED_JSON_REQUEST",
			text: fmt.Sprintf("body %.200q: %v", c.body, err),
		})
	}
}

// query returns the one value of a query parameter, and refuses parameters that are not among known.
func (c *call) query(name string, known ...string) string {
	values := c.r.URL.Query()
	for key := range values {
		if key != name && !slices.Contains(known, key) {
			must(bad("unknown query parameter %q", key))
		}
	}
	if len(values[name]) > 1 {
		must(bad("query parameter %q %d times", name, len(values[name])))
	}
	return values.Get(name)
}

// project finds the project of a query parameter.
func (c *call) project(name string, known ...string) *projectIndex {
	id := c.query(name, known...)
	if id == "" {
		must(bad("no query parameter %q", name))
	}
	p := c.s.index.byID[id]
	if p == nil {
		p = c.s.index.byUUID[id]
	}
	if p == nil {
		must(c.s.denied(id))
	}
	return p
}

// nextPage is how definitions and values are paged.
type nextPage struct {
	Limit *int    `json:"limit"`
	Token *string `json:"nextPageToken"`
}

// place is where a page begins: two counters whose meaning is the endpoint's.
type place struct{ A, B int }

// token tells a place, and of which query it is one.
func token(query string, p place) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%d.%s", p.A, p.B, query))
}

func readToken(query, text string) (p place, err error) {
	wrong := bad("token %q is not one of this query", text)
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return p, wrong
	}
	parts := strings.SplitN(string(raw), ".", 3)
	if len(parts) != 3 || parts[2] != query {
		return p, wrong
	}
	a, errA := strconv.Atoi(parts[0])
	b, errB := strconv.Atoi(parts[1])
	if errA != nil || errB != nil || a < 0 || b < 0 {
		return p, wrong
	}
	return place{a, b}, nil
}

// fingerprint tells queries apart, so that the token of one is refused by another.
func fingerprint(query any) string {
	h := fnv.New64a()
	_ = json.NewEncoder(h).Encode(query) // was decoded from JSON
	return strconv.FormatUint(h.Sum64(), 36)
}

// start returns where a page begins and how many items it has at most.
func (n *nextPage) start(query string, most int) (place, int) {
	limit := most
	if n == nil {
		return place{}, limit
	}
	if n.Limit != nil {
		if *n.Limit < 1 {
			must(bad("nextPage.limit %d", *n.Limit))
		}
		limit = min(limit, *n.Limit)
	}
	if n.Token == nil || *n.Token == "" {
		return place{}, limit
	}
	p, err := readToken(query, *n.Token)
	must(err)
	return p, limit
}
