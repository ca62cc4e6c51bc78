package schema

import (
	_ "embed"
	"fmt"
	"strings"
)

// description is MLflow's database in the form that the package comment explains.
//
//go:embed mlflow.txt
var description string

type table struct {
	name    string
	columns []column
	parts   []part // in the order of the description
	rows    []string
}

type column struct {
	name, kind string
	null       bool
	value      string // the default as SQLite has it, "" for none
	expression string // of a stored column
}

// part is a line that begins with a keyword: what is common to constraints, indexes and triggers.
type part struct {
	keyword, name string
	columns       string // "(a, b)", or "" for a check
	table, keys   string // of a foreign key
	unique        bool   // of an index
	only          string // the dialect that a check or the tail of an index belongs to
	tail          string // expression, actions, tail or message
}

func parse(text string) ([]table, error) {
	var tables []table
	for n, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		inner, ok := strings.CutPrefix(line, "  ")
		if !ok {
			tables = append(tables, table{name: line})
			continue
		}
		if len(tables) == 0 {
			return nil, fmt.Errorf("line %d is before the first table: %q", n+1, line)
		}
		if err := tables[len(tables)-1].add(inner); err != nil {
			return nil, fmt.Errorf("line %d: %w: %q", n+1, err, line)
		}
	}
	return tables, nil
}

func (t *table) add(line string) error {
	s := &scanner{rest: line}
	word := s.word()
	switch word {
	case "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "INDEX", "FIXED":
		p, err := parsePart(word, s)
		t.parts = append(t.parts, p)
		return err
	case "ROW":
		t.rows = append(t.rows, s.rest)
		return nil
	}
	c, err := parseColumn(word, s)
	t.columns = append(t.columns, c)
	return err
}

func parseColumn(name string, s *scanner) (column, error) {
	c := column{name: name, kind: s.word()}
	if _, err := SQLite.kind(c.kind); err != nil {
		return c, err
	}
	c.null = s.skip("null")
	if s.skip("default") {
		c.value = s.word()
	}
	if s.skip("=") {
		c.expression, s.rest = s.rest, ""
	}
	if s.rest != "" {
		return c, fmt.Errorf("%q is not understood", s.rest)
	}
	return c, nil
}

func parsePart(keyword string, s *scanner) (part, error) {
	p := part{keyword: keyword, name: s.word()}
	switch keyword {
	case "CHECK":
		if s.skip("sqlite") {
			p.only = "sqlite"
		}
	case "INDEX":
		p.unique = s.skip("unique")
		fallthrough
	default:
		p.columns = s.list()
	}
	if keyword == "FOREIGN" {
		p.table, p.keys = s.word(), s.list()
	}
	if keyword == "INDEX" && s.skip("postgres") {
		p.only = "postgres"
	}
	p.tail = s.rest
	return p, p.check()
}

// check finds what the line lacks or has too much.
func (p part) check() error {
	isList := func(s string) bool { return strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") }
	switch {
	case p.name == "":
		return fmt.Errorf("%s has no name", p.keyword)
	case p.keyword != "CHECK" && !isList(p.columns), p.keyword == "FOREIGN" && !isList(p.keys):
		return fmt.Errorf("%s %s has no columns", p.keyword, p.name)
	case p.tail == "" && (p.keyword == "CHECK" || p.keyword == "FIXED"):
		return fmt.Errorf("%s %s has no expression or message", p.keyword, p.name)
	case p.tail != "" && (p.keyword == "PRIMARY" || p.keyword == "UNIQUE" || p.keyword == "INDEX" && p.only == ""):
		return fmt.Errorf("%q is not understood", p.tail)
	}
	return nil
}

// scanner takes a line apart at its blanks.
type scanner struct{ rest string }

func (s *scanner) word() string {
	word, rest, _ := strings.Cut(s.rest, " ")
	s.rest = rest
	return word
}

// skip passes a word if it comes next.
func (s *scanner) skip(word string) bool {
	first, rest, _ := strings.Cut(s.rest, " ")
	if first == word {
		s.rest = rest
	}
	return first == word
}

// list passes "(a, b)" and gives it, or "" if none comes next.
func (s *scanner) list() string {
	end := strings.Index(s.rest, ")")
	if end < 0 || !strings.HasPrefix(s.rest, "(") {
		return ""
	}
	list := s.rest[:end+1]
	s.rest = strings.TrimPrefix(s.rest[end+1:], " ")
	return list
}
