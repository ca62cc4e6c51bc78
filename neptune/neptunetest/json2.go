package neptunetest

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// The functions here append JSON as the servers of Neptune 2 write it.

func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, _ := json.Marshal(s) // strings have no error
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// appendNumber appends a float, from 1e7 on and below 1e-3 with an exponent, as Java does. It always looks like one: Python
// reads "-0" as a whole number, without its sign.
func appendNumber(b []byte, f float64, bare bool) []byte {
	switch {
	case math.IsNaN(f):
		return appendOdd(b, "NaN", bare)
	case math.IsInf(f, 1):
		return appendOdd(b, "Infinity", bare)
	case math.IsInf(f, -1):
		return appendOdd(b, "-Infinity", bare)
	}
	if size := math.Abs(f); size != 0 && (size < 1e-3 || size >= 1e7) {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	from := len(b)
	b = strconv.AppendFloat(b, f, 'f', -1, 64)
	if !bytes.ContainsRune(b[from:], '.') {
		b = append(b, ".0"...)
	}
	return b
}

// appendOdd appends what JSON has no number for, in quotes unless bare.
func appendOdd(b []byte, name string, bare bool) []byte {
	if bare {
		return append(b, name...)
	}
	return append(append(append(b, '"'), name...), '"')
}

func appendTime(b []byte, ms int64) []byte {
	return append(append(append(b, '"'), timeText(ms)...), '"')
}

// timeText is a time as the API writes it, in milliseconds.
func timeText(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

// appendMembers appends the members of a JSON object, each with a comma in front.
func appendMembers(b []byte, text []byte) []byte {
	inner := bytes.TrimSpace(text)
	inner = bytes.TrimSpace(inner[1 : len(inner)-1]) // was checked to be an object
	if len(inner) == 0 {
		return b
	}
	return append(append(b, ','), inner...)
}
