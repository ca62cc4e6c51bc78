package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// TestDemoInterrupt interrupts a demo as soon as a file is there that it makes on the way: the next one
// completes it.
func TestDemoInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no interrupts to send")
	}
	if testing.Short() {
		t.Skip("SQLite takes long under the race detector")
	}
	dir := filepath.Join(t.TempDir(), "a demo")
	cutOff(t, dir, filepath.Join(dir, demoData, "*", "*.parquet"))
	cutOff(t, dir, filepath.Join(dir, demoArtifacts, "1", "*"))
	out, err := demoIn(t.Context(), t, dir).Output()
	if err != nil {
		t.Fatalf("the demo after those interrupted: %v\n%s", err, out)
	}
	moved, existed := loaded(t, out)
	if moved+existed != 28 {
		t.Errorf("%d runs moved and %d existed, want 28 in all", moved, existed)
	}
	if out, err = demoIn(t.Context(), t, dir).Output(); err != nil {
		t.Fatal(err)
	}
	if moved, existed = loaded(t, out); moved != 0 || existed != 28 {
		t.Errorf("once more: %d runs moved and %d existed, want 0 and 28", moved, existed)
	}
}

// TestDemoAddress: the newest MLflow decodes escapes, also those in the name of a directory.
func TestDemoAddress(t *testing.T) {
	if got, want := (&demoCmd{Dir: "a%20b"}).uri(), "sqlite:///a%2520b/mlflow.db"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

func demoIn(ctx context.Context, t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(ctx, "nexport", "demo", dir, "--json")
}

// cutOff interrupts a demo when pattern matches a file, or lets it end if that is before.
func cutOff(t *testing.T, dir, pattern string) {
	t.Helper()
	var stderr bytes.Buffer
	cmd := demoIn(context.WithoutCancel(t.Context()), t, dir)
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			if code := cmd.ProcessState.ExitCode(); code != 0 && code != exitInterrupted {
				t.Errorf("exit code %d\n%s", code, &stderr)
			}
			return
		case <-ticker.C:
			if found, _ := filepath.Glob(pattern); len(found) > 0 {
				_ = cmd.Process.Signal(os.Interrupt) // it may have ended just now
				ticker.Stop()                        // a second one would kill it
			}
		}
	}
}

// loaded finds the counts of the load.
func loaded(t *testing.T, out []byte) (moved, existed int64) {
	t.Helper()
	for line := range bytes.Lines(out) {
		var head struct{ Type string }
		if err := json.Unmarshal(line, &head); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		var sum jsonLoad
		if head.Type == "summary" {
			if err := json.Unmarshal(line, &sum); err != nil {
				t.Fatal(err)
			}
			return sum.Moved.Runs, sum.Existed
		}
	}
	t.Fatalf("no summary in\n%s", out)
	return 0, 0
}

// TestDemoLinks: a demo does not write through links that lead elsewhere.
func TestDemoLinks(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, demoNote), []byte(demoNoteText), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(dir, demoFiles)); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	cmd := demoIn(t.Context(), t, dir)
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != exitUsage {
		t.Errorf("exit code %d (%v), want %d\n%s", code, err, exitUsage, out)
	}
	if names, err := os.ReadDir(elsewhere); err != nil || len(names) > 0 {
		t.Errorf("written elsewhere: %v, %v", names, err)
	}
}
