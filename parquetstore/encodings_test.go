package parquetstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	migrate "github.com/nexport-go/migrate"
)

// packRuns writes values as a hybrid: runs of eight or more as such, the rest bit-packed.
func packRuns(values []uint32, width int) (b []byte) {
	for len(values) > 0 {
		n := 1
		for n < len(values) && values[n] == values[0] {
			n++
		}
		if n >= 8 {
			b = binary.AppendUvarint(b, uint64(n)<<1)
			for i := range (width + 7) / 8 {
				b = append(b, byte(values[0]>>(8*i)))
			}
			values = values[n:]
			continue
		}
		b = append(b, 1<<1|1)
		packed := make([]byte, width)
		for i, v := range values[:min(8, len(values))] {
			for k := range width {
				bit := i*width + k
				packed[bit/8] |= byte(v>>k&1) << (bit % 8)
			}
		}
		b = append(b, packed...)
		values = values[min(8, len(values)):]
	}
	return b
}

// FuzzHybrid checks that fill and run give back what was packed, in any pieces.
func FuzzHybrid(f *testing.F) {
	f.Add([]byte{1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3}, uint8(3), uint8(2))
	f.Add([]byte{0, 255, 7}, uint8(32), uint8(1))
	f.Add([]byte{0, 0, 0}, uint8(0), uint8(9))
	f.Fuzz(func(t *testing.T, raw []byte, width, piece uint8) {
		width %= 33
		piece = piece%16 + 1
		values := make([]uint32, len(raw))
		for i, c := range raw {
			values[i] = uint32(uint64(c) * 0x01010101 & (1<<width - 1))
		}
		b := packRuns(values, int(width))
		filled, _ := newHybrid(b, int(width))
		var got []uint32
		for rest := len(values); rest > 0; {
			part := make([]uint32, min(int(piece), rest))
			if err := filled.fill(part); err != nil {
				t.Fatal(err)
			}
			got, rest = append(got, part...), rest-len(part)
		}
		if diff := cmp.Diff(values, got, cmp.Transformer("len", func(v []uint32) []uint32 { return append([]uint32{}, v...) })); len(values) > 0 && diff != "" {
			t.Errorf("fill: %s", diff)
		}
		runs, _ := newHybrid(b, int(width))
		got = got[:0]
		for len(got) < len(values) {
			v, n, err := runs.run(min(int(piece), len(values)-len(got)))
			if err != nil || n < 1 {
				t.Fatalf("run of %d: %v", n, err)
			}
			for range n {
				got = append(got, v)
			}
		}
		for i := range values {
			if got[i] != values[i] {
				t.Fatalf("run: value %d is %d, want %d", i, got[i], values[i])
			}
		}
	})
}

// FuzzEncodings feeds any bytes to the decoders: an error or at most limit values, no panic.
func FuzzEncodings(f *testing.F) {
	f.Add([]byte{128, 1, 4, 3, 2, 4, 0, 0, 0, 0, 0})
	f.Add([]byte{8, 1, 2, 0, 0, 64, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1000
		if v, _, err := deltaInts(b, limit); err == nil && len(v) > limit {
			t.Errorf("%d ints", len(v))
		}
		if v, err := deltaLengthStrings(b, limit); err == nil && len(v) > limit {
			t.Errorf("%d strings", len(v))
		}
		if v, err := deltaStrings(b, limit); err == nil && len(v) > limit {
			t.Errorf("%d strings", len(v))
		}
	})
}

// FuzzDeltas checks that numbers are read as they were written.
func FuzzDeltas(f *testing.F) {
	f.Add([]byte{}, uint16(1))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 128, 255, 255, 255, 255, 255, 255, 255, 127, 1, 0, 0, 0, 0, 0, 0, 0}, uint16(1))
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}, uint16(300))
	f.Fuzz(func(t *testing.T, raw []byte, step uint16) {
		var values []int64
		for ; len(raw) > 0; raw = raw[min(8, len(raw)):] {
			var word [8]byte
			copy(word[:], raw)
			v := int64(binary.LittleEndian.Uint64(word[:]))
			for range step%130 + 1 { // evenly spaced from there
				values = append(values, v)
				v += int64(step)
			}
		}
		b := append(appendDeltas([]byte{7}, values), 8)[1:]
		got, rest, err := deltaInts(b, len(values))
		if err != nil || len(rest) != 1 || !slices.Equal(got, values) {
			t.Fatalf("we read %v, %d bytes are left, error %v; want %v", got, len(rest), err, values)
		}
	})
}

// FuzzFlags checks that levels of 0 and 1 are read as they were written.
func FuzzFlags(f *testing.F) {
	f.Add([]byte{1})
	f.Add([]byte{0, 1, 255, 3, 3})
	f.Add([]byte{1, 1, 1, 1, 1, 1, 1, 1, 2})
	f.Fuzz(func(t *testing.T, lengths []byte) {
		var defs levels
		var want []uint32
		for i, n := range lengths {
			defs.add(int16(i%2), int(n))
			want = appendMany(want, uint32(i%2), int(n))
		}
		if len(want) == 0 {
			return
		}
		b := appendFlags(nil, defs, len(want))
		if size := int(binary.LittleEndian.Uint32(b)); size != len(b)-4 {
			t.Fatalf("%d bytes are called %d", len(b)-4, size)
		}
		h, err := newHybrid(b[4:], 1)
		got := make([]uint32, len(want))
		if err == nil {
			err = h.fill(got)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("read %v, error %v; want %v", got, err, want)
		}
	})
}

func TestUnsplit(t *testing.T) {
	values := []float64{0, 1.5, -2.25, math.Inf(1), math.MaxFloat64}
	var plain []byte
	for _, v := range values {
		plain = binary.LittleEndian.AppendUint64(plain, math.Float64bits(v))
	}
	split := make([]byte, len(plain))
	for i, c := range plain {
		split[i%8*len(values)+i/8] = c
	}
	if diff := cmp.Diff(plain, unsplit(split, 8)); diff != "" {
		t.Error(diff)
	}
}

// TestUnknownEncoding is not told as damage.
func TestUnknownEncoding(t *testing.T) {
	err := inColumn("step", (&column{}).loadValues(23, nil, 1))
	if !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, migrate.ErrCorrupt) || !strings.Contains(err.Error(), "column step has the encoding 23 ") {
		t.Errorf("error %v", err)
	}
}

// FuzzLZ4 decodes any bytes: no panic but the one that says damage, and never more than there is room for.
func FuzzLZ4(f *testing.F) {
	f.Add([]byte{0x30, 'a', 'b', 'c'}, uint16(3))
	f.Add([]byte{0x1f, 'a', 1, 0, 255, 0}, uint16(300))
	f.Fuzz(func(t *testing.T, b []byte, size uint16) {
		room := make([]byte, int(size)+8)
		_ = guard(func() error {
			if got := (lz4Raw{}).Decode(room[:size:size], b); len(got) > int(size) {
				t.Errorf("%d bytes in room for %d", len(got), size)
			}
			return nil
		})
		if !bytes.Equal(room[size:], make([]byte, 8)) {
			t.Error("wrote beyond its room")
		}
	})
}

func TestParsePart(t *testing.T) {
	for name, want := range map[string]struct {
		stem string
		num  int
		l    layout
	}{
		"part_0.parquet":     {"", 0, projectParts},
		"part_12.parquet":    {"", 12, projectParts},
		"run_part_3.parquet": {"run", 3, runParts},
		"_part_3.parquet":    {"", 3, runParts},
		"x_part_0_y-0123456789abcdef_part_10.parquet": {"x_part_0_y-0123456789abcdef", 10, digestParts},
		"part_0-0123456789abcdef_part_1.parquet":      {"part_0-0123456789abcdef", 1, digestParts},
		"a\nb_part_1.parquet":                         {"a\nb", 1, runParts},
		"part_99999999999999999999.parquet":           {"part_99999999999999999999.parquet", 0, projectParts},
		"other.parquet":                               {"other.parquet", 0, projectParts},
	} {
		stem, num, l := parsePart(name)
		if stem != want.stem || num != want.num || l != want.l {
			t.Errorf("%q: %q %d %d, want %v", name, stem, num, l, want)
		}
	}
}
