//go:build unix

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/parquetstore"
)

// TestArchiveReaders writes an archive and reads it with tools that share no code with this project.
func TestArchiveReaders(t *testing.T) {
	env := os.Getenv(envMLflow3)
	if env == "" {
		t.Skipf("%s is not set", envMLflow3)
	}
	data, files := t.TempDir(), t.TempDir()
	run := oddRun()
	var want []string
	store, err := parquetstore.Create(data, files, parquetstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var source migratetest.Memory
	source.Add(run)
	if report, err := migrate.Run(t.Context(), migrate.Job{Source: &source, Store: store}); err != nil || !report.Whole() {
		t.Fatalf("write: %v, %+v", err, report)
	}
	for _, c := range run.Chunks {
		want = append(want, wantRows(t, run.Info.RunRef, c)...)
	}
	for _, reader := range []string{"pyarrow", "duckdb", "polars"} {
		t.Run(reader, func(t *testing.T) {
			cmd := exec.Command(filepath.Join(env, "bin", "python"), "dump_archive.py", reader, data)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, stderr.String())
			}
			var got []string
			for line := range strings.Lines(string(out)) {
				got = append(got, canonical(t, line))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

// canonical drops from files what the archive chooses itself, and brings JSON to one form.
func canonical(t *testing.T, line string) string {
	t.Helper()
	var row []any
	dec := json.NewDecoder(strings.NewReader(line))
	dec.UseNumber()
	if err := dec.Decode(&row); err != nil {
		t.Fatal(err)
	}
	if value := row[6].(map[string]any); value["file_value"] != nil {
		value["file_value"] = "a path"
	}
	return text(t, row)
}

func text(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// wantRows are the rows of a chunk.
func wantRows(t *testing.T, ref migrate.RunRef, c migrate.Chunk) (rows []string) {
	for i := range c.Len() {
		var step, at any
		if c.Steps != nil {
			s := c.Steps[i].String()
			whole, frac, _ := strings.Cut(s, ".")
			step = whole + "." + (frac + "000000")[:6]
			if c.Times[i] != migrate.NoTime {
				at = c.Times[i]
			}
		}
		row := []any{ref.Project, ref.ID, c.Path, c.Kind, step, at, wantValue(c.Values, i)}
		rows = append(rows, text(t, row))
		if c.Kind == migrate.KindFileSet {
			break // one row for the directory
		}
	}
	return rows
}

func wantValue(v migrate.Values, i int) map[string]any {
	switch v := v.(type) {
	case migrate.Ints:
		return map[string]any{"int_value": v[i]}
	case migrate.Floats:
		return map[string]any{"float_value": hexBits(v[i])}
	case migrate.Strings:
		return map[string]any{"string_value": v[i]}
	case migrate.Bools:
		return map[string]any{"bool_value": v[i]}
	case migrate.Datetimes:
		return map[string]any{"datetime_value": v[i]}
	case migrate.StringSets:
		return map[string]any{"string_set_value": v[i]}
	case migrate.Histograms:
		return map[string]any{"histogram_value": map[string]any{
			"type": v[i].Type, "edges": allBits(v[i].Edges), "values": allBits(v[i].Values),
		}}
	case migrate.Files:
		if v[i].Key != "" {
			return map[string]any{"file_value": "a path"}
		}
	default:
		panic(reflect.TypeOf(v))
	}
	return map[string]any{}
}

func hexBits(f float64) string { return fmt.Sprintf("%016x", math.Float64bits(f)) }

func allBits(fs []float64) []string {
	texts := []string{}
	for _, f := range fs {
		texts = append(texts, hexBits(f))
	}
	return texts
}

// oddRun has every column with what is hard to keep, and series of several row groups.
func oddRun() migratetest.Run {
	nan := math.Float64frombits(0x7ff8000000000000)
	long := migrate.Chunk{Path: "m/long", Kind: migrate.KindFloatSeries}
	var values migrate.Floats
	for i := range 150_000 {
		long.Steps = append(long.Steps, migrate.Step(i)*100_000)
		long.Times = append(long.Times, 1_700_000_000_000+int64(i)*int64(i%7))
		values = append(values, math.Sin(float64(i)))
	}
	long.Values = values
	const wide = migrate.Step(math.MaxInt64)
	return migratetest.Run{
		Info: migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/ünï", ID: "../odd"}},
		Chunks: []migrate.Chunk{
			{Path: "p/int", Kind: migrate.KindInt, Values: migrate.Ints{math.MinInt64}},
			{Path: "p/nan", Kind: migrate.KindFloat, Values: migrate.Floats{nan}},
			{Path: "p/zero", Kind: migrate.KindFloat, Values: migrate.Floats{math.Copysign(0, -1)}},
			{Path: "p/yes", Kind: migrate.KindBool, Values: migrate.Bools{true}},
			{Path: "p/no", Kind: migrate.KindBool, Values: migrate.Bools{false}},
			{Path: "p/text", Kind: migrate.KindString, Values: migrate.Strings{"ünï 🚀\x00\n\t\\"}},
			{Path: "p/empty", Kind: migrate.KindString, Values: migrate.Strings{""}},
			{Path: "p/time", Kind: migrate.KindDatetime, Values: migrate.Datetimes{-1}},
			{Path: "p/set", Kind: migrate.KindStringSet, Values: migrate.StringSets{{"b", "", "a"}}},
			{Path: "p/no set", Kind: migrate.KindStringSet, Values: migrate.StringSets{{}}},
			{Path: "p/git", Kind: migrate.KindGitRef, Values: migrate.Strings{`{"commit":"1"}`}},
			{Path: "f/a", Kind: migrate.KindFile, Values: migrate.Files{{Key: "a", Name: "a.txt", Size: 1}}},
			{Path: "f/none", Kind: migrate.KindFile, Values: migrate.Files{{Name: "s3://b/x", Size: -1}}},
			{Path: "f/set", Kind: migrate.KindFileSet, Values: migrate.Files{{Key: "a", Name: "x/a", Size: 1}, {Key: "a", Name: "b", Size: 1}}},
			long,
			{Path: "m/odd", Kind: migrate.KindFloatSeries, Steps: []migrate.Step{-1, 0, 500_000}, Times: []int64{-1, migrate.NoTime, 0}, Values: migrate.Floats{nan, math.Inf(-1), 5e-324}},
			{Path: "s/log", Kind: migrate.KindStringSeries, Steps: []migrate.Step{0, 1}, Times: []int64{1, 2}, Values: migrate.Strings{"", "b"}},
			{Path: "s/hist", Kind: migrate.KindHistogramSeries, Steps: []migrate.Step{0, 1}, Times: []int64{1, 2}, Values: migrate.Histograms{
				{Type: "COUNTING", Edges: []float64{0, 0, math.Inf(1)}, Values: []float64{nan, 0}}, {Type: "", Edges: []float64{1}, Values: []float64{}},
			}},
			{Path: "f/images", Kind: migrate.KindFileSeries, Steps: []migrate.Step{1, 1}, Times: []int64{1, 2}, Values: migrate.Files{{Key: "a", Name: "i.png", Size: 1}, {Key: "a", Name: "i.png", Size: 1}}},
			{Path: "z/wide", Kind: migrate.KindFloatSeries, Steps: []migrate.Step{-wide - 1, wide}, Times: []int64{1, 2}, Values: migrate.Floats{1, 2}},
		},
		Files: map[string][]byte{"a": []byte("a")},
	}
}
