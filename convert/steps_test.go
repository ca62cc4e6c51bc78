package convert_test

import (
	"math"
	"math/big"
	"testing"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

func mustMultiplier(t testing.TB, s string) convert.Multiplier {
	t.Helper()
	m, err := convert.ParseMultiplier(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestParseMultiplier(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"1": "1", "1000000": "1000000", "0001.50": "1.5", ".5": "0.5", "5.": "5", "0.000000000001": "0.000000000001",
		"999999999999999999": "999999999999999999", "123456.123456789012": "123456.123456789012", "10.0000000000000000000": "10",
	} {
		m, err := convert.ParseMultiplier(in)
		if err != nil || m.String() != want {
			t.Errorf("ParseMultiplier(%q) = %q, %v; want %q", in, m, err, want)
			continue
		}
		if again := mustMultiplier(t, want); again != m {
			t.Errorf("%q and %q are not equal", in, want)
		}
	}
	for _, in := range []string{"", ".", "0", "0.000", "-1", "+1", "1e6", "1,5", "1.2.3", " 1", "0x10", "NaN", "1000000000000000000", "0.0000000000001", "1_0", "٣"} {
		if m, err := convert.ParseMultiplier(in); err == nil {
			t.Errorf("ParseMultiplier(%q) = %q, want an error", in, m)
		}
	}
}

func TestDefaultMultiplier(t *testing.T) {
	t.Parallel()
	if got := convert.DefaultMultiplier; got != mustMultiplier(t, "1000000") || got != (convert.Multiplier{}) || got.String() != "1000000" {
		t.Errorf("the default is %q", got)
	}
	for _, s := range []migrate.Step{0, 1, -1, math.MaxInt64, math.MinInt64} {
		if step, exact, ok := convert.DefaultMultiplier.Step(s); step != int64(s) || !exact || !ok {
			t.Errorf("Step(%d) = %d, %v, %v", s, step, exact, ok)
		}
	}
}

func TestMultiplierStep(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, multiplier string
		step             migrate.Step
		want             int64
		exact, ok        bool
	}{
		{"whole", "1", 7_000_000, 7, true, true},
		{"fraction", "1", 7_300_000, 7, false, true},
		{"half to even, down", "1", 6_500_000, 6, false, true},
		{"half to even, up", "1", 7_500_000, 8, false, true},
		{"negative half to even", "1", -7_500_000, -8, false, true},
		{"negative half to even, down", "1", -6_500_000, -6, false, true},
		{"just above a half", "1.000000000001", 6_500_000, 7, false, true},
		{"binary fractions do not matter", "10", 300_000, 3, true, true},
		{"small multiplier", "0.000001", 1_000_000, 0, false, true},
		{"largest", "1000000", math.MaxInt64, math.MaxInt64, true, true},
		{"smallest", "1000000", math.MinInt64, math.MinInt64, true, true},
		{"too large by rounding", "1000000.0000000001", math.MaxInt64, 0, false, false},
		{"too large", "1000001", math.MaxInt64, 0, false, false},
		{"much too large", "999999999999999999", math.MinInt64, 0, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, exact, ok := mustMultiplier(t, tt.multiplier).Step(tt.step)
			if got != tt.want || exact != tt.exact || ok != tt.ok {
				t.Errorf("got %d, %v, %v; want %d, %v, %v", got, exact, ok, tt.want, tt.exact, tt.ok)
			}
		})
	}
}

// roundedProduct is s*m by rational arithmetic: the nearest whole number, halves to even.
func roundedProduct(s migrate.Step, m string) (rounded *big.Int, exact bool) {
	factor, _ := new(big.Rat).SetString(m)
	x := new(big.Rat).Mul(big.NewRat(int64(s), int64(migrate.StepUnit)), factor)
	floor := new(big.Int).Div(x.Num(), x.Denom()) // Euclidean: the floor for a positive divisor
	rest := new(big.Rat).Sub(x, new(big.Rat).SetInt(floor))
	switch c := rest.Cmp(big.NewRat(1, 2)); {
	case c > 0, c == 0 && floor.Bit(0) == 1:
		floor.Add(floor, big.NewInt(1))
	}
	return floor, x.IsInt()
}

func FuzzStep(f *testing.F) {
	for _, m := range []string{"1", "1000000", "0.5", "999999999999999999", "0.000000000001", "123456.123456789012"} {
		for _, s := range []int64{0, 1, -1, 500_000, 1_500_000, -2_500_000, math.MaxInt64, math.MinInt64} {
			f.Add(s, m)
		}
	}
	f.Fuzz(func(t *testing.T, s int64, text string) {
		m, err := convert.ParseMultiplier(text)
		if err != nil {
			t.Skip()
		}
		if again := mustMultiplier(t, m.String()); again != m {
			t.Errorf("%q reads back as %q", m, again)
		}
		want, wantExact := roundedProduct(migrate.Step(s), text)
		got, exact, ok := m.Step(migrate.Step(s))
		if ok != want.IsInt64() {
			t.Fatalf("%s × %s = %s, ok is %v", migrate.Step(s), text, want, ok)
		}
		if ok && (got != want.Int64() || exact != wantExact) {
			t.Errorf("%s × %s = %d, exact %v; want %s, %v", migrate.Step(s), text, got, exact, want, wantExact)
		}
	})
}

func TestStepDoesNotAllocate(t *testing.T) {
	m := mustMultiplier(t, "0.125")
	if n := testing.AllocsPerRun(100, func() { m.Step(123_456_789) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParseStep(f *testing.F) {
	for _, s := range []string{"0", "-0.5", "12.345678", "9223372036854.775807", "-9223372036854.775808", "9223372036854.775808", "1.", ".5", "-", "1e3", "+1", "--1"} {
		f.Add(s, int64(0))
	}
	f.Add("x", int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, s string, n int64) {
		if back, err := convert.ParseStep(migrate.Step(n).String()); err != nil || back != migrate.Step(n) {
			t.Errorf("%s reads back as %s, %v", migrate.Step(n), back, err)
		}
		step, err := convert.ParseStep(s)
		if err != nil {
			return
		}
		want, ok := new(big.Rat).SetString(s)
		if !ok || want.Cmp(big.NewRat(int64(step), int64(migrate.StepUnit))) != 0 {
			t.Errorf("ParseStep(%q) = %s", s, step)
		}
	})
}

func BenchmarkStep(b *testing.B) {
	for _, text := range []string{"1000000", "0.5"} {
		b.Run(text, func(b *testing.B) {
			m := mustMultiplier(b, text)
			b.ReportAllocs()
			var step migrate.Step
			for b.Loop() {
				m.Step(step)
				step += 1_000_001
			}
		})
	}
}
