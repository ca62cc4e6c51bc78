package neptunetest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/nexport-go/migrate/neptune/neptunetest"
	"google.golang.org/protobuf/encoding/protowire"
)

// client is as simple as a client can be.
type client struct {
	t      testing.TB
	url    string
	access string
}

func newClient(t testing.TB, s *neptunetest.Server) *client {
	t.Helper()
	c := &client{t: t, url: s.URL}
	var out struct{ AccessToken, RefreshToken, Username string }
	c.json(c.do(http.MethodGet, "/api/backend/v1/authorization/oauth-token", "", "X-Neptune-Api-Token", s.Token()), &out)
	if out.AccessToken == "" || out.RefreshToken == "" || out.Username == "" {
		t.Fatalf("the exchange gives %+v", out)
	}
	c.access = out.AccessToken
	return c
}

// do sends a request; header are names and values.
func (c *client) do(method, path, body string, header ...string) *http.Response {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if c.access != "" {
		r.Header.Set("Authorization", "Bearer "+c.access)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp
}

func (c *client) body(resp *http.Response) []byte {
	c.t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		c.t.Fatalf("%s %s: %s: %s", resp.Request.Method, resp.Request.URL.Path, resp.Status, body)
	}
	return body
}

func (c *client) json(resp *http.Response, into any) {
	c.t.Helper()
	if err := json.Unmarshal(c.body(resp), into); err != nil {
		c.t.Fatal(err)
	}
}

const (
	searchPath      = "/api/leaderboard/v1/proto/leaderboard/entries/search/?projectIdentifier=team%2Fproj&type=run"
	definitionsPath = "/api/leaderboard/v1/leaderboard/attributes/definitions/query"
	valuesPath      = "/api/leaderboard/v1/proto/leaderboard/attributes/query?projectIdentifier=team%2Fproj"
	floatPath       = "/api/leaderboard/v1/proto/attributes/series/float"
	seriesPath      = "/api/leaderboard/v1/proto/attributes/series?useDeprecatedStringFields=false"
	signPath        = "/api/storagebridge/v1/signedUrl"
)

func (c *client) post(path, format string, args ...any) []byte {
	c.t.Helper()
	return c.body(c.do(http.MethodPost, path, fmt.Sprintf(format, args...)))
}

// field is a field of a protobuf message.
type field struct {
	number protowire.Number
	raw    []byte // of strings and messages
	bits   uint64 // of the others
}

func fields(t testing.TB, message []byte) (list []field) {
	t.Helper()
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			t.Fatalf("tag: %v", protowire.ParseError(n))
		}
		message = message[n:]
		f := field{number: number}
		switch kind {
		case protowire.VarintType:
			f.bits, n = protowire.ConsumeVarint(message)
		case protowire.Fixed64Type:
			f.bits, n = protowire.ConsumeFixed64(message)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(message)
			f.bits = uint64(v)
		case protowire.BytesType:
			f.raw, n = protowire.ConsumeBytes(message)
		}
		if n < 0 {
			t.Fatalf("field %d: %v", number, protowire.ParseError(n))
		}
		message = message[n:]
		list = append(list, f)
	}
	return list
}

// all returns the messages or strings of one field.
func all(t testing.TB, message []byte, number protowire.Number) (list [][]byte) {
	t.Helper()
	for _, f := range fields(t, message) {
		if f.number == number {
			list = append(list, f.raw)
		}
	}
	return list
}

// at follows messages by their field numbers to the last, of which it takes the first; nil if there is none.
func at(t testing.TB, message []byte, path ...protowire.Number) []byte {
	t.Helper()
	for _, number := range path {
		list := all(t, message, number)
		if len(list) == 0 {
			return nil
		}
		message = list[0]
	}
	return message
}

func number(t testing.TB, message []byte, want protowire.Number) uint64 {
	t.Helper()
	for _, f := range fields(t, message) {
		if f.number == want {
			return f.bits
		}
	}
	return 0
}

func double(t testing.TB, message []byte, want protowire.Number) float64 {
	t.Helper()
	return math.Float64frombits(number(t, message, want))
}

// complaints collects what a server complains about.
type complaints struct {
	sync.Mutex
	list []string
}

func (c *complaints) add(text string) {
	c.Lock()
	defer c.Unlock()
	c.list = append(c.list, text)
}

func (c *complaints) take() []string {
	c.Lock()
	defer c.Unlock()
	list := c.list
	c.list = nil
	return list
}

// serve serves runs of the project team/proj.
func serve(t testing.TB, opts neptunetest.Options, runs ...*neptunetest.Run) (*neptunetest.Server, *client) {
	t.Helper()
	opts.Projects = append(opts.Projects, &neptunetest.Project{Workspace: "team", Name: "proj", Key: "P", Runs: runs})
	s := neptunetest.NewServer(t, opts)
	return s, newClient(t, s)
}

func run(id string, attributes ...neptunetest.Attribute) *neptunetest.Run {
	return &neptunetest.Run{ID: id, CustomID: "custom " + id, Attributes: attributes}
}

func attr(path string, v neptunetest.Value) neptunetest.Attribute {
	return neptunetest.Attribute{Path: path, Value: v}
}

// answeredOrRefused carries out a request that may be anything. It must be answered or refused, and what is complained about
// must be refused.
func answeredOrRefused(t *testing.T, s *neptunetest.Server, c *client, r *http.Request, said *complaints) {
	t.Helper()
	r.Header.Set("Authorization", "Bearer "+c.access)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	refused := w.Code >= 400 && w.Code < 500
	if w.Code != http.StatusOK && !refused {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if complained := len(said.take()) > 0; complained && !refused {
		t.Errorf("a complaint about a request that was carried out")
	}
}
