package wire2

import (
	"math"
	"math/bits"
)

// powers are those of ten that fit into 64 bits.
var powers = [...]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

// exactPowers is how many of them a double holds exactly, with all integers below 1 << 53.
const exactPowers = 20

// quotient is n divided by 10 to a power below len(powers), rounded to the nearest double, half to even: what
// strconv.ParseFloat makes of these digits, without going through them once more.
func quotient(n uint64, power int) float64 {
	if n < 1<<53 && power < exactPowers {
		return float64(n) / float64(powers[power]) // rounded once
	}
	d := powers[power]
	shiftN, shiftD := bits.LeadingZeros64(n), bits.LeadingZeros64(d)
	exp := shiftD - shiftN
	hi, lo := n<<shiftN, uint64(0)
	if d <<= shiftD; hi >= d {
		hi, lo, exp = hi>>1, hi<<63, exp+1
	}
	q, rest := bits.Div64(hi, lo, d) // q has its highest bit set; n/10^power is q times 2 to the exp-64th
	mantissa, below := q>>11, q&(1<<11-1)
	if below > 1<<10 || below == 1<<10 && (rest > 0 || mantissa&1 == 1) {
		mantissa++ // 1<<53 carries into the exponent, as it should
	}
	return math.Float64frombits(uint64(exp+1021)<<52 + mantissa)
}
