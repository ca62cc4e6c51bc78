package convert

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/nexport-go/migrate"
)

// Multiplier is what steps are multiplied by to become MLflow's whole steps: an exact positive
// decimal. It is comparable: equal numbers are equal values. The zero value is DefaultMultiplier.
type Multiplier struct {
	over  uint64 // numerator minus that of the default, so that the zero value is the default
	scale uint8  // decimals
}

// DefaultMultiplier is 1000000: with it every step of an archive becomes whole.
var DefaultMultiplier Multiplier

const (
	defaultNumerator = 1_000_000
	maxDigits        = 18 // of a multiplier, so that a product with a Step fits 128 bits
	maxDecimals      = 12 // so that the divisor fits 64 bits
)

// ParseMultiplier reads a positive decimal: digits, a point, digits ("1000", "0.5"). It may have at
// most 18 digits, 12 of them after the point, leading and trailing zeros not counted.
func ParseMultiplier(s string) (Multiplier, error) {
	whole, frac, _ := strings.Cut(s, ".")
	if whole+frac == "" || strings.Trim(whole+frac, "0123456789") != "" {
		return Multiplier{}, fmt.Errorf("step multiplier %q is not a decimal number such as 1000 or 0.5", s)
	}
	frac = strings.TrimRight(frac, "0")
	digits := strings.TrimLeft(whole+frac, "0")
	switch {
	case digits == "":
		return Multiplier{}, fmt.Errorf("step multiplier %q must be greater than 0", s)
	case len(digits) > maxDigits || len(frac) > maxDecimals:
		return Multiplier{}, fmt.Errorf("step multiplier %q has too many digits: at most %d, and %d after the point",
			s, maxDigits, maxDecimals)
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return Multiplier{}, fmt.Errorf("step multiplier %q: %w", s, err)
	}
	return Multiplier{over: n - defaultNumerator, scale: uint8(len(frac))}, nil
}

func (m Multiplier) numerator() uint64 { return m.over + defaultNumerator }

// String gives the exact decimal without superfluous zeros; ParseMultiplier reads it.
func (m Multiplier) String() string {
	digits := strconv.FormatUint(m.numerator(), 10)
	if m.scale == 0 {
		return digits
	}
	if missing := int(m.scale) + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - int(m.scale)
	return digits[:point] + "." + digits[point:]
}

// Step multiplies s. Where the product is not whole it is rounded, halves to the even neighbour,
// and exact is false. If it does not fit an int64, ok is false.
func (m Multiplier) Step(s migrate.Step) (step int64, exact, ok bool) {
	magnitude := uint64(s)
	if s < 0 {
		magnitude = -magnitude
	}
	hi, lo := bits.Mul64(magnitude, m.numerator())
	divisor := uint64(migrate.StepUnit) * powersOfTen[m.scale]
	if hi >= divisor {
		return 0, false, false
	}
	quotient, rest := bits.Div64(hi, lo, divisor)
	if up := divisor - rest; rest > up || rest == up && quotient&1 == 1 {
		if quotient++; quotient == 0 {
			return 0, false, false
		}
	}
	return signed(quotient, rest == 0, s < 0)
}

func signed(magnitude uint64, exact, negative bool) (step int64, isExact, ok bool) {
	switch {
	case magnitude <= math.MaxInt64 && negative:
		return -int64(magnitude), exact, true
	case magnitude <= math.MaxInt64:
		return int64(magnitude), exact, true
	case magnitude == 1<<63 && negative:
		return math.MinInt64, exact, true
	}
	return 0, false, false
}

// powersOfTen are the divisors for the decimals of a Multiplier.
var powersOfTen = [maxDecimals + 1]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12}

// ParseStep reads the decimal that migrate.Step's String writes.
func ParseStep(s string) (migrate.Step, error) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, frac, point := strings.Cut(digits, ".")
	if whole == "" || len(frac) > 6 || point && frac == "" || strings.Trim(whole+frac, "0123456789") != "" {
		return 0, fmt.Errorf("step %q is not a decimal with at most 6 decimals", s)
	}
	digits = whole + frac + strings.Repeat("0", 6-len(frac))
	if negative {
		digits = "-" + digits
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("step %q is too large", s)
	}
	return migrate.Step(n), nil
}
