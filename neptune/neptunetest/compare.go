package neptunetest

import (
	"cmp"
	"strings"
	"time"
)

// compareScalars orders two of what attribute.scalar returns. Values of different kinds are in an order of
// their kinds, as a path may have another type in each run.
func compareScalars(a, b any) int {
	switch x := a.(type) {
	case int64:
		switch y := b.(type) {
		case int64:
			return cmp.Compare(x, y)
		case float64:
			return cmp.Compare(float64(x), y)
		}
	case float64:
		switch y := b.(type) {
		case int64:
			return cmp.Compare(x, float64(y))
		case float64:
			return cmp.Compare(x, y)
		}
	case string:
		if y, ok := b.(string); ok {
			return cmp.Compare(x, y)
		}
	case bool:
		if y, ok := b.(bool); ok {
			return cmp.Compare(number(x), number(y))
		}
	case time.Time:
		if y, ok := b.(time.Time); ok {
			return x.Compare(y)
		}
	case StringSet:
		if y, ok := b.(StringSet); ok {
			return cmp.Compare(strings.Join(x, "\x00"), strings.Join(y, "\x00"))
		}
	}
	return cmp.Compare(kindOf(a), kindOf(b))
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
