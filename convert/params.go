package convert

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/nexport-go/migrate"
)

const (
	// DefaultMaxParam is the longest param value in code points. Servers cut longer ones without
	// a word (MLflow from 2.8 on; 500 before that).
	DefaultMaxParam = 6000
	// remarkRoom is what Shorten normally leaves for its remark.
	remarkRoom = 100
)

// Param gives the text of the scalar v[i], before Clean and Shorten: ints in decimal, floats by
// Float, bools "True" or "False", times by Time, sets as a JSON list, strings as they are. It is
// empty for histograms and files, which are no params.
func Param(v migrate.Values, i int) string {
	switch v := v.(type) {
	case migrate.Ints:
		return strconv.FormatInt(v[i], 10)
	case migrate.Floats:
		return Float(v[i])
	case migrate.Strings:
		return v[i]
	case migrate.Bools:
		if v[i] {
			return "True"
		}
		return "False"
	case migrate.Datetimes:
		return Time(v[i])
	case migrate.StringSets:
		return string(appendJSONList(nil, v[i]))
	default: // Histograms, Files
		return ""
	}
}

// Clean makes a text that every server and database keeps as it is: invalid UTF-8 becomes U+FFFD
// (one for each run of bytes), NUL becomes U+2400. exact reports that nothing was replaced.
func Clean(s string) (text string, exact bool) {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s, true
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\u2400"), false
}

// Shorten leaves text of at most limit code points as it is. Of a longer one it gives the first
// limit-100 and a remark that names the artifact (or whatever else) with the whole; fewer if the
// remark is long, so that the result always keeps to limit. A limit of 0 means DefaultMaxParam.
func Shorten(text string, limit int, artifact string) (short string, shortened bool) {
	if limit <= 0 {
		limit = DefaultMaxParam
	}
	if len(text) <= limit {
		return text, false
	}
	length := utf8.RuneCountInString(text)
	if length <= limit {
		return text, false
	}
	remark := fmt.Sprintf(" … [%d characters, whole in %s]", length, artifact)
	room := limit - max(remarkRoom, utf8.RuneCountInString(remark))
	if room < limit/2 {
		remark, room = cut(" … [shortened, see "+SidecarName+"]", limit/2), limit-limit/2
	}
	return cut(text, room) + remark, true
}

// appendJSONList appends a compact JSON list. Invalid UTF-8 is copied as it is, see Clean.
func appendJSONList(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSONString(b, s)
	}
	return append(b, ']')
}

func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c < ' ':
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
