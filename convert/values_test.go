package convert_test

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nexport-go/migrate/convert"
)

func TestFloat(t *testing.T) {
	t.Parallel()
	// What CPython 3.11 prints.
	for f, want := range map[float64]string{
		0.1: "0.1", 1: "1.0", 0: "0.0", math.Copysign(0, -1): "-0.0", 1e6: "1000000.0", 1e-4: "0.0001", 1e-5: "1e-05",
		0.00012345: "0.00012345", 9999999999999998: "9999999999999998.0", 1e16: "1e+16", 123456789012345680: "1.2345678901234568e+17",
		1e22: "1e+22", 1e100: "1e+100", 5e-324: "5e-324", math.MaxFloat64: "1.7976931348623157e+308", -2.5: "-2.5",
		math.Inf(1): "inf", math.Inf(-1): "-inf", 0.30000000000000004: "0.30000000000000004", -1e-7: "-1e-07",
	} {
		if got := convert.Float(f); got != want {
			t.Errorf("Float(%g) = %q, want %q", f, got, want)
		}
	}
	if got := convert.Float(math.NaN()); got != "nan" {
		t.Errorf("NaN is %q", got)
	}
}

func FuzzFloat(f *testing.F) {
	for _, x := range []float64{0, 1, 1e-5, 1e16, 123.456, math.MaxFloat64, 5e-324} {
		f.Add(math.Float64bits(x))
	}
	looksFloat := regexp.MustCompile(`^-?(\d+\.\d+|\d(\.\d+)?e[+-]\d{2,3}|inf)$|^nan$`)
	f.Fuzz(func(t *testing.T, bits uint64) {
		x := math.Float64frombits(bits)
		text := convert.Float(x)
		back, err := strconv.ParseFloat(text, 64)
		if err != nil || math.Float64bits(back) != bits && !(math.IsNaN(x) && math.IsNaN(back)) {
			t.Errorf("%g is %q and reads back as %g, %v", x, text, back, err)
		}
		if !looksFloat.MatchString(text) {
			t.Errorf("%q does not look like a float", text)
		}
	})
}

func TestTime(t *testing.T) {
	t.Parallel()
	for ms, want := range map[int64]string{
		0:                                      "1970-01-01T00:00:00.000Z",
		-1:                                     "1969-12-31T23:59:59.999Z",
		1700000000123:                          "2023-11-14T22:13:20.123Z",
		yearStart(10000) - 1:                   "9999-12-31T23:59:59.999Z",
		yearStart(10000):                       "+010000-01-01T00:00:00.000Z",
		yearStart(0):                           "0000-01-01T00:00:00.000Z",
		yearStart(0) - 1:                       "-000001-12-31T23:59:59.999Z",
		math.MaxInt64:                          "+292278994-08-17T07:12:55.807Z",
		math.MinInt64:                          "-292275055-05-16T16:47:04.192Z",
		yearStart(2000) + 59*24*3600*1000:      "2000-02-29T00:00:00.000Z",
		yearStart(12000) + 59*24*3600*1000 + 5: "+012000-02-29T00:00:00.005Z",
	} {
		if got := convert.Time(ms); got != want {
			t.Errorf("Time(%d) = %q, want %q", ms, got, want)
		}
		if back, err := convert.ParseTime(want); back != ms || err != nil {
			t.Errorf("ParseTime(%q) = %d, %v", want, back, err)
		}
	}
}

func yearStart(year int) int64 { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() }

func FuzzTime(f *testing.F) {
	for _, s := range []string{
		"", "-", "2023-11-14T22:13:20.123Z", "2023-02-29T00:00:00.000Z", "2023-11-14", "+2023-11-14T22:13:20.123Z",
		"+999999999-01-01T00:00:00.000Z", "99999999999999999999-01-01T00:00:00.000Z", "2023-11-14T22:13:20,123Z",
	} {
		f.Add(s, int64(len(s)))
	}
	f.Fuzz(func(t *testing.T, s string, ms int64) {
		text := convert.Time(ms)
		if back, err := convert.ParseTime(text); back != ms || err != nil {
			t.Errorf("%d is %q and reads back as %d, %v", ms, text, back, err)
		}
		if back, err := convert.ParseTime(s); err == nil && convert.Time(back) != s {
			t.Errorf("ParseTime(%q) = %d, which is %q", s, back, convert.Time(back))
		}
		if strings.ContainsAny(text, "\t\n, ") {
			t.Errorf("%q has a separator in it", text)
		}
	})
}
