package parquetstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

// row is a row of an archive; nil is null.
type row struct {
	project, run, path, kind any
	step                     any // millionths
	time                     any // ms
	i, f, s, b, d            any
	set                      []string // nil is null
	file                     any
	hist                     *hist
}

type hist struct {
	kind          string
	edges, values []float64
}

// archiveSchema is that of the Python tool.
func archiveSchema() *arrow.Schema {
	text, num := arrow.BinaryTypes.String, arrow.PrimitiveTypes.Float64
	ms := &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}
	f := func(name string, t arrow.DataType) arrow.Field {
		return arrow.Field{Name: name, Type: t, Nullable: true}
	}
	return arrow.NewSchema([]arrow.Field{
		f("project_id", text), f("run_id", text), f("attribute_path", text), f("attribute_type", text),
		f("step", &arrow.Decimal128Type{Precision: 18, Scale: 6}), f("timestamp", ms),
		f("int_value", arrow.PrimitiveTypes.Int64), f("float_value", num), f("string_value", text),
		f("bool_value", arrow.FixedWidthTypes.Boolean), f("datetime_value", ms),
		f("string_set_value", arrow.ListOf(text)), f("file_value", arrow.StructOf(f("path", text))),
		f("histogram_value", arrow.StructOf(f("type", text), f("edges", arrow.ListOf(num)), f("values", arrow.ListOf(num)))),
	}, nil)
}

// options of writeParquet.
type options struct {
	groupRows int64 // 0: one row group
	plain     bool  // no dictionaries
	v2        bool  // data pages v2
	codec     compress.Compression
	drop      string // a column to leave out
	pageSize  int64
}

func (o options) properties() *parquet.WriterProperties {
	props := []parquet.WriterProperty{parquet.WithCompression(compress.Codecs.Snappy), parquet.WithRootRepetition(parquet.Repetitions.Required)}
	if o.codec != 0 {
		props = append(props, parquet.WithCompression(o.codec))
	}
	if o.groupRows > 0 {
		props = append(props, parquet.WithMaxRowGroupLength(o.groupRows))
	}
	if o.plain {
		props = append(props, parquet.WithDictionaryDefault(false))
	}
	if o.v2 {
		props = append(props, parquet.WithDataPageVersion(parquet.DataPageV2))
	}
	if o.pageSize > 0 {
		props = append(props, parquet.WithDataPageSize(o.pageSize), parquet.WithBatchSize(64))
	}
	return parquet.NewWriterProperties(props...)
}

func writeParquet(t testing.TB, path string, o options, rows ...row) {
	t.Helper()
	schema := archiveSchema()
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for _, r := range rows {
		appendRow(b, r)
	}
	rec := b.NewRecord()
	defer rec.Release()
	if o.drop != "" {
		rec = dropColumn(rec, o.drop)
	}
	writeRecord(t, path, rec, o.properties())
}

// writeRecord writes rec as one Parquet file.
func writeRecord(t testing.TB, path string, rec arrow.Record, props *parquet.WriterProperties) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := pqarrow.NewFileWriter(rec.Schema(), f, props, pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteBuffered(rec); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func dropColumn(rec arrow.Record, name string) arrow.Record {
	var fields []arrow.Field
	var cols []arrow.Array
	for i, f := range rec.Schema().Fields() {
		if f.Name != name {
			fields, cols = append(fields, f), append(cols, rec.Column(i))
		}
	}
	return array.NewRecord(arrow.NewSchema(fields, nil), cols, rec.NumRows())
}

func appendRow(b *array.RecordBuilder, r row) {
	for i, v := range []any{r.project, r.run, r.path, r.kind, r.step, r.time, r.i, r.f, r.s, r.b, r.d} {
		appendValue(b.Field(i), v)
	}
	set := b.Field(11).(*array.ListBuilder)
	set.Append(r.set != nil)
	for _, s := range r.set {
		set.ValueBuilder().(*array.StringBuilder).Append(s)
	}
	file := b.Field(12).(*array.StructBuilder)
	if r.file == nil {
		file.AppendNull() // and of its fields
	} else {
		file.Append(true)
		appendValue(file.FieldBuilder(0), r.file)
	}
	h := b.Field(13).(*array.StructBuilder)
	if r.hist == nil {
		h.AppendNull()
		return
	}
	h.Append(true)
	appendValue(h.FieldBuilder(0), r.hist.kind)
	for i, list := range [][]float64{r.hist.edges, r.hist.values} {
		lb := h.FieldBuilder(i + 1).(*array.ListBuilder)
		lb.Append(list != nil)
		lb.ValueBuilder().(*array.Float64Builder).AppendValues(list, nil)
	}
}

func appendValue(b array.Builder, v any) {
	if v == nil {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(v.(string))
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(int64(v.(int))))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.(int)))
	case *array.Int64Builder:
		b.Append(int64(v.(int)))
	case *array.Float64Builder:
		b.Append(v.(float64))
	case *array.BooleanBuilder:
		b.Append(v.(bool))
	default:
		panic(fmt.Sprintf("column type %T", b))
	}
}

const (
	project    = "ws/proj"
	projectDir = "ws_proj-0123456789abcdef"
)

// point is a float_series row; step counts whole steps.
func point(run, path string, step int, value float64) row {
	return row{project: project, run: run, path: path, kind: "float_series", step: step * 1_000_000, time: 1_700_000_000_000 + step, f: value}
}

func str(run, path, value string) row {
	return row{project: project, run: run, path: path, kind: "string", s: value}
}

func id(run string) row { return str(run, "sys/id", run) }
