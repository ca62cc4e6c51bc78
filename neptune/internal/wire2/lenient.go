package wire2

import (
	"bytes"
	"encoding/json"
)

// Unmarshal is that of encoding/json for text in which NaN, Infinity and -Infinity may be bare: they
// are decoded as if they were strings.
func Unmarshal(b []byte, to any) error {
	err := json.Unmarshal(b, to)
	if _, syntax := err.(*json.SyntaxError); !syntax {
		return err
	}
	quoted, changed := quoteBare(b)
	if !changed {
		return err
	}
	return json.Unmarshal(quoted, to)
}

// bare are the tokens that are no JSON.
var bare = []string{"NaN", "Infinity", "-Infinity"}

// quoteBare makes strings of bare tokens.
func quoteBare(b []byte) (out []byte, changed bool) {
	start := 0
	for i := 0; i < len(b); {
		switch c := b[i]; c {
		case '"':
			i = endOfString(b, i)
		case 'N', 'I', '-':
			token := bareAt(b[i:])
			if token == "" {
				i++
				continue
			}
			out = append(append(append(append(out, b[start:i]...), '"'), token...), '"')
			i += len(token)
			start, changed = i, true
		default:
			i++
		}
	}
	return append(out, b[start:]...), changed
}

func bareAt(b []byte) string {
	for _, token := range bare {
		if bytes.HasPrefix(b, []byte(token)) {
			return token
		}
	}
	return ""
}

// endOfString is where the string that begins at i has ended.
func endOfString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}
