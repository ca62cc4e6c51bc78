package neptune

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	migrate "github.com/nexport-go/migrate"
)

// notes collects what a reader meets, each thing once. It is safe for concurrent use.
type notes struct {
	lock     sync.Mutex
	problems []migrate.Problem
	seen     map[migrate.Problem]bool
}

// Problems returns what the calls so far met, by path: attributes are read side by side.
func (n *notes) Problems() []migrate.Problem {
	n.lock.Lock()
	defer n.lock.Unlock()
	all := slices.Clone(n.problems)
	slices.SortStableFunc(all, func(a, b migrate.Problem) int { return strings.Compare(a.Path, b.Path) })
	return all
}

func (n *notes) notef(path string, kind migrate.Kind, code migrate.Code, format string, args ...any) {
	p := migrate.Problem{Path: path, Kind: kind, Code: code, Text: fmt.Sprintf(format, args...)}
	n.lock.Lock()
	defer n.lock.Unlock()
	if n.seen[p] {
		return
	}
	if n.seen == nil {
		n.seen = map[migrate.Problem]bool{}
	}
	n.seen[p] = true
	n.problems = append(n.problems, p)
}

// text returns s as it is, unless it is no UTF-8: then it is made so, with a note.
func (n *notes) text(path string, kind migrate.Kind, s string) string {
	if utf8.ValidString(s) {
		return s
	}
	n.notef(path, kind, migrate.CodeSuspect, "text is not valid UTF-8; the bytes that are not became U+FFFD")
	return strings.ToValidUTF8(s, "\uFFFD")
}
