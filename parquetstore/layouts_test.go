package parquetstore_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/parquetstore"
)

const digest = "-0123456789abcdef"

func open(t testing.TB, data, files string) *parquetstore.Store {
	t.Helper()
	store, err := parquetstore.Open(data, files)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func list(t testing.TB, store *parquetstore.Store, scopes ...migrate.Scope) (runs []migrate.RunInfo) {
	t.Helper()
	for info, err := range store.Runs(context.Background(), migrate.Selection{Scopes: scopes}) {
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, info)
	}
	return runs
}

func ids(runs []migrate.RunInfo) (ids []string) {
	for _, r := range runs {
		ids = append(ids, r.RunRef.String())
	}
	return ids
}

// read returns a run's chunks, those of one attribute joined, and its problems' codes and paths.
func read(t testing.TB, store *parquetstore.Store, id string) ([]migrate.Chunk, []string) {
	t.Helper()
	chunks, r := readRun(t, store, migrate.RunRef{Project: project, ID: id})
	var problems []string
	for _, p := range r.Problems() {
		problems = append(problems, p.String())
	}
	return chunks, problems
}

func readRun(t testing.TB, store *parquetstore.Store, ref migrate.RunRef) (chunks []migrate.Chunk, r migrate.RunReader) {
	t.Helper()
	r, err := store.OpenRun(context.Background(), migrate.RunInfo{RunRef: ref})
	if err != nil {
		t.Fatal(err)
	}
	for c, err := range r.Chunks(context.Background(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if last := len(chunks) - 1; last >= 0 && chunks[last].Path == c.Path && chunks[last].Kind == c.Kind && reflect.TypeOf(chunks[last].Values) == reflect.TypeOf(c.Values) {
			chunks[last] = join(t, chunks[last], c)
			continue
		}
		chunks = append(chunks, c)
	}
	return chunks, r
}

func join(t testing.TB, a, b migrate.Chunk) migrate.Chunk {
	t.Helper()
	a.Steps, a.Times = append(a.Steps, b.Steps...), append(a.Times, b.Times...)
	switch v := a.Values.(type) {
	case migrate.Floats:
		a.Values = append(v, b.Values.(migrate.Floats)...)
	case migrate.Strings:
		a.Values = append(v, b.Values.(migrate.Strings)...)
	default:
		t.Fatalf("two chunks of %T", v)
	}
	return a
}

// floatSeries is the chunk of points with whole steps.
func floatSeries(path string, steps []int, values ...float64) migrate.Chunk {
	c := migrate.Chunk{Path: path, Kind: migrate.KindFloatSeries, Values: migrate.Floats(values)}
	for _, s := range steps {
		c.Steps = append(c.Steps, migrate.Step(s)*migrate.StepUnit)
		c.Times = append(c.Times, 1_700_000_000_000+int64(s))
	}
	return c
}

func text(path, value string) migrate.Chunk {
	return migrate.Chunk{Path: path, Kind: migrate.KindString, Values: migrate.Strings{value}}
}

func equal(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestListing finds runs of all layouts in one directory.
func TestListing(t *testing.T) {
	data := t.TempDir()
	at := func(names ...string) string { return filepath.Join(append([]string{data}, names...)...) }
	writeParquet(t, at("ws_proj", "part_0.parquet"), options{}, id("b-1"), id("b-2"))
	writeParquet(t, at("ws_proj", "part_1.parquet"), options{}, str("b-2", "x", "y"), id("b-3"))
	writeParquet(t, at("ws_proj", "c_1_part_0.parquet"), options{}, id("c/1"))
	writeParquet(t, at(projectDir, "x_part_0_y"+digest+"_part_0.parquet"), options{}, id("x_part_0_y"))
	writeParquet(t, at(projectDir, "filtered"+digest+"_part_0.parquet"), options{}, point("filtered", "m", 1, 2))
	writeParquet(t, at(projectDir, "models", "M"+digest+"_part_0.parquet"), options{}, id("M"))
	writeParquet(t, at(projectDir, "model_versions", "M-1"+digest+"_part_0.parquet"), options{}, id("M-1"))
	writeParquet(t, at("other_name", "anything.parquet"), options{}, row{project: "a/b", run: "r", path: "p", kind: "string", s: "s"})
	if err := os.WriteFile(at(projectDir, "errors.jsonl"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	store := open(t, data, t.TempDir())
	equal(t, ids(list(t, store)), []string{"a/b/r", "ws/proj/b-1", "ws/proj/b-2", "ws/proj/b-3", "ws/proj/c/1", "ws/proj/filtered", "ws/proj/x_part_0_y"})
	equal(t, ids(list(t, store, migrate.ScopeModel, migrate.ScopeModelVersion)), []string{"ws/proj/model/M", "ws/proj/model_version/M-1"})
	chunks, problems := read(t, store, "b-2")
	equal(t, chunks, []migrate.Chunk{text("sys/id", "b-2"), text("x", "y")})
	equal(t, problems, []string(nil))
}

// TestPartOrder reads more than ten parts in numeric order, an attribute straddling them all.
func TestPartOrder(t *testing.T) {
	data := t.TempDir()
	var steps []int
	var values []float64
	for n := range 12 {
		rows := []row{point("r", "m", 2*n, float64(n)), point("r", "m", 2*n+1, 0)}
		if n == 0 {
			rows = append([]row{id("r")}, rows...)
		}
		writeParquet(t, filepath.Join(data, projectDir, fmt.Sprintf("r%s_part_%d.parquet", digest, n)), options{}, rows...)
		steps, values = append(steps, 2*n, 2*n+1), append(values, float64(n), 0)
	}
	chunks, problems := read(t, open(t, data, ""), "r")
	equal(t, chunks, []migrate.Chunk{text("sys/id", "r"), floatSeries("m", steps, values...)})
	equal(t, problems, []string(nil))
}

// TestInterleaved sorts rows of old archives out, in all kinds of files.
func TestInterleaved(t *testing.T) {
	rows := []row{id("r"), id("other")}
	var steps []int
	a, b := []float64{}, []float64{}
	for s := range 300 {
		rows = append(rows, point("r", "b", s, float64(s)), point("other", "b", s, -1), point("r", "a", 299-s, float64(s)))
		steps, b, a = append(steps, s), append(b, float64(s)), append(a, float64(299-s))
	}
	rows = append(rows, str("r", "late", "scalar"))
	want := []migrate.Chunk{text("sys/id", "r"), text("late", "scalar"), floatSeries("b", steps, b...), floatSeries("a", steps, a...)}
	for name, o := range map[string]options{
		"one group": {}, "tiny groups": {groupRows: 3}, "plain": {plain: true}, "v2": {v2: true},
		"small pages": {pageSize: 100}, "small plain pages": {pageSize: 100, plain: true}, "zstd": {codec: compress.Codecs.Zstd}, "gzip": {codec: compress.Codecs.Gzip},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			writeParquet(t, filepath.Join(data, "ws_proj", "part_0.parquet"), o, rows...)
			chunks, problems := read(t, open(t, data, ""), "r")
			equal(t, chunks, want)
			equal(t, problems, []string(nil))
		})
	}
}

// TestKinds reads a value of each kind.
func TestKinds(t *testing.T) {
	of := func(kind string, r row) row {
		r.project, r.run, r.path, r.kind = project, "r", kind, kind
		return r
	}
	data := t.TempDir()
	h := &hist{kind: "COUNTING", edges: []float64{0, 1, 2}, values: []float64{3, 4}}
	writeParquet(t, filepath.Join(data, projectDir, "r"+digest+"_part_0.parquet"), options{},
		of("int", row{i: math.MinInt64}), of("float", row{f: math.Inf(-1)}), of("string", row{s: "a\x00b"}), of("bool", row{b: true}),
		of("datetime", row{d: -5}), of("string_set", row{set: []string{"b", "", "a"}}),
		row{project: project, run: "r", path: "empty", kind: "string_set", set: []string{}},
		row{project: project, run: "r", path: "none", kind: "string_set"},
		of("git_ref", row{s: "{}"}), of("made_up", row{s: "new"}), of("artifact", row{s: "hash"}),
		of("string_series", row{step: -500_000, time: 7, s: "line"}),
		of("histogram_series", row{step: 1, time: 8, hist: h}),
	)
	chunks, problems := read(t, open(t, data, ""), "r")
	at := func(kind migrate.Kind, v migrate.Values) migrate.Chunk {
		return migrate.Chunk{Path: string(kind), Kind: kind, Values: v}
	}
	series := func(kind migrate.Kind, step migrate.Step, ms int64, v migrate.Values) migrate.Chunk {
		return migrate.Chunk{Path: string(kind), Kind: kind, Steps: []migrate.Step{step}, Times: []int64{ms}, Values: v}
	}
	equal(t, chunks, []migrate.Chunk{
		at("int", migrate.Ints{math.MinInt64}), at("float", migrate.Floats{math.Inf(-1)}), at("string", migrate.Strings{"a\x00b"}),
		at("bool", migrate.Bools{true}), at("datetime", migrate.Datetimes{-5}), at("string_set", migrate.StringSets{{"b", "", "a"}}),
		{Path: "empty", Kind: migrate.KindStringSet, Values: migrate.StringSets{{}}},
		at("git_ref", migrate.Strings{"{}"}), at("made_up", migrate.Strings{"new"}), at("artifact", migrate.Strings{"hash"}),
		series("string_series", -500_000, 7, migrate.Strings{"line"}),
		series("histogram_series", 1, 8, migrate.Histograms{{Type: "COUNTING", Edges: h.edges, Values: h.values}}),
	})
	equal(t, problems, []string{
		"int: integers of 2^53 and more such as -9223372036854775808 may have been rounded by the exporter (suspect)",
		"1 rows have no value at all: attributes of other runs, passed over (suspect)",
	})
}

// TestNulls tells NaN, padding and phantoms apart.
func TestNulls(t *testing.T) {
	null := func(path, kind string, step, time any) row {
		return row{project: project, run: "r", path: path, kind: kind, step: step, time: time}
	}
	data := t.TempDir()
	writeParquet(t, filepath.Join(data, projectDir, "r"+digest+"_part_0.parquet"), options{},
		null("nan", "float", nil, nil), null("gone", "string", nil, nil),
		point("r", "m", 0, 1), null("m", "float_series", 1_000_000, 1_700_000_000_001), null("m", "float_series", 2_000_000, nil),
		null("phantom", "float_series", nil, nil),
		row{project: project, run: "r", path: "nostep", kind: "float_series", time: 5, f: 1.5},
		row{project: project, run: "r", path: "nostep", kind: "float_series", time: 6, f: 2.5},
		row{project: project, run: "r", path: "m", kind: "string_series", step: 3, time: 9, s: "two kinds"},
	)
	chunks, problems := read(t, open(t, data, ""), "r")
	equal(t, chunks, []migrate.Chunk{
		floatSeries("m", []int{0, 1}, 1, math.NaN()),
		{Path: "m", Kind: migrate.KindStringSeries, Steps: []migrate.Step{3}, Times: []int64{9}, Values: migrate.Strings{"two kinds"}},
		{Path: "nostep", Kind: migrate.KindFloatSeries, Steps: []migrate.Step{0, migrate.StepUnit}, Times: []int64{5, 6}, Values: migrate.Floats{1.5, 2.5}},
	})
	equal(t, problems, []string{
		"nan: the archive has no value: it was NaN, or the run does not have this attribute (suspect)",
		"nostep: points without steps are numbered from 0 in the order of rows (suspect)",
		"1 rows have a step but neither time nor value: padding of an older exporter, passed over (suspect)",
		"2 rows have no value at all: attributes of other runs, passed over (suspect)",
	})
}

// TestMissingColumns reads files without columns that their rows do not need.
func TestMissingColumns(t *testing.T) {
	for _, drop := range []string{"project_id", "histogram_value", "bool_value", "string_set_value"} {
		data := t.TempDir()
		writeParquet(t, filepath.Join(data, "ws_proj", "part_0.parquet"), options{drop: drop}, id("r"), point("r", "m", 0, 1))
		chunks, problems := read(t, open(t, data, ""), "r")
		equal(t, chunks, []migrate.Chunk{text("sys/id", "r"), floatSeries("m", []int{0}, 1)})
		equal(t, problems, []string(nil))
	}
}

// TestDamage damages one part of several; the rest is read.
func TestDamage(t *testing.T) {
	part := func(n int) string { return fmt.Sprintf("r%s_part_%d.parquet", digest, n) }
	write := func(t *testing.T) string {
		data := t.TempDir()
		for n := range 3 {
			writeParquet(t, filepath.Join(data, projectDir, part(n)), options{}, str("r", fmt.Sprint("a", n), "v"))
		}
		writeParquet(t, filepath.Join(data, projectDir, "ok"+digest+"_part_0.parquet"), options{}, id("ok"))
		return data
	}
	for name, damage := range map[string]func(path string) error{
		"missing":   os.Remove,
		"truncated": func(path string) error { return os.Truncate(path, 700) },
		"empty":     func(path string) error { return os.Truncate(path, 0) },
		"text":      func(path string) error { return os.WriteFile(path, []byte("PAR1, or so they say PAR1"), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			data := write(t)
			if err := damage(filepath.Join(data, projectDir, part(1))); err != nil {
				t.Fatal(err)
			}
			store := open(t, data, "")
			equal(t, ids(list(t, store)), []string{"ws/proj/ok", "ws/proj/r"})
			chunks, problems := read(t, store, "r")
			equal(t, chunks, []migrate.Chunk{text("a0", "v"), text("a2", "v")})
			if len(problems) != 1 || !strings.Contains(problems[0], "part_1") {
				t.Errorf("problems %q", problems)
			}
			if _, problems := read(t, store, "ok"); len(problems) > 0 {
				t.Errorf("problems of another run: %q", problems)
			}
		})
	}
}

// TestAllDamaged lists what cannot be read at all, and says so when it is read.
func TestAllDamaged(t *testing.T) {
	data := t.TempDir()
	writeParquet(t, filepath.Join(data, projectDir, "ok"+digest+"_part_0.parquet"), options{}, id("ok"))
	writeParquet(t, filepath.Join(data, "ws_proj", "part_0.parquet"), options{}, id("many"))
	for _, name := range []string{projectDir + "/bad" + digest + "_part_0.parquet", "ws_proj/part_1.parquet"} {
		if err := os.WriteFile(filepath.Join(data, name), []byte("PAR1"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	store := open(t, data, "")
	equal(t, ids(list(t, store)), []string{"ws/proj/bad" + digest, "ws/proj/many", "ws/proj/ok", "ws/proj/part_1.parquet"})
	for _, id := range []string{"bad" + digest, "part_1.parquet"} {
		r, err := store.OpenRun(context.Background(), migrate.RunInfo{RunRef: migrate.RunRef{Project: project, ID: id}})
		if err != nil {
			t.Fatal(err)
		}
		var last error
		for _, err := range r.Chunks(context.Background(), nil) {
			last = err
		}
		if !errors.Is(last, migrate.ErrCorrupt) {
			t.Errorf("%s: %v", id, last)
		}
	}
	if _, problems := read(t, store, "many"); len(problems) != 1 || !strings.Contains(problems[0], "part_1.parquet") {
		t.Errorf("problems %q", problems)
	}
}

// TestCopies reads the newer of two copies of one run.
func TestCopies(t *testing.T) {
	data := t.TempDir()
	writeParquet(t, filepath.Join(data, "ws_proj", "part_0.parquet"), options{}, str("r", "old", "o"))
	writeParquet(t, filepath.Join(data, projectDir, "r"+digest+"_part_0.parquet"), options{}, str("r", "new", "n"))
	store := open(t, data, "")
	equal(t, ids(list(t, store)), []string{"ws/proj/r"})
	chunks, problems := read(t, store, "r")
	equal(t, chunks, []migrate.Chunk{text("new", "n")})
	if len(problems) != 1 || !strings.Contains(problems[0], "another copy") {
		t.Errorf("problems %q", problems)
	}
}

// TestHostileFiles opens nothing outside of the project's files.
func TestHostileFiles(t *testing.T) {
	data, top := t.TempDir(), t.TempDir()
	files := filepath.Join(top, "files")
	home := filepath.Join(files, projectDir)
	secret := filepath.Join(top, "secret")
	for _, err := range []error{
		os.MkdirAll(filepath.Join(home, "r", "dir"), 0o755), os.WriteFile(secret, []byte("secret"), 0o600),
		os.WriteFile(filepath.Join(files, "neighbour"), []byte("n"), 0o600),
		os.WriteFile(filepath.Join(home, "r", "good"), []byte("good"), 0o600),
		os.Symlink(secret, filepath.Join(home, "r", "link")), os.Symlink("good", filepath.Join(home, "r", "inside")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	bad := []string{"../../secret", "../neighbour", "r/../../../secret", secret, "r/link", "r/dir", "r/nul\x00", "r/gone", `\\host\share`, ".", ".."}
	var rows []row
	for i, key := range append([]string{"r/good", "r/inside", "r/dir/../good"}, bad...) {
		rows = append(rows, row{project: project, run: "r", path: fmt.Sprint("f", i), kind: "file", file: key})
	}
	writeParquet(t, filepath.Join(data, projectDir, "r"+digest+"_part_0.parquet"), options{}, rows...)
	store := open(t, data, files)
	chunks, r := readRun(t, store, migrate.RunRef{Project: project, ID: "r"})
	var keys []string
	for _, c := range chunks {
		keys = append(keys, c.Values.(migrate.Files)[0].Key)
	}
	equal(t, keys, []string{"r/good", "r/inside", "r/dir/../good"})
	if got := len(r.Problems()); got != len(bad) {
		t.Errorf("%d problems for %d bad paths: %v", got, len(bad), r.Problems())
	}
	for _, key := range bad {
		if f, err := r.OpenFile(context.Background(), migrate.FileRef{Key: key}); err == nil {
			f.Close()
			t.Errorf("opened %q", key)
		} else if !strings.Contains(err.Error(), fmt.Sprintf("%q", key)) {
			t.Errorf("error does not name %q: %v", key, err)
		}
	}
}

func TestNoFilesDirectory(t *testing.T) {
	data := t.TempDir()
	writeParquet(t, filepath.Join(data, projectDir, "r"+digest+"_part_0.parquet"), options{}, id("r"),
		row{project: project, run: "r", path: "f", kind: "file", file: "r/f"})
	chunks, problems := read(t, open(t, data, filepath.Join(data, "nowhere")), "r")
	equal(t, chunks, []migrate.Chunk{text("sys/id", "r")})
	if len(problems) != 1 || !strings.Contains(problems[0], "nowhere") || !strings.Contains(problems[0], "(missing)") {
		t.Errorf("problems %q", problems)
	}
}

func TestNotFound(t *testing.T) {
	if _, err := parquetstore.Open(filepath.Join(t.TempDir(), "none"), ""); !errors.Is(err, migrate.ErrNotFound) {
		t.Errorf("no directory: %v", err)
	}
	store := open(t, t.TempDir(), "")
	if _, err := store.OpenRun(context.Background(), migrate.RunInfo{RunRef: migrate.RunRef{ID: "x"}}); !errors.Is(err, migrate.ErrNotFound) {
		t.Errorf("no run: %v", err)
	}
}

// TestManyRows does not hang on a scalar that claims many rows.
func TestManyRows(t *testing.T) {
	data := t.TempDir()
	var rows []row
	for range 3000 {
		rows = append(rows, str("r", "a", "v"))
	}
	writeParquet(t, filepath.Join(data, projectDir, "r"+digest+"_part_0.parquet"), options{groupRows: 500}, rows...)
	chunks, problems := read(t, open(t, data, ""), "r")
	equal(t, chunks, []migrate.Chunk{text("a", "v")})
	equal(t, problems, []string{"a: the archive has 3000 rows for one value; only the first 1024 are read (unreadable)"})
}
