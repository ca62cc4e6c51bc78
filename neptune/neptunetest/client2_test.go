package neptunetest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/nexport-go/migrate/neptune/neptunetest"
)

const (
	backend     = "/api/backend/v1/"
	leaderboard = "/api/leaderboard/v1/"
	attributes2 = leaderboard + "attributes/"
)

// serve2 serves runs of the project team/proj of Neptune 2.
func serve2(t testing.TB, opts neptunetest.Options, runs ...*neptunetest.Run) (*neptunetest.Server, *client) {
	t.Helper()
	opts.Generation = 2
	return serve(t, opts, runs...)
}

func run2(id string, attributes ...neptunetest.Attribute) *neptunetest.Run {
	return &neptunetest.Run{ID: id, Attributes: attributes}
}

// query makes a path with parameters, given as names and values.
func query(path string, parameters ...string) string {
	values := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		values.Add(parameters[i], parameters[i+1])
	}
	return path + "?" + values.Encode()
}

// get reads what stands at a path: JSON, with numbers as they are written.
func (c *client) get(path string, parameters ...string) any {
	c.t.Helper()
	return c.tree(c.do(http.MethodGet, query(path, parameters...), ""))
}

func (c *client) tree(resp *http.Response) (tree any) {
	c.t.Helper()
	dec := json.NewDecoder(resp.Body)
	dec.UseNumber()
	defer resp.Body.Close()
	if err := dec.Decode(&tree); err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatalf("%s %s: %s, %v: %v", resp.Request.Method, resp.Request.URL, resp.Status, err, tree)
	}
	return tree
}

// statusOf is that of a GET, of which nothing else matters.
func (c *client) statusOf(path string, parameters ...string) int {
	c.t.Helper()
	resp := c.do(http.MethodGet, query(path, parameters...), "")
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// uuid resolves a name of the project team/proj.
func (c *client) uuid(id string) string {
	c.t.Helper()
	return member[string](c.t, c.get(leaderboard+"experiments", "experimentId", "team/proj/"+id), "id")
}

// member follows names and indexes into a tree.
func member[T any](t testing.TB, tree any, path ...any) T {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			tree = tree.(map[string]any)[step]
		case int:
			tree = tree.([]any)[step]
		}
	}
	v, ok := tree.(T)
	if !ok {
		t.Fatalf("%v is %v", path, tree)
	}
	return v
}

// entries searches for runs, sorted by creation time, and returns their IDs and how many match.
func (c *client) entries(kind, nql string, limit, offset int) (ids []string, matching string) {
	c.t.Helper()
	body := fmt.Sprintf(`{"sorting":{"dir":"ascending","aggregationMode":"none","sortBy":{"name":"sys/creation_time","type":"datetime"}},
		"attributeFilters":[{"path":"sys/id"}],"query":{"query":%q},"pagination":{"limit":%d,"offset":%d}}`, nql, limit, offset)
	tree := c.tree(c.do(http.MethodPost, query(leaderboard+"leaderboard/entries/search", "projectIdentifier", "team/proj", "type", kind), body))
	for _, entry := range member[[]any](c.t, tree, "entries") {
		ids = append(ids, member[string](c.t, entry, "attributes", 0, "stringProperties", "value"))
	}
	return ids, member[json.Number](c.t, tree, "matchingItemCount").String()
}
