package convert

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Float gives Python's repr of f: the shortest text that reads back as f, with ".0" where nothing
// else shows that it is a float ("0.1", "1e-05", "1000000.0", "1e+16", "-0.0", "nan", "inf", "-inf").
// strconv.ParseFloat reads it.
func Float(f float64) string { return string(AppendFloat(nil, f)) }

// AppendFloat appends the text of Float to b.
func AppendFloat(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "nan"...)
	case math.IsInf(f, 1):
		return append(b, "inf"...)
	case math.IsInf(f, -1):
		return append(b, "-inf"...)
	}
	// Python writes an exponent below 1e-4 and from 1e16 on. Neither limit depends on rounding:
	// the shortest text of a float below a power of ten never reads as that power.
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, 'f', -1, 64)
	if !strings.Contains(string(b[start:]), ".") {
		b = append(b, ".0"...)
	}
	return b
}

const (
	timeLayout = "2006-01-02T15:04:05.000Z"
	restLayout = "-01-02T15:04:05.000Z" // of timeLayout, after the year
)

// Time gives ms since 1970 as RFC 3339 in UTC with milliseconds. Years that RFC 3339 does not have
// are written with a sign and at least six digits, as ISO 8601 and JavaScript do ("+010000-01-01T…").
func Time(ms int64) string { return string(AppendTime(nil, ms)) }

// AppendTime appends the text of Time to b.
func AppendTime(b []byte, ms int64) []byte {
	t := time.UnixMilli(ms).UTC()
	year := t.Year()
	if 0 <= year && year <= 9999 {
		return t.AppendFormat(b, timeLayout)
	}
	return t.AppendFormat(fmt.Appendf(b, "%+07d", year), restLayout)
}

// ParseTime reads what Time writes, and nothing else.
func ParseTime(s string) (ms int64, err error) {
	bad := fmt.Errorf("time %q is not RFC 3339 in UTC with milliseconds", s)
	dash := strings.Index(s[min(1, len(s)):], "-") + 1
	if dash < 1 {
		return 0, bad
	}
	year, err := strconv.Atoi(s[:dash])
	if err != nil {
		return 0, bad
	}
	// time.Parse knows no long years. 2000 is a leap year, so that it takes every day.
	t, err := time.Parse(timeLayout, "2000"+s[dash:])
	if err != nil {
		return 0, bad
	}
	const limit = 300_000_000 // no int64 of milliseconds reaches that far
	if year > limit || year < -limit {
		return 0, bad
	}
	ms = t.AddDate(year-2000, 0, 0).UnixMilli()
	if Time(ms) != s {
		return 0, bad
	}
	return ms, nil
}
