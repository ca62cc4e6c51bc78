package parquetstore

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
)

// maxPageHeader is the largest page header that is looked for: it may hold two values, as bounds.
const maxPageHeader = 256 << 10

// interner gives strings small numbers.
type interner struct {
	ids  map[string]int32
	strs []string
}

func newInterner() *interner { return &interner{ids: map[string]int32{}} }

func (n *interner) id(s string) int32 {
	id, known := n.ids[s]
	if !known {
		id = int32(len(n.strs))
		n.ids[s] = id
		n.strs = append(n.strs, s)
	}
	return id
}

// at returns the string of an id, empty for nullKey.
func (n *interner) at(id int32) string {
	if id < 0 {
		return ""
	}
	return n.strs[id]
}

// openPart is a part that is being read.
type openPart struct {
	reader *file.Reader
	size   int64
	leaves [numCols]leaf
	intern *interner // of all key columns
}

// openFile opens a part below root and checks its footer.
func openFile(root *os.Root, path string) (p *openPart, err error) {
	f, err := openRegular(root, path)
	if name, swapped := strings.CutSuffix(path, temporary); swapped && errors.Is(err, fs.ErrNotExist) {
		f, err = openRegular(root, name) // it has got its name meanwhile
	}
	if err != nil {
		return nil, fmt.Errorf("open part: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	p = &openPart{size: info.Size(), intern: newInterner()}
	err = guard(func() error { return p.readFooter(f) })
	if err != nil {
		f.Close()
		return nil, err
	}
	return p, nil
}

func (p *openPart) readFooter(f *os.File) (err error) {
	mem := &limited{memory.DefaultAllocator, 1 << 20}
	props := parquet.NewReaderProperties(mem)
	props.BufferedStreamEnabled = true // a column chunk may be larger than memory
	props.BufferSize = 64 << 10
	if p.reader, err = file.NewParquetReader(f, file.WithReadProps(props)); err != nil {
		if encryptedFooter(f, p.size) {
			return unsupported("the file " + errEncrypted.Error())
		}
		return corrupt("not a whole Parquet file (%v)", err)
	}
	if p.leaves, err = leaves(p.reader.MetaData().Schema); err != nil {
		return err
	}
	mem.limit = max(mem.limit, p.largestChunk()) + 64 // sizes are rounded up
	var rows int64
	for g := range p.reader.NumRowGroups() {
		n := p.reader.MetaData().RowGroup(g).NumRows()
		if n < 0 || n > math.MaxInt32 {
			return corrupt("row group %d has %d rows", g, n)
		}
		rows += n
	}
	if rows != p.reader.NumRows() {
		return corrupt("footer says %d rows, its row groups %d", p.reader.NumRows(), rows)
	}
	return nil
}

const errEncrypted = unsupported("is encrypted, which this program cannot read; write it without encryption")

// encryptedFooter reports whether a file ends as those do whose footer is encrypted.
func encryptedFooter(f io.ReaderAt, size int64) bool {
	var end [4]byte
	_, err := f.ReadAt(end[:], max(size-4, 0))
	return err == nil && string(end[:]) == "PARE"
}

// largestChunk is the size of the largest column chunk that is of use, once decompressed.
func (p *openPart) largestChunk() (size int) {
	for g := range p.reader.NumRowGroups() {
		for _, l := range p.leaves {
			if l.index < 0 {
				continue
			}
			if c, err := p.reader.MetaData().RowGroup(g).ColumnChunk(l.index); err == nil {
				size = max(size, int(min(c.TotalUncompressedSize(), maxPage)))
			}
		}
	}
	return size
}

// close never fails: nothing was written.
func (p *openPart) close() { _ = p.reader.Close() }

func (p *openPart) groups() int { return p.reader.NumRowGroups() }

func (p *openPart) rows(group int) int { return int(p.reader.MetaData().RowGroup(group).NumRows()) }

// chunk returns the metadata of a column, nil if the file lacks it.
func (p *openPart) chunk(group, id int) (*metadata.ColumnChunkMetaData, error) {
	l := p.leaves[id]
	if l.index < 0 {
		return nil, nil
	}
	c, err := p.reader.MetaData().RowGroup(group).ColumnChunk(l.index)
	if err == nil || p.reader.MetaData().IsSetEncryptionAlgorithm() { // then the metadata may be encrypted too
		err = cmp.Or(unreadable(c), err)
	}
	if err != nil {
		return nil, inColumn(colNames[id], err)
	}
	start := c.DataPageOffset()
	if c.HasDictionaryPage() && c.DictionaryPageOffset() > 0 {
		start = min(start, c.DictionaryPageOffset())
	}
	if size := c.TotalCompressedSize(); start < 0 || size < 0 || start > p.size || size > p.size-start {
		return nil, corrupt("column %s: its %d bytes at %d are outside of the file", colNames[id], size, start)
	}
	if l.maxRep == 0 && c.NumValues() != int64(p.rows(group)) {
		return nil, corrupt("column %s has %d values in %d rows", colNames[id], c.NumValues(), p.rows(group))
	}
	return c, nil
}

// unreadable says what about a column this program does not support. It is nil if nothing is.
func unreadable(c *metadata.ColumnChunkMetaData) error {
	if c == nil || c.CryptoMetadata() != nil {
		return errEncrypted
	}
	codec := c.Compression()
	if _, err := compress.GetCodec(codec); err != nil {
		return unsupportedf("is compressed with %s, which this program cannot read; rewrite the file with zstd or snappy", codecName(codec))
	}
	return nil
}

func codecName(c compress.Compression) string {
	if name := c.String(); name != "<UNSET>" {
		return name
	}
	return fmt.Sprintf("method %d", int(c))
}

// column opens a column, nil if the file lacks it. Call it, and all that reads, inside guard.
func (p *openPart) column(group, id int) (*column, error) {
	meta, err := p.chunk(group, id)
	if meta == nil || err != nil {
		return nil, err
	}
	pages, err := p.reader.RowGroup(group).GetColumnPageReader(p.leaves[id].index)
	if err != nil {
		return nil, inColumn(colNames[id], err)
	}
	pages.SetMaxPageHeaderSize(maxPageHeader)
	c := &column{name: colNames[id], leaf: p.leaves[id], pages: pages}
	if id <= colType {
		c.intern = p.intern
	}
	return c, nil
}

// bounds returns the least and the largest string of a column if the footer has them and no
// value is null.
func (p *openPart) bounds(group, id int) (low, high string, ok bool) {
	meta, err := p.chunk(group, id)
	if meta == nil || err != nil {
		return "", "", false
	}
	stats, err := meta.Statistics()
	if err != nil || stats == nil || !stats.HasMinMax() || !stats.HasNullCount() || stats.NullCount() > 0 {
		return "", "", false
	}
	s, ok := stats.(*metadata.ByteArrayStatistics)
	if !ok {
		return "", "", false
	}
	return string(s.Min()), string(s.Max()), true
}

// stretch is rows of a row group with equal keys.
type stretch struct {
	keys     [4]int32 // by colProject to colType
	start, n int
}

// walk calls visit with the stretches of a row group, in order.
func (p *openPart) walk(group int, visit func(stretch) error) error {
	var cols [4]*column
	for id := range cols {
		c, err := p.column(group, id)
		if err != nil {
			return err
		}
		cols[id] = c
	}
	var left [4]int
	cur := stretch{}
	for row, rows := 0, p.rows(group); row < rows; {
		next := stretch{start: row, n: rows - row}
		for id, c := range cols {
			if err := advance(c, &cur.keys[id], &left[id], rows-row); err != nil {
				return err
			}
			next.n = min(next.n, left[id])
		}
		next.keys = cur.keys
		if err := visit(next); err != nil {
			return err
		}
		row += next.n
		for id := range left {
			left[id] -= next.n
		}
	}
	return nil
}

// advance makes sure that left is positive, and key that of the next row.
func advance(c *column, key *int32, left *int, rows int) (err error) {
	if *left > 0 {
		return nil
	}
	if c == nil {
		*key, *left = nullKey, rows
		return nil
	}
	*key, *left, err = c.key(rows)
	return err
}
