//go:build unix

package e2e_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Names of the environments of the two lines of MLflow.
const (
	envMLflow3 = "NEXPORT_TEST_MLFLOW3"
	envMLflow2 = "NEXPORT_TEST_MLFLOW2"
)

const startTimeout = 3 * time.Minute

// server is one MLflow server process with its store in a directory.
type server struct {
	program, dir, local string
	port                int
	cmd                 *exec.Cmd
}

// servers are shared by the tests of the package; TestMain stops them.
var servers = struct {
	sync.Mutex
	byName map[string]*server
	dirs   []string
}{byName: map[string]*server{}}

func TestMain(m *testing.M) {
	code := m.Run()
	servers.Lock()
	for _, s := range servers.byName {
		s.stop()
	}
	for _, dir := range servers.dirs {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// venv gives the directory of a Python environment, or skips the test.
func venv(t testing.TB, env string) string {
	t.Helper()
	dir := os.Getenv(env)
	if dir == "" {
		t.Skipf("%s is not set: run this by make e2e", env)
	}
	return dir
}

// sharedServer gives the URL of a server that all tests use: its artifacts go through the proxy, or
// with local into a directory that clients write to.
func sharedServer(t testing.TB, env string, local bool) string {
	t.Helper()
	venv(t, env)
	servers.Lock()
	defer servers.Unlock()
	name := fmt.Sprint(env, local)
	if s := servers.byName[name]; s != nil {
		return s.url()
	}
	s := newServer(t, env, sharedDir(t), local)
	servers.byName[name] = s
	return s.url()
}

// ownServer starts a server for one test.
func ownServer(t *testing.T, env string) *server {
	t.Helper()
	venv(t, env)
	s := newServer(t, env, t.TempDir(), false)
	t.Cleanup(s.stop)
	return s
}

// sharedDir makes a directory that outlives the test.
func sharedDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nexport-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	servers.dirs = append(servers.dirs, dir)
	return dir
}

func newServer(t testing.TB, env, dir string, local bool) *server {
	t.Helper()
	s := &server{program: filepath.Join(venv(t, env), "bin", "mlflow"), dir: dir, port: freePort(t)}
	if local {
		s.local = filepath.Join(dir, "root")
	}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *server) url() string { return fmt.Sprintf("http://127.0.0.1:%d", s.port) }

// start runs the server and waits until it answers.
func (s *server) start() error {
	args := []string{
		"server", "--host", "127.0.0.1", "--port", fmt.Sprint(s.port), "--workers", "1",
		"--backend-store-uri", "sqlite:///" + filepath.Join(s.dir, "mlflow.db"),
	}
	if s.local != "" {
		args = append(args, "--default-artifact-root", s.local)
	} else {
		args = append(args, "--artifacts-destination", filepath.Join(s.dir, "artifacts"))
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(s.program, args...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, log, log
	s.cmd.Env = append(os.Environ(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false")
	// Its workers are its children: a group of its own lets all of them be stopped.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start the MLflow server: %w", err)
	}
	return s.wait()
}

func (s *server) wait() error {
	client := &http.Client{Timeout: 5 * time.Second}
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		answer, err := client.Get(s.url() + "/health")
		if err != nil {
			continue
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return nil
		}
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "server.log"))
	s.stop()
	return fmt.Errorf("the MLflow server does not answer at %s; its log:\n%s", s.url(), log)
}

// stop kills the server with all its workers.
func (s *server) stop() {
	syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	s.cmd.Wait()
}

// restart is a crash of the server and a new start on the same store and port.
func (s *server) restart() error {
	s.stop()
	return s.start()
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
