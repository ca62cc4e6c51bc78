//go:build unix && !solaris && !aix

package parquetstore_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	migrate "github.com/nexport-go/migrate"
)

// TestNamedPipes opens none: that would wait for ever. Each is named, and all else is read.
func TestNamedPipes(t *testing.T) {
	data, files := t.TempDir(), t.TempDir()
	home := filepath.Join(files, projectDir)
	part := func(name string) string { return filepath.Join(data, projectDir, name) }
	for _, dir := range []string{part(""), filepath.Join(home, "set")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{
		part("pipe" + digest + "_part_0.parquet"), part("r" + digest + "_part_1.parquet"), part("r" + digest + "_manifest.json"),
		filepath.Join(home, "f"), filepath.Join(home, "s"), filepath.Join(home, "set", "member"),
	} {
		if err := syscall.Mkfifo(name, 0o600); err != nil {
			t.Skip(err)
		}
	}
	if err := os.WriteFile(filepath.Join(home, "set", "good"), []byte("good"), 0o600); err != nil {
		t.Fatal(err)
	}
	named := func(path, kind, file string) row {
		return row{project: project, run: "r", path: path, kind: kind, file: file}
	}
	writeParquet(t, part("r"+digest+"_part_0.parquet"), options{}, id("r"),
		named("f", "file", "f"), named("s", "file_set", "s"), named("set", "file_set", "set"),
		row{project: project, run: "r", path: "series", kind: "file_series", step: 1, time: 1, file: "f"})
	done := make(chan struct{})
	go func() {
		defer close(done)
		readPipes(t, data, files)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("reading waits for a named pipe")
	}
}

func readPipes(t *testing.T, data, files string) {
	store := open(t, data, files)
	infos := list(t, store)
	equal(t, ids(infos), []string{"ws/proj/pipe" + digest, "ws/proj/r"})
	chunks, problems := read(t, store, "r")
	var paths []string
	for _, c := range chunks {
		paths = append(paths, c.Path)
	}
	equal(t, paths, []string{"sys/id", "set"})
	equal(t, chunks[1].Len(), 1)
	for _, name := range []string{"r" + digest + "_part_1.parquet", "r" + digest + "_manifest.json", "f: ", "s: ", "series: "} {
		if !strings.Contains(strings.Join(problems, "\n"), name) {
			t.Errorf("no problem names %q: %q", name, problems)
		}
	}
	bad, err := store.OpenRun(context.Background(), infos[0])
	if err != nil {
		t.Error(err)
		return
	}
	for _, err := range bad.Chunks(context.Background(), nil) {
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("error %v", err)
		}
	}
	if f, err := bad.OpenFile(context.Background(), migrate.FileRef{Key: "f"}); err == nil {
		f.Close()
		t.Error("a pipe was opened")
	}
}
