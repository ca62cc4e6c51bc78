package parquetstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// deltaInts decodes DELTA_BINARY_PACKED values, at most limit, and returns what follows them.
func deltaInts(b []byte, limit int) (values []int64, rest []byte, err error) {
	d := deltaReader{b: b}
	blockSize, miniBlocks, count := d.uvarint(), d.uvarint(), d.uvarint()
	first := d.varint()
	switch {
	case d.err != nil:
		return nil, nil, d.err
	case count > uint64(limit):
		return nil, nil, errors.New("more delta values than rows")
	case blockSize > 1<<20 || miniBlocks == 0 || blockSize%miniBlocks != 0 || blockSize/miniBlocks%8 != 0 || blockSize == 0:
		return nil, nil, errors.New("impossible delta block size")
	case count == 0:
		return nil, d.b, nil
	}
	values = append(make([]int64, 0, count), first)
	for d.err == nil && uint64(len(values)) < count {
		values = d.block(values, int(count), int(blockSize/miniBlocks), int(miniBlocks))
	}
	return values, d.b, d.err
}

// Of the blocks that appendDeltas makes, as other writers do.
const (
	deltaBlock = 128
	deltaMini  = 32
)

// appendDeltas encodes values as DELTA_BINARY_PACKED.
func appendDeltas(b []byte, values []int64) []byte {
	b = binary.AppendUvarint(b, deltaBlock)
	b = binary.AppendUvarint(b, deltaBlock/deltaMini)
	b = binary.AppendUvarint(b, uint64(len(values)))
	if len(values) == 0 {
		return binary.AppendVarint(b, 0)
	}
	b = binary.AppendVarint(b, values[0])
	last := values[0]
	for rest := values[1:]; len(rest) > 0; {
		n := min(len(rest), deltaBlock)
		b = appendDeltaBlock(b, last, rest[:n])
		last, rest = rest[n-1], rest[n:]
	}
	return b
}

// appendDeltaBlock encodes up to deltaBlock values behind last. Differences wrap around.
func appendDeltaBlock(b []byte, last int64, values []int64) []byte {
	var deltas [deltaBlock]uint64
	least, most := values[0]-last, values[0]-last
	for i, v := range values {
		d := v - last
		least, most = min(least, d), max(most, d)
		deltas[i], last = uint64(d), v
	}
	b = binary.AppendVarint(b, least)
	widths := len(b)
	b = append(b, 0, 0, 0, 0)
	if least == most {
		return b
	}
	for i := range values {
		deltas[i] -= uint64(least)
	}
	for k := 0; k*deltaMini < len(values); k++ {
		mini, all := deltas[k*deltaMini:(k+1)*deltaMini], uint64(0)
		for _, d := range mini {
			all |= d
		}
		b[widths+k] = byte(bits.Len64(all))
		b = appendBits(b, mini, bits.Len64(all))
	}
	return b
}

// appendBits packs values of so many bits. They have to fill the last byte.
func appendBits(b []byte, values []uint64, width int) []byte {
	word, have := uint64(0), 0
	for _, v := range values {
		word |= v << have
		if have += width; have >= 64 {
			b = binary.LittleEndian.AppendUint64(b, word)
			have -= 64
			word = v >> (width - have)
		}
	}
	for ; have > 0; have -= 8 {
		b = append(b, byte(word))
		word >>= 8
	}
	return b
}

// appendInts encodes values as PLAIN.
func appendInts(b []byte, values []int64) []byte {
	b = slices.Grow(b, 8*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return b
}

// appendFloats encodes values as PLAIN.
func appendFloats(b []byte, values []float64) []byte {
	b = slices.Grow(b, 8*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

type deltaReader struct {
	b   []byte
	err error
}

func (d *deltaReader) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.err = errShort
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *deltaReader) varint() int64 {
	v := d.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// block appends the values of one block; size is that of a mini block.
func (d *deltaReader) block(values []int64, count, size, miniBlocks int) []int64 {
	least := d.varint()
	if d.err != nil || len(d.b) < miniBlocks {
		d.err = errShort
		return values
	}
	widths := d.b[:miniBlocks]
	d.b = d.b[miniBlocks:]
	for _, width := range widths {
		if len(values) == count {
			break // the mini blocks that are not needed have no bytes
		}
		bytes := size / 8 * int(width)
		if width > 64 || bytes > len(d.b) {
			d.err = errShort
			return values
		}
		packed, bit := d.b[:bytes], 0
		d.b = d.b[bytes:]
		for range min(size, count-len(values)) {
			values = append(values, values[len(values)-1]+least+int64(bitsAt(packed, bit, int(width))))
			bit += int(width)
		}
	}
	return values
}

// bitsAt returns the width bits of b that begin at bit.
func bitsAt(b []byte, bit, width int) uint64 {
	if width == 0 {
		return 0
	}
	i, shift := bit>>3, bit&7
	var low uint64
	if i+8 <= len(b) {
		low = binary.LittleEndian.Uint64(b[i:])
	} else {
		for k, c := range b[i:] {
			low |= uint64(c) << (8 * k)
		}
	}
	low >>= shift
	if width+shift > 64 {
		low |= uint64(b[i+8]) << (64 - shift)
	}
	if width == 64 {
		return low
	}
	return low & (1<<width - 1)
}

// deltaLengthStrings decodes DELTA_LENGTH_BYTE_ARRAY.
func deltaLengthStrings(b []byte, limit int) ([]string, error) {
	lengths, rest, err := deltaInts(b, limit)
	if err != nil {
		return nil, err
	}
	all := string(rest)
	strs := make([]string, len(lengths))
	for i, n := range lengths {
		if n < 0 || n > int64(len(all)) {
			return nil, errShort
		}
		strs[i], all = all[:n], all[n:]
	}
	return strs, nil
}

// deltaStrings decodes DELTA_BYTE_ARRAY: each value shares a prefix with the one before.
func deltaStrings(b []byte, limit int) ([]string, error) {
	prefixes, rest, err := deltaInts(b, limit)
	if err != nil {
		return nil, err
	}
	strs, err := deltaLengthStrings(rest, limit)
	if err != nil {
		return nil, err
	}
	if len(strs) != len(prefixes) {
		return nil, fmt.Errorf("%d prefixes for %d strings", len(prefixes), len(strs))
	}
	before, total := "", 0
	for i, n := range prefixes {
		if n < 0 || n > int64(len(before)) {
			return nil, errors.New("prefix is longer than the string before")
		}
		strs[i] = before[:n] + strs[i]
		before = strs[i]
		if total += len(before); total > maxPage {
			return nil, errors.New("strings are too large")
		}
	}
	return strs, nil
}

// unsplit undoes BYTE_STREAM_SPLIT.
func unsplit(b []byte, width int) []byte {
	n := len(b) / width
	out := make([]byte, n*width)
	for k := range width {
		stream := b[k*n:]
		for i := range n {
			out[i*width+k] = stream[i]
		}
	}
	return out
}
