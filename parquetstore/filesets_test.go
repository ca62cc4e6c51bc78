package parquetstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/parquetstore"
)

// set makes a file set of members that have their own names as bytes.
func set(run *migratetest.Run, path string, names ...string) {
	members := migrate.Files{}
	for _, name := range names {
		key := path + "\x00" + name
		run.Files[key] = []byte(name)
		members = append(members, migrate.FileRef{Key: key, Name: name, Size: int64(len(name))})
	}
	run.Chunks = append(run.Chunks, migrate.Chunk{Path: path, Kind: migrate.KindFileSet, Values: members})
}

// TestFileSetNames has names that no disk, or not every disk, would take, and sets beside each other.
func TestFileSetNames(t *testing.T) {
	run := migratetest.Run{Info: migrate.RunInfo{RunRef: ref}, Files: map[string][]byte{}}
	set(&run, "a", "x", "X", "b/x", "B/x", "../x", "../../x", "/x", `..\x`, `C:\x`, "x.", "x ", "con", "NUL.txt", "a:b", "a\nb", "a\x00b", "*?", "", ".", "..",
		"é", "e\u0301", "\xff", strings.Repeat("long/", 500)+"x", strings.Repeat("y", 500)+".txt", "x.tar.gz", "x.tar.GZ")
	set(&run, "a/b", "x")
	set(&run, "A", "x")
	set(&run, "a/b/x", "..")
	run.Chunks = append(run.Chunks, migrate.Chunk{Path: "a/b", Kind: migrate.KindArtifact, Values: migrate.Files{{Key: "a/b\x00x", Name: "files_list.json", Size: 1}, {Key: "a/b\x00x", Name: "x", Size: 1}}})
	data, files := t.TempDir(), t.TempDir()
	mustPut(t, createIn(t, data, files, parquetstore.Config{}), run)
	reader := open(t, data, files)
	check(t, reader, settled(run))
	if _, r := readRun(t, reader, ref); len(r.Problems()) > 0 {
		t.Errorf("problems %v", r.Problems())
	}
	on := tree(t, files)
	folded := map[string]string{}
	for name := range on {
		if other, taken := folded[strings.ToLower(name)]; taken {
			t.Errorf("%s and %s differ in case only", name, other)
		}
		folded[strings.ToLower(name)] = name
		if rel, err := filepath.Rel(files, name); err != nil || strings.Count(filepath.ToSlash(rel), "/") != 3 {
			t.Errorf("%s is not in the directory of its set", name)
		}
	}
	if len(on) != len(run.Files)+2 {
		t.Errorf("%d files on disk, want %d", len(on), len(run.Files)+2)
	}
}

// TestManyMembers has sets in several chunks, each file with its own bytes.
func TestManyMembers(t *testing.T) {
	notShort(t)
	run := migratetest.Run{Info: migrate.RunInfo{RunRef: ref}, Files: map[string][]byte{}}
	var names []string
	for i := range 500 {
		names = append(names, fmt.Sprintf("dir %d/file %d.txt", i%7, i))
	}
	set(&run, "many", names...)
	set(&run, "one", names[:1]...)
	store := create(t)
	mustPut(t, store, run)
	check(t, store, settled(run))
}

// TestEmptyDirectory has a file set of the Python tool that came without files.
func TestEmptyDirectory(t *testing.T) {
	data, files := t.TempDir(), t.TempDir()
	home := parquetstore.DigestedName(ref.Project)
	part := filepath.Join(data, home, parquetstore.DigestedName(ref.ID)+"_part_0.parquet")
	writeParquet(t, part, options{}, row{project: ref.Project, run: ref.ID, path: "set", kind: "file_set", file: "run/set"})
	if err := os.MkdirAll(filepath.Join(files, home, "run", "set"), 0o777); err != nil {
		t.Fatal(err)
	}
	chunks, r := readRun(t, open(t, data, files), ref)
	if p := r.Problems(); len(chunks) != 0 || len(p) != 1 || p[0].Path != "set" || p[0].Code != migrate.CodeSuspect {
		t.Errorf("chunks %v, problems %v", chunks, p)
	}
}

// TestSetWithoutRecord loses its manifest while it is read: what is in the directories is yielded.
func TestSetWithoutRecord(t *testing.T) {
	run := migratetest.Run{Info: migrate.RunInfo{RunRef: ref}, Files: map[string][]byte{}}
	set(&run, "set", "x.txt")
	set(&run, "none")
	data, files := t.TempDir(), t.TempDir()
	target := mustPut(t, createIn(t, data, files, parquetstore.Config{}), run).Target
	reader := open(t, data, files)
	check(t, reader, settled(run))
	list(t, reader)
	if err := os.Remove(filepath.Join(data, target+"_manifest.json")); err != nil {
		t.Fatal(err)
	}
	chunks, r := readRun(t, reader, ref)
	if len(chunks) != 1 || chunks[0].Path != "set" || chunks[0].Len() != 1 {
		t.Errorf("chunks %+v", chunks)
	}
	if p := r.Problems(); len(p) != 2 {
		t.Errorf("problems %v", p)
	}
}
