package wire2

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// plain takes the quotes off a number that is text.
func plain(b []byte) (string, error) {
	if len(b) == 0 || b[0] != '"' {
		return string(b), nil
	}
	var s string
	err := json.Unmarshal(b, &s)
	return s, err
}

// Float is a double: a number, or text such as "NaN" and "-Infinity". Null leaves it as it is.
type Float float64

// UnmarshalJSON decodes it. What is beyond a double becomes an infinity.
func (f *Float) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	s, err := plain(b)
	if err != nil {
		return err
	}
	v, err := parseFloat(s)
	if err != nil {
		return err
	}
	*f = Float(v)
	return nil
}

func parseFloat(s string) (float64, error) {
	switch s {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(v, 0) || !decimal(s) {
		return 0, fmt.Errorf("%.40q is no number", s)
	}
	return v, nil
}

// decimal reports that s has nothing of what only Go takes for a number.
func decimal(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c == '+', c == '-', c == '.', c == 'e', c == 'E':
		default:
			return false
		}
	}
	return s != ""
}

// Int is an integer, exact up to 64 bits; also one written as 5.0 or 1e3, or as text.
type Int int64

// UnmarshalJSON decodes it. Null leaves it as it is; a fraction is an error.
func (n *Int) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	s, err := plain(b)
	if err != nil {
		return err
	}
	if v, err := strconv.ParseInt(s, 10, 64); err == nil {
		*n = Int(v)
		return nil
	}
	v, err := parseFloat(s)
	if err != nil {
		return err
	}
	if v != math.Trunc(v) || math.Abs(v) >= 1<<63 {
		return fmt.Errorf("%s is no integer of 64 bits", s)
	}
	*n = Int(v)
	return nil
}

// parseTime reads a date and time of ISO 8601 with any fraction and offset; without an offset it is UTC.
// The result is in ms since 1970 UTC, rounded down.
func parseTime(s string) (int64, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("%.60q is no date and time", s)
}
