package parquetstore_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/schema"
	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/parquetstore"
)

// written opens an archive of one file of testdata/writers, which write.py has written.
func written(t *testing.T, name string) *parquetstore.Store {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "writers", name+".parquet"))
	if err != nil {
		t.Fatal(err)
	}
	return archiveOf(t, b)
}

// archiveOf opens an archive of one part.
func archiveOf(t *testing.T, b []byte) *parquetstore.Store {
	t.Helper()
	dir := damageDir(t)
	if err := os.WriteFile(filepath.Join(dir, "ws_proj", "part_0.parquet"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return open(t, dir, "")
}

// writtenChunks are those of all files, but for what one says it lacks.
func writtenChunks() []migrate.Chunk {
	const start = -1 // ms
	of := func(path string, kind migrate.Kind, v migrate.Values) migrate.Chunk {
		return migrate.Chunk{Path: path, Kind: kind, Values: v}
	}
	loss, log, hist := of("loss", migrate.KindFloatSeries, nil), of("log", migrate.KindStringSeries, nil), of("hist", migrate.KindHistogramSeries, nil)
	var floats migrate.Floats
	var lines migrate.Strings
	for i := range int64(40) {
		loss.Steps, loss.Times = append(loss.Steps, migrate.Step((i*i-100)*125_000)), append(loss.Times, start+i*i*i*i)
		floats = append(floats, float64(i*i+1)/7)
		lines = append(lines, "line "+migrate.Step(i*1_000_000).String()+" of a log")
	}
	loss.Values, log.Values, log.Steps, log.Times = floats, lines, loss.Steps, loss.Times
	var hists migrate.Histograms
	for i := range 3 {
		hist.Steps, hist.Times = append(hist.Steps, migrate.Step(i)*migrate.StepUnit), append(hist.Times, start)
		hists = append(hists, migrate.Histogram{Type: "COUNTING", Edges: []float64{0.5, float64(i) + 1.5}, Values: []float64{float64(i)}})
	}
	hist.Values = hists
	return []migrate.Chunk{
		text("sys/id", "r"), of("int", migrate.KindInt, migrate.Ints{-1 << 53}), of("int2", migrate.KindInt, migrate.Ints{7}),
		of("bool", migrate.KindBool, migrate.Bools{true}), of("datetime", migrate.KindDatetime, migrate.Datetimes{start}),
		of("tags", migrate.KindStringSet, migrate.StringSets{{"b", "", "a"}}), loss, log, hist,
	}
}

// TestOtherWriters reads the same from all types, encodings and compressions.
func TestOtherWriters(t *testing.T) {
	odd := []string{"odd_ints", "encrypted", "encrypted_columns"}
	untyped := []migrate.Kind{migrate.KindBool, migrate.KindDatetime, migrate.KindStringSet}
	paths, err := filepath.Glob("testdata/writers/*.parquet")
	if err != nil || len(paths) < 30 {
		t.Fatalf("%d files, error %v", len(paths), err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".parquet")
		if slices.Contains(odd, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			want := writtenChunks()
			if name == "pandas_no_values" {
				want = slices.DeleteFunc(want, func(c migrate.Chunk) bool { return slices.Contains(untyped, c.Kind) })
			}
			chunks, problems := read(t, written(t, name), "r")
			equal(t, chunks, want)
			equal(t, problems, []string(nil))
		})
	}
}

// TestOddInts names the integers that a column of doubles cannot hold.
func TestOddInts(t *testing.T) {
	chunks, problems := read(t, written(t, "odd_ints"), "r")
	equal(t, chunks, []migrate.Chunk{text("sys/id", "r")})
	equal(t, problems, []string{
		"int: 1 value left out: 9.007199254740994e+15 is not a whole number that a column of doubles holds exactly (unreadable)",
		"int2: 1 value left out: 1.5 is not a whole number that a column of doubles holds exactly (unreadable)",
	})
}

// relabel says in a file's footer that its columns of floats have another compression.
func relabel(t *testing.T, b []byte, from, to byte) []byte {
	t.Helper()
	field := append([]byte("float_value\x15"), 2*from)
	if !bytes.Contains(b, field) {
		t.Fatal("the footer has another form")
	}
	return bytes.ReplaceAll(b, field, append([]byte("float_value\x15"), 2*to))
}

// TestUnsupported does not call damaged what is not.
func TestUnsupported(t *testing.T) {
	b, err := os.ReadFile("testdata/writers/tool.parquet")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		store *parquetstore.Store
		want  string
	}{
		"lzo":     {archiveOf(t, relabel(t, b, 1, 3)), "column float_value is compressed with LZO, which this program cannot read; rewrite the file with zstd or snappy"},
		"unknown": {archiveOf(t, relabel(t, b, 1, 9)), "column float_value is compressed with method 9, "},
		"columns": {written(t, "encrypted_columns"), "column step is encrypted, which this program cannot read; write it without encryption"},
	} {
		t.Run(name, func(t *testing.T) {
			chunks, problems := read(t, c.store, "r")
			got := strings.Join(problems, "\n")
			if len(chunks) < 6 || !strings.Contains(got, c.want) || strings.Contains(got, migrate.ErrCorrupt.Error()) {
				t.Errorf("%d chunks, problems %q", len(chunks), problems)
			}
		})
	}
	t.Run("footer", func(t *testing.T) {
		store := written(t, "encrypted")
		r, err := store.OpenRun(context.Background(), list(t, store)[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range r.Chunks(context.Background(), nil) {
			if !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, migrate.ErrCorrupt) || !strings.Contains(err.Error(), "the file is encrypted") {
				t.Errorf("error %v", err)
			}
		}
	})
}

// TestByteArrayDecimals reads decimals of varying length, which pyarrow cannot write.
func TestByteArrayDecimals(t *testing.T) {
	steps := []parquet.ByteArray{{0xff}, {0}, {0x0f, 0x42, 0x40}, bytes.Repeat([]byte{0xff}, 20), append(make([]byte, 40), 7), append([]byte{1}, make([]byte, 40)...)}
	want := []migrate.Step{-1, -1, 0, 7, 1_000_000}
	for _, dict := range []bool{true, false} {
		chunks, problems := read(t, archiveOf(t, byteArraySteps(t, steps, dict)), "r")
		equal(t, chunks[0].Steps, want)
		equal(t, problems, []string{"m: 1 point left out, at step of 41 bytes: steps must be below 9.2e12 and have at most six decimals (unreadable)"})
	}
}

// byteArraySteps writes a float series.
func byteArraySteps(t *testing.T, steps []parquet.ByteArray, dict bool) []byte {
	t.Helper()
	node := func(name string, l schema.LogicalType) schema.Node {
		return schema.MustPrimitive(schema.NewPrimitiveNodeLogical(name, parquet.Repetitions.Required, l, parquet.Types.ByteArray, 0, -1))
	}
	str := schema.StringLogicalType{}
	root := schema.MustGroup(schema.NewGroupNode("schema", parquet.Repetitions.Required, schema.FieldList{
		node("project_id", str), node("run_id", str), node("attribute_path", str), node("attribute_type", str),
		node("step", schema.NewDecimalLogicalType(38, 6)), schema.NewFloat64Node("float_value", parquet.Repetitions.Required, -1),
	}, -1))
	var buf bytes.Buffer
	w := file.NewParquetWriter(&buf, root, file.WithWriterProps(parquet.NewWriterProperties(parquet.WithDictionaryDefault(dict))))
	group := w.AppendRowGroup()
	texts := [][]parquet.ByteArray{nil, nil, nil, nil, steps}
	for i, v := range []string{project, "r", "m", "float_series"} {
		texts[i] = slices.Repeat([]parquet.ByteArray{parquet.ByteArray(v)}, len(steps))
	}
	for _, values := range texts {
		col, err := group.NextColumn()
		if err != nil {
			t.Fatal(err)
		}
		_, err = col.(*file.ByteArrayColumnChunkWriter).WriteBatch(values, nil, nil)
		if err = errors.Join(err, col.Close()); err != nil {
			t.Fatal(err)
		}
	}
	col, err := group.NextColumn()
	if err != nil {
		t.Fatal(err)
	}
	_, err = col.(*file.Float64ColumnChunkWriter).WriteBatch(make([]float64, len(steps)), nil, nil)
	if err = errors.Join(err, col.Close(), group.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
