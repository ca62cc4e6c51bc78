package parquetstore_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/parquetstore"
)

// tree is the paths of all files below some directories, and what is in them.
func tree(t *testing.T, dirs ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
				return err
			}
			text, err := os.ReadFile(name)
			found[name] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// sortedContents are the contents without the names.
func sortedContents(tree map[string]string) (texts []string) {
	for _, text := range tree {
		texts = append(texts, text)
	}
	slices.Sort(texts)
	return texts
}

// several is a run in several parts, with files.
func several() (migratetest.Run, parquetstore.Config) {
	return rich(), parquetstore.Config{}.Limits(1, 2, 4000)
}

func TestSetAside(t *testing.T) {
	data, files := t.TempDir(), t.TempDir()
	run, cfg := several()
	store := createIn(t, data, files, cfg)
	other := run
	other.Info.ID = "other"
	mustPut(t, store, other)
	mustPut(t, store, run)
	before := tree(t, data, files)

	name, err := store.SetAside(t.Context(), ref)
	if err != nil || !strings.HasSuffix(name, ".removed-at-source") {
		t.Fatalf("set aside %q, %v", name, err)
	}
	if runs := list(t, store); len(runs) != 1 || runs[0].ID != "other" {
		t.Errorf("listed %v", runs)
	}
	if _, err := store.OpenRun(t.Context(), run.Info); !errors.Is(err, migrate.ErrNotFound) {
		t.Errorf("open: %v", err)
	}
	check(t, store, settled(other))
	after := tree(t, data, files)
	if !slices.Equal(sortedContents(before), sortedContents(after)) {
		t.Error("something was deleted or changed")
	}
	if parquet, err := filepath.Glob(filepath.Join(data, "*", "run-*.parquet")); err != nil || len(parquet) != 0 {
		t.Errorf("still found by readers: %q, %v", parquet, err)
	}

	// A run of the same ID is another one, and may be set aside too.
	stand(t, store, run.Info, parquetstore.Absent)
	mustPut(t, store, run)
	check(t, store, settled(run))
	for name, text := range after {
		if got, err := os.ReadFile(name); err != nil || string(got) != text {
			t.Errorf("%s was touched: %v", name, err)
		}
	}
	if name, err := store.SetAside(t.Context(), ref); err != nil || !strings.HasSuffix(name, ".removed-at-source-2") {
		t.Errorf("second time: %q, %v", name, err)
	}

	// Without the ending everything is back.
	for _, dir := range []string{data, files} {
		found, err := filepath.Glob(filepath.Join(dir, "*", "*.removed-at-source"))
		if err != nil || len(found) == 0 {
			t.Fatalf("%q, %v", found, err)
		}
		for _, name := range found {
			if err := os.Rename(name, strings.TrimSuffix(name, ".removed-at-source")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if runs := list(t, store); len(runs) != 2 || runs[1].State != migrate.Complete {
		t.Errorf("listed %v", runs)
	}
	check(t, store, settled(run))
}

// TestSetAsideBroken lets every rename fail once: the next call completes it.
func TestSetAsideBroken(t *testing.T) {
	for at := 1; ; at++ {
		data, files := t.TempDir(), t.TempDir()
		run, cfg := several()
		b := breaker{err: errBroken}
		store := createIn(t, data, files, cfg.Fault(b.fault))
		mustPut(t, store, run)
		before := tree(t, data, files)
		b.at, b.seen = at, 0
		list(t, store)
		if _, err := store.SetAside(t.Context(), ref); err == nil {
			if at < 5 {
				t.Errorf("only %d changes on disk", at-1)
			}
			return
		}
		for _, info := range list(t, store) {
			if r, err := store.OpenRun(t.Context(), info); err == nil && info.State == migrate.Complete {
				for range r.Chunks(t.Context(), nil) {
				}
				if at > 1 && len(r.Problems()) == 0 {
					t.Errorf("change %d: the run looks whole", at)
				}
			}
			if _, err := store.SetAside(t.Context(), ref); err != nil {
				t.Fatalf("change %d: again: %v", at, err)
			}
		}
		after := tree(t, data, files)
		if !slices.Equal(sortedContents(before), sortedContents(after)) {
			t.Errorf("change %d: something was deleted", at)
		}
		for name := range after {
			if !strings.Contains(name, ".removed-at-source") && !strings.HasSuffix(name, "_manifest.json") || strings.HasSuffix(name, "-2") {
				t.Errorf("change %d: %s was left", at, name)
			}
		}
	}
}

func TestSetAsideRefused(t *testing.T) {
	data := t.TempDir()
	writeParquet(t, filepath.Join(data, "ws_p", "part_0.parquet"), options{}, row{project: ref.Project, run: ref.ID, path: "a", kind: "int", i: 1})
	store := createIn(t, data, t.TempDir(), parquetstore.Config{})
	if _, err := store.SetAside(t.Context(), ref); !errors.Is(err, parquetstore.ErrShared) {
		t.Errorf("a part of several runs: %v", err)
	}
	if _, err := store.SetAside(t.Context(), migrate.RunRef{Project: "ws/p", ID: "none"}); !errors.Is(err, migrate.ErrNotFound) {
		t.Errorf("a run that is not there: %v", err)
	}
	if _, err := store.SetAside(t.Context(), migrate.RunRef{Project: "ws/p"}); err == nil {
		t.Error("a run without ID was set aside")
	}
	reader, err := parquetstore.Open(data, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := reader.SetAside(t.Context(), ref); err == nil {
		t.Error("an archive open for reading was changed")
	}
}
