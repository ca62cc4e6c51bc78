package parquetstore

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// magic is at the beginning and at the end of a Parquet file.
const magic = "PAR1"

// fileWriter does what Arrow's file.Writer does, with Arrow's column writers. Most columns of most row
// groups have nothing but nulls; those it writes itself, since Arrow takes them one by one, which is
// a third of its work.
type fileWriter struct {
	sink   *sink
	props  *parquet.WriterProperties
	meta   *metadata.FileMetaDataBuilder
	groups int16
	pages  file.PageWriter // of the present column chunk
	page   []byte
	packed bytes.Buffer
}

func newFileWriter(to *sink, root *schema.GroupNode, props *parquet.WriterProperties) (*fileWriter, error) {
	w := &fileWriter{sink: to, props: props, meta: metadata.NewFileMetadataBuilder(schema.NewSchema(root), props, nil)}
	_, err := to.Write([]byte(magic))
	return w, err
}

// group writes a row group of n rows. It asks fill for the values of the columns of which empty is
// not true.
func (w *fileWriter) group(n int, empty func(id int) bool, fill func(id int, col file.ColumnChunkWriter) error) error {
	group, size := w.meta.AppendRowGroup(), int64(0)
	for id := range numCols {
		chunk := group.NextColumnChunk()
		path := chunk.Descr().Path()
		before, err := w.sink.n, w.begin(chunk, path, id)
		switch {
		case err != nil:
		case empty(id):
			err = w.nulls(chunk.Descr(), n)
		default:
			err = w.values(file.NewColumnChunkWriter(chunk, w.pages, w.props), id, n, fill)
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

func (w *fileWriter) values(col file.ColumnChunkWriter, id, n int, fill func(int, file.ColumnChunkWriter) error) error {
	if err := fill(id, col); err != nil {
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
			w.page = appendZeros(w.page, n)
		}
	}
	data := w.page
	if w.pages.HasCompressor() {
		w.packed.Reset()
		data = w.pages.Compress(&w.packed, data)
	}
	page := file.NewDataPageV1(memory.NewBufferBytes(data), int32(n), parquet.Encodings.Plain, parquet.Encodings.RLE, parquet.Encodings.RLE, int32(len(w.page)))
	defer page.Release()
	if _, err := w.pages.WriteDataPage(page); err != nil {
		return err
	}
	return w.pages.Close(false, false)
}

// appendZeros appends n levels of 0 as a data page of version 1 has them, which is the same for all
// widths of up to 8 bits.
func appendZeros(b []byte, n int) []byte {
	run := append(binary.AppendUvarint(nil, uint64(n)<<1), 0)
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(run))), run...)
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
