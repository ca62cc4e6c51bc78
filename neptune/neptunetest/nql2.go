package neptunetest

import (
	"fmt"
	"strings"
)

// parseNQL2 reads a query of Neptune 2, whose form is known from what clients send and their manuals:
//
//	query := "" | or
//	or    := and { "OR" and }
//	and   := not { "AND" not }
//	not   := "NOT" not | "(" or ")" | pred
//	pred  := attr op value
//	attr  := name [":" type] | aggregate "(" attr ")"
//	op    := "=" | "==" | "!=" | ">" | ">=" | "<" | "<=" | "CONTAINS"
//
// Names stand in backquotes or bare, values in double or single quotes, in which nothing is escaped, or bare. That AND binds
// more tightly than OR is not known of real servers, nor is what they take beyond that: all else is refused. An
// attribute that is not there, or of another type, makes a comparison false.
func parseNQL2(query string) (condition, error) {
	p := &nqlParser2{nqlParser{rest: query}}
	if p.skip(); p.rest == "" {
		return func(*runIndex) bool { return true }, nil
	}
	cond, err := p.chain("OR")
	if err != nil {
		return nil, err
	}
	if p.skip(); p.rest != "" {
		return nil, fmt.Errorf("not understood from %.40q on", p.rest)
	}
	return cond, nil
}

type nqlParser2 struct{ nqlParser }

// word takes a keyword, which is not the beginning of a longer word.
func (p *nqlParser2) word(word string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.rest, word)
	if ok && (rest == "" || strings.ContainsRune(" \t\r\n(`\"'", rune(rest[0]))) {
		p.rest = rest
		return true
	}
	return false
}

// chain reads terms with OR, or those with AND, between them.
func (p *nqlParser2) chain(operator string) (condition, error) {
	next := func() (condition, error) { return p.chain("AND") }
	if operator == "AND" {
		next = p.not
	}
	var terms []condition
	for {
		term, err := next()
		if err != nil {
			return nil, err
		}
		terms = append(terms, term)
		if !p.word(operator) {
			return join(terms, operator), nil
		}
	}
}

func (p *nqlParser2) not() (condition, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, fmt.Errorf("more than %d levels", maxNesting)
	}
	defer func() { p.depth-- }()
	if p.word("NOT") {
		cond, err := p.not()
		if err != nil {
			return nil, err
		}
		return func(ri *runIndex) bool { return !cond(ri) }, nil
	}
	if !p.take("(") {
		return p.predicate()
	}
	cond, err := p.chain("OR")
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, fmt.Errorf("a closing parenthesis is missing at %.40q", p.rest)
	}
	return cond, nil
}

// predicate reads a comparison, such as `acc`:float >= 0.9.
func (p *nqlParser2) predicate() (condition, error) {
	a, err := p.attribute()
	if err != nil {
		return nil, err
	}
	for _, op := range []string{"==", "=", "!=", ">=", "<=", ">", "<", "CONTAINS"} {
		if !p.take(op) {
			continue
		}
		literal, err := p.literal()
		if err != nil {
			return nil, err
		}
		if op == "=" {
			op = "=="
		}
		return a.compare(op, literal)
	}
	return nil, fmt.Errorf("no operator at %.40q", p.rest)
}

func (p *nqlParser2) attribute() (a attribute, err error) {
	for _, mode := range []string{"last", "min", "max", "average", "variance"} {
		if p.take(mode + "(") {
			a.aggregate = mode
			break
		}
	}
	if a.name, err = p.name(); err != nil {
		return a, err
	}
	if p.take(":") {
		if a.kind, err = p.kind(); err != nil {
			return a, err
		}
	}
	if a.aggregate != "" && !p.take(")") {
		return a, fmt.Errorf("a closing parenthesis is missing at %.40q", p.rest)
	}
	return a, nil
}

func (p *nqlParser2) name() (string, error) {
	if p.take("`") {
		name, rest, ok := strings.Cut(p.rest, "`")
		if !ok || name == "" {
			return "", fmt.Errorf("an attribute without end, or without a name, at %.40q", p.rest)
		}
		p.rest = rest
		return name, nil
	}
	return p.bare(" \t\r\n:()=!<>`\"'")
}

// bare takes what stands before any of the characters.
func (p *nqlParser2) bare(end string) (string, error) {
	p.skip()
	n := strings.IndexAny(p.rest, end)
	if n < 0 {
		n = len(p.rest)
	}
	if n == 0 {
		return "", fmt.Errorf("no name or value at %.40q", p.rest)
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	return word, nil
}

func (p *nqlParser2) kind() (string, error) {
	kind, err := p.bare(" \t\r\n()=!<>`\"'")
	if kind == "integer" {
		kind = "int"
	}
	if err == nil && !typeNames2[kind] {
		err = fmt.Errorf("unknown type %q", kind)
	}
	return kind, err
}

func (p *nqlParser2) literal() (string, error) {
	for _, quote := range []string{`"`, "'"} {
		if p.take(quote) {
			text, rest, ok := strings.Cut(p.rest, quote)
			if !ok {
				return "", fmt.Errorf("a string without end: %.40q", p.rest)
			}
			p.rest = rest
			return text, nil
		}
	}
	return p.bare(" \t\r\n()`\"'")
}
