package neptune2_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/nexport-go/migrate/internal/fixture"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

const envNeptune2 = "NEXPORT_TEST_NEPTUNE2"

func TestClientReadsWorlds(t *testing.T) {
	for _, test := range []struct {
		name, world string
		opts        neptunetest.Options
		fault       func(n int, r *http.Request) neptunetest.Fault
	}{
		{name: "usual", world: "neptune2-de-ordinary"},
		{name: "odd", world: "neptune2-de-odd"},
		{name: "odd from another host", world: "neptune2-de-odd", opts: neptunetest.Options{Redirect: true}},
		{name: "packed files", world: "neptune2-de-warsaw", opts: neptunetest.Options{GzipFile: true, Ranges: true}},
		{name: "tokens that live for seconds", world: "neptune2-de-warsaw", opts: neptunetest.Options{TokenLife: 20e9}},
		{name: "faults", world: "neptune2-de-warsaw", fault: faults},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			world := fixture.World(t, test.world)
			server := serve(t, world, test.opts)
			server.SetFault(test.fault)
			out, err := check(t, server, world)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if n := compared(t, out); n < 400 {
				t.Errorf("only %d things were compared", n)
			}
		})
	}
}

// TestClientListsMany: a listing longer than the window of a search, as the client goes on after its end.
func TestClientListsMany(t *testing.T) {
	t.Parallel()
	const runs = 12_500
	server := neptunetest.NewServer(t, neptunetest.Options{
		Generation: 2, Projects: []*neptunetest.Project{neptunetest.Large("ws", "many", runs, 0, 0)},
	})
	out, err := python(t, server, "many.py", "ws/many")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^ID (L-\d+)$`).FindAllSubmatch(out, -1) {
		ids[string(m[1])] = true
	}
	if len(ids) != runs {
		t.Errorf("%d runs, want %d", len(ids), runs)
	}
}

// TestCheckerFinds: the checker can fail. It names each attribute of which the world that it compares with has
// something else than the server.
func TestCheckerFinds(t *testing.T) {
	t.Parallel()
	world := fixture.World(t, "neptune2-de-warsaw")
	var whole map[string]json.RawMessage
	decode(t, world, &whole)
	var runs []attribute
	decode(t, whole["runs"], &runs)
	run := runs[len(runs)-1]
	want := map[string]string{} // how the checker names the attribute, by type
	for kind, change := range changes {
		a := lastOf(t, run, kind)
		change(a)
		want[kind] = fmt.Sprintf("%s '%s'", run["sys_id"], a["path"])
	}
	whole["runs"], _ = json.Marshal(runs) // was JSON
	changed, _ := json.Marshal(whole)
	out, err := check(t, serve(t, world, neptunetest.Options{}), changed)
	for kind, where := range want {
		if err == nil || !bytes.Contains(out, []byte(where)) {
			t.Errorf("%s: %v, and nothing is said of %s", kind, err, where)
		}
	}
	compared(t, out) // it went through to the end
}

// attribute is an attribute of a world, or an object in one.
type attribute = map[string]any

// changes change an attribute, by its type.
var changes = map[string]func(a attribute){
	"int":           func(a attribute) { a["value"] = 4711 },
	"float":         func(a attribute) { a["value"] = 1e-300 },
	"string":        func(a attribute) { a["value"] = "another" },
	"bool":          func(a attribute) { a["value"] = a["value"] == false },
	"datetime":      func(a attribute) { a["value"] = 1700000000001 },
	"string_set":    func(a attribute) { a["value"] = []string{"another"} },
	"run_state":     func(a attribute) { a["value"] = "running" },
	"git_ref":       func(a attribute) { a["value"].(attribute)["commit"].(attribute)["commitId"] = "another" },
	"float_series":  func(a attribute) { a["points"].([]any)[3].([]any)[2] = 1700000000001 },
	"string_series": func(a attribute) { a["points"].([]any)[3].([]any)[0] = 3.5 },
	"file_series":   func(a attribute) { a["points"].([]any)[1].([]any)[1].(attribute)["b64"] = "YQ==" },
	"file":          func(a attribute) { a["seed"] = 4711 },
	"file_set":      func(a attribute) { a["files"].([]any)[0].(attribute)["b64"] = "YQ==" },
	"artifact":      func(a attribute) { a["files"].([]any)[1].(attribute)["hash"] = "another" },
}

// lastOf is the last attribute of the type that is not one of sys, as long as there is one; a file has a seed.
func lastOf(t *testing.T, run attribute, kind string) (found attribute) {
	t.Helper()
	for _, v := range run["attributes"].([]any) {
		a := v.(attribute)
		_, seeded := a["seed"]
		if a["type"] == kind && (kind != "file" || seeded) && (found == nil || !strings.HasPrefix(a["path"].(string), "sys/")) {
			found = a
		}
	}
	if found == nil {
		t.Fatalf("no %s", kind)
	}
	return found
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// unwrapped are requests that the client does not repeat.
var unwrapped = []string{"/entries/search", "/downloadRequest", "/oauth-token", "/openid-connect/token"}

// faults are those that the client gets over: for downloads it takes no token for expired, and repeats no body.
func faults(n int, r *http.Request) neptunetest.Fault {
	for _, path := range unwrapped {
		if strings.HasSuffix(r.URL.Path, path) {
			return neptunetest.Fault{}
		}
	}
	raw := strings.Contains(r.URL.Path, "/download") || strings.HasSuffix(r.URL.Path, "/single")
	switch n % 40 {
	case 5:
		return neptunetest.Fault{Status: http.StatusTooManyRequests, RetryAfter: "0"}
	case 12:
		return neptunetest.Fault{Status: http.StatusServiceUnavailable}
	case 19:
		return neptunetest.Fault{Reset: true}
	case 26:
		return neptunetest.Fault{ExpiredToken: !raw}
	case 33:
		return neptunetest.Fault{Cut: !raw}
	}
	return neptunetest.Fault{}
}

func serve(t *testing.T, world []byte, opts neptunetest.Options) *neptunetest.Server {
	t.Helper()
	project, err := neptunetest.World{}.ReadWorld(world)
	if err != nil {
		t.Fatal(err)
	}
	opts.Generation, opts.Projects = 2, []*neptunetest.Project{project}
	return neptunetest.NewServer(t, opts)
}

// check runs check.py against the server and returns what it says.
func check(t *testing.T, server *neptunetest.Server, world []byte) ([]byte, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "world.json")
	if err := os.WriteFile(path, world, 0o600); err != nil {
		t.Fatal(err)
	}
	return python(t, server, "check.py", path)
}

// python runs a program that uses the client, which finds the server.
func python(t *testing.T, server *neptunetest.Server, program string, arguments ...string) ([]byte, error) {
	t.Helper()
	venv := os.Getenv(envNeptune2)
	if venv == "" {
		t.Skipf("%s does not name a Python environment with neptune 1.14", envNeptune2)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(venv, "bin", "python"), append([]string{program}, arguments...)...)
	cmd.Env = append(os.Environ(), "NEPTUNE_API_TOKEN="+server.Token(), "NO_PROXY=127.0.0.1,localhost", "TZ=UTC",
		"OAUTHLIB_INSECURE_TRANSPORT=1", "NEPTUNE_FETCH_TABLE_STEP_SIZE=1000", "PYTHONWARNINGS=ignore", "PYTHONUTF8=1")
	return cmd.CombinedOutput()
}

var comparedLine = regexp.MustCompile(`(?m)^compared (\d+)$`)

func compared(t *testing.T, out []byte) int {
	t.Helper()
	m := comparedLine.FindSubmatch(out)
	if m == nil {
		t.Fatalf("it does not say how much it compared:\n%s", out)
	}
	n, _ := strconv.Atoi(string(m[1])) // was matched
	return n
}
