package migrate_test

import (
	"math"
	"math/big"
	"strconv"
	"testing"

	migrate "github.com/nexport-go/migrate"
)

func TestStepString(t *testing.T) {
	for want, step := range map[string]migrate.Step{
		"0":                     0,
		"1":                     1_000_000,
		"-1":                    -1_000_000,
		"0.1":                   100_000,
		"-0.000001":             -1,
		"12.5":                  12_500_000,
		"9223372036854.775807":  math.MaxInt64,
		"-9223372036854.775808": math.MinInt64,
	} {
		if got := step.String(); got != want {
			t.Errorf("Step(%d).String() = %q, want %q", int64(step), got, want)
		}
	}
}

func TestStepOf(t *testing.T) {
	for _, c := range []struct {
		in   float64
		want migrate.Step
		ok   bool
	}{
		{0.1, 100_000, true},
		{-2.5, -2_500_000, true},
		{1e12, 1e18, true},
		{4294967296.123456, 4294967296_123456, true},
		{0.0000005, 0, true}, // half to even
		{1e13, 0, false},
		{math.NaN(), 0, false},
		{math.Inf(-1), 0, false},
	} {
		if got, ok := migrate.StepOf(c.in); got != c.want || ok != c.ok {
			t.Errorf("StepOf(%v) = %d, %v, want %d, %v", c.in, got, ok, c.want, c.ok)
		}
	}
}

// Every step survives its own text, and every step below 2^33 survives being a float64.
func FuzzStep(f *testing.F) {
	for _, seed := range []int64{0, 1, -1, 999_999, 123_456_789, math.MaxInt64, math.MinInt64} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, n int64) {
		step := migrate.Step(n)
		text, ok := new(big.Rat).SetString(step.String())
		if !ok || text.Cmp(big.NewRat(n, int64(migrate.StepUnit))) != 0 {
			t.Fatalf("Step(%d).String() = %q is another number", n, step)
		}
		if n > -(1<<33)*1e6 && n < (1<<33)*1e6 {
			v, err := strconv.ParseFloat(step.String(), 64)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := migrate.StepOf(v); !ok || got != step {
				t.Fatalf("StepOf(%v) = %d, %v, want %d", v, got, ok, n)
			}
		}
	})
}
