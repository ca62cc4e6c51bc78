package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nexport-go/migrate/internal/fixture"
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
			env.Values[serverKey{}] = &server{files: map[string]int64{}}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"unpack": func(ts *testscript.TestScript, _ bool, args []string) { unpack(ts, t, args) },
			"exit":   exit,
			"refuse": func(ts *testscript.TestScript, _ bool, args []string) { refuse(ts, args) },
			"mlflow": func(ts *testscript.TestScript, _ bool, args []string) { serve(ts, args) },
			"writes": writes,
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

// writes checks that the server was written to since it was last asked, or with ! that it was not.
func writes(ts *testscript.TestScript, neg bool, _ []string) {
	s := ts.Value(serverKey{}).(*server)
	s.mu.Lock()
	defer s.mu.Unlock()
	if (s.writes == 0) != neg {
		ts.Fatalf("%d requests that write", s.writes)
	}
	s.writes = 0
}

// mlflow [fail OPERATION] sets URI to an empty MLflow server, which refuses the operation ("runs/update").
func serve(ts *testscript.TestScript, args []string) {
	s := ts.Value(serverKey{}).(*server)
	if len(args) == 2 && args[0] == "fail" {
		s.failing = args[1]
	}
	running := httptest.NewServer(s)
	ts.Defer(running.Close)
	ts.Setenv("URI", running.URL)
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
