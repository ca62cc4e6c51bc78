//go:build unix

package e2e_test

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/nexport-go/migrate/e2e/internal/mlflowserver"
	"github.com/nexport-go/migrate/internal/postgres"
)

// Names of the environments of the two lines of MLflow.
const (
	envMLflow3 = "NEXPORT_TEST_MLFLOW3"
	envMLflow2 = "NEXPORT_TEST_MLFLOW2"

	envMLflowNext = "NEXPORT_TEST_MLFLOWNEXT" // newer than envMLflow3, which can be installed
)

// servers are shared by the tests of the package; TestMain stops them.
var servers = struct {
	sync.Mutex
	byName map[string]*mlflowserver.Server
	dirs   []string
}{byName: map[string]*mlflowserver.Server{}}

func TestMain(m *testing.M) {
	code := m.Run()
	servers.Lock()
	for _, s := range servers.byName {
		s.Stop()
	}
	postgresServer.Stop()
	for _, dir := range servers.dirs {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// postgresServer is shared too; each test has databases of its own.
var postgresServer postgres.Shared

// venv gives the directory of a Python environment, or skips the test.
func venv(t testing.TB, env string) string {
	t.Helper()
	dir := os.Getenv(env)
	if dir == "" {
		t.Skipf("%s is not set: run this by make e2e", env)
	}
	return dir
}

// sharedServer gives the URL of a server that all tests use: its artifacts go through the server, or
// with local into a directory that clients write to.
func sharedServer(t testing.TB, env string, local bool) string {
	t.Helper()
	return shared(t, env, local).URL()
}

func shared(t testing.TB, env string, local bool) *mlflowserver.Server {
	t.Helper()
	environment := venv(t, env)
	servers.Lock()
	defer servers.Unlock()
	name := fmt.Sprint(env, local)
	if s := servers.byName[name]; s != nil {
		return s
	}
	s, err := mlflowserver.Start(environment, sharedDir(t), local)
	if err != nil {
		t.Fatal(err)
	}
	servers.byName[name] = s
	return s
}

// ownServer starts a server for one test.
func ownServer(t *testing.T, env string) *mlflowserver.Server {
	t.Helper()
	dir := t.TempDir()
	return serverOn(t, env, dir, sqliteURI(dir))
}

// serverOn starts a server on a database for one test, with its artifacts in dir/artifacts.
func serverOn(t *testing.T, env, dir, uri string) *mlflowserver.Server {
	t.Helper()
	s, err := mlflowserver.StartOn(venv(t, env), dir, uri, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// sharedDir makes a directory that outlives the test; servers is locked.
func sharedDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nexport-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	servers.dirs = append(servers.dirs, dir)
	return dir
}
