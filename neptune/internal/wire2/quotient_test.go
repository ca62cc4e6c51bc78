package wire2_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/nexport-go/migrate/neptune/internal/wire2"
)

// scanned is a number as a page with it has it.
func scanned(t testing.TB, number string) float64 {
	t.Helper()
	p, err := wire2.FloatPage([]byte(`{"totalItemCount":1,"values":[{"timestampMillis":1,"step":0.0,"value":` + number + `}]}`))
	if err != nil || len(p.Floats) != 1 {
		t.Fatalf("%s: %v, %v", number, p, err)
	}
	return p.Floats[0]
}

func mustParse(t testing.TB, number string) {
	t.Helper()
	want, err := strconv.ParseFloat(number, 64)
	if err != nil {
		t.Fatal(err)
	}
	if got := scanned(t, number); math.Float64bits(got) != math.Float64bits(want) {
		t.Errorf("%s is %x, want %x", number, got, want)
	}
}

// TestNumbersAreRoundedAsTheyShould compares with strconv, above all where a number lies half way between two doubles.
func TestNumbersAreRoundedAsTheyShould(t *testing.T) {
	for _, number := range []string{
		"0", "-0", "0.0", "-0.0", "1", "0.1", "-0.3", "9007199254740991", "9007199254740992", "9007199254740993", "9007199254740995",
		"900719925474099.3", "900719925474099.25", "18446744073709551615", "18446744073709551616", "18446744073709551610", "1844674407370955161.5",
		"0.0000000000000000001", "0.00000000000000000001", "0.18446744073709551615", "1.8446744073709551615", "4503599627370496.5", "4503599627370497.5",
		"9007199254740992.5", "2251799813685248.25", "2251799813685248.75", "1152921504606846912", "1152921504606846976", "1152921504606847104",
		"99999999999999999.95", "0.9999999999999999", "0.99999999999999999", "0.999999999999999999", "9999999999999999999",
	} {
		mustParse(t, number)
	}
	random := rand.New(rand.NewPCG(3, 5))
	for range 200_000 {
		digits := strconv.FormatUint(random.Uint64()>>random.IntN(40), 10)
		point := random.IntN(len(digits)+1) - random.IntN(3)
		number := digits
		switch {
		case point <= 0:
			number = "0." + fmt.Sprintf("%0*d", -point, 0)[:max(-point, 0)] + digits
		case point < len(digits):
			number = digits[:point] + "." + digits[point:]
		}
		mustParse(t, number)
		// A double in the shortest form, and the middle between it and the next.
		f := math.Ldexp(float64(1<<52+random.Uint64()>>12), -52+random.IntN(8))
		mustParse(t, strconv.FormatFloat(f, 'f', -1, 64))
		mustParse(t, strconv.FormatFloat(random.NormFloat64(), 'f', -1, 64))
	}
	for range 50_000 {
		whole := 1<<53 + 2*(random.Uint64()>>12) // of which each second is a double
		mustParse(t, strconv.FormatUint(whole+1, 10))
		mustParse(t, strconv.FormatUint(whole/2, 10)+".5")
	}
}
