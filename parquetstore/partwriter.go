package parquetstore

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// template is what all parts have in common that are wide, or are not. Several writers use one at the same time: the
// schema's leaves, and only they, have their paths from the start.
type template struct {
	schema *schema.Schema
	props  *parquet.WriterProperties
}

var (
	narrowTemplate = sync.OnceValue(func() template { return newTemplate(false) })
	wideTemplate   = sync.OnceValue(func() template { return newTemplate(true) })
)

func templateOf(wide bool) template {
	if wide {
		return wideTemplate()
	}
	return narrowTemplate()
}

func newTemplate(wide bool) template {
	return template{schema.NewSchema(archiveNode(wide)), partProperties(wide)}
}

// archiveNode is the schema of a part. With wide the steps are decimal128(38,6).
func archiveNode(wide bool) *schema.GroupNode {
	optional := parquet.Repetitions.Optional
	leaf := func(name string, typ parquet.Type, logical schema.LogicalType, size int) schema.Node {
		return schema.Must(schema.NewPrimitiveNodeLogical(name, optional, logical, typ, size, -1))
	}
	text := func(name string) schema.Node {
		return leaf(name, parquet.Types.ByteArray, schema.StringLogicalType{}, 0)
	}
	number := func(name string) schema.Node {
		return leaf(name, parquet.Types.Double, schema.NoLogicalType{}, 0)
	}
	ms := func(name string) schema.Node {
		return leaf(name, parquet.Types.Int64, schema.NewTimestampLogicalType(true, schema.TimeUnitMillis), 0)
	}
	list := func(name string, element schema.Node) schema.Node {
		return schema.Must(schema.ListOfWithName(name, element, optional, -1))
	}
	group := func(name string, fields ...schema.Node) schema.Node {
		return schema.Must(schema.NewGroupNode(name, optional, fields, -1))
	}
	step := leaf("step", parquet.Types.Int64, schema.NewDecimalLogicalType(18, 6), 0)
	if wide {
		step = leaf("step", parquet.Types.FixedLenByteArray, schema.NewDecimalLogicalType(38, 6), 16)
	}
	fields := schema.FieldList{
		text("project_id"), text("run_id"), text("attribute_path"), text("attribute_type"), step, ms("timestamp"),
		leaf("int_value", parquet.Types.Int64, schema.NoLogicalType{}, 0), number("float_value"), text("string_value"),
		leaf("bool_value", parquet.Types.Boolean, schema.NoLogicalType{}, 0), ms("datetime_value"),
		list("string_set_value", text("element")), group("file_value", text("path")),
		group("histogram_value", text("type"), list("edges", number("element")), list("values", number("element"))),
	}
	return schema.MustGroup(schema.NewGroupNode("schema", parquet.Repetitions.Required, fields, -1))
}

// partCodec compresses all pages.
var partCodec = compress.Codecs.Snappy

// partProperties are the encodings that took least time and space among those that pyarrow and
// DuckDB read.
func partProperties(wide bool) *parquet.WriterProperties {
	props := []parquet.WriterProperty{
		parquet.WithRootRepetition(parquet.Repetitions.Required),
		parquet.WithCompression(partCodec),
		parquet.WithDictionaryDefault(false),
		parquet.WithStats(false),
		parquet.WithBatchSize(1 << 14),
		parquet.WithEncodingFor("timestamp", parquet.Encodings.DeltaBinaryPacked),
		parquet.WithStatsFor("timestamp", true),
		parquet.WithStatsFor("step", !wide), // those of bytes would have to be kept until the column ends
	}
	if !wide {
		props = append(props, parquet.WithEncodingFor("step", parquet.Encodings.DeltaBinaryPacked))
	}
	for _, key := range colNames[:colType+1] {
		props = append(props, parquet.WithDictionaryFor(key, true), parquet.WithStatsFor(key, true))
	}
	return parquet.NewWriterProperties(props...)
}

// sink is what Arrow writes a part to. Arrow loses errors, so the first one is kept, and nothing is
// written after it.
type sink struct {
	w    io.Writer
	n    int64
	hash hash.Hash
	err  error
}

// Tell is where the next byte goes.
func (s *sink) Tell() int64 { return s.n }

func (s *sink) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	s.n += int64(n)
	s.hash.Write(p[:n])
	s.err = err
	return n, err
}

// partWriter writes one part under a temporary name.
type partWriter struct {
	file *diskFile
	buf  *bufio.Writer // pages come in small pieces
	sink *sink
	w    *fileWriter
	keys rowKeys
	wide bool
	rows int64

	levels []int16
}

const partBuffer = 32 << 10

// newPartWriter begins a part. It closes f if that fails.
func newPartWriter(f *diskFile, keys rowKeys, wide bool, s *scratch) (*partWriter, error) {
	buf := bufio.NewWriterSize(f, partBuffer)
	p := &partWriter{file: f, buf: buf, sink: &sink{w: buf, hash: sha256.New()}, keys: keys, wide: wide}
	err := p.guard(func() (err error) {
		p.w, err = newFileWriter(p.sink, templateOf(wide), s)
		return err
	})
	if err != nil {
		f.Close()
		return nil, err
	}
	return p, nil
}

// guard runs f, and gives the error of the file before what Arrow made of it.
func (p *partWriter) guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("encode Parquet: %v", r)
		}
		if p.sink.err != nil {
			err = p.sink.err
		}
	}()
	return f()
}

// group writes a row group.
func (p *partWriter) group(b *rows) error {
	err := p.guard(func() error { return p.w.group(b.n, &groupColumns{p, b}) })
	p.rows += int64(b.n)
	return err
}

// groupColumns are the columns of a row group.
type groupColumns struct {
	part *partWriter
	rows *rows
}

func (g *groupColumns) empty(id int) bool { return g.rows.empty(id) }

func (g *groupColumns) words(id int) *names {
	if id > colType {
		return nil
	}
	if words := g.part.words(id, g.rows); words.long(g.rows.n) {
		return words
	}
	return nil
}

func (g *groupColumns) numbers(id int) *numbers {
	b, col := g.rows, &numbers{}
	switch {
	case id == colStep && !g.part.wide:
		col.ints = b.steps
	case id == colTime:
		col.ints = b.times
	case id == colInt:
		col.ints = b.ints
	case id == colDatetime:
		col.ints = b.datetimes
	case id == colFloat:
		col.floats = b.floats
	default:
		return nil
	}
	b.fill(id, b.n)
	col.defs = b.defs[id]
	return col
}

func (g *groupColumns) write(id int, col file.ColumnChunkWriter) error {
	g.rows.fill(id, g.rows.n)
	return g.part.column(col, id, g.rows)
}

func (p *partWriter) column(col file.ColumnChunkWriter, id int, b *rows) error {
	if id <= colType {
		return p.key(col, id, b)
	}
	p.levels = b.defs[id].expand(p.levels)
	defs, reps := p.levels, b.reps[id]
	var err error
	switch col := col.(type) {
	case *file.Float64ColumnChunkWriter:
		_, err = col.WriteBatch(map[int][]float64{colHistEdges: b.edges, colHistValues: b.values}[id], defs, reps)
	case *file.ByteArrayColumnChunkWriter:
		_, err = col.WriteBatch(map[int][]parquet.ByteArray{colString: b.texts, colSet: b.sets, colFile: b.files, colHistType: b.histTypes}[id], defs, reps)
	case *file.BooleanColumnChunkWriter:
		_, err = col.WriteBatch(b.bools, defs, reps)
	case *file.FixedLenByteArrayColumnChunkWriter:
		_, err = col.WriteBatch(b.wideSteps(), defs, reps)
	default:
		err = fmt.Errorf("unexpected type %v", col.Type())
	}
	return err
}

// words are those of one of the columns that have few different values.
func (p *partWriter) words(id int, b *rows) *names {
	switch id {
	case colPath:
		return &b.paths
	case colType:
		return &b.kinds
	case colRun:
		return &names{list: []string{p.keys.id}, runs: []nameRun{{0, b.n}}}
	default:
		return &names{list: []string{p.keys.project}, runs: []nameRun{{0, b.n}}}
	}
}

// key writes one of the columns that have few different values.
func (p *partWriter) key(col file.ColumnChunkWriter, id int, b *rows) error {
	column := p.words(id, b)
	values, indices := column.list, column.indices()
	dict := array.NewStringBuilder(memory.DefaultAllocator)
	dict.AppendValues(values, nil)
	words := dict.NewStringArray()
	defer words.Release()
	number := array.NewInt32Builder(memory.DefaultAllocator)
	number.AppendValues(indices, nil)
	numbers := number.NewInt32Array()
	defer numbers.Release()
	enc, ok := col.CurrentEncoder().(interface{ PutDictionary(arrow.Array) error })
	if !ok {
		return errors.New("has no dictionary")
	}
	if err := enc.PutDictionary(words); err != nil {
		return err
	}
	// WriteDictIndices does not keep the statistics.
	stats := col.PageStatistics()
	if err := stats.UpdateFromArrow(words, false); err != nil {
		return err
	}
	stats.IncNumValues(int64(b.n - len(values)))
	p.levels = levels{{1, b.n}}.expand(p.levels)
	return col.WriteDictIndices(numbers, p.levels, nil)
}

// size is what the part takes on disk so far.
func (p *partWriter) size() int64 { return p.sink.n }

// close ends the part, so that it is on disk, and reads its footer again.
func (p *partWriter) close(root *os.Root, name string) (ManifestPart, error) {
	err := p.guard(p.w.close)
	if err == nil {
		err = p.buf.Flush()
	}
	if err == nil {
		err = p.file.Sync()
	}
	if err = errors.Join(err, p.file.Close()); err != nil {
		return ManifestPart{}, err
	}
	open, err := openFile(root, name)
	if err != nil {
		return ManifestPart{}, fmt.Errorf("read back: %w", err)
	}
	defer open.close()
	if n := open.reader.NumRows(); n != p.rows {
		return ManifestPart{}, fmt.Errorf("read back: %w", corrupt("%d rows were written, %d are there", p.rows, n))
	}
	return ManifestPart{Rows: p.rows, Size: p.sink.n, SHA256: hex.EncodeToString(p.sink.hash.Sum(nil)), Wide: p.wide}, nil
}

// abandon closes a part that is not needed.
func (p *partWriter) abandon() { p.file.Close() }
