//go:build unix

package e2e_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nexport-go/migrate/internal/fixture"
)

// goOn works in loaded experiments with MLflow's client, over the server at url: what was loaded is a good
// start for new runs and for further points of loaded ones, and stays as it is.
func goOn(t *testing.T, env, url string, a archiveDirs, at place) {
	continued := plain(t, faultShape, "continued/")
	continued.artifacts = at.artifacts
	load(t, continued, at.uri, false)
	t.Log(python(t, env, "go_on.py", "--uri", url, "--prefix", a.prefix, "--continued", continued.prefix))
	mustEqual(t, a, url, "--added", "added ")
	load(t, a, at.uri, false)
	mustEqual(t, a, url, "--added", "added ")
}

// python runs a script of this directory with the Python of an environment, and gives what it wrote.
func python(t testing.TB, env, script string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	out, err := pythonCommand(ctx, t, env, script, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return strings.TrimSpace(string(out))
}

func pythonCommand(ctx context.Context, t testing.TB, env, script string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, filepath.Join(venv(t, env), "bin", "python"), append([]string{"-B", script}, args...)...)
	cmd.Env = append(os.Environ(), "MLFLOW_DISABLE_TELEMETRY=true", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT=true")
	return cmd
}

// mlflowCommand runs MLflow's own command beside the server at uri.
func mlflowCommand(t *testing.T, env, uri string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(venv(t, env), "bin", "mlflow"), args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "MLFLOW_DISABLE_TELEMETRY=true", "MLFLOW_TRACKING_URI="+uri)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("mlflow %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// TestSameAsREST loads the odd archives over REST and straight into the database that the command chooses by itself:
// two servers show the same.
func TestSameAsREST(t *testing.T) {
	rest := sharedServer(t, envMLflow3, false)
	dir := t.TempDir()
	t.Parallel()
	data, files := fixture.Unpack(t, "neptune3-d-odd")
	archives := []namedArchive{{archiveDirs{data: data, files: files, prefix: "same/odd/"}, "odd", false}, {made(t), "made", true}}
	archives[1].prefix = "same/made/"
	for _, a := range archives {
		load(t, a.archiveDirs, rest, a.partial)
		cmd, said := command(t.Context(), t, a.loadArgs("")...)
		cmd.Dir = dir
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != exitMoved && !(a.partial && code == exitPartial) {
			t.Fatalf("load ended with %d:\n%s", code, said)
		}
	}
	s := serverOn(t, envMLflow3, dir, sqliteURI(dir))
	t.Log(python(t, envMLflow3, "same.py", "--uri", rest, "--other", s.URL(), "--prefix", "same/"))

	run := findRun(t, s.URL(), "same/made/e2e/other")
	post(t, s.URL(), "runs/set-tag", map[string]any{"run_id": run.ID, "key": "neptune.run_id", "value": "x"})
	out, err := pythonCommand(t.Context(), t, envMLflow3, "same.py", "--uri", rest, "--other", s.URL(), "--prefix", "same/made/e2e/other").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "\n1 of ") {
		t.Errorf("another tag is not seen: %v\n%s", err, out)
	}
}

// TestBesideServer loads while a server writes runs of others into the same database: neither fails.
func TestBesideServer(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			at := kind.open(t)
			t.Parallel()
			first := plain(t, "1x1x1", "first/")
			first.artifacts = at.artifacts
			load(t, first, at.uri, false)
			url := at.serve(t)
			a := plain(t, "8x8x1500", "beside/")
			a.artifacts = at.artifacts
			others := pythonCommand(t.Context(), t, envMLflow3, "beside.py", "--uri", url)
			end, said := talk(t, others)
			load(t, a, at.uri, false)
			end()
			if err := others.Wait(); err != nil {
				t.Errorf("logging beside a load: %v\n%s", err, said)
			}
			t.Log(said)
			mustEqual(t, a, url)
		})
	}
}

// talk starts a script and waits until it says that it is ready; end closes its input.
func talk(t *testing.T, cmd *exec.Cmd) (end func(), said *bytes.Buffer) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	ready, said := make(chan struct{}), &bytes.Buffer{}
	cmd.Stdout = io.MultiWriter(said, writerFunc(sync.OnceFunc(func() { close(ready) })))
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ready:
	case <-time.After(time.Minute):
		t.Fatal("the script says nothing")
	}
	return func() { in.Close() }, said
}

// writerFunc is called at each write.
type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) {
	f()
	return len(p), nil
}
