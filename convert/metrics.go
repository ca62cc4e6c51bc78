package convert

import (
	"math"

	"github.com/nexport-go/migrate"
)

// MetricTime gives the timestamp that a metric's point gets. exact is false if the point has no
// time (then it is start plus the point's index, so that loading again gives the same), or one
// before 1970, which servers refuse (then it is 0): the true one belongs into an ExactPoint.
func MetricTime(ms, start, index int64) (stored int64, exact bool) {
	switch {
	case ms >= 0:
		return ms, true
	case ms != migrate.NoTime:
		return 0, false
	}
	start = max(start, 0)
	if start > math.MaxInt64-index {
		return math.MaxInt64, false
	}
	return start + index, false
}

// ExactValue reports whether every server gives v back as it is. NaN counts as exact; infinities
// and -0.0 do not, because servers on SQL keep other numbers for them.
func ExactValue(v float64) bool { return !math.IsInf(v, 0) && (v != 0 || !math.Signbit(v)) }
