// Package wire3 decodes the protobuf answers of Neptune 3.x, package neptune.api.v1.model as the
// generated classes of neptune-query 1.11.0 have it. Points go straight into columns. Everything is
// copied out of the input, which may be used again. Input is not trusted: what is damaged gives an
// error, of as small a part of the answer as the damage lets.
package wire3

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrMalformed is in the error of every decoder.
var ErrMalformed = errors.New("malformed protobuf")

// fields walks over the fields of one message.
type fields struct {
	rest []byte
	err  error

	num  protowire.Number
	kind protowire.Type
	bits uint64 // of a number
	raw  []byte // of what has a length
}

// next steps to the next field; false at the end and at an error.
func (f *fields) next() bool {
	if f.err != nil || len(f.rest) == 0 {
		return false
	}
	num, kind, n := protowire.ConsumeTag(f.rest)
	if n < 0 {
		return f.fail(n)
	}
	f.num, f.kind, f.bits, f.raw = num, kind, 0, nil
	value := f.rest[n:]
	switch kind {
	case protowire.VarintType:
		f.bits, n = protowire.ConsumeVarint(value)
	case protowire.Fixed64Type:
		f.bits, n = protowire.ConsumeFixed64(value)
	case protowire.Fixed32Type:
		var bits uint32
		bits, n = protowire.ConsumeFixed32(value)
		f.bits = uint64(bits)
	case protowire.BytesType:
		f.raw, n = protowire.ConsumeBytes(value)
	default:
		n = protowire.ConsumeFieldValue(num, kind, value)
	}
	if n < 0 {
		return f.fail(n)
	}
	f.rest = value[n:]
	return true
}

// short steps to the next field if it is a message of this number, below 16, of less than 128 bytes:
// next for points, of which there are millions.
func (f *fields) short(num protowire.Number) bool {
	if f.err != nil || len(f.rest) < 2 || f.rest[0] != byte(num)<<3|byte(protowire.BytesType) {
		return false
	}
	n := int(f.rest[1])
	if n >= 0x80 || len(f.rest) < 2+n {
		return false
	}
	f.num, f.kind, f.bits = num, protowire.BytesType, 0
	f.raw, f.rest = f.rest[2:2+n:2+n], f.rest[2+n:]
	return true
}

func (f *fields) fail(code int) bool {
	f.err = fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(code))
	return false
}

// is reports whether the field is the one of this number and type; one of another type is skipped
// like an unknown one.
func (f *fields) is(num protowire.Number, kind protowire.Type) bool {
	return f.num == num && f.kind == kind
}

func (f *fields) message(num protowire.Number) bool { return f.is(num, protowire.BytesType) }
func (f *fields) varint(num protowire.Number) bool  { return f.is(num, protowire.VarintType) }
func (f *fields) double(num protowire.Number) bool  { return f.is(num, protowire.Fixed64Type) }

func (f *fields) text() string     { return string(f.raw) }
func (f *fields) float() float64   { return math.Float64frombits(f.bits) }
func (f *fields) float32() float32 { return math.Float32frombits(uint32(f.bits)) }

// doubles appends a repeated double, packed or not.
func (f *fields) doubles(to []float64) []float64 {
	if f.kind == protowire.Fixed64Type {
		return append(to, f.float())
	}
	for raw := f.raw; len(raw) >= 8; raw = raw[8:] {
		bits, _ := protowire.ConsumeFixed64(raw)
		to = append(to, math.Float64frombits(bits))
	}
	return to
}
