package convert

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nexport-go/migrate"
)

const (
	// DefaultMaxKey is the longest key of a param, metric or tag in code points; it is both the
	// validator's limit and the width of the database columns in MLflow 2.x and 3.x.
	DefaultMaxKey = 250
	// minMaxKey leaves some readable characters before the suffix.
	minMaxKey = 32
)

// KeyRules say what a server takes as the key of a param, metric or tag. The zero value suits
// every server of MLflow 2.x and 3.x.
type KeyRules struct {
	Colon  bool // the server takes ":" (not on Windows, not before 2.17)
	MaxLen int  // longest key in code points; 0 means DefaultMaxKey, less than 32 counts as 32
}

// Key gives the key for an attribute path: the path itself wherever the server takes it, else a
// readable form with a digest of the path at its end. It depends on nothing but path and rules, no
// two paths share a key, and the result is always a legal key.
func (r KeyRules) Key(path string) (key string, changed bool) {
	if r.legal(path) && !hasSuffix(path) {
		return path, false
	}
	return r.readable(path) + suffixOf(path), true
}

// KeyOfKind gives the key for a second attribute, of another kind, under a path whose own key is
// taken. It is always a changed key, and no Key and no other KeyOfKind is equal to it.
func (r KeyRules) KeyOfKind(path string, kind migrate.Kind) string {
	// The inner digest has a fixed length, so that path and kind cannot run into each other.
	inner := digest(path, suffixBytes)
	return r.readable(path) + kindMark + digest(inner+string(kind), suffixBytes)
}

func (r KeyRules) maxLen() int {
	if r.MaxLen == 0 {
		return DefaultMaxKey
	}
	return max(r.MaxLen, minMaxKey)
}

// legal is MLflow's rule: the characters of its pattern, and a POSIX path that normalising leaves
// as it is and that does not lead upwards.
func (r KeyRules) legal(key string) bool {
	if strings.HasPrefix(key, "..") || utf8.RuneCountInString(key) > r.maxLen() {
		return false
	}
	for segment := range strings.SplitSeq(key, "/") {
		if dots(segment) {
			return false
		}
	}
	return strings.IndexFunc(key, func(c rune) bool { return !r.takes(c) }) < 0
}

func (r KeyRules) takes(c rune) bool {
	return word(c) || c == '/' || c == '-' || c == '.' || c == ' ' || c == ':' && r.Colon
}

// readable replaces what the server refuses and leaves room for a suffix.
func (r KeyRules) readable(path string) string {
	key := strings.Map(func(c rune) rune {
		if r.takes(c) {
			return c
		}
		return '_'
	}, path)
	segments := strings.Split(key, "/")
	for i, segment := range segments {
		if dots(segment) {
			segments[i] = "_"
		}
	}
	key = strings.Join(segments, "/")
	if rest, upward := strings.CutPrefix(key, ".."); upward {
		key = "__" + rest
	}
	return cut(key, r.maxLen()-suffixLen)
}

// dots reports whether a path segment means something other than a name.
func dots(segment string) bool { return segment == "" || segment == "." || segment == ".." }

// word reports whether c is one of Python's \w. U+FFFD, which stands for invalid UTF-8, is not.
func word(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsNumber(c) }

// cut gives the first n code points of s.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
