//go:build unix

package e2e_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Exit codes of the command.
const (
	exitMoved       = 0
	exitFailed      = 1
	exitPartial     = 3
	exitInterrupted = 130
)

const commandTimeout = 10 * time.Minute

// binary builds the command once and gives its path.
func binary(t testing.TB) string {
	t.Helper()
	path, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var buildOnce = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "nexport-e2e-")
	if err != nil {
		return "", err
	}
	servers.Lock()
	servers.dirs = append(servers.dirs, dir)
	servers.Unlock()
	path := filepath.Join(dir, "nexport")
	build := exec.Command("go", "build", "-o", path, "../cmd/nexport")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", &outputError{err, string(out)}
	}
	return path, nil
})

type outputError struct {
	err error
	out string
}

func (e *outputError) Error() string { return e.err.Error() + "\n" + e.out }

// archiveDirs is an archive, and the prefix of its experiments: archives of one project share servers.
type archiveDirs struct {
	data, files, prefix string
	artifacts           string // for a database: --artifacts-dir, if it is to be given
}

// loadArgs are the arguments that load everything of an archive; without a URI the command chooses.
func (a archiveDirs) loadArgs(uri string) []string {
	args := []string{
		"load", "--data-path", a.data, "--files-path", a.files,
		"--name-prefix", a.prefix, "--scope", "runs,models,model_versions",
	}
	if uri != "" {
		args = append(args, "--mlflow-tracking-uri", uri)
	}
	if a.artifacts != "" {
		args = append(args, "--artifacts-dir", a.artifacts)
	}
	return args
}

// command prepares the command; nothing of the caller's MLflow settings reaches it.
func command(ctx context.Context, t testing.TB, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.CommandContext(ctx, binary(t), args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "MLFLOW_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "HOME="+t.TempDir())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	return cmd, &out
}

// run runs the command to its end and gives its exit code and all it said.
func run(t testing.TB, args ...string) (code int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd, said := command(ctx, t, args...)
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatalf("run the command: %v", err)
	}
	return cmd.ProcessState.ExitCode(), said.String()
}

// load loads an archive and fails the test unless it ends with 0, or with 3 if the archive is
// known to lack something.
func load(t testing.TB, a archiveDirs, url string, partial bool, more ...string) string {
	t.Helper()
	want := exitMoved
	if partial {
		want = exitPartial
	}
	code, out := run(t, append(a.loadArgs(url), more...)...)
	if code != want {
		t.Fatalf("load ended with %d, want %d:\n%s", code, want, out)
	}
	return out
}

// check runs the checker and gives what it printed; equal says that it found no difference.
func check(t testing.TB, a archiveDirs, url string, more ...string) (equal bool, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	args := append([]string{
		"-B", "check.py", "--data", a.data, "--files", a.files, "--uri", url, "--prefix", a.prefix,
	}, more...)
	cmd := exec.CommandContext(ctx, filepath.Join(venv(t, envMLflow3), "bin", "python"), args...)
	said, err := cmd.CombinedOutput()
	if strings.Contains(string(said), "Traceback") {
		t.Fatalf("the checker broke: %v\n%s", err, said)
	}
	return err == nil, string(said)
}

// mustEqual fails the test if the checker finds a difference.
func mustEqual(t testing.TB, a archiveDirs, url string, more ...string) {
	t.Helper()
	equal, out := check(t, a, url, more...)
	if !equal {
		t.Fatalf("the server holds something else than the archive:\n%s", out)
	}
	t.Log(strings.TrimSpace(out))
}
