package parquetstore

import (
	"encoding/binary"
	"errors"
	"math"
)

var errShort = errors.New("page ends early")

// hybrid decodes the mix of runs and bit-packed values that Parquet uses for levels and indices.
type hybrid struct {
	rest   []byte // after the current run
	packed []byte // values of the current run if they are bit-packed
	bit    int    // of the next one in packed
	width  uint   // bits of a value
	left   int    // values left in the current run
	value  uint32 // of the current run if it is not packed
}

func newHybrid(b []byte, width int) (hybrid, error) {
	if width < 0 || width > 32 {
		return hybrid{}, errors.New("bit width out of range")
	}
	return hybrid{rest: b, width: uint(width)}, nil
}

// load makes sure that the current run has a value.
func (h *hybrid) load() error {
	for h.left == 0 {
		head, n := binary.Uvarint(h.rest)
		if n <= 0 {
			return errShort
		}
		h.rest = h.rest[n:]
		count := min(head>>1, math.MaxInt32)
		if head&1 == 0 {
			if err := h.loadRun(int(count)); err != nil {
				return err
			}
			continue
		}
		size := min(count*uint64(h.width), uint64(len(h.rest)))
		h.packed, h.rest, h.bit = h.rest[:size], h.rest[size:], 0
		h.left = int(count) * 8
		if h.width > 0 {
			h.left = min(h.left, len(h.packed)*8/int(h.width))
		}
	}
	return nil
}

func (h *hybrid) loadRun(count int) error {
	size := int(h.width+7) / 8
	if len(h.rest) < size {
		return errShort
	}
	h.packed, h.value, h.left = nil, 0, count
	for i := range size {
		h.value |= uint32(h.rest[i]) << (8 * i)
	}
	h.rest = h.rest[size:]
	return nil
}

// run returns the next value and how often it follows, up to limit.
func (h *hybrid) run(limit int) (value uint32, n int, err error) {
	if err := h.load(); err != nil {
		return 0, 0, err
	}
	if h.packed == nil || h.width == 0 {
		n = min(limit, h.left)
		h.left -= n
		if h.width == 0 {
			return 0, n, nil
		}
		return h.value, n, nil
	}
	value = h.unpack()
	for n = 1; n < limit && h.left > 0; n++ {
		before := *h
		if h.unpack() != value {
			*h = before
			break
		}
	}
	return value, n, nil
}

// unpack takes the next packed value; there must be one.
func (h *hybrid) unpack() uint32 {
	i, shift := h.bit>>3, h.bit&7
	h.bit += int(h.width)
	h.left--
	var word uint64
	if i+8 <= len(h.packed) {
		word = binary.LittleEndian.Uint64(h.packed[i:])
	} else {
		for k, b := range h.packed[i:] {
			word |= uint64(b) << (8 * k)
		}
	}
	return uint32(word >> shift & (1<<h.width - 1))
}

// fill decodes len(dst) values.
func (h *hybrid) fill(dst []uint32) error {
	for len(dst) > 0 {
		if err := h.load(); err != nil {
			return err
		}
		n := min(len(dst), h.left)
		if h.packed == nil || h.width == 0 {
			value := h.value
			if h.width == 0 {
				value = 0
			}
			for i := range dst[:n] {
				dst[i] = value
			}
			h.left -= n
		} else {
			h.unpackAll(dst[:n])
		}
		dst = dst[n:]
	}
	return nil
}

// unpackAll is unpack for many values, of which as many must be left.
func (h *hybrid) unpackAll(dst []uint32) {
	bit, width, mask := h.bit, int(h.width), uint64(1)<<h.width-1
	n := 0
	for ; n < len(dst) && bit>>3+8 <= len(h.packed); n++ {
		word := binary.LittleEndian.Uint64(h.packed[bit>>3:])
		dst[n] = uint32(word >> (bit & 7) & mask)
		bit += width
	}
	h.bit = bit
	h.left -= n
	for ; n < len(dst); n++ {
		dst[n] = h.unpack()
	}
}
