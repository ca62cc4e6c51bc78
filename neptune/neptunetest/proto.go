package neptunetest

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The functions here append fields of messages in protobuf's wire form. Like proto3 they leave out
// zeros, unless the name has Set in it: those are fields whose presence says something.

func appendString(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return appendSetString(b, field, s)
}

func appendSetString(b []byte, field protowire.Number, s string) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendString(b, s)
}

func appendInt(b []byte, field protowire.Number, n int64) []byte {
	if n == 0 {
		return b
	}
	b = protowire.AppendTag(b, field, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(n))
}

func appendBool(b []byte, field protowire.Number, v bool) []byte {
	return appendInt(b, field, int64(protowire.EncodeBool(v)))
}

// appendDouble leaves out 0.0 but not -0.0, whose bits are not all zero.
func appendDouble(b []byte, field protowire.Number, f float64) []byte {
	if math.Float64bits(f) == 0 {
		return b
	}
	return appendSetDouble(b, field, f)
}

func appendSetDouble(b []byte, field protowire.Number, f float64) []byte {
	b = protowire.AppendTag(b, field, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, math.Float64bits(f))
}

func appendFloat(b []byte, field protowire.Number, f float32) []byte {
	if math.Float32bits(f) == 0 {
		return b
	}
	b = protowire.AppendTag(b, field, protowire.Fixed32Type)
	return protowire.AppendFixed32(b, math.Float32bits(f))
}

func appendMessage(b []byte, field protowire.Number, message []byte) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendBytes(b, message)
}

func appendDoubles(b []byte, field protowire.Number, list []float64) []byte {
	if len(list) == 0 {
		return b
	}
	b = protowire.AppendTag(b, field, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(8*len(list)))
	for _, f := range list {
		b = protowire.AppendFixed64(b, math.Float64bits(f))
	}
	return b
}

// appendAttribute appends a ProtoAttributeDTO: name, type and one message by type.
func appendAttribute(b []byte, field protowire.Number, ri *runIndex, a *Attribute) []byte {
	m := appendString(nil, 1, a.Path)
	m = appendString(m, 2, a.Value.TypeName())
	if number, known := propertiesField[a.Value.TypeName()]; known {
		p := appendString(nil, 1, a.Path)
		p = appendString(p, 2, a.Value.TypeName())
		m = appendMessage(m, number, appendProperties(p, ri, a))
	}
	return appendMessage(b, field, m)
}

// propertiesField are the fields of ProtoAttributeDTO; the other types have none.
var propertiesField = map[string]protowire.Number{
	"int": 3, "float": 4, "string": 5, "bool": 6, "datetime": 7, "stringSet": 8, "floatSeries": 9,
	"fileRef": 10, "stringSeries": 11, "fileRefSeries": 12, "histogramSeries": 13,
}

// appendProperties appends what a type's message has after name and type.
func appendProperties(b []byte, ri *runIndex, a *Attribute) []byte {
	switch v := a.Value.(type) {
	case Int:
		return appendInt(b, 3, int64(v))
	case Float:
		return appendDouble(b, 3, float64(v))
	case String:
		return appendString(b, 3, string(v))
	case Bool:
		return appendBool(b, 3, bool(v))
	case Datetime:
		return appendInt(b, 3, int64(v))
	case StringSet:
		for _, s := range v {
			b = appendSetString(b, 3, s)
		}
		return b
	case File:
		return appendFile(b, 3, ri.paths[fileKey{a.Path, 0}], v)
	case floats:
		return appendAggregates(b, v, ri.aggregates(a))
	case StringSeries:
		if p, ok := last(v); ok {
			b = appendSetDouble(b, 3, p.Step)
			b = appendSetString(b, 4, p.Value)
		}
	case FileSeries:
		if p, ok := last(v); ok {
			b = appendSetDouble(b, 3, p.Step)
			b = appendMessage(b, 4, appendFile(nil, 1, ri.paths[fileKey{a.Path, len(v) - 1}], p.Value))
		}
	case HistogramSeries:
		if p, ok := last(v); ok {
			b = appendSetDouble(b, 3, p.Step)
			b = appendMessage(b, 4, appendHistogram(nil, p.Value))
		}
	}
	return b
}

func last[V any](points []Point[V]) (p Point[V], ok bool) {
	if len(points) == 0 {
		return p, false
	}
	return points[len(points)-1], true
}

// appendFile appends path, size and MIME type as three fields from first on.
func appendFile(b []byte, first protowire.Number, path string, f File) []byte {
	b = appendString(b, first, path)
	b = appendInt(b, first+1, f.Size)
	return appendString(b, first+2, f.MIME)
}

func appendHistogram(b []byte, h Histogram) []byte {
	b = appendString(b, 1, h.Type)
	b = appendDoubles(b, 2, h.Edges)
	return appendDoubles(b, 3, h.Values)
}

// appendAggregates appends the fields of ProtoFloatSeriesAttributeDTO: nothing for a series without final points.
func appendAggregates(b []byte, s floats, g aggregates) []byte {
	if g.n > 0 {
		b = appendSetDouble(b, 3, g.lastStep)
		b = appendSetDouble(b, 4, g.last)
		b = appendSetDouble(b, 5, g.min)
		b = appendSetDouble(b, 6, g.max)
		b = appendSetDouble(b, 7, g.mean)
		b = appendSetDouble(b, 8, g.variance)
	}
	n := s.Len()
	return appendBool(b, 10, n > 0 && s.Point(n-1).Preview)
}

// aggregates of a float series' final points. The variance is that of the population.
type aggregates struct {
	n                                        int
	lastStep, last, min, max, mean, variance float64
}

func aggregate(s floats) (g aggregates) {
	g.min, g.max = math.Inf(1), math.Inf(-1)
	squares := 0.0
	for i := range s.Len() {
		p := s.Point(i)
		if p.Preview {
			continue
		}
		g.n++
		g.lastStep, g.last = p.Step, p.Value
		g.min, g.max = math.Min(g.min, p.Value), math.Max(g.max, p.Value)
		before := g.mean
		g.mean += (p.Value - before) / float64(g.n)
		squares += (p.Value - before) * (p.Value - g.mean)
	}
	if g.n > 0 {
		g.variance = squares / float64(g.n)
	}
	return g
}
