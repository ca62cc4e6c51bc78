package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMakeTemp(t *testing.T) {
	files := t.TempDir()
	elsewhere := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(elsewhere, []byte("kept"), 0o666); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(files, tempName)
	for name, before := range map[string]func() error{
		"nothing there": func() error { return nil },
		"left by a process that was killed": func() error {
			if err := os.MkdirAll(filepath.Join(dir, "deep"), 0o777); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "deep", "zip"), []byte("half"), 0o666)
		},
		"a file": func() error { return os.WriteFile(dir, nil, 0o666) },
		"a link": func() error { return os.Symlink(filepath.Dir(elsewhere), dir) },
	} {
		if err := before(); err != nil {
			t.Skipf("%s: %v", name, err) // links need a right on Windows
		}
		remove, err := makeTemp(dir)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
			t.Errorf("%s: no directory: %v", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o666); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := remove(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := os.ReadDir(files); err != nil || len(left) > 0 {
			t.Errorf("%s: left: %v, %v", name, left, err)
		}
	}
	if _, err := os.Stat(elsewhere); err != nil {
		t.Error(err)
	}
	if _, err := makeTemp(filepath.Join(files, "none", tempName)); err == nil || !strings.Contains(err.Error(), "files directory") {
		t.Errorf("no files directory: %v", err)
	}
}

// TestExportReadOnly says at once that files cannot be written, and not of each run.
func TestExportReadOnly(t *testing.T) {
	c := newCommands(t)
	files := filepath.Join(c.dir, "files")
	if err := os.Mkdir(files, 0o555); err != nil {
		t.Fatal(err)
	}
	if os.WriteFile(filepath.Join(files, "probe"), nil, 0o666) == nil {
		t.Skip("this user, or this system, writes where it may not")
	}
	c.want(1, "write to the files directory: ", "export", "-p", "ws/a")
	if c.neptune.reads > 0 {
		t.Error("runs were read")
	}
}
