package parquetstore

import (
	"fmt"
	"slices"
	"strings"

	migrate "github.com/nexport-go/migrate"
)

// maxNamed is how many different rows of one attribute are named that are lost for one reason. All
// are counted.
const maxNamed = 3

// lost are an attribute's rows that are not yielded, for one reason.
type lost struct {
	n     int
	names []string // the first different ones
	more  bool     // there are others
}

// add counts n rows of one name.
func (l *lost) add(n int, name string) {
	l.n += n
	switch {
	case slices.Contains(l.names, name):
	case len(l.names) < maxNamed:
		l.names = append(l.names, name)
	default:
		l.more = true
	}
}

// list gives the names, divided by sep.
func (l *lost) list(sep string) string {
	text := strings.Join(l.names, sep)
	if l.more {
		text += sep + "and others"
	}
	return text
}

// count is "1 point" or "2 points".
func (l *lost) count(noun string) string {
	if l.n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", l.n, noun)
}

// losses are an attribute's lost rows. They are told when all of its rows are read, so that their
// numbers are right.
type losses struct {
	steps  lost // steps that cannot be held, by what they are
	values lost // no value, by step
	odd    lost // values that cannot be held, by what they are
	rows   lost // not decoded, by error
}

// noteLosses tells what was lost of an attribute.
func (r *reader) noteLosses(a *attr, l *losses) {
	if l.steps.n > 0 {
		r.notef(a.path, a.kind, migrate.CodeUnreadable, "%s left out, at step %s: steps must be below 9.2e12 and have at most six decimals",
			l.steps.count("point"), l.steps.list(", "))
	}
	if l.values.n > 0 {
		r.notef(a.path, a.kind, migrate.CodeMissing, "%s left out, at step %s: a time but no value", l.values.count("point"), l.values.list(", "))
	}
	if l.odd.n > 0 {
		r.notef(a.path, a.kind, migrate.CodeUnreadable, "%s left out: %s", l.odd.count("value"), l.odd.list("; "))
	}
	if l.rows.n > 0 {
		r.notef(a.path, a.kind, migrate.CodeUnreadable, "%s left out: %s", l.rows.count("row"), l.rows.list("; "))
	}
}
