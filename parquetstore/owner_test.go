package parquetstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/nexport-go/migrate/parquetstore"
)

func makeArchive(t *testing.T, data, files string) error {
	t.Helper()
	s, err := parquetstore.Create(data, files, parquetstore.Config{})
	if err != nil {
		return err
	}
	return s.Close()
}

// Of two archives with one files directory each would remove the other's files.
func TestCreateRefusesFilesOfAnotherArchive(t *testing.T) {
	dir := t.TempDir()
	data, other, files := filepath.Join(dir, "data"), filepath.Join(dir, "other"), filepath.Join(dir, "files")
	for range 2 {
		if err := makeArchive(t, data, files); err != nil {
			t.Fatal(err)
		}
		if err := makeArchive(t, other, files); !errors.Is(err, parquetstore.ErrOtherFiles) {
			t.Fatalf("another data directory: %v", err)
		}
	}
	if err := makeArchive(t, other, filepath.Join(dir, "files2")); err != nil {
		t.Error(err)
	}
	if err := makeArchive(t, other, files); !errors.Is(err, parquetstore.ErrOtherFiles) {
		t.Errorf("an archive of its own: %v", err)
	}
}

func TestCreateTakesFilesOfItsOwn(t *testing.T) {
	tests := map[string]func(dir string) error{
		"moved": func(dir string) error {
			return errors.Join(os.Rename(filepath.Join(dir, "data"), filepath.Join(dir, "d")), os.Rename(filepath.Join(dir, "d"), filepath.Join(dir, "data")))
		},
		"files without the mark": func(dir string) error { return os.Remove(filepath.Join(dir, "files", ".nexport.archive")) },
		"data without the mark": func(dir string) error {
			part := filepath.Join(dir, "data", "p", "r_part_0.parquet")
			return errors.Join(os.Remove(filepath.Join(dir, "data", ".nexport.archive")), os.MkdirAll(filepath.Dir(part), 0o777), os.WriteFile(part, nil, 0o666))
		},
		"new files": func(dir string) error { return os.RemoveAll(filepath.Join(dir, "files")) },
		"half a mark": func(dir string) error {
			return os.Truncate(filepath.Join(dir, "files", ".nexport.archive"), 0)
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			data, files := filepath.Join(dir, "data"), filepath.Join(dir, "files")
			if err := errors.Join(makeArchive(t, data, files), change(dir), makeArchive(t, data, files), makeArchive(t, data, files)); err != nil {
				t.Error(err)
			}
		})
	}
	one := t.TempDir()
	if err := errors.Join(makeArchive(t, one, one), makeArchive(t, one, one)); err != nil {
		t.Errorf("one directory for both: %v", err)
	}
}
