package mlflowtest

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkKey gives what MLflow says against a key (mlflow/utils/validation.py), or "".
func (s *Server) checkKey(key string) string {
	for _, c := range key {
		colon := c == ':' && s.atLeast(2, 17, 0)
		if !unicode.IsLetter(c) && !unicode.IsNumber(c) && !strings.ContainsRune("_-. /", c) && !colon {
			return fmt.Sprintf("invalid character %q in name %q", c, key)
		}
	}
	switch {
	case key == "":
		return "missing name"
	case utf8.RuneCountInString(key) > 250:
		return fmt.Sprintf("name %q is too long", key)
	case path.Clean(key) != key || key == "." || strings.HasPrefix(key, "..") || strings.HasPrefix(key, "/"):
		return fmt.Sprintf("name %q resolves to another", key)
	case s.opts.Refuse != nil && s.opts.Refuse(key):
		return fmt.Sprintf("name %q is refused by the test", key)
	}
	return ""
}

// checkText fails the test for a value that would be cut, or that not every database takes.
func (s *Server) checkText(what, key, value string, limit int) {
	if utf8.RuneCountInString(value) > limit {
		s.t.Errorf("%s %q has more than %d characters; the server would cut it", what, key, limit)
	}
	if strings.ContainsRune(value, 0) {
		s.t.Errorf("%s %q has a NUL", what, key)
	}
}

func (s *Server) maxParam() int {
	if s.atLeast(2, 9, 0) {
		return 6000
	}
	return 500
}

func (s *Server) maxTag() int {
	if s.atLeast(3, 0, 0) {
		return 8000
	}
	return 5000
}

func (s *Server) atLeast(version ...int) bool {
	var own [3]int
	if _, err := fmt.Sscanf(s.opts.Version, "%d.%d.%d", &own[0], &own[1], &own[2]); err != nil {
		return false
	}
	for i, v := range version {
		if own[i] != v {
			return own[i] > v
		}
	}
	return true
}
