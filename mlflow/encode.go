package mlflow

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/nexport-go/migrate/convert"
)

// batch collects the body of one runs/log-batch, as JSON text. The server swallows type errors
// and answers 200, so the encoding is strict: integers as integers, strings as strings,
// non-finite numbers by their protobuf names in quotes.
type batch struct {
	metrics, params, tags []byte // the elements, each with a comma behind it
	points, values, marks int    // how many of each
	keys                  int    // distinct metric keys, if those of one key are adjacent
	key                   string
	keyText               []byte // key as JSON
}

func (b *batch) reset() {
	*b = batch{metrics: b.metrics[:0], params: b.params[:0], tags: b.tags[:0], keyText: b.keyText[:0]}
}

func (b *batch) empty() bool { return b.points+b.values+b.marks == 0 }

func (b *batch) size() int { return len(b.metrics) + len(b.params) + len(b.tags) }

// addPoint appends a point; ok is false, and nothing changed, if the batch is full.
func (b *batch) addPoint(key string, p point) (ok bool) {
	if b.points == 0 || key != b.key {
		if b.keys == maxBatchKeys {
			return false
		}
		b.keys++
		b.key, b.keyText = key, appendJSON(b.keyText[:0], key)
	}
	if b.points == maxBatchMetrics || b.size()+len(b.keyText)+128 > maxBatchBytes {
		return false
	}
	b.metrics = append(b.metrics, `{"key":`...)
	b.metrics = append(b.metrics, b.keyText...)
	b.metrics = append(b.metrics, `,"value":`...)
	b.metrics = appendNumber(b.metrics, p.value)
	b.metrics = append(b.metrics, `,"timestamp":`...)
	b.metrics = strconv.AppendInt(b.metrics, p.time, 10)
	b.metrics = append(b.metrics, `,"step":`...)
	b.metrics = strconv.AppendInt(b.metrics, p.step, 10)
	b.metrics = append(b.metrics, '}', ',')
	b.points++
	return true
}

func (b *batch) addParam(key, value string) (ok bool) {
	return addPair(&b.params, &b.values, maxBatchParams, b.size(), key, value)
}

func (b *batch) addTag(t convert.Tag) (ok bool) {
	return addPair(&b.tags, &b.marks, maxBatchTags, b.size(), t.Key, t.Value)
}

// addPair appends {"key":…,"value":…} to one of the lists. An empty list takes any pair.
func addPair(list *[]byte, count *int, most, size int, key, value string) bool {
	before := len(*list)
	grown := append(*list, `{"key":`...)
	grown = appendJSON(grown, key)
	grown = append(grown, `,"value":`...)
	grown = appendJSON(grown, value)
	grown = append(grown, '}', ',')
	if *count == most || *count > 0 && size+len(grown)-before > maxBatchBytes {
		return false
	}
	*list = grown
	*count++
	return true
}

// body gives the whole JSON. It may be called again, and shares nothing with the batch.
func (b *batch) body(runID string) []byte {
	out := make([]byte, 0, b.size()+128)
	out = append(out, `{"run_id":`...)
	out = appendJSON(out, runID)
	for _, list := range []struct {
		name  string
		items []byte
	}{{"metrics", b.metrics}, {"params", b.params}, {"tags", b.tags}} {
		if len(list.items) > 0 {
			out = append(out, `,"`+list.name+`":[`...)
			out = append(out, list.items[:len(list.items)-1]...)
			out = append(out, ']')
		}
	}
	return append(out, '}')
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
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r >= 0x7f }) {
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
