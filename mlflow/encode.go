package mlflow

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/nexport-go/migrate/convert"
)

// body gives a batch as the JSON of one runs/log-batch. The server swallows type errors and answers
// 200, so the encoding is strict: integers as integers, strings as strings, non-finite numbers by
// their protobuf names in quotes.
func (b *batch) body(runID string) []byte {
	out := make([]byte, 0, b.bytes+128)
	out = append(out, `{"run_id":`...)
	out = appendJSON(out, runID)
	var key keyText
	out = appendList(out, "metrics", b.points, key.appendPoint)
	out = appendList(out, "params", b.params, func(b []byte, p param) []byte { return appendPair(b, p.key, p.value) })
	out = appendList(out, "tags", b.tags, func(b []byte, t convert.Tag) []byte { return appendPair(b, t.Key, t.Value) })
	return append(out, '}')
}

func appendList[T any](b []byte, name string, list []T, element func([]byte, T) []byte) []byte {
	for i, e := range list {
		if i == 0 {
			b = append(b, `,"`+name+`":[`...)
		} else {
			b = append(b, ',')
		}
		b = element(b, e)
	}
	if len(list) > 0 {
		b = append(b, ']')
	}
	return b
}

// keyText remembers the JSON of a key, since points of one key are adjacent.
type keyText struct {
	key  string
	text []byte
}

func (k *keyText) appendPoint(b []byte, p keyedPoint) []byte {
	if k.text == nil || p.key != k.key {
		k.key, k.text = p.key, appendJSON(k.text[:0], p.key)
	}
	b = append(b, `{"key":`...)
	b = append(b, k.text...)
	b = append(b, `,"value":`...)
	b = appendNumber(b, p.value)
	b = append(b, `,"timestamp":`...)
	b = strconv.AppendInt(b, p.time, 10)
	b = append(b, `,"step":`...)
	b = strconv.AppendInt(b, p.step, 10)
	return append(b, '}')
}

func appendPair(b []byte, key, value string) []byte {
	b = append(b, `{"key":`...)
	b = appendJSON(b, key)
	b = append(b, `,"value":`...)
	b = appendJSON(b, value)
	return append(b, '}')
}

func appendNumber(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(b, `"-Infinity"`...)
	}
	if f == 0 && math.Signbit(f) {
		return append(b, "-0.0"...) // "-0" would be read as an int, which has no sign
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

// appendJSON appends s as a JSON string, without the HTML escapes of encoding/json.
func appendJSON(b []byte, s string) []byte {
	if plainJSON(s) {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // strings always encode
	return append(b, strings.TrimSuffix(text.String(), "\n")...)
}

// plainJSON reports whether s needs no escapes.
func plainJSON(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r >= 0x7f })
}

// sizeJSON is the length of appendJSON's answer.
func sizeJSON(s string) int {
	if plainJSON(s) {
		return len(s) + 2
	}
	return len(appendJSON(nil, s))
}
