package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nexport-go/migrate/internal/fixture"
	"github.com/nexport-go/migrate/mlflow/mlflowtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"nexport": main})
}

// TestScripts runs testdata/script: each file shows one behaviour of the command.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir) // no credentials of whoever runs the tests
			env.Values[serverKey{}] = &watched{}
			env.Values[neptuneKey{}] = &watchedNeptune{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"unpack":  func(ts *testscript.TestScript, _ bool, args []string) { unpack(ts, t, args) },
			"exit":    exit,
			"refuse":  func(ts *testscript.TestScript, _ bool, args []string) { refuse(ts, args) },
			"mlflow":  func(ts *testscript.TestScript, _ bool, args []string) { serve(ts, t, args) },
			"server":  server,
			"writes":  writes,
			"neptune": func(ts *testscript.TestScript, _ bool, args []string) { serveNeptune(ts, t, args) },
			"asked":   asked,
		},
	})
}

// unpack NAME sets DATA and FILES to the directories of an archive of testdata/archives.
func unpack(ts *testscript.TestScript, t *testing.T, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: unpack NAME")
	}
	data, files := fixture.Unpack(t, args[0])
	ts.Setenv("DATA", data)
	ts.Setenv("FILES", files)
}

// exit CODE PROGRAM ARGS... runs a program, which must end with the code.
func exit(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exit CODE PROGRAM ARGS...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// refuse STATUS sets URI, and SECRET_URI with a password in it, to a server that answers every request with the status.
func refuse(ts *testscript.TestScript, args []string) {
	status, err := strconv.Atoi(strings.Join(args, ""))
	ts.Check(err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "refused", status)
	}))
	ts.Defer(server.Close)
	ts.Setenv("URI", server.URL)
	ts.Setenv("SECRET_URI", strings.Replace(server.URL, "://", "://user:s3cret@", 1))
}

// serverKey finds the server of a script.
type serverKey struct{}

// watched is a server and how many of its requests a script has looked at.
type watched struct {
	*mlflowtest.Server
	seen int
}

// serve is mlflow [fail OPERATION | forbid EXPERIMENT]: it sets URI to the script's new server, which may
// refuse an operation, such as runs/update, or runs in an experiment.
func serve(ts *testscript.TestScript, t *testing.T, args []string) {
	w := ts.Value(serverKey{}).(*watched)
	forbid := func(experiment string) bool { return len(args) == 2 && args[0] == "forbid" && args[1] == experiment }
	w.Server, w.seen = mlflowtest.NewServer(t, mlflowtest.Options{Forbid: forbid}), 0
	if len(args) == 2 && args[0] == "fail" {
		w.SetFault(func(_ int, r *http.Request) (f mlflowtest.Fault) {
			if strings.HasSuffix(r.URL.Path, args[1]) {
				f.Status = http.StatusBadRequest
			}
			return f
		})
	}
	ts.Setenv("URI", w.URL)
}

// server changes what mlflow started: add NAME and delete NAME are an experiment, root LOCATION is that of the artifacts
// of new ones.
func server(ts *testscript.TestScript, _ bool, args []string) {
	w := ts.Value(serverKey{}).(*watched)
	changes := map[string]func(string){"add": w.AddExperiment, "delete": w.DeleteExperiment, "root": w.SetArtifactRoot}
	if len(args) != 2 || changes[args[0]] == nil {
		ts.Fatalf("usage: server add|delete NAME, or server root LOCATION")
	}
	changes[args[0]](args[1])
}

// writes checks that the server was written to since it was last asked, or with ! that it was not.
func writes(ts *testscript.TestScript, neg bool, _ []string) {
	w := ts.Value(serverKey{}).(*watched)
	requests := w.Requests()
	written := slices.ContainsFunc(requests[w.seen:], func(r string) bool {
		return !strings.HasPrefix(r, "GET ") && !strings.HasSuffix(r, "/search")
	})
	if written == neg {
		ts.Fatalf("requests: %q", requests[w.seen:])
	}
	w.seen = len(requests)
}

// TestInterrupt interrupts a load that waits for the server: it ends at once, by itself.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no interrupts to send")
	}
	asked := make(chan struct{}, 100)
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-stop:
		}
	}))
	defer server.Close()
	defer close(stop)
	data, files := fixture.Unpack(t, "neptune3-d-small")
	var stderr strings.Builder
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "nexport", "load",
		"--data-path", data, "--files-path", files, "--mlflow-tracking-uri", server.URL)
	cmd.Env, cmd.Stderr = append(os.Environ(), "HOME="+t.TempDir()), &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != exitInterrupted {
		t.Errorf("exit code %d (%v), want %d\n%s", got, err, exitInterrupted, &stderr)
	}
	if !strings.Contains(stderr.String(), "the same command again") {
		t.Errorf("standard error does not say how to go on:\n%s", &stderr)
	}
}
