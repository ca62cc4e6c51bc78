package parquetstore_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	migrate "github.com/nexport-go/migrate"
)

// writeColumns writes a file with a float series in other column types: of texts, steps and times.
func writeColumns(t *testing.T, path string, text arrow.DataType, step, ms arrow.Array, props ...parquet.WriterProperty) {
	t.Helper()
	n := step.Len()
	var fields []arrow.Field
	var cols []arrow.Array
	add := func(name string, a arrow.Array) {
		fields, cols = append(fields, arrow.Field{Name: name, Type: a.DataType(), Nullable: true}), append(cols, a)
	}
	for _, c := range [][2]string{{"run_id", "r"}, {"project_id", project}, {"attribute_type", "float_series"}, {"attribute_path", "m"}} {
		b := array.NewBuilder(memory.DefaultAllocator, text)
		for range n {
			if err := b.AppendValueFromString(c[1]); err != nil {
				t.Fatal(err)
			}
		}
		add(c[0], b.NewArray())
	}
	add("step", step)
	add("timestamp", ms)
	f := array.NewFloat64Builder(memory.DefaultAllocator)
	for i := range n {
		f.Append(float64(i))
	}
	add("float_value", f.NewArray())
	rec := array.NewRecord(arrow.NewSchema(fields, nil), cols, int64(n))
	writeRecord(t, path, rec, parquet.NewWriterProperties(props...))
}

func decimals(precision, scale int32, values ...string) arrow.Array {
	b := array.NewDecimal128Builder(memory.DefaultAllocator, &arrow.Decimal128Type{Precision: precision, Scale: scale})
	for _, v := range values {
		n, err := decimal128.FromString(v, precision, scale)
		if err != nil {
			panic(err)
		}
		b.Append(n)
	}
	return b.NewArray()
}

func stamps(unit arrow.TimeUnit, values ...int64) arrow.Array {
	b := array.NewTimestampBuilder(memory.DefaultAllocator, &arrow.TimestampType{Unit: unit, TimeZone: "UTC"})
	for _, v := range values {
		b.Append(arrow.Timestamp(v))
	}
	return b.NewArray()
}

func int64s(values ...int64) arrow.Array {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	b.AppendValues(values, nil)
	return b.NewArray()
}

func float64s(values ...float64) arrow.Array {
	b := array.NewFloat64Builder(memory.DefaultAllocator)
	b.AppendValues(values, nil)
	return b.NewArray()
}

// TestColumnTypes reads what other writers make of the same data.
func TestColumnTypes(t *testing.T) {
	str, ms := arrow.DataType(arrow.BinaryTypes.String), stamps(arrow.Millisecond, -1, 0, 1)
	asInts := parquet.WithStoreDecimalAsInteger(true)
	noDict := parquet.WithDictionaryDefault(false)
	for name, c := range map[string]struct {
		text       arrow.DataType
		step, time arrow.Array
		props      []parquet.WriterProperty
	}{
		"as the tool":   {str, decimals(18, 6, "-1.5", "0", "2.000001"), ms, nil},
		"large strings": {arrow.BinaryTypes.LargeString, decimals(18, 6, "-1.5", "0", "2.000001"), ms, nil},
		"dictionaries": {
			&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: str},
			decimals(18, 6, "-1.5", "0", "2.000001"), ms, nil,
		},
		"wide decimals":  {str, decimals(38, 20, "-1.5", "0", "2.000001"), ms, nil},
		"int decimals":   {str, decimals(18, 6, "-1.5", "0", "2.000001"), ms, []parquet.WriterProperty{asInts}},
		"small decimals": {str, decimals(9, 6, "-1.5", "0", "2.000001"), ms, []parquet.WriterProperty{asInts}},
		"doubles":        {str, float64s(-1.5, 0, 2.000001), ms, nil},
		"micros":         {str, decimals(18, 6, "-1.5", "0", "2.000001"), stamps(arrow.Microsecond, -1000, 999, 1000), nil},
		"nanos":          {str, decimals(18, 6, "-1.5", "0", "2.000001"), stamps(arrow.Nanosecond, -1, 0, 1_000_000), nil},
		"delta": {
			str, decimals(18, 6, "-1.5", "0", "2.000001"), ms,
			[]parquet.WriterProperty{
				asInts, noDict, parquet.WithEncodingFor("step", parquet.Encodings.DeltaBinaryPacked),
				parquet.WithEncodingFor("timestamp", parquet.Encodings.DeltaBinaryPacked),
				parquet.WithEncodingFor("attribute_path", parquet.Encodings.DeltaByteArray),
				parquet.WithEncodingFor("attribute_type", parquet.Encodings.DeltaLengthByteArray),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			writeColumns(t, filepath.Join(data, "ws_proj", "part_0.parquet"), c.text, c.step, c.time, c.props...)
			chunks, problems := read(t, open(t, data, ""), "r")
			equal(t, chunks, []migrate.Chunk{{
				Path: "m", Kind: migrate.KindFloatSeries, Steps: []migrate.Step{-1_500_000, 0, 2_000_001},
				Times: []int64{-1, 0, 1}, Values: migrate.Floats{0, 1, 2},
			}})
			equal(t, problems, []string(nil))
		})
	}
}

// TestDelta reads many values in the encoding that suits steps best.
func TestDelta(t *testing.T) {
	var steps []int64
	for i := range int64(10_000) {
		steps = append(steps, i*i*i%1_000_003+i<<uint(i%30))
	}
	steps = append(steps, 0, math.MaxInt64/1_000_000, math.MinInt64/1_000_000, 5)
	data := t.TempDir()
	writeColumns(t, filepath.Join(data, "ws_proj", "part_0.parquet"), arrow.BinaryTypes.String, int64s(steps...), int64s(steps...),
		parquet.WithDictionaryDefault(false), parquet.WithEncodingFor("step", parquet.Encodings.DeltaBinaryPacked),
		parquet.WithEncodingFor("timestamp", parquet.Encodings.DeltaBinaryPacked))
	chunks, problems := read(t, open(t, data, ""), "r")
	equal(t, problems, []string(nil))
	c := chunks[0]
	for i, v := range c.Values.(migrate.Floats) {
		if want := steps[int(v)]; c.Steps[i] != migrate.Step(want)*migrate.StepUnit || c.Times[i] != want {
			t.Fatalf("row %v has step %v and time %d, want %d", v, c.Steps[i], c.Times[i], want)
		}
	}
	if c.Len() != len(steps) {
		t.Errorf("%d points, want %d", c.Len(), len(steps))
	}
}

// TestStrangeSteps names the points whose steps cannot be held.
func TestStrangeSteps(t *testing.T) {
	for name, c := range map[string]struct {
		step arrow.Array
		bad  string
	}{
		"decimals": {decimals(38, 7, "1", "0.0000001", "2"), "0.0000001"},
		"large":    {decimals(38, 6, "1", "9300000000000", "2"), "9300000000000.000000"},
		"ints":     {int64s(1, math.MaxInt64, 2), "9223372036854775807"},
		"doubles":  {float64s(1, math.NaN(), 2), "NaN"},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			writeColumns(t, filepath.Join(data, "ws_proj", "part_0.parquet"), arrow.BinaryTypes.String, c.step, stamps(arrow.Millisecond, 1, 2, 3))
			chunks, problems := read(t, open(t, data, ""), "r")
			equal(t, chunks[0].Steps, []migrate.Step{1_000_000, 2_000_000})
			equal(t, chunks[0].Values, migrate.Values(migrate.Floats{0, 2}))
			if len(problems) != 1 || !strings.Contains(problems[0], "1 point left out, at step "+c.bad+": ") {
				t.Errorf("problems %q", problems)
			}
		})
	}
}

// TestStrangeStepsOfOneBlock names all kinds of them and counts them right, also where they come from a dictionary.
func TestStrangeStepsOfOneBlock(t *testing.T) {
	many := []string{"1.5", "10000000000000", "0.00000001", "2"}
	for range 5000 { // more than one block
		many = append(many, "3", "0.00000002", "0.00000003")
	}
	for name, c := range map[string]struct {
		steps []string
		kept  int
		want  string
	}{
		"two":  {many[:4], 2, "2 points left out, at step 10000000000000.0000000000, 0.0000000100: "},
		"many": {many, 5002, "10002 points left out, at step 10000000000000.0000000000, 0.0000000100, 0.0000000200, and others: "},
	} {
		for _, dict := range []bool{true, false} {
			t.Run(fmt.Sprint(name, " dictionary ", dict), func(t *testing.T) {
				data := t.TempDir()
				times := make([]int64, len(c.steps))
				writeColumns(t, filepath.Join(data, "ws_proj", "part_0.parquet"), arrow.BinaryTypes.String, decimals(38, 10, c.steps...),
					stamps(arrow.Millisecond, times...), parquet.WithDictionaryDefault(dict))
				store := open(t, data, "")
				for range 2 { // telling twice is no second problem
					chunks, problems := read(t, store, "r")
					equal(t, chunks[0].Len(), c.kept)
					if len(problems) != 1 || !strings.HasPrefix(problems[0], "m: "+c.want) {
						t.Errorf("problems %q", problems)
					}
				}
			})
		}
	}
}

// TestStrangeStepsOfLargeSeries counts them over all of its chunks.
func TestStrangeStepsOfLargeSeries(t *testing.T) {
	notShort(t)
	const n = 400_000
	steps := make([]int64, n)
	for i := range steps {
		steps[i] = int64(i)
		if i%4 == 3 {
			steps[i] = math.MaxInt64 - int64(i)
		}
	}
	data := t.TempDir()
	writeColumns(t, filepath.Join(data, "ws_proj", "part_0.parquet"), arrow.BinaryTypes.String, int64s(steps...), stamps(arrow.Millisecond, make([]int64, n)...))
	chunks, problems := read(t, open(t, data, ""), "r")
	points := 0
	for _, c := range chunks {
		points += c.Len()
	}
	equal(t, points, n/4*3)
	if len(problems) != 1 || !strings.Contains(problems[0], "100000 points left out") {
		t.Errorf("problems %q", problems)
	}
}

// TestPointsWithoutValue are counted, and the first are named by their steps.
func TestPointsWithoutValue(t *testing.T) {
	data := t.TempDir()
	rows := []row{id("r"), {project: project, run: "r", path: "log", kind: "string_series", step: 0, time: 1, s: "line"}}
	for i := range 5 {
		rows = append(rows, row{project: project, run: "r", path: "log", kind: "string_series", step: (i + 1) * 1_000_000, time: 1})
	}
	rows = append(rows, row{project: project, run: "r", path: "h", kind: "histogram_series", step: 7_000_000, time: 1})
	writeParquet(t, filepath.Join(data, "ws_proj", "part_0.parquet"), options{}, rows...)
	_, problems := read(t, open(t, data, ""), "r")
	equal(t, problems, []string{
		"log: 5 points left out, at step 1, 2, 3, and others: a time but no value (missing)",
		"h: 1 point left out, at step 7: a time but no value (missing)",
	})
}

// TestNamelessFiles tells of points whose path is empty.
func TestNamelessFiles(t *testing.T) {
	data := t.TempDir()
	writeParquet(t, filepath.Join(data, "ws_proj", "part_0.parquet"), options{}, id("r"),
		row{project: project, run: "r", path: "img", kind: "file_series", step: 1_000_000, time: 1, file: ""},
		row{project: project, run: "r", path: "img", kind: "file_series", step: 2_000_000, time: 1, file: ""})
	_, problems := read(t, open(t, data, t.TempDir()), "r")
	equal(t, problems, []string{
		"img: step 1: the archive names no file: not found (missing)",
		"img: step 2: the archive names no file: not found (missing)",
	})
}

func TestWrongTypes(t *testing.T) {
	data := t.TempDir()
	writeColumns(t, filepath.Join(data, "ws_proj", "part_0.parquet"), arrow.BinaryTypes.String, stamps(arrow.Second, 1), float64s(1))
	store := open(t, data, "")
	runs := list(t, store)
	equal(t, ids(runs), []string{"ws/proj/part_0.parquet"})
	sum, err := store.Summarize(context.Background(), runs[0])
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sum.Problems[0].Text, migrate.ErrCorrupt.Error()) {
		t.Errorf("called damaged: %v", sum.Problems)
	}
	if len(sum.Problems) != 1 || !strings.Contains(sum.Problems[0].Text, "timestamp has type DOUBLE") && !strings.Contains(sum.Problems[0].Text, "step has type") {
		t.Errorf("problems %v", sum.Problems)
	}
}

// TestWant reads only what is asked for.
func TestWant(t *testing.T) {
	data := t.TempDir()
	writeParquet(t, filepath.Join(data, projectDir, "r"+digest+"_part_0.parquet"), options{}, id("r"), str("r", "a", "b"), point("r", "m", 1, 1), point("r", "n", 1, 1))
	r, err := open(t, data, "").OpenRun(context.Background(), migrate.RunInfo{RunRef: migrate.RunRef{Project: project, ID: "r"}})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for c, err := range r.Chunks(context.Background(), func(path string, k migrate.Kind) bool { return path == "n" || path == "a" && k == migrate.KindString }) {
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, c.Path)
	}
	equal(t, paths, []string{"a", "n"})
}

// TestLarge streams a series that is in order, and sorts one that is not, in chunks of the size
// that is promised.
func TestLarge(t *testing.T) {
	notShort(t)
	const n = 360_000
	for _, sorted := range []bool{true, false} {
		t.Run(fmt.Sprint("sorted ", sorted), func(t *testing.T) {
			data := t.TempDir()
			rows := make([]row, n)
			for i := range rows {
				step := i
				if !sorted {
					step = n - 1 - i
				}
				rows[i] = point("r", "m", step, float64(step))
			}
			writeParquet(t, filepath.Join(data, "ws_proj", "part_0.parquet"), options{groupRows: 100_000}, rows...)
			rows = nil
			runtime.GC()
			r, err := open(t, data, "").OpenRun(context.Background(), migrate.RunInfo{RunRef: migrate.RunRef{Project: project, ID: "r"}})
			if err != nil {
				t.Fatal(err)
			}
			next := 0
			for c, err := range r.Chunks(context.Background(), nil) {
				if err != nil {
					t.Fatal(err)
				}
				if c.Len() > migrate.MaxChunkPoints {
					t.Fatalf("chunk of %d points", c.Len())
				}
				for i, v := range c.Values.(migrate.Floats) {
					if v != float64(next) || c.Steps[i] != migrate.Step(next)*migrate.StepUnit {
						t.Fatalf("point %d is %v at step %v", next, v, c.Steps[i])
					}
					next++
				}
			}
			if next != n {
				t.Errorf("%d points, want %d", next, n)
			}
		})
	}
}

// TestMemory streams a series of two million points and holds a small part of it at a time.
func TestMemory(t *testing.T) {
	notShort(t)
	const n, most = 2_000_000, 16 << 20 // all points would be 48 MB
	data := t.TempDir()
	values := make([]int64, n)
	for i := range values {
		values[i] = int64(i)
	}
	ints := int64s(values...)
	writeColumns(t, filepath.Join(data, "ws_proj", "part_0.parquet"), arrow.BinaryTypes.String, ints, ints)
	ints, values = nil, nil
	r, err := open(t, data, "").OpenRun(context.Background(), migrate.RunInfo{RunRef: migrate.RunRef{Project: project, ID: "r"}})
	if err != nil {
		t.Fatal(err)
	}
	before, points := liveHeap(), 0
	for c, err := range r.Chunks(context.Background(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		points += c.Len()
		if live := liveHeap(); live > before+most {
			t.Fatalf("%d MB are in use after %d points", (live-before)>>20, points)
		}
	}
	if points != n {
		t.Errorf("%d points", points)
	}
}

func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestLongTexts keeps chunks near their limit of bytes.
func TestLongTexts(t *testing.T) {
	data := t.TempDir()
	var rows []row
	for i := range 40 {
		rows = append(rows, row{project: project, run: "r", path: "log", kind: "string_series", step: i, time: i, s: fmt.Sprint(i) + strings.Repeat("x", 1<<19)})
	}
	writeParquet(t, filepath.Join(data, "ws_proj", "part_0.parquet"), options{groupRows: 7}, rows...)
	r, err := open(t, data, "").OpenRun(context.Background(), migrate.RunInfo{RunRef: migrate.RunRef{Project: project, ID: "r"}})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for c, err := range r.Chunks(context.Background(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, s := range c.Values.(migrate.Strings) {
			size += len(s)
			if !strings.HasPrefix(s, fmt.Sprint(n)+"x") {
				t.Fatalf("line %d is %.10q", n, s)
			}
			n++
		}
		if size > migrate.MaxChunkBytes+1<<20 {
			t.Errorf("chunk of %d bytes", size)
		}
	}
	if n != 40 {
		t.Errorf("%d lines", n)
	}
}

func TestSummary(t *testing.T) {
	data, files := t.TempDir(), t.TempDir()
	if err := os.MkdirAll(filepath.Join(files, projectDir, "r"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(files, projectDir, "r", "f"), []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	writeParquet(t, filepath.Join(data, projectDir, "r"+digest+"_part_0.parquet"), options{}, id("r"),
		row{project: project, run: "r", path: "f", kind: "file", file: "r/f"}, row{project: project, run: "r", path: "g", kind: "file", file: "r/g"},
		row{project: project, run: "r", path: "x", kind: "int"}, point("r", "m", 1, 1), point("r", "m", 2, 1),
		row{project: project, run: "r", path: "m", kind: "float_series", step: 5})
	store := open(t, data, files)
	sum, err := store.Summarize(context.Background(), list(t, store)[0])
	if err != nil {
		t.Fatal(err)
	}
	equal(t, sum.Attributes, map[migrate.Kind]int64{migrate.KindString: 1, migrate.KindFile: 1, migrate.KindFloatSeries: 1})
	equal(t, sum.Points, map[migrate.Kind]int64{migrate.KindFloatSeries: 2})
	equal(t, []int64{sum.Files, sum.FileBytes, sum.Rows, sum.Padding, sum.Phantoms}, []int64{1, 5, 7, 1, 1})
	if sum.State != migrate.Partial || len(sum.Problems) != 3 {
		t.Errorf("state %v, problems %v", sum.State, sum.Problems)
	}
	if sum.Bytes <= 0 || sum.Parts != 1 {
		t.Errorf("%d bytes in %d parts", sum.Bytes, sum.Parts)
	}
}

// TestMisplacedValues: a row without a value where its type has one is only then padding, NaN or another run's attribute
// if it has none anywhere.
func TestMisplacedValues(t *testing.T) {
	at := func(path, kind string, r row) row {
		r.project, r.run, r.path, r.kind = project, "r", path, kind
		return r
	}
	data := t.TempDir()
	writeParquet(t, filepath.Join(data, projectDir, "r"+digest+"_part_0.parquet"), options{}, id("r"),
		at("i", "int", row{f: 3.5}), at("s", "string", row{i: 3}), at("f", "float", row{i: 3}), at("b", "bool", row{set: []string{"x"}}),
		at("d", "datetime", row{hist: &hist{"COUNTING", []float64{0, 1}, []float64{2}}}),
		at("lines", "string_series", row{step: 0, f: 1.5}), at("lines", "string_series", row{step: 1_000_000, time: 5, s: "kept"}),
		at("m", "float_series", row{step: 0, time: 5, s: "7"}), at("m", "float_series", row{step: 1_000_000, time: 6}),
		at("file", "file", row{s: "x.txt"}), at("files", "file_series", row{step: 0, s: "x.txt"}), at("set", "file_set", row{s: "x"}),
		at("hist", "histogram_series", row{step: 0, hist: &hist{kind: "COUNTING"}}), at("hash", "artifact", row{s: "abc"}),
		at("m", "float_series", row{step: 2_000_000}), at("phantom", "float_series", row{}), at("nan", "float", row{}), at("gone", "int", row{f: math.NaN(), s: ""}),
	)
	chunks, problems := read(t, open(t, data, ""), "r")
	equal(t, problems, []string{
		"i: 1 value left out: the value is in column float_value (unreadable)",
		"s: 1 value left out: the value is in column int_value (unreadable)",
		"f: 1 value left out: the value is in column int_value (unreadable)",
		"b: 1 value left out: the value is in column string_set_value (unreadable)",
		"d: 1 value left out: the value is in column histogram_value.values (unreadable)",
		"file: 1 value left out: the value is in column string_value (unreadable)",
		"set: 1 value left out: the value is in column string_value (unreadable)",
		"nan: the archive has no value: it was NaN, or the run does not have this attribute (suspect)",
		"lines: 1 value left out: the value is in column float_value (unreadable)",
		"m: 1 value left out: the value is in column string_value (unreadable)",
		"files: 1 value left out: the value is in column string_value (unreadable)",
		"hist: 1 value left out: the value is in column histogram_value.type (unreadable)",
		"1 rows have a step but neither time nor value: padding of an older exporter, passed over (suspect)",
		"2 rows have no value at all: attributes of other runs, passed over (suspect)",
	})
	if len(chunks) != 4 { // sys/id, hash, lines and m
		t.Errorf("%d attributes: %v", len(chunks), chunks)
	}
}
