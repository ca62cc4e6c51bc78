package neptune3_test

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/nexport-go/migrate/internal/fixture"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

const envNeptune3 = "NEXPORT_TEST_NEPTUNE3"

func TestClientReadsWorlds(t *testing.T) {
	for _, test := range []struct {
		name, world string
		opts        neptunetest.Options
		env         []string // of the client: sizes of its pages
		fault       func(n int, r *http.Request) neptunetest.Fault
	}{
		{name: "usual", world: "neptune3-d-small"},
		{name: "wide", world: "neptune3-d-multipart"},
		{name: "odd", world: "neptune3-d-odd"},
		{
			name: "odd by small pages", world: "neptune3-d-odd", opts: neptunetest.Options{PagePoints: 2, NoGzip: true, Provider: "aws"},
			env: smallPages,
		},
		{name: "usual in Azure", world: "neptune3-d-small", opts: neptunetest.Options{Provider: "azure", Prefix: "/neptune"}},
		{name: "packed files", world: "neptune3-d-small", opts: neptunetest.Options{GzipFile: true}},
		{name: "tokens that live for seconds", world: "neptune3-d-small", opts: neptunetest.Options{TokenLife: 20e9}},
		{name: "faults", world: "neptune3-d-small", fault: faults},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			world := fixture.World(t, test.world)
			project, err := neptunetest.World{}.ReadWorld(world)
			if err != nil {
				t.Fatal(err)
			}
			test.opts.Projects = []*neptunetest.Project{project}
			server := neptunetest.NewServer(t, test.opts)
			server.SetFault(test.fault)
			check(t, server, world, test.env)
		})
	}
}

// smallPages makes the client ask for little at a time. What it asks for and gets short pages of ends its
// listing, so that the server must not be asked to make them.
var smallPages = []string{
	"NEPTUNE_QUERY_EXPERIMENT_SYS_ATTRS_BATCH_SIZE=3",
	"NEPTUNE_QUERY_ATTRIBUTE_DEFINITIONS_BATCH_SIZE=7",
	"NEPTUNE_QUERY_ATTRIBUTE_VALUES_BATCH_SIZE=5",
	"NEPTUNE_QUERY_SERIES_BATCH_SIZE=4",
}

// faults are those that the client gets over: it has no retry for files whose connection breaks, and none
// for an answer 401.
func faults(n int, r *http.Request) neptunetest.Fault {
	if r.Method == http.MethodGet {
		return fileFaults(n)
	}
	switch n % 12 {
	case 1:
		return neptunetest.Fault{Status: http.StatusTooManyRequests, RetryAfter: "0.01"}
	case 4:
		return neptunetest.Fault{Status: http.StatusServiceUnavailable}
	case 7:
		return neptunetest.Fault{Reset: true}
	case 10:
		return neptunetest.Fault{Cut: true}
	}
	return neptunetest.Fault{}
}

func fileFaults(n int) neptunetest.Fault {
	switch n % 7 {
	case 2:
		return neptunetest.Fault{Status: http.StatusBadGateway, Body: "<html>"}
	case 4:
		return neptunetest.Fault{ExpiredLink: true}
	}
	return neptunetest.Fault{}
}

var compared = regexp.MustCompile(`(?m)^compared (\d+)$`)

// check runs check.py against the server.
func check(t *testing.T, server *neptunetest.Server, world []byte, env []string) {
	t.Helper()
	venv := os.Getenv(envNeptune3)
	if venv == "" {
		t.Skipf("%s does not name a Python environment with neptune-query", envNeptune3)
	}
	path := filepath.Join(t.TempDir(), "world.json")
	if err := os.WriteFile(path, world, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(venv, "bin", "python"), "check.py", path)
	cmd.Env = append(os.Environ(), "NEPTUNE_API_TOKEN="+server.Token(), "NO_PROXY=127.0.0.1", "PYTHONWARNINGS=ignore",
		"NEPTUNE_QUERY_RETRY_SOFT_TIMEOUT=60", "NEPTUNE_LOGGER_LEVEL=ERROR")
	cmd.Env = append(cmd.Env, env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out.Bytes())
	}
	m := compared.FindSubmatch(out.Bytes())
	if m == nil {
		t.Fatalf("it does not say how much it compared:\n%s", out.Bytes())
	}
	if n, _ := strconv.Atoi(string(m[1])); n < 100 {
		t.Errorf("only %d things were compared", n)
	}
	t.Logf("compared %s", m[1])
}
