package mlflow

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nexport-go/migrate/convert"
)

// FuzzBatch states that what is appended reads back as the same values under strict decoding.
func FuzzBatch(f *testing.F) {
	f.Add("a/b", "v\"\\\n\t\x00<>&\u2028é🚀", 0.1, int64(1), int64(-2))
	f.Add("\xff", "\xed\xa0\x80", math.Inf(1), int64(math.MaxInt64), int64(math.MinInt64))
	f.Add("", "", math.NaN(), int64(0), int64(0))
	f.Add("z", "x", math.Copysign(0, -1), int64(0), int64(0))
	f.Fuzz(func(t *testing.T, key, value string, v float64, ms, step int64) {
		b := batch{limits: logBatch}
		if !b.addPoint(key, point{step, ms, v}) || !b.addParam(key, value) {
			return // too large for any batch
		}
		var got struct {
			ID      string `json:"run_id"`
			Metrics []struct {
				Key   string `json:"key"`
				Value number `json:"value"`
				Time  int64  `json:"timestamp"`
				Step  int64  `json:"step"`
			} `json:"metrics"`
			Params []wireTag `json:"params"`
		}
		body := b.body("r")
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&got); err != nil || !utf8.Valid(body) {
			t.Fatalf("%s: %v", body, err)
		}
		key, value = replaceInvalid(key), replaceInvalid(value)
		m, p := got.Metrics[0], got.Params[0]
		if m.Key != key || m.Time != ms || m.Step != step || p.Key != key || p.Value != value {
			t.Errorf("%s does not read back as %q %d %d %q", body, key, ms, step, value)
		}
		if same := math.Float64bits(float64(m.Value)) == math.Float64bits(v); !same && !(math.IsNaN(v) && math.IsNaN(float64(m.Value))) {
			t.Errorf("%v reads back as %v", v, m.Value)
		}
	})
}

// replaceInvalid replaces each byte that is not UTF-8, as encoding/json does.
func replaceInvalid(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteRune(r)
	}
	return b.String()
}

func TestBatchLimits(t *testing.T) {
	b := batch{limits: logBatch}
	n := 0
	for b.addPoint("k", point{int64(n), 0, 1}) {
		n++
	}
	if n != logBatch.points {
		t.Errorf("%d points", n)
	}
	b.reset()
	for n = 0; b.addPoint(strings.Repeat("k", n+1), point{}); n++ {
	}
	if n != logBatch.keys {
		t.Errorf("%d keys", n)
	}
	b.reset()
	long := strings.Repeat("🚀", 6000)
	for n = 0; b.addParam(strings.Repeat("k", n+1), long); n++ {
	}
	if size := len(b.body(strings.Repeat("f", 32))); size > 1_000_000 || n < 30 {
		t.Errorf("%d params in %d bytes", n, size)
	}
}

func TestTraits(t *testing.T) {
	for version, want := range map[string]traits{
		"3.18.0":     {keys: colon, paging: true, maxParam: 6000, maxTag: 5000},
		"3.1.0":      {keys: colon, maxParam: 6000, maxTag: 5000},
		"2.22.5\n":   {keys: colon, maxParam: 6000, maxTag: 5000},
		"2.16.2":     {maxParam: 6000, maxTag: 5000},
		"2.8.0":      {maxParam: 500, maxTag: 5000},
		"3.20.0rc1":  {keys: colon, paging: true, maxParam: 6000, maxTag: 5000},
		"<html>":     {maxParam: 6000, maxTag: 5000},
		"9999.0.0":   {maxParam: 6000, maxTag: 5000},
		"3.1.1.dev0": {keys: colon, paging: true, maxParam: 6000, maxTag: 5000},
	} {
		want.version, want.batch = version, logBatch
		want.prefixes = parseVersion(version) > 0
		if got := traitsOf(version); got != want {
			t.Errorf("%q: %+v, want %+v", version, got, want)
		}
	}
}

var colon = convert.KeyRules{Colon: true}

func BenchmarkEncode(b *testing.B) {
	batch := batch{limits: logBatch}
	b.ReportAllocs()
	for b.Loop() {
		batch.reset()
		for i := range logBatch.points {
			batch.addPoint("train/accuracy/top5", point{int64(i) * 1_000_000, 1_700_000_000_000 + int64(i), 1 / float64(i+3)})
		}
		batch.body("0123456789abcdef0123456789abcdef")
	}
	b.ReportMetric(float64(b.N*logBatch.points)/b.Elapsed().Seconds(), "points/s")
}
