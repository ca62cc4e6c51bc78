package parquetstore

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// magic is at the beginning and at the end of a Parquet file.
const magic = "PAR1"

// fileWriter does what Arrow's file.Writer does, with Arrow's column writers for what is rare. Most columns
// of most row groups have nothing but nulls, one string over thousands of rows, or numbers; those it writes
// itself: Arrow takes them value by value, and through several copies, which would be two thirds of all work.
type fileWriter struct {
	sink   *sink
	props  *parquet.WriterProperties
	codec  compress.Codec
	meta   *metadata.FileMetaDataBuilder
	groups int16
	pages  file.PageWriter // of the present column chunk
	*scratch
}

// scratch is memory for one page at a time, which one part after the other uses.
type scratch struct {
	page, packed []byte
}

func newFileWriter(to *sink, t template, s *scratch) (*fileWriter, error) {
	codec, err := compress.GetCodec(partCodec)
	if err != nil {
		return nil, err
	}
	w := &fileWriter{sink: to, props: t.props, codec: codec, meta: metadata.NewFileMetadataBuilder(t.schema, t.props, nil), scratch: s}
	_, err = to.Write([]byte(magic))
	return w, err
}

// columns are those of a row group.
type columns interface {
	empty(id int) bool       // whether all values are null
	words(id int) *names     // not nil: the whole column, without nulls
	numbers(id int) *numbers // not nil: the whole column
	write(id int, to file.ColumnChunkWriter) error
}

// group writes a row group of n rows.
func (w *fileWriter) group(n int, from columns) error {
	group, size := w.meta.AppendRowGroup(), int64(0)
	for id := range numCols {
		chunk := group.NextColumnChunk()
		path := chunk.Descr().Path()
		before, err := w.sink.n, w.begin(chunk, path, id)
		if err == nil {
			err = w.column(chunk, id, n, from)
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", path, err)
		}
		size += w.sink.n - before
	}
	group.SetNumRows(n)
	w.groups++
	return group.Finish(size, w.groups-1)
}

// begin makes pages those of another column chunk.
func (w *fileWriter) begin(chunk *metadata.ColumnChunkMetaDataBuilder, path string, id int) (err error) {
	codec, level := w.props.CompressionFor(path), w.props.CompressionLevelFor(path)
	if w.pages == nil {
		w.pages, err = file.NewPageWriter(w.sink, codec, level, chunk, w.groups, int16(id), w.props.Allocator(), false, nil, nil)
		return err
	}
	return w.pages.Reset(w.sink, codec, level, chunk, w.groups, int16(id), nil, nil)
}

func (w *fileWriter) column(chunk *metadata.ColumnChunkMetaDataBuilder, id, n int, from columns) error {
	if from.empty(id) {
		return w.nulls(chunk.Descr(), n)
	}
	if words := from.words(id); words != nil {
		return w.dictionary(chunk, words, n)
	}
	if numbers := from.numbers(id); numbers != nil {
		return w.numbers(chunk, numbers, n)
	}
	col := file.NewColumnChunkWriter(chunk, w.pages, w.props)
	if err := from.write(id, col); err != nil {
		return err
	}
	if got := col.RowsWritten(); got != n {
		return fmt.Errorf("has %d rows of %d", got, n)
	}
	return col.Close()
}

// nulls writes a column chunk of n nulls: a page of levels that are all 0.
func (w *fileWriter) nulls(column *schema.Column, n int) error {
	w.page = w.page[:0]
	for _, most := range []int16{column.MaxRepetitionLevel(), column.MaxDefinitionLevel()} {
		if most > 0 {
			w.page = appendLevels(w.page, 0, n)
		}
	}
	if err := w.writePage(n, parquet.Encodings.Plain); err != nil {
		return err
	}
	return w.pages.Close(false, false)
}

// dictionary writes a column chunk of strings: a page of those that are different, and one that names
// them by their numbers.
func (w *fileWriter) dictionary(chunk *metadata.ColumnChunkMetaDataBuilder, words *names, n int) error {
	w.page = w.page[:0]
	for _, word := range words.list {
		w.page = append(binary.LittleEndian.AppendUint32(w.page, uint32(len(word))), word...)
	}
	page := file.NewDictionaryPage(memory.NewBufferBytes(w.page), int32(len(words.list)), w.props.DictionaryPageEncoding())
	_, err := w.pages.WriteDictionaryPage(page)
	page.Release()
	if err != nil {
		return err
	}
	width := 1
	for 1<<width < len(words.list) {
		width++
	}
	w.page = append(appendLevels(w.page[:0], 1, n), byte(width))
	for _, run := range words.runs {
		w.page = appendRun(w.page, int(run.index), width, run.n)
	}
	if err := w.writePage(n, w.props.DictionaryIndexEncoding()); err != nil {
		return err
	}
	stats := metadata.EncodedStatistics{
		HasMin: true, Min: []byte(slices.Min(words.list)), HasMax: true, Max: []byte(slices.Max(words.list)), HasNullCount: true,
	}
	stats.ApplyStatSizeLimits(int(w.props.MaxStatsSizeFor(chunk.Descr().Path())))
	chunk.SetStats(stats)
	return w.pages.Close(true, false)
}

// numbers writes a column chunk of numbers: one page, since a row group has no more rows than fit.
func (w *fileWriter) numbers(chunk *metadata.ColumnChunkMetaDataBuilder, col *numbers, n int) error {
	there := len(col.ints) + len(col.floats)
	if rows, present := col.defs.count(); rows != n || present != there {
		return fmt.Errorf("has %d rows of %d, and %d values of %d", rows, n, there, present)
	}
	path := chunk.Descr().Path()
	encoding := w.props.EncodingFor(path)
	w.page = appendFlags(w.page[:0], col.defs, n)
	switch {
	case col.floats != nil:
		w.page = appendFloats(w.page, col.floats)
	case encoding == parquet.Encodings.DeltaBinaryPacked:
		w.page = appendDeltas(w.page, col.ints)
	default:
		w.page = appendInts(w.page, col.ints)
	}
	if err := w.writePage(n, encoding); err != nil {
		return err
	}
	if w.props.StatisticsEnabledFor(path) && len(col.ints) > 0 {
		chunk.SetStats(metadata.EncodedStatistics{
			HasMin: true, Min: appendInts(nil, []int64{slices.Min(col.ints)}), HasMax: true, Max: appendInts(nil, []int64{slices.Max(col.ints)}),
			Signed: true, HasNullCount: true, NullCount: int64(n - there),
		})
	}
	return w.pages.Close(false, false)
}

// writePage writes the page of n values that has been made.
func (w *fileWriter) writePage(n int, encoding parquet.Encoding) error {
	bound := int(w.codec.CompressBound(int64(len(w.page))))
	w.packed = slices.Grow(w.packed[:0], bound)[:bound]
	data := w.codec.Encode(w.packed, w.page)
	levels := parquet.Encodings.RLE
	page := file.NewDataPageV1(memory.NewBufferBytes(data), int32(n), encoding, levels, levels, int32(len(w.page)))
	defer page.Release()
	_, err := w.pages.WriteDataPage(page)
	return err
}

// appendLevels appends n equal levels of up to 8 bits as a data page of version 1 has them.
func appendLevels(b []byte, level, n int) []byte {
	run := appendRun(nil, level, 1, n)
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(run))), run...)
}

// appendFlags appends n levels of 0 or 1 as appendLevels does: in stretches, or bit by bit if these are short.
func appendFlags(b []byte, defs levels, n int) []byte {
	if len(defs) == 1 {
		return appendLevels(b, int(defs[0].level), n)
	}
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	if 16*len(defs) <= n {
		for _, run := range defs {
			b = appendRun(b, int(run.level), 1, run.n)
		}
	} else {
		b = binary.AppendUvarint(b, uint64(n+7)/8<<1|1)
		bits := len(b)
		b = append(b, make([]byte, (n+7)/8)...)
		i := 0
		for _, run := range defs {
			for range run.n {
				b[bits+i>>3] |= byte(run.level) << (i & 7)
				i++
			}
		}
	}
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// appendRun appends n equal values of so many bits.
func appendRun(b []byte, value, width, n int) []byte {
	b = binary.AppendUvarint(b, uint64(n)<<1)
	for i := 0; i < width; i += 8 {
		b = append(b, byte(value>>i))
	}
	return b
}

// close writes the footer.
func (w *fileWriter) close() error {
	meta, err := w.meta.Finish()
	if err != nil {
		return err
	}
	n, err := meta.WriteTo(w.sink, nil)
	if err != nil {
		return err
	}
	_, err = w.sink.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(n)), magic...))
	return err
}
