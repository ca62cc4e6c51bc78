package parquetstore_test

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/parquetstore"
)

// artifacts is a run with artifacts of all forms.
func artifacts() migratetest.Run {
	hash := func(path, hash string) migrate.Chunk {
		return migrate.Chunk{Path: path, Kind: migrate.KindArtifact, Values: migrate.Strings{hash}}
	}
	files := func(path string, refs ...migrate.FileRef) migrate.Chunk {
		return migrate.Chunk{Path: path, Kind: migrate.KindArtifact, Values: migrate.Files(refs)}
	}
	list := migrate.FileRef{Key: "list", Name: "files_list.json", MIME: "application/json", Size: 2}
	return migratetest.Run{
		Info: migrate.RunInfo{RunRef: ref},
		Chunks: []migrate.Chunk{
			hash("hash", "abab"),
			files("list", list),
			hash("both", "cdcd"), files("both", list),
			hash("no bytes", ""), files("no bytes", migrate.FileRef{Name: "files_list.json", Size: -1}),
			hash("data", "efef"), files(
				"data", list,
				migrate.FileRef{Key: "1", Name: "train/a.csv", Size: 3}, migrate.FileRef{Key: "2", Name: "train/A.csv", Size: 0},
				migrate.FileRef{Key: "3", Name: "files_list.json", Size: 1}, migrate.FileRef{Key: "4", Name: "../../etc/passwd", Size: 1},
				migrate.FileRef{Name: "elsewhere", Size: 7},
			),
			hash("data/below", "0101"), files("data/below", list, migrate.FileRef{Key: "1", Name: "a.csv", Size: 3}),
			{Path: "after", Kind: migrate.KindInt, Values: migrate.Ints{1}},
			{Path: "data/series", Kind: migrate.KindFloatSeries, Steps: []migrate.Step{1}, Times: []int64{1}, Values: migrate.Floats{1}},
		},
		Files: map[string][]byte{"list": []byte("[]"), "1": []byte("one"), "2": {}, "3": {3}, "4": {4}},
	}
}

func TestArtifacts(t *testing.T) {
	for name, cfg := range map[string]parquetstore.Config{
		"one part": {}, "a part for each row": parquetstore.Config{}.Limits(1, 1, 1),
	} {
		t.Run(name, func(t *testing.T) {
			data, files := t.TempDir(), t.TempDir()
			mustPut(t, createIn(t, data, files, cfg), artifacts())
			reader := open(t, data, files)
			check(t, reader, settled(artifacts()))
			chunks, r := readRun(t, reader, ref)
			if len(r.Problems()) > 0 {
				t.Errorf("problems: %v", r.Problems())
			}
			if got, want := outline(chunks), outline(artifacts().Chunks); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if got := list(t, reader)[0].State; got != migrate.Complete {
				t.Errorf("state %s", got)
			}
		})
	}
}

func fileRefs(c migrate.Chunk) migrate.Files {
	files, _ := c.Values.(migrate.Files)
	return files
}

func readFile(t *testing.T, r migrate.RunReader, ref migrate.FileRef) (string, error) {
	t.Helper()
	body, err := r.OpenFile(t.Context(), ref)
	if err != nil {
		return "", err
	}
	defer body.Close()
	raw, err := io.ReadAll(body)
	return string(raw), err
}

// outline is a line for each chunk.
func outline(chunks []migrate.Chunk) string {
	var b strings.Builder
	for _, c := range chunks {
		fmt.Fprintf(&b, "%s %s %T %d\n", c.Path, c.Kind, c.Values, c.Len())
	}
	return b.String()
}

// TestArtifactAlone has an artifact as the first, last and only attribute, and one that is selected.
func TestArtifactAlone(t *testing.T) {
	run := artifacts()
	run.Chunks = run.Chunks[6:8]
	store := create(t)
	mustPut(t, store, run)
	check(t, store, settled(run))

	rest := artifacts()
	rest.Info.Filter = migrate.Filter{Kinds: []migrate.Kind{migrate.KindInt}}
	rest.Chunks = rest.Chunks[10:11]
	store = create(t)
	run.Info.Filter = migrate.Filter{Kinds: []migrate.Kind{migrate.KindArtifact}}
	mustPut(t, store, run)
	mustPut(t, store, rest)
	run.Chunks = append(run.Chunks, rest.Chunks...)
	check(t, store, settled(run))
}

// TestArtifactRow reads the row and the directory as other tools do.
func TestArtifactRow(t *testing.T) {
	data, files := t.TempDir(), t.TempDir()
	result := mustPut(t, createIn(t, data, files, parquetstore.Config{}), artifacts())
	if err := os.Remove(filepath.Join(data, result.Target+"_manifest.json")); err != nil {
		t.Fatal(err)
	}
	chunks, r := readRun(t, open(t, data, files), ref)
	var got []string
	for _, c := range chunks {
		if c.Path == "data" {
			got = append(got, fmt.Sprint(c.Values))
			for _, f := range fileRefs(c) {
				got = append(got, filepath.Base(filepath.Dir(f.Key)), filepath.Base(f.Key))
				if body, err := readFile(t, r, f); err != nil || body != "[]" {
					t.Errorf("the list is %q, %v", body, err)
				}
			}
		}
	}
	if len(got) != 4 || got[0] != "[efef]" || !strings.HasPrefix(got[2], "data-") || got[3] != "files_list.json" {
		t.Errorf("got %q", got)
	}
	inDir := 0
	err := filepath.WalkDir(files, func(name string, e fs.DirEntry, err error) error {
		if filepath.Base(filepath.Dir(name)) == got[2] {
			inDir++
		}
		return err
	})
	if err != nil || inDir != 5 {
		t.Errorf("%d files beside the list of %s, %v", inDir, got[2], err)
	}
}

// TestArtifactLostList keeps the first place for the list when it is gone.
func TestArtifactLostList(t *testing.T) {
	data, files := t.TempDir(), t.TempDir()
	run := artifacts()
	run.Chunks = run.Chunks[6:8]
	mustPut(t, createIn(t, data, files, parquetstore.Config{}), run)
	if err := removeOne(files, "files_list.json"); err != nil {
		t.Fatal(err)
	}
	chunks, r := readRun(t, open(t, data, files), ref)
	refs := fileRefs(chunks[1])
	if len(refs) != 6 || refs[0].Key != "" || refs[0].Name != "files_list.json" || refs[1].Name != "train/a.csv" {
		t.Errorf("files %+v", refs)
	}
	if p := r.Problems(); len(p) != 1 || p[0].Code != migrate.CodeMissing {
		t.Errorf("problems %v", p)
	}
}

func TestArtifactRefused(t *testing.T) {
	store := create(t)
	run := artifacts()
	run.Chunks = []migrate.Chunk{
		{Path: "a", Kind: migrate.KindArtifact, Values: migrate.Strings{"\xff"}},
		{Path: "b", Kind: migrate.KindArtifact, Values: migrate.Strings{"\xff"}},
		run.Chunks[1],
	}
	run.Chunks[2].Path = "b"
	result := mustPut(t, store, run)
	if len(result.Problems) != 2 {
		t.Errorf("problems %v", result.Problems)
	}
	chunks, _ := readRun(t, store, ref)
	if got := outline(chunks); got != "b artifact migrate.Files 1\n" {
		t.Errorf("archived %s", got)
	}
	run.Chunks = []migrate.Chunk{{Path: "a", Kind: migrate.KindArtifact, Values: migrate.Strings{"one", "two"}}}
	if _, err := put(t, create(t), run); err == nil {
		t.Error("two hashes were archived")
	}
}

// TestDescriptions has what an archive's columns have no place for.
func TestDescriptions(t *testing.T) {
	run := migratetest.Run{
		Info: migrate.RunInfo{RunRef: ref},
		Chunks: []migrate.Chunk{
			{Path: "set", Kind: migrate.KindFileSet, Values: migrate.Files{{Key: "1", Name: "caf\xe9.txt", Size: 3}, {Key: "1", Name: "caf\xe8.txt", Size: 3}}},
			{Path: "images", Kind: migrate.KindFileSeries, Steps: []migrate.Step{5, 6, 7}, Times: []int64{1, 2, 3}, Values: migrate.Files{
				{Key: "1", Name: "epoch 5", Description: "<b>first</b>\n\"ünï\"", MIME: "image/png", Size: 3},
				{Key: "1", Size: 3},
				{Name: "lost", Description: "no bytes", Size: -1},
			}},
		},
		Files: map[string][]byte{"1": []byte("one")},
	}
	data := t.TempDir()
	store := createIn(t, data, t.TempDir(), parquetstore.Config{})
	result := mustPut(t, store, run)
	check(t, store, settled(run))
	raw, err := os.ReadFile(filepath.Join(data, result.Target+"_manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m parquetstore.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	if got := m.Files[2].Description; got != "<b>first</b>\n\"ünï\"" {
		t.Errorf("description %q", got)
	}
}

// TestNotes keeps notes of what is beside the values, and calls the run complete.
func TestNotes(t *testing.T) {
	run := rich()
	run.Problems = []migrate.Problem{
		{Path: "int", Kind: migrate.KindInt, Code: migrate.CodeDetail, Text: "unit ms"},
		{Path: "artifact", Kind: migrate.KindArtifact, Code: migrate.CodeElsewhere, Text: "s3://bucket/x was not reached"},
	}
	store := create(t)
	mustPut(t, store, run)
	if got := list(t, store)[0].State; got != migrate.Complete {
		t.Errorf("state %s", got)
	}
	if _, r := readRun(t, store, ref); len(r.Problems()) != 2 {
		t.Errorf("problems %v", r.Problems())
	}
	if !mustPut(t, store, run).Existed {
		t.Error("a run with notes only was written again")
	}
}
