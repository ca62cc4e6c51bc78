package convert_test

import (
	"encoding/csv"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

func readCSV(t *testing.T, text []byte) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return rows
}

func TestFloatCSV(t *testing.T) {
	t.Parallel()
	b := convert.AppendFloatHeader(nil)
	b = convert.AppendFloatCSV(b, 500_000, 1700000000123, 0.1)
	b = convert.AppendFloatCSV(b, math.MaxInt64, migrate.NoTime, math.NaN())
	want := "step,time,value\n0.5,2023-11-14T22:13:20.123Z,0.1\n9223372036854.775807,,nan\n"
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Error(diff)
	}
}

func FuzzFloatCSV(f *testing.F) {
	f.Add(int64(1), int64(2), 0.5)
	f.Add(int64(-1), migrate.NoTime, math.Inf(-1))
	f.Fuzz(func(t *testing.T, step, ms int64, value float64) {
		rows := readCSV(t, convert.AppendFloatCSV(nil, migrate.Step(step), ms, value))
		s, gotTime, v, err := convert.ParseFloatRow(rows[0])
		if err != nil || s != migrate.Step(step) || gotTime != ms || !cmp.Equal(v, value, cmpopts.EquateNaNs()) {
			t.Errorf("%q reads back as %s, %d, %g, %v", rows, s, gotTime, v, err)
		}
	})
}

func TestHistogramCSV(t *testing.T) {
	t.Parallel()
	b := convert.AppendHistogramHeader(nil)
	b = convert.AppendHistogramRow(b, 0, 0, migrate.Histogram{Type: "COUNTING", Edges: []float64{0, 0.5, 1}, Values: []float64{3, math.NaN()}})
	b = convert.AppendHistogramRow(b, 1, migrate.NoTime, migrate.Histogram{})
	want := `step,time,type,edges,values
0,1970-01-01T00:00:00.000Z,COUNTING,"[0.0,0.5,1.0]","[3.0,""NaN""]"
0.000001,,,[],[]
`
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Error(diff)
	}
}

func FuzzHistogramCSV(f *testing.F) {
	f.Add(int64(1), int64(2), "COUNTING", 0.5, math.Copysign(0, -1))
	f.Add(int64(-1), migrate.NoTime, " a\"\r\n,\\", math.Inf(-1), math.NaN())
	f.Fuzz(func(t *testing.T, step, ms int64, kind string, x, y float64) {
		want := migrate.Histogram{Type: kind, Edges: []float64{x, y, x}, Values: []float64{y, x}}
		line := convert.AppendHistogramRow(nil, migrate.Step(step), ms, want)
		if strings.Count(string(line), "\n") != 1 {
			t.Errorf("%q is not one line", line)
		}
		s, gotTime, got, err := convert.ParseHistogramRow(readCSV(t, line)[0])
		if err != nil || s != migrate.Step(step) || gotTime != ms {
			t.Errorf("%q reads back as %s, %d, %v", line, s, gotTime, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
			t.Error(diff)
		}
		if x == 0 && math.Signbit(x) != math.Signbit(got.Edges[0]) {
			t.Errorf("the sign of zero is lost in %q", line)
		}
	})
}

func TestParseRowsRefuse(t *testing.T) {
	t.Parallel()
	for _, row := range [][]string{
		nil,
		{"1"},
		{"x", "", "", "[]", "[]"},
		{"1", "x", "", "[]", "[]"},
		{"1", "", `\`, "[]", "[]"},
		{"1", "", "", "", "[]"},
		{"1", "", "", "[1", "[]"},
		{"1", "", "", "[null]", "[]"},
		{"1", "", "", "[]", `["x"]`},
		{"1", "", "", "[]", "{}"},
		{"x", "", "1"},
		{"1", "x", "1"},
		{"1", "", "x"},
	} {
		_, _, _, floatErr := convert.ParseFloatRow(row)
		_, _, _, histogramErr := convert.ParseHistogramRow(row)
		if floatErr == nil || histogramErr == nil {
			t.Errorf("%q: %v, %v", row, floatErr, histogramErr)
		}
	}
}
