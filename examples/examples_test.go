// Package examples_test builds and runs the example programs, as a reader of them would.
package examples_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nexport-go/migrate/internal/fixture"
	"github.com/nexport-go/migrate/mlflow/mlflowtest"
)

// build compiles an example and returns the program.
func build(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name+".exe")
	if out, err := exec.Command("go", "build", "-o", program, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(program), err, out)
	}
	return string(out)
}

func TestJSONLines(t *testing.T) {
	program, out := build(t, "jsonlines"), t.TempDir()
	data, files := fixture.Unpack(t, "neptune3-d-small")
	if got := run(t, program, data, files, out); !strings.HasPrefix(got, "6 runs written, 0 ") {
		t.Errorf("first: %s", got)
	}
	if got := run(t, program, data, files, out); !strings.HasPrefix(got, "0 runs written, 6 ") {
		t.Errorf("again: %s", got)
	}
	runs, err := filepath.Glob(filepath.Join(out, "*", "run.jsonl"))
	if err != nil || len(runs) != 6 {
		t.Fatalf("%d runs and %v, want 6", len(runs), err)
	}
	for _, path := range runs {
		if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), `"path":"sys/id"`) {
			t.Errorf("%s lacks sys/id: %v", path, err)
		}
	}
}

// TestJSONLinesLacking loses a file of the archive, and finds it again.
func TestJSONLinesLacking(t *testing.T) {
	program, out := build(t, "jsonlines"), t.TempDir()
	data, files := fixture.Unpack(t, "neptune3-d-small")
	away := filepath.Join(t.TempDir(), "away")
	if err := os.Rename(files, away); err != nil {
		t.Fatal(err)
	}
	for range 2 { // what lacks something does not look complete the second time
		got, err := exec.Command(program, data, files, out).CombinedOutput()
		if err == nil || !strings.Contains(string(got), " is not whole: ") || strings.Contains(string(got), " 6 were there") {
			t.Fatalf("without files: %v\n%s", err, got)
		}
	}
	if err := os.Rename(away, files); err != nil {
		t.Fatal(err)
	}
	if got := run(t, program, data, files, out); strings.HasPrefix(got, "0 runs written") {
		t.Errorf("with files: %s", got)
	}
	if left, _ := filepath.Glob(filepath.Join(out, "*.partial")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestCSVSource(t *testing.T) {
	program, dir, server := build(t, "csvsource"), t.TempDir(), mlflowtest.NewServer(t, mlflowtest.Options{})
	for name, text := range map[string]string{"a.csv": "step,loss,acc\n0,1,0.5\n1,0.5,0.75\n", "b.csv": "step,loss\n0,2\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := run(t, program, dir, server.URL); !strings.HasPrefix(got, "2 runs loaded, 0 ") {
		t.Errorf("first: %s", got)
	}
	points := map[string]int{}
	for _, held := range server.Runs() {
		for key, of := range held.Metrics {
			points[held.Name+" "+key] = len(of)
		}
	}
	if diff := cmp.Diff(map[string]int{"a loss": 2, "a acc": 2, "b loss": 1}, points); diff != "" {
		t.Error(diff)
	}
	if got := run(t, program, dir, server.URL); !strings.HasPrefix(got, "0 runs loaded, 2 ") {
		t.Errorf("again: %s", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "c.csv"), []byte("step,loss\n0,x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := exec.Command(program, dir, server.URL).CombinedOutput(); err == nil || !strings.Contains(string(got), "csv/metrics/c is not whole: ") {
		t.Errorf("what is no number: %v\n%s", err, got)
	}
}

func TestSizes(t *testing.T) {
	for _, name := range []string{"jsonlines", "csvsource"} {
		b, err := os.ReadFile(filepath.Join(name, "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(b), "\n"); n >= 100 {
			t.Errorf("%s has %d lines; an example should stay under 100", name, n)
		}
	}
}
