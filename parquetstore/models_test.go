package parquetstore_test

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/parquetstore"
)

var allScopes = []migrate.Scope{migrate.ScopeRun, migrate.ScopeModel, migrate.ScopeModelVersion}

// ofScope is a run or registry object, always of the same ID; n tells versions of it apart.
func ofScope(scope migrate.Scope, n int64) migratetest.Run {
	text := "a file of a " + string(scope)
	return migratetest.Run{
		Info: migrate.RunInfo{
			RunRef: migrate.RunRef{Project: ref.Project, ID: ref.ID, Scope: scope}, SysID: "PRJ-1",
			Modified: time.UnixMilli(1_700_000_000_000 + n).UTC(),
		},
		Chunks: []migrate.Chunk{
			{Path: "n", Kind: migrate.KindInt, Values: migrate.Ints{n}},
			{Path: "file", Kind: migrate.KindFile, Values: migrate.Files{{Key: "f", Name: "f.txt", Size: int64(len(text))}}},
			{Path: "data", Kind: migrate.KindArtifact, Values: migrate.Strings{"hash of a " + string(scope)}},
			{Path: "data", Kind: migrate.KindArtifact, Values: migrate.Files{{Key: "l", Name: "files_list.json", Size: 2}, {Key: "f", Name: "x", Size: int64(len(text))}}},
		},
		Files: map[string][]byte{"f": []byte(text), "l": []byte("[]")},
	}
}

// TestScopes has a run, a model and a version of one ID, and writes, replaces and sets aside each of
// them without touching the others.
func TestScopes(t *testing.T) {
	data, files := t.TempDir(), t.TempDir()
	store := createIn(t, data, files, parquetstore.Config{})
	home := parquetstore.DigestedName(ref.Project)
	for _, scope := range allScopes {
		stand(t, store, ofScope(scope, 1).Info, parquetstore.Absent)
		target := mustPut(t, store, ofScope(scope, 1)).Target
		want := path.Join(home, map[migrate.Scope]string{migrate.ScopeModel: "models", migrate.ScopeModelVersion: "model_versions"}[scope])
		if path.Dir(target) != want {
			t.Errorf("%q is at %s, not in %s", scope, target, want)
		}
		stand(t, store, ofScope(scope, 1).Info, parquetstore.Finished)
		stand(t, store, ofScope(scope, 2).Info, parquetstore.Outdated)
	}
	allThere := func(store *parquetstore.Store, versions ...int64) {
		t.Helper()
		for i, scope := range allScopes {
			runs := list(t, store, scope)
			if len(runs) != 1 || runs[0].Scope != scope || runs[0].State != migrate.Complete {
				t.Fatalf("%q: %+v", scope, runs)
			}
			check(t, store, settled(ofScope(scope, versions[i])))
			sum, err := store.Summarize(t.Context(), runs[0])
			if err != nil || sum.State != migrate.Complete || sum.Files != 3 || sum.Attributes[migrate.KindArtifact] != 1 || sum.Rows != 3 {
				t.Errorf("%q: summary %+v, %v", scope, sum, err)
			}
		}
	}
	allThere(store, 1, 1, 1)
	allThere(open(t, data, files), 1, 1, 1)
	if got := list(t, store, allScopes...); len(got) != 3 {
		t.Errorf("listed %v", got)
	}

	mustPut(t, store, ofScope(migrate.ScopeModel, 2))
	allThere(store, 1, 2, 1)
	mustPut(t, store, ofScope(migrate.ScopeModel, 3))
	allThere(open(t, data, files), 1, 3, 1)

	model := ofScope(migrate.ScopeModel, 3).Info.RunRef
	if name, err := store.SetAside(t.Context(), model); err != nil || !strings.HasPrefix(name, home+"/models/") {
		t.Errorf("set aside %q, %v", name, err)
	}
	if runs := list(t, store, allScopes...); len(runs) != 2 || slices.ContainsFunc(runs, func(r migrate.RunInfo) bool { return r.RunRef == model }) {
		t.Errorf("listed %v", runs)
	}
	if _, err := store.Run(t.Context(), model); !errors.Is(err, migrate.ErrNotFound) {
		t.Errorf("what was set aside: %v", err)
	}
	mustPut(t, store, ofScope(migrate.ScopeModel, 4))
	allThere(open(t, data, files), 1, 4, 1)
}

// TestModelFaults breaks the replacing of a model at every change on disk: it is there all the time, the
// run of the same ID is not touched, and the next put completes it.
func TestModelFaults(t *testing.T) {
	notShort(t)
	for at := 1; ; at++ {
		data, files := t.TempDir(), t.TempDir()
		b := breaker{kill: true, err: errBroken}
		store := createIn(t, data, files, parquetstore.Config{}.Fault(b.fault))
		mustPut(t, store, ofScope(migrate.ScopeRun, 1))
		mustPut(t, store, ofScope(migrate.ScopeModel, 1))
		b.seen, b.at = 0, at
		_, err := put(t, store, ofScope(migrate.ScopeModel, 2))
		if !b.fired {
			if err != nil || at < 10 {
				t.Errorf("after %d changes: %v", at-1, err)
			}
			return
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		reader := open(t, data, files)
		check(t, reader, settled(ofScope(migrate.ScopeRun, 1)))
		runs := list(t, reader, migrate.ScopeModel)
		if len(runs) != 1 || runs[0].State != migrate.Complete {
			t.Fatalf("change %d: %+v", at, runs)
		}
		check(t, reader, settled(ofScope(migrate.ScopeModel, runs[0].Modified.UnixMilli()-1_700_000_000_000)))
		again := createIn(t, data, files, parquetstore.Config{})
		mustPut(t, again, ofScope(migrate.ScopeModel, 2))
		check(t, again, settled(ofScope(migrate.ScopeModel, 2)))
		if left := tree(t, files); len(left) != 6 {
			t.Fatalf("change %d: %d files are left", at, len(left))
		}
	}
}

// TestModelsOfPython reads and sets aside what the Python tool wrote of models, which has no manifest.
func TestModelsOfPython(t *testing.T) {
	data, files := t.TempDir(), t.TempDir()
	home := parquetstore.DigestedName(ref.Project)
	dir := filepath.Join(data, home, "models")
	part := filepath.Join(dir, parquetstore.DigestedName(ref.ID)+"_part_0.parquet")
	writeParquet(t, part, options{}, row{project: ref.Project, run: ref.ID, path: "n", kind: "int", i: 1})
	store := createIn(t, data, files, parquetstore.Config{})
	model := ofScope(migrate.ScopeModel, 2)
	if !mustPut(t, store, model).Existed {
		t.Error("the model was written again")
	}
	if runs := list(t, store); len(runs) != 0 {
		t.Errorf("models are listed as runs: %v", runs)
	}
	renew := mustClose(t, store, data, files, parquetstore.Config{Renew: parquetstore.RenewAll})
	mustPut(t, renew, model)
	check(t, renew, settled(model))
	if _, err := os.Stat(part); err != nil {
		t.Error(err)
	}
}

// mustClose closes a store and opens the archive with another configuration.
func mustClose(t *testing.T, store *parquetstore.Store, data, files string, cfg parquetstore.Config) *parquetstore.Store {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return createIn(t, data, files, cfg)
}
