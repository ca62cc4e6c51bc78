//go:build unix

package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
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
	return string(out)
}

func pythonCommand(ctx context.Context, t testing.TB, env, script string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, filepath.Join(venv(t, env), "bin", "python"), append([]string{"-B", script}, args...)...)
	cmd.Env = append(os.Environ(), "MLFLOW_DISABLE_TELEMETRY=true")
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
