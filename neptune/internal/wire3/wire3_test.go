package wire3_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/wire3"
)

// Answers as the generated classes of neptune-query 1.11.0 serialise them.
const (
	goldenSearch = "08011a3b3a170a067379732f69641206737472696e672a051a03502d313a200a117379732f637573746f6d5f72756e5f69641206737472696e672a031a0172"
	goldenValues = "0a401203502d311a150a01691203696e741a0b18feffffffffffffffff011a0b0a017a1204626f6f6c32001a150a01661205666c6f6174220919000000000000f87f12030a0174"
	goldenFloats = "0a300a0130122b0802121e08fbd095ffbc3111000000000000e03f19000000000000f07f2d0000803f120720012d0000803e"
	goldenSeries = "0a500a01301205080112017422440a0d11000000000000f03f32020a000a33110000000000000040322812260a08434f554e54494e4712100000000000000000000000000000f03f1a080000000000000840"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSearch(t *testing.T) {
	got, total, err := wire3.Search(unhex(t, goldenSearch))
	want := []wire3.Entry{{Attributes: []wire3.Attribute{
		{Name: "sys/id", Type: "string", Value: wire3.String, Text: "P-1"},
		{Name: "sys/custom_run_id", Type: "string", Value: wire3.String, Text: "r"},
	}}}
	if diff := cmp.Diff(want, got); diff != "" || total != 1 || err != nil {
		t.Errorf("total %d, %v (-want +got):\n%s", total, err, diff)
	}
}

func TestValues(t *testing.T) {
	got, next, err := wire3.Values(unhex(t, goldenValues))
	want := []wire3.Entry{{ShortID: "P-1", Attributes: []wire3.Attribute{
		{Name: "i", Type: "int", Value: wire3.Int, Int: -2},
		{Name: "z", Type: "bool", Value: wire3.Bool},
		{Name: "f", Type: "float", Value: wire3.Float, Float: math.NaN()},
	}}}
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" || next != "t" || err != nil {
		t.Errorf("next %q, %v (-want +got):\n%s", next, err, diff)
	}
}

// column gives all requests one column.
func column(c *wire3.Floats) func(string) *wire3.Floats {
	return func(string) *wire3.Floats { return c }
}

func never(t testing.TB) func(string, error) {
	return func(id string, err error) { t.Errorf("series %s: %v", id, err) }
}

func TestFloatPage(t *testing.T) {
	var got wire3.Floats
	if err := wire3.FloatPage(unhex(t, goldenFloats), column(&got), never(t)); err != nil {
		t.Fatal(err)
	}
	// The golden points descend, which the decoder puts right.
	want := wire3.Floats{
		Steps: []migrate.Step{0, migrate.StepUnit / 2}, Times: []int64{0, 1_700_000_000_123}, Values: []float64{0, math.Inf(1)},
		Points: wire3.Points{Count: 2, Total: 2, Last: 0.5, Previews: []wire3.Preview{{Step: 0, Completion: 0.25}}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(wire3.Points{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSeriesPage(t *testing.T) {
	for _, test := range []struct {
		kind wire3.Value
		want wire3.Objects
	}{
		{wire3.StringSeries, wire3.Objects{
			Steps: []migrate.Step{migrate.StepUnit}, Times: []int64{0}, Texts: []string{""},
		}},
		{wire3.HistogramSeries, wire3.Objects{
			Steps: []migrate.Step{2 * migrate.StepUnit}, Times: []int64{0},
			Histograms: []migrate.Histogram{{Type: "COUNTING", Edges: []float64{0, 1}, Values: []float64{3}}},
		}},
	} {
		var got wire3.Objects
		err := wire3.SeriesPage(unhex(t, goldenSeries), func(string) (*wire3.Objects, wire3.Value) { return &got, test.kind }, never(t))
		if err != nil {
			t.Fatal(err)
		}
		test.want.Points = wire3.Points{Count: 2, Last: 2}
		test.want.Foreign, test.want.Cursor, test.want.Finished, test.want.Token = 1, true, true, "t"
		ignore := cmp.Options{cmpopts.IgnoreUnexported(wire3.Points{}), cmpopts.IgnoreFields(wire3.Objects{}, "Bytes")}
		if diff := cmp.Diff(test.want, got, ignore); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// sample is a point as it may be sent.
type sample struct {
	step, value float64
	time        int64
}

// floatAnswer encodes points of request "0"; odd: fields in another order, unknown ones between.
func floatAnswer(points []sample, odd bool) []byte {
	var series []byte
	for _, p := range points {
		var b []byte
		if odd {
			b = protowire.AppendTag(b, 99, protowire.BytesType)
			b = protowire.AppendString(b, "unknown")
		}
		fields := []func(){
			func() { b = protowire.AppendVarint(protowire.AppendTag(b, 1, protowire.VarintType), uint64(p.time)) },
			func() {
				b = protowire.AppendFixed64(protowire.AppendTag(b, 2, protowire.Fixed64Type), math.Float64bits(p.step))
			},
			func() {
				b = protowire.AppendFixed64(protowire.AppendTag(b, 3, protowire.Fixed64Type), math.Float64bits(p.value))
			},
			func() {
				b = protowire.AppendFixed32(protowire.AppendTag(b, 5, protowire.Fixed32Type), math.Float32bits(1))
			},
		}
		if odd {
			slices.Reverse(fields)
		}
		for _, field := range fields {
			field()
		}
		series = protowire.AppendBytes(protowire.AppendTag(series, 2, protowire.BytesType), b)
	}
	single := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "0")
	single = protowire.AppendBytes(protowire.AppendTag(single, 2, protowire.BytesType), series)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), single)
}

func TestFieldOrderDoesNotMatter(t *testing.T) {
	points := []sample{{0, 1, 5}, {0.1, math.Copysign(0, -1), -7}, {1e9 + 0.000001, math.Inf(-1), 1 << 50}}
	for _, odd := range []bool{false, true} {
		var got wire3.Floats
		if err := wire3.FloatPage(floatAnswer(points, odd), column(&got), never(t)); err != nil {
			t.Fatal(err)
		}
		want := "[0 0.1 1000000000.000001] [5 -7 1125899906842624] [1 -0 -Inf]"
		if text := fmt.Sprint(got.Steps, got.Times, got.Values); text != want {
			t.Errorf("got %s, want %s", text, want)
		}
	}
}

func TestPagesFollowEachOther(t *testing.T) {
	var got wire3.Floats
	for _, page := range [][]sample{{{1, 1, 0}, {2, 2, 0}}, {{2, 2, 0}, {3, 3, 0}}, {{math.NaN(), 9, 0}, {1e13, 9, 0}, {math.Inf(1), 9, 0}}} {
		got.Fresh()
		if err := wire3.FloatPage(floatAnswer(page, false), column(&got), never(t)); err != nil {
			t.Fatal(err)
		}
	}
	if text := fmt.Sprint(got.Steps, got.Values); text != "[1 2 3] [1 2 3]" {
		t.Errorf("got %s", text)
	}
	if got.Odd != 3 || got.Count != 3 || got.Last != 1e13 {
		t.Errorf("%d of %d odd, the next page begins after %v", got.Odd, got.Count, got.Last)
	}
}

// A damaged series does not keep the others from it, and has no points of the page.
func TestDamageIsContained(t *testing.T) {
	bad := protowire.AppendBytes([]byte{2<<3 | 2}, protowire.AppendBytes([]byte{2<<3 | 2}, []byte{2<<3 | 1, 0}))
	bad = append(protowire.AppendString([]byte{1<<3 | 2}, "bad"), bad...)
	answer := append(protowire.AppendBytes([]byte{1<<3 | 2}, bad), floatAnswer([]sample{{1, 1, 1}}, false)...)
	columns := map[string]*wire3.Floats{"0": {}, "bad": {}}
	var damaged []string
	err := wire3.FloatPage(answer, func(id string) *wire3.Floats { return columns[id] }, func(id string, err error) {
		if !errors.Is(err, wire3.ErrMalformed) {
			t.Errorf("error %v", err)
		}
		damaged = append(damaged, id)
	})
	if err != nil || len(damaged) != 1 || damaged[0] != "bad" || len(columns["0"].Steps) != 1 || len(columns["bad"].Steps) != 0 {
		t.Errorf("%v, damaged %v", err, damaged)
	}
}

// check is what holds of columns whatever was decoded.
func check(t *testing.T, steps []migrate.Step, columns ...int) {
	t.Helper()
	if !slices.IsSorted(steps) {
		t.Fatal("steps are not in order")
	}
	for _, n := range columns {
		if n != len(steps) {
			t.Fatalf("%d values for %d steps", n, len(steps))
		}
	}
}

func FuzzFloatPage(f *testing.F) {
	f.Add(unhex(f, goldenFloats))
	f.Add(floatAnswer([]sample{{3, 1, 1}, {2, 1, 1}, {math.NaN(), 0, 0}}, true))
	f.Fuzz(func(t *testing.T, b []byte) {
		var first, again wire3.Floats
		err := wire3.FloatPage(b, column(&first), func(string, error) {})
		if err != nil && !errors.Is(err, wire3.ErrMalformed) {
			t.Fatalf("error %v", err)
		}
		if len(first.Times) != len(first.Steps) || len(first.Values) != len(first.Steps) ||
			first.Count < len(first.Steps) || len(first.Steps) > len(b) {
			t.Fatalf("%d steps, %d times, %d values of %d", len(first.Steps), len(first.Times), len(first.Values), first.Count)
		}
		_ = wire3.FloatPage(b, column(&again), func(string, error) {})
		if diff := cmp.Diff(first, again, cmpopts.EquateNaNs(), cmpopts.IgnoreUnexported(wire3.Points{})); diff != "" {
			t.Fatal("decoding again gives something else")
		}
	})
}

// FuzzRoundTrip encodes points and wants them back, whatever the order of their fields.
func FuzzRoundTrip(f *testing.F) {
	f.Add(1.5, 2.5, int64(3), 2.5, math.Inf(1), int64(-3), true)
	f.Fuzz(func(t *testing.T, s1, v1 float64, t1 int64, s2, v2 float64, t2 int64, odd bool) {
		var got wire3.Floats
		if err := wire3.FloatPage(floatAnswer([]sample{{s1, v1, t1}, {s2, v2, t2}}, odd), column(&got), never(t)); err != nil {
			t.Fatal(err)
		}
		check(t, got.Steps, len(got.Times), len(got.Values))
		var want []migrate.Step
		for _, s := range []float64{s1, s2} {
			if step, ok := migrate.StepOf(s); ok {
				want = append(want, step)
			}
		}
		slices.Sort(want)
		if !slices.Equal(want, got.Steps) {
			t.Fatalf("steps %v and %v became %v", s1, s2, got.Steps)
		}
	})
}

func FuzzSeriesPage(f *testing.F) {
	f.Add(unhex(f, goldenSeries), uint8(wire3.StringSeries))
	f.Add(unhex(f, goldenSeries), uint8(wire3.HistogramSeries))
	f.Add(unhex(f, goldenSeries), uint8(wire3.FileSeries))
	f.Fuzz(func(t *testing.T, b []byte, kind uint8) {
		var c wire3.Objects
		err := wire3.SeriesPage(b, func(string) (*wire3.Objects, wire3.Value) { return &c, wire3.Value(kind) }, func(string, error) {})
		if err != nil && !errors.Is(err, wire3.ErrMalformed) {
			t.Fatalf("error %v", err)
		}
		if n := len(c.Texts) + len(c.Histograms) + len(c.Files); n != len(c.Steps) || n != len(c.Times) {
			t.Fatalf("%d values, %d steps, %d times", n, len(c.Steps), len(c.Times))
		}
	})
}

func FuzzAttributes(f *testing.F) {
	f.Add(unhex(f, goldenSearch))
	f.Add(unhex(f, goldenValues))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, decode := range []func([]byte) error{
			func(b []byte) error { _, _, err := wire3.Search(b); return err },
			func(b []byte) error { _, _, err := wire3.Values(b); return err },
		} {
			if err := decode(b); err != nil && !errors.Is(err, wire3.ErrMalformed) {
				t.Fatalf("error %v", err)
			}
		}
	})
}

func BenchmarkFloatPage(b *testing.B) {
	points := make([]sample, 100_000)
	for i := range points {
		points[i] = sample{float64(i), math.Sqrt(float64(i)), 1_700_000_000_000 + int64(i)}
	}
	answer := floatAnswer(points, false)
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		var c wire3.Floats
		if err := wire3.FloatPage(answer, column(&c), never(b)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(points))*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
}
