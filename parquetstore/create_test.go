package parquetstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/parquet/file"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/fixture"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/parquetstore"
)

func create(t testing.TB) *parquetstore.Store {
	t.Helper()
	return createIn(t, t.TempDir(), t.TempDir(), parquetstore.Config{})
}

func createIn(t testing.TB, data, files string, cfg parquetstore.Config) *parquetstore.Store {
	t.Helper()
	store, err := parquetstore.Create(data, files, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func TestStore(t *testing.T) {
	migratetest.TestStore(t, func(t *testing.T) migrate.Store { return create(t) })
}

// TestStoreSmall writes many row groups and parts.
func TestStoreSmall(t *testing.T) {
	migratetest.TestStore(t, func(t *testing.T) migrate.Store {
		return createIn(t, t.TempDir(), t.TempDir(), parquetstore.Config{}.Limits(20<<10, 1000, 4000))
	})
}

// ref is the run that most tests put.
var ref = migrate.RunRef{Project: "ws/p", ID: "run"}

// put copies a run into a store.
func put(t testing.TB, store *parquetstore.Store, run migratetest.Run) (migrate.Result, error) {
	t.Helper()
	var m migratetest.Memory
	m.Add(run)
	r, err := m.OpenRun(t.Context(), run.Info)
	if err != nil {
		t.Fatal(err)
	}
	return store.PutRun(t.Context(), run.Info, r)
}

func mustPut(t testing.TB, store *parquetstore.Store, run migratetest.Run) migrate.Result {
	t.Helper()
	result, err := put(t, store, run)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// check compares what a store has of a run with what it should have.
func check(t testing.TB, store *parquetstore.Store, want migratetest.Run) {
	t.Helper()
	r, err := store.OpenRun(t.Context(), migrate.RunInfo{RunRef: want.Info.RunRef})
	if err != nil {
		t.Fatal(err)
	}
	same(t, want, r)
}

func same(t testing.TB, want migratetest.Run, r migrate.RunReader) {
	t.Helper()
	var got migratetest.Memory
	if _, err := got.PutRun(t.Context(), want.Info, r); err != nil {
		t.Fatal(err)
	}
	var m migratetest.Memory
	m.Add(want)
	wanted, err := m.OpenRun(t.Context(), want.Info)
	if err != nil {
		t.Fatal(err)
	}
	problems, err := got.VerifyRun(t.Context(), want.Info, wanted)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", want.Info.RunRef, p)
	}
}

// rich is a run with what is not in the contract tests.
func rich() migratetest.Run {
	const wide = migrate.Step(math.MaxInt64)
	return migratetest.Run{
		Info: migrate.RunInfo{
			RunRef: ref, SysID: "P-1", Name: "exp", Parent: "mother",
			Created: time.UnixMilli(1_700_000_000_001).UTC(), Modified: time.UnixMilli(1_700_000_000_002).UTC(),
		},
		Chunks: []migrate.Chunk{
			{Path: "int", Kind: migrate.KindInt, Values: migrate.Ints{math.MaxInt64}},
			{Path: "time", Kind: migrate.KindDatetime, Values: migrate.Datetimes{-62_135_596_800_000}},
			{Path: "no set", Kind: migrate.KindStringSet, Values: migrate.StringSets{{}}},
			{Path: "artifact", Kind: migrate.KindArtifact, Values: migrate.Strings{"hash"}},
			{Path: "artifact", Kind: migrate.KindArtifact, Values: migrate.Files{{Key: "3", Name: "files_list.json", Size: 1}, {Key: "4", Name: "a.csv", Size: 1}}},
			{Path: "git", Kind: migrate.KindGitRef, Values: migrate.Strings{`{"commit":"1"}`}},
			{Path: "new kind", Kind: "quantum", Values: migrate.Strings{"?"}},
			{Path: "twice", Kind: migrate.KindString, Values: migrate.Strings{"a"}},
			{Path: "twice", Kind: migrate.KindFile, Values: migrate.Files{{Key: "1", Name: "twice.tar.gz", MIME: "application/gzip", Size: 3}}},
			{Path: "TWICE", Kind: migrate.KindFile, Values: migrate.Files{{Key: "2", Name: "twice", Size: -1}}},
			{Path: "nowhere", Kind: migrate.KindFile, Values: migrate.Files{{Name: "s3://bucket/x", Size: -1}}},
			{Path: "set", Kind: migrate.KindFileSet, Values: migrate.Files{
				{Key: "3", Name: "a/b.py", Size: 1}, {Name: "gone", Size: 7}, {Key: "4", Name: "A/B.py", Size: 1}, {Key: "5", Name: "../../etc/passwd", Size: 1},
			}},
			{Path: "wide", Kind: migrate.KindFloatSeries, Steps: []migrate.Step{-wide - 1, -1, 0, wide}, Times: []int64{1, migrate.NoTime, 0, -5}, Values: migrate.Floats{1, math.NaN(), 3, 4}},
			{Path: "hist", Kind: migrate.KindHistogramSeries, Steps: []migrate.Step{1, 1}, Times: []int64{1, 2}, Values: migrate.Histograms{
				{Type: "COUNTING", Edges: []float64{0, math.Inf(1)}, Values: []float64{-0.5}}, {Type: "", Edges: []float64{1, 2, 3}, Values: []float64{0, 0}},
			}},
			{Path: "images", Kind: migrate.KindFileSeries, Steps: []migrate.Step{1, 1, 2_500_000}, Times: []int64{1, 2, 3}, Values: migrate.Files{
				{Key: "1", Name: "i.png", MIME: "image/png", Size: 3}, {Name: "lost.png", Size: -1}, {Key: "2", Name: "i.png", Size: 0},
			}},
		},
		Files: map[string][]byte{"1": []byte("one"), "2": {}, "3": {3}, "4": {4}, "5": {5}},
	}
}

// settled is a run as an archive gives it back: sizes are known.
func settled(run migratetest.Run) migratetest.Run {
	run.Chunks = slices.Clone(run.Chunks)
	for i, c := range run.Chunks {
		files, ok := c.Values.(migrate.Files)
		if !ok {
			continue
		}
		files = append(migrate.Files(nil), files...)
		for k := range files {
			if files[k].Key != "" {
				files[k].Size = int64(len(run.Files[files[k].Key]))
			}
		}
		run.Chunks[i].Values = files
	}
	return run
}

func TestRoundTrip(t *testing.T) {
	data, files := t.TempDir(), t.TempDir()
	store := createIn(t, data, files, parquetstore.Config{Source: "somewhere"})
	mustPut(t, store, rich())
	reader := open(t, data, files)
	for name, s := range map[string]*parquetstore.Store{"writer": store, "reader": reader} {
		check(t, s, settled(rich()))
		runs := list(t, s)
		if len(runs) != 1 {
			t.Fatalf("%s lists %v", name, runs)
		}
		want := rich().Info
		want.State, want.Size = migrate.Complete, runs[0].Size
		if got := runs[0]; got.RunRef != want.RunRef || got.SysID != want.SysID || got.Name != want.Name || got.Parent != want.Parent ||
			!got.Created.Equal(want.Created) || !got.Modified.Equal(want.Modified) || got.State != want.State || got.Size <= 0 {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	r, err := reader.OpenRun(t.Context(), rich().Info)
	if err != nil {
		t.Fatal(err)
	}
	for range r.Chunks(t.Context(), nil) {
	}
	if p := r.Problems(); len(p) > 0 {
		t.Errorf("problems: %v", p)
	}
}

// TestRewriteArchives copies each archive of the Python tool and compares the copy with it.
func TestRewriteArchives(t *testing.T) {
	notShort(t)
	sel := migrate.Selection{Scopes: []migrate.Scope{migrate.ScopeRun, migrate.ScopeModel, migrate.ScopeModelVersion}}
	for _, name := range fixture.Names(t) {
		t.Run(name, func(t *testing.T) {
			data, files := fixture.Unpack(t, name)
			from, to := open(t, data, files), create(t)
			report, err := migrate.Run(t.Context(), migrate.Job{Source: from, Store: to, Selection: sel})
			if err != nil {
				t.Fatalf("copy: %v, %+v", err, report.Runs)
			}
			copies := 0
			for info, err := range to.Runs(t.Context(), sel) {
				if err != nil {
					t.Fatal(err)
				}
				copies++
				var held migratetest.Memory
				r, err := from.OpenRun(t.Context(), migrate.RunInfo{RunRef: info.RunRef})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := held.PutRun(t.Context(), info, r); err != nil {
					t.Fatal(err)
				}
				want, _ := held.Get(info.RunRef)
				check(t, to, want)
			}
			if int64(copies) != report.Listed {
				t.Errorf("%d runs of %d were copied", copies, report.Listed)
			}
		})
	}
}

func TestExisting(t *testing.T) {
	later := rich()
	later.Info.Modified = later.Info.Modified.Add(time.Second)
	unknown := rich()
	unknown.Info.Modified = time.Time{}
	some := rich()
	some.Info.Filter = migrate.Filter{Kinds: []migrate.Kind{migrate.KindInt}}
	some.Chunks = some.Chunks[:1]
	other := rich()
	other.Info.Filter = migrate.Filter{Path: regexp.MustCompile("^time$")}
	other.Chunks = other.Chunks[1:2]
	partial := rich()
	partial.Problems = []migrate.Problem{{Path: "x", Code: migrate.CodeUnreadable, Text: "broken"}}
	half := rich()
	half.Info.State = migrate.Partial
	for name, test := range map[string]struct {
		first, second migratetest.Run
		existed       bool
		state         migrate.State
	}{
		"again":                    {rich(), rich(), true, migrate.Complete},
		"modified":                 {rich(), later, false, migrate.Complete},
		"unknown time":             {rich(), unknown, true, migrate.Complete},
		"a part of it":             {rich(), some, true, migrate.Complete},
		"the rest of it":           {some, rich(), false, migrate.Complete},
		"the same part":            {some, some, true, migrate.Partial},
		"another part":             {some, other, false, migrate.Partial},
		"what was unreadable":      {partial, rich(), false, migrate.Complete},
		"still unreadable":         {partial, partial, false, migrate.Partial},
		"worse than before":        {rich(), func() migratetest.Run { p := partial; p.Info.Modified = later.Info.Modified; return p }(), false, migrate.Complete},
		"of a partial source":      {half, half, false, migrate.Partial},
		"of a source now complete": {half, rich(), false, migrate.Complete},
	} {
		t.Run(name, func(t *testing.T) {
			store := create(t)
			mustPut(t, store, test.first)
			if got := mustPut(t, store, test.second); got.Existed != test.existed {
				t.Errorf("second put: existed %v", got.Existed)
			}
			runs := list(t, store)
			if len(runs) != 1 || runs[0].State != test.state {
				t.Errorf("got %+v, want state %s", runs, test.state)
			}
			want := test.second
			switch name {
			case "a part of it":
				want = rich()
			case "another part":
				want.Chunks = rich().Chunks[:2]
			}
			check(t, store, settled(want))
		})
	}
}

// TestPythonRun takes a run without manifest for complete.
func TestPythonRun(t *testing.T) {
	data := t.TempDir()
	name := filepath.Join(data, parquetstore.DigestedName(ref.Project), parquetstore.DigestedName(ref.ID)+"_part_0.parquet")
	writeParquet(t, name, options{}, row{project: ref.Project, run: ref.ID, path: "a", kind: "int", i: 1})
	store := createIn(t, data, t.TempDir(), parquetstore.Config{})
	if !mustPut(t, store, rich()).Existed {
		t.Error("the run was written again")
	}
}

func TestRefused(t *testing.T) {
	store := create(t)
	text := strings.Repeat("x", 100)
	bad := migratetest.Run{Info: migrate.RunInfo{RunRef: ref}, Chunks: []migrate.Chunk{
		{Path: "ok", Kind: migrate.KindString, Values: migrate.Strings{text}},
		{Path: "bad", Kind: migrate.KindString, Values: migrate.Strings{"\xff"}},
		{Path: "\xff", Kind: migrate.KindString, Values: migrate.Strings{"x"}},
		{Path: "set", Kind: migrate.KindStringSet, Values: migrate.StringSets{{"a", "\xc0"}}},
		{Path: "gone", Kind: migrate.KindFile, Values: migrate.Files{{Key: "none", Name: "n", Size: 1}}},
		{Path: "log", Kind: migrate.KindStringSeries, Steps: []migrate.Step{1, 2, 3}, Times: []int64{1, 2, 3}, Values: migrate.Strings{"a", "\xfe", "c"}},
	}}
	result := mustPut(t, store, bad)
	var got []string
	for _, p := range result.Problems {
		got = append(got, fmt.Sprintf("%q %s", p.Path, p.Code))
	}
	want := `"bad" unsupported|"\xff" unsupported|"set" unsupported|"gone" missing|"log" unsupported`
	if strings.Join(got, "|") != want {
		t.Errorf("problems %v", result.Problems)
	}
	chunks, _ := readRun(t, store, ref)
	var paths []string
	for _, c := range chunks {
		paths = append(paths, fmt.Sprint(c.Path, c.Len()))
	}
	if got := strings.Join(paths, " "); got != "ok1 gone1 log2" {
		t.Errorf("archived %s", got)
	}
	if state := list(t, store)[0].State; state != migrate.Partial {
		t.Errorf("state %s", state)
	}
}

func TestBadRuns(t *testing.T) {
	store := create(t)
	for _, r := range []migrate.RunRef{{}, {Project: "p"}, {ID: "i"}, {Project: "p", ID: "\xff"}, {Project: "p", ID: "i", Scope: "../up"}} {
		if _, err := put(t, store, migratetest.Run{Info: migrate.RunInfo{RunRef: r}}); err == nil {
			t.Errorf("%+v was archived", r)
		}
	}
	for _, c := range []migrate.Chunk{
		{Path: "a", Kind: migrate.KindInt, Values: migrate.Floats{1}},
		{Path: "a", Kind: "new", Values: migrate.Ints{1}},
		{Path: "a", Kind: migrate.KindFloat, Values: migrate.Strings{"1"}},
		{Path: "a", Kind: migrate.KindFloatSeries, Values: migrate.Floats{1}},
	} {
		if _, err := store.PutRun(t.Context(), migrate.RunInfo{RunRef: ref}, one{chunk: c}); err == nil {
			t.Errorf("%+v was archived", c)
		}
	}
	if _, err := put(t, open(t, t.TempDir(), t.TempDir()), rich()); err == nil {
		t.Error("a store for reading was written to")
	}
}

// one is a reader that breaks the contract with a single chunk.
type one struct {
	migrate.RunReader
	chunk migrate.Chunk
}

func (o one) Chunks(context.Context, migrate.Want) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) { yield(o.chunk, nil) }
}

func (one) Problems() []migrate.Problem { return nil }

func TestLock(t *testing.T) {
	data, files := t.TempDir(), t.TempDir()
	store := createIn(t, data, files, parquetstore.Config{})
	if _, err := parquetstore.Create(data, files, parquetstore.Config{}); !errors.Is(err, parquetstore.ErrLocked) {
		t.Errorf("second writer: %v", err)
	}
	if _, err := parquetstore.Open(data, files); err != nil {
		t.Errorf("reader: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	createIn(t, data, files, parquetstore.Config{})
}

// TestManifest reads the record as a third party would.
func TestManifest(t *testing.T) {
	data := t.TempDir()
	store := createIn(t, data, t.TempDir(), parquetstore.Config{Source: "https://example.com"}.Limits(1, 0, 0))
	result := mustPut(t, store, rich())
	raw, err := os.ReadFile(filepath.Join(data, result.Target+"_manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m parquetstore.Manifest
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		t.Fatal(err)
	}
	if !m.Complete || m.Format != 1 || m.Source != "https://example.com" || m.Run.ID != "run" || !strings.HasPrefix(m.Tool, "nexport") {
		t.Errorf("got %+v", m)
	}
	if m.Attributes[migrate.KindFile] != 3 || m.Points[migrate.KindFloatSeries] != 4 || m.Points[migrate.KindFileSeries] != 3 || len(m.Files) != 12 {
		t.Errorf("counts %v, %v, %d files", m.Attributes, m.Points, len(m.Files))
	}
	if len(m.Parts) < 2 || !m.Parts[len(m.Parts)-1].Wide {
		t.Errorf("parts %+v", m.Parts)
	}
	var rows int64
	for n, p := range m.Parts {
		info, err := os.Stat(filepath.Join(data, fmt.Sprintf("%s_part_%d.parquet", result.Target, n)))
		if err != nil || info.Size() != p.Size || len(p.SHA256) != 64 {
			t.Errorf("part %d: %v, %+v", n, err, p)
		}
		rows += p.Rows
	}
	if rows != 20 {
		t.Errorf("%d rows", rows)
	}
}

// TestManifestDamage changes an archive and wants its reader to tell.
func TestManifestDamage(t *testing.T) {
	for name, test := range map[string]struct {
		change func(t *testing.T, run, files string) error
		want   string
	}{
		"no part 0": {func(_ *testing.T, run, _ string) error { return os.Remove(run + "_part_0.parquet") }, "part 0 of"},
		"no part 1": {func(_ *testing.T, run, _ string) error { return os.Remove(run + "_part_1.parquet") }, "part 1 of"},
		"short part": {func(_ *testing.T, run, _ string) error {
			return os.Truncate(run+"_part_1.parquet", 100)
		}, "has 100 bytes"},
		"another part": {func(t *testing.T, run, _ string) error {
			raw, err := os.ReadFile(run + "_part_0.parquet")
			return errors.Join(err, os.WriteFile(run+"_part_1.parquet", raw, 0o666))
		}, "as its manifest says"},
		"no file": {func(t *testing.T, _, files string) error {
			return removeOne(files, ".png")
		}, "is missing"},
		"short file": {func(t *testing.T, _, files string) error {
			found, err := filepath.Glob(filepath.Join(files, "*", "*", "*.gz"))
			return errors.Join(err, os.Truncate(found[0], 1))
		}, "1 bytes, not 3"},
		"bad manifest": {func(_ *testing.T, run, _ string) error { return os.WriteFile(run+"_manifest.json", []byte("{"), 0o666) }, "manifest"},
		"new manifest": {func(_ *testing.T, run, _ string) error {
			return os.WriteFile(run+"_manifest.json", []byte(`{"format":2}`), 0o666)
		}, "format 2"},
		"being replaced": {func(_ *testing.T, run, _ string) error {
			return os.WriteFile(run+"_manifest.json.swap", []byte("{}"), 0o666)
		}, "interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			data, files := t.TempDir(), t.TempDir()
			cfg := parquetstore.Config{}.Limits(1, 0, 0)
			store := createIn(t, data, files, cfg)
			run := filepath.Join(data, mustPut(t, store, rich()).Target)
			if err := test.change(t, run, files); err != nil {
				t.Fatal(err)
			}
			reader := open(t, data, files)
			for _, info := range list(t, reader) {
				if info.State == migrate.Complete && !strings.HasSuffix(name, " file") {
					t.Errorf("listed as %s", info.State)
				}
			}
			_, r := readRun(t, reader, ref)
			if got := fmt.Sprint(r.Problems()); !strings.Contains(got, test.want) {
				t.Errorf("problems %s, want %q", got, test.want)
			}
			if strings.HasSuffix(name, " file") {
				return // not looked at before a run is read
			}
			if mustPut(t, store, rich()).Existed {
				t.Error("the damaged run was taken for whole")
			}
			check(t, store, settled(rich()))
		})
	}
}

func removeOne(dir, suffix string) error {
	done := errors.New("done")
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, suffix) {
			return errors.Join(done, os.Remove(name))
		}
		return err
	})
	if errors.Is(err, done) {
		return nil
	}
	return errors.New("nothing to remove")
}

// TestLargeSet has a file set of several chunks, and members of one name.
func TestLargeSet(t *testing.T) {
	notShort(t)
	set := migrate.Chunk{Path: "set", Kind: migrate.KindFileSet}
	members := migrate.Files{{Key: "a", Name: "same", Size: 1}, {Key: "b", Name: "same", Size: 1}}
	for i := range migrate.MaxChunkPoints {
		members = append(members, migrate.FileRef{Name: fmt.Sprint("away/", i), Size: -1})
	}
	set.Values = members
	run := migratetest.Run{
		Info: migrate.RunInfo{RunRef: ref}, Chunks: []migrate.Chunk{set},
		Files: map[string][]byte{"a": {1}, "b": {2}},
	}
	store := create(t)
	mustPut(t, store, run)
	r, err := store.OpenRun(t.Context(), run.Info)
	if err != nil {
		t.Fatal(err)
	}
	for c, err := range r.Chunks(t.Context(), nil) {
		if err != nil || c.Len() > migrate.MaxChunkPoints {
			t.Errorf("chunk of %d, %v", c.Len(), err)
		}
	}
	check(t, store, run)
}

// notShort leaves out what has one goroutine and takes long under the race detector.
func notShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes long under the race detector, and finds nothing there")
	}
}

// TestLongPaths: paths count for the size of a row group, though numbers have none.
func TestLongPaths(t *testing.T) {
	const attributes, length, limit = 300, 1000, 30_000
	run := migratetest.Run{Info: migrate.RunInfo{RunRef: ref}}
	for i := range attributes {
		run.Chunks = append(run.Chunks, migrate.Chunk{
			Path: fmt.Sprintf("%0*d", length, i), Kind: migrate.KindInt, Values: migrate.Ints{int64(i)},
		})
	}
	data := t.TempDir()
	store := createIn(t, data, t.TempDir(), parquetstore.Config{}.Limits(0, 0, limit))
	mustPut(t, store, run)
	parts, err := filepath.Glob(filepath.Join(data, "*", "*_part_0.parquet"))
	if err != nil || len(parts) != 1 {
		t.Fatal(parts, err)
	}
	r, err := file.OpenParquetFile(parts[0], false)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n := r.NumRowGroups(); n < attributes*length/limit || n > 2*attributes*length/limit {
		t.Errorf("%d row groups", n)
	}
}
