package parquetstore

import (
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/pierrec/lz4/v4"
)

// lz4Raw is a compression that other tools write and Arrow v17 has no codec for. Of a codec it has
// what reading needs.
type lz4Raw struct{ compress.Codec }

// lz4RawNumber is the format's number of it, for which Arrow v17 has no name.
const lz4RawNumber = compress.Compression(7)

// Arrow knows codecs by a list of the process, which must not change while it is used.
func init() {
	if _, err := compress.GetCodec(lz4RawNumber); err != nil {
		compress.RegisterCodec(lz4RawNumber, lz4Raw{})
	}
}

// Decode fills dst. Like other codecs of Arrow it panics if src is damaged.
func (lz4Raw) Decode(dst, src []byte) []byte {
	if len(dst) == 0 {
		return dst // of a page of nulls
	}
	n, err := lz4.UncompressBlock(src, dst)
	if err != nil {
		panic(err)
	}
	return dst[:n]
}
