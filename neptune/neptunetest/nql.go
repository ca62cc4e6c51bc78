package neptunetest

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// condition says whether a run is among those a query asks for.
type condition func(*runIndex) bool

// Queries nest no deeper, so that no request can exhaust the stack.
const maxNesting = 1000

// parseNQL reads a query in the form that neptune-query 1.5 to 1.14 emits:
//
//	query := pred | group | "NOT (" query ")"
//	group := "(" query ")" { (" AND " | " OR ") "(" query ")" }     one operator a group
//	pred  := attr op string | attr "EXISTS"
//	attr  := "`" name "`" [":" type] | aggregate "(" attr ")"
//
// Beyond that it takes any white space, and predicates without parentheses in a group. A comparison with an
// attribute that a run lacks, or has in another type, is false, negative ones like != too: what real servers do there
// is not known.
func parseNQL(query string) (condition, error) {
	p := &nqlParser{rest: query}
	cond, err := p.group()
	if err != nil {
		return nil, err
	}
	if p.skip(); p.rest != "" {
		return nil, fmt.Errorf("not understood from %.40q on", p.rest)
	}
	return cond, nil
}

type nqlParser struct {
	rest  string
	depth int
}

func (p *nqlParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// take takes a symbol or a word, if it is next.
func (p *nqlParser) take(word string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.rest, word)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *nqlParser) group() (condition, error) {
	first, err := p.term()
	if err != nil {
		return nil, err
	}
	terms, operator := []condition{first}, ""
	for {
		next := ""
		switch {
		case p.take("AND"):
			next = "AND"
		case p.take("OR"):
			next = "OR"
		default:
			return join(terms, operator), nil
		}
		if operator != "" && next != operator {
			return nil, fmt.Errorf("AND and OR in one group without parentheses")
		}
		operator = next
		term, err := p.term()
		if err != nil {
			return nil, err
		}
		terms = append(terms, term)
	}
}

func join(terms []condition, operator string) condition {
	if len(terms) == 1 {
		return terms[0]
	}
	decides := operator == "OR" // the value of a term that decides the whole
	return func(ri *runIndex) bool {
		for _, t := range terms {
			if t(ri) == decides {
				return decides
			}
		}
		return !decides
	}
}

func (p *nqlParser) term() (condition, error) {
	not := p.take("NOT")
	if !p.take("(") {
		if not {
			return nil, fmt.Errorf("no parenthesis after NOT at %.40q", p.rest)
		}
		return p.predicate()
	}
	if p.depth++; p.depth > maxNesting {
		return nil, fmt.Errorf("more than %d levels", maxNesting)
	}
	cond, err := p.group()
	p.depth--
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, fmt.Errorf("a closing parenthesis is missing at %.40q", p.rest)
	}
	if not {
		return func(ri *runIndex) bool { return !cond(ri) }, nil
	}
	return cond, nil
}

// attribute is the left side of a comparison.
type attribute struct {
	name      string
	kind      string // API type; empty: any
	aggregate string // of a float series; empty: the last value
}

func (p *nqlParser) attribute() (a attribute, err error) {
	for _, mode := range []string{"last", "min", "max", "average", "variance"} {
		if p.take(mode + "(") {
			a.aggregate = mode
		}
	}
	if !p.take("`") {
		return a, fmt.Errorf("no attribute at %.40q", p.rest)
	}
	name, rest, ok := strings.Cut(p.rest, "`")
	if !ok {
		return a, fmt.Errorf("an attribute without end: %.40q", p.rest)
	}
	a.name, p.rest = name, rest
	if p.take(":") {
		n := strings.IndexFunc(p.rest, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
		if n < 0 {
			n = len(p.rest)
		}
		a.kind, p.rest = p.rest[:n], p.rest[n:]
		if !typeNames[a.kind] {
			return a, fmt.Errorf("unknown type %q", a.kind)
		}
	}
	if a.aggregate != "" && !p.take(")") {
		return a, fmt.Errorf("a closing parenthesis is missing at %.40q", p.rest)
	}
	return a, nil
}

// The longer of two that begin alike comes first.
var operators = []string{"==", "!=", ">=", "<=", ">", "<", "MATCHES", "CONTAINS", "NOT MATCHES", "NOT CONTAINS"}

func (p *nqlParser) predicate() (condition, error) {
	a, err := p.attribute()
	if err != nil {
		return nil, err
	}
	if p.take("EXISTS") {
		return func(ri *runIndex) bool { return a.of(ri) != nil }, nil
	}
	for _, op := range operators {
		if p.take(op) {
			literal, err := p.literal()
			if err != nil {
				return nil, err
			}
			return a.compare(op, literal)
		}
	}
	return nil, fmt.Errorf("no operator at %.40q", p.rest)
}

// literal reads a string in double quotes, in which only backslashes and quotes are escaped.
func (p *nqlParser) literal() (string, error) {
	if !p.take(`"`) {
		return "", fmt.Errorf("no string at %.40q", p.rest)
	}
	var out strings.Builder
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return out.String(), nil
		case c != '\\':
			out.WriteByte(c)
		case i+1 < len(p.rest) && (p.rest[i+1] == '\\' || p.rest[i+1] == '"'):
			i++
			out.WriteByte(p.rest[i])
		default:
			return "", fmt.Errorf("a backslash that escapes nothing: %.40q", p.rest[i:])
		}
	}
	return "", fmt.Errorf("a string without end: %.40q", p.rest)
}

// of returns the run's attribute if it has the type.
func (a attribute) of(ri *runIndex) *Attribute {
	found := ri.byPath[a.name]
	if found == nil || a.kind != "" && ri.typeName(found.Value) != a.kind {
		return nil
	}
	return found
}

// scalar returns what is compared: an int64, float64, string, bool, time.Time or StringSet; nil if there is none.
func (a attribute) scalar(ri *runIndex) any {
	found := a.of(ri)
	if found == nil {
		return nil
	}
	switch v := found.Value.(type) {
	case Int:
		return int64(v)
	case Float:
		return float64(v)
	case String:
		return string(v)
	case Bool:
		return bool(v)
	case Datetime:
		return time.UnixMilli(int64(v))
	case StringSet:
		return v
	case RunState:
		return string(v)
	case Artifact:
		return v.Hash
	case StringSeries:
		if p, ok := last(v); ok {
			return p.Value
		}
	case floats:
		if g := ri.aggregates(found); g.n > 0 {
			return map[string]float64{
				"": g.last, "last": g.last, "min": g.min, "max": g.max, "average": g.mean, "variance": g.variance,
			}[a.aggregate]
		}
	}
	return nil
}

// compare makes the condition of a comparison with a literal, which is always written as a string.
func (a attribute) compare(op, literal string) (condition, error) {
	operator, not := strings.CutPrefix(op, "NOT ")
	switch operator {
	case "MATCHES":
		return a.matches(literal, not)
	case "CONTAINS":
		return a.contains(literal, not)
	}
	want, err := readLiteral(a.kind, literal)
	if err != nil {
		return nil, err
	}
	return func(ri *runIndex) bool {
		have, right := a.scalar(ri), want
		if a.kind == "" {
			var err error
			if right, err = readLiteral(kindOf(have), literal); err != nil {
				return false
			}
		}
		return have != nil && ordered(op, have, right)
	}, nil
}

// matches finds the expression anywhere in a string.
func (a attribute) matches(pattern string, not bool) (condition, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	return func(ri *runIndex) bool {
		text, ok := a.scalar(ri).(string)
		return ok && re.MatchString(text) != not
	}, nil
}

// contains looks for a part of a string, or a member of a set.
func (a attribute) contains(part string, not bool) (condition, error) {
	if a.kind != "" && a.kind != "string" && a.kind != "stringSet" && a.kind != "stringSeries" {
		return nil, fmt.Errorf("CONTAINS for type %s", a.kind)
	}
	return func(ri *runIndex) bool {
		switch v := a.scalar(ri).(type) {
		case string:
			return strings.Contains(v, part) != not
		case StringSet:
			for _, member := range v {
				if member == part {
					return !not
				}
			}
			return not
		}
		return false
	}, nil
}

// kindOf is the type that a literal is read as to be compared with v.
func kindOf(v any) string {
	switch v.(type) {
	case int64:
		return "int"
	case float64:
		return "float"
	case bool:
		return "bool"
	case time.Time:
		return "datetime"
	}
	return "string"
}

// readLiteral reads the literal in the form of the type, or leaves it a string without one.
func readLiteral(kind, text string) (any, error) {
	switch kind {
	case "int":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
		return readFloat(text)
	case "float", "floatSeries":
		return readFloat(text)
	case "bool":
		switch strings.ToLower(text) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("%q is not a bool", text)
	case "datetime":
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return nil, fmt.Errorf("%q is not a time with offset", text)
		}
		return t, nil
	case "", "string", "stringSeries", "experimentState", "artifact":
		return text, nil
	}
	return nil, fmt.Errorf("type %s cannot be compared", kind)
}

func readFloat(text string) (any, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, fmt.Errorf("%q is not a number", text)
	}
	return f, nil
}

// ordered compares two scalars of one kind; NaN equals nothing.
func ordered(op string, have, want any) bool {
	if kindOf(have) != kindOf(want) && !bothNumbers(have, want) {
		return false
	}
	if isNaN(have) || isNaN(want) {
		return op == "!="
	}
	c := compareScalars(have, want)
	switch op {
	case "==":
		return c == 0
	case "!=":
		return c != 0
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	case "<":
		return c < 0
	default:
		return c <= 0
	}
}

func isNaN(v any) bool {
	f, ok := v.(float64)
	return ok && math.IsNaN(f)
}

func bothNumbers(a, b any) bool { return kindIsNumber(a) && kindIsNumber(b) }

func kindIsNumber(v any) bool { return kindOf(v) == "int" || kindOf(v) == "float" }
