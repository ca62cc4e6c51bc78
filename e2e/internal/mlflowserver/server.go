//go:build unix

// Package mlflowserver runs real MLflow servers for tests and benchmarks.
package mlflowserver

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const startTimeout = 3 * time.Minute

// Server is one MLflow server process with one worker.
type Server struct {
	program, dir string
	store        string // the URI of its database
	local        bool
	port         int
	cmd          *exec.Cmd
}

// Start starts the MLflow of a Python environment with a store in dir, of SQLite, and waits until it answers.
// Its artifacts go through the server, or with local into a directory that clients write to.
func Start(environment, dir string, local bool) (*Server, error) {
	return StartOn(environment, dir, "sqlite:///"+filepath.Join(dir, "mlflow.db"), local)
}

// StartOn is Start on a database that the URI store names; artifacts and log still go to dir.
func StartOn(environment, dir, store string, local bool) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &Server{program: program(environment), dir: dir, store: store, local: local, port: port}
	return s, s.start()
}

// Upgrade runs the command that makes MLflow's tables in a database or brings them to the newest revision
// that the MLflow of the environment knows. It gives what the command wrote.
func Upgrade(environment, store string) (string, error) {
	out, err := exec.Command(program(environment), "db", "upgrade", store).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("upgrade MLflow's database: %w; it says:\n%s", err, out)
	}
	return string(out), nil
}

func program(environment string) string { return filepath.Join(environment, "bin", "mlflow") }

// URL is the tracking URI.
func (s *Server) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", s.port) }

// Store is the URI of its database.
func (s *Server) Store() string { return s.store }

// Dir is where it keeps its log and, unless it was started on another, its database.
func (s *Server) Dir() string { return s.dir }

// Stop kills the server with all its workers.
func (s *Server) Stop() {
	syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	s.cmd.Wait()
}

// Restart is a crash of the server and a new start on the same store and port.
func (s *Server) Restart() error {
	s.Stop()
	return s.start()
}

func (s *Server) start() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the log of the MLflow server: %w", err)
	}
	defer log.Close()
	s.cmd = exec.Command(s.program, s.args()...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, log, log
	// Job processes would take 11 seconds of CPU each, long after the server answers.
	s.cmd.Env = append(os.Environ(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false")
	// Its workers are its children: a group of its own lets all of them be stopped.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start the MLflow server: %w", err)
	}
	return s.wait()
}

func (s *Server) args() []string {
	args := []string{
		"server", "--host", "127.0.0.1", "--port", fmt.Sprint(s.port), "--workers", "1",
		"--backend-store-uri", s.store,
	}
	if s.local {
		return append(args, "--default-artifact-root", filepath.Join(s.dir, "root"))
	}
	return append(args, "--artifacts-destination", ArtifactsDestination(s.dir))
}

// ArtifactsDestination is where a server whose directory is dir keeps the artifacts that go through it.
func ArtifactsDestination(dir string) string { return filepath.Join(dir, "artifacts") }

func (s *Server) wait() error {
	client := &http.Client{Timeout: 5 * time.Second}
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		answer, err := client.Get(s.URL() + "/health")
		if err != nil {
			continue
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return nil
		}
	}
	s.Stop()
	log, _ := os.ReadFile(filepath.Join(s.dir, "server.log"))
	return fmt.Errorf("the MLflow server does not answer at %s; its log:\n%s", s.URL(), log)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
