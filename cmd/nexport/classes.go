package main

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"

	migrate "github.com/nexport-go/migrate"
)

// classes counts problems by code, and those of a code by sort.
type classes map[migrate.Code]*class

type class struct {
	count int64
	runs  byScope
	last  migrate.RunRef
	sorts []*sort // as they came, at most maxSorts
}

// sort is the problems of a code whose texts differ only in names and numbers. A Problem has no
// field that tells this, and needs none: what is told apart here is only what people read.
type sort struct {
	form     string
	count    int64
	examples []example // with different texts
}

type example struct {
	run     migrate.RunRef
	problem migrate.Problem
}

const (
	maxExamples = 3  // of a sort
	maxSorts    = 20 // of a code; texts with errors of a system may differ in anything
)

// add takes a problem of run; those of one run follow each other.
func (cs classes) add(run migrate.RunRef, p migrate.Problem) {
	c := cs[p.Code]
	if c == nil {
		c = &class{runs: byScope{}}
		cs[p.Code] = c
	}
	if c.count == 0 || c.last != run {
		c.runs[run.Scope]++
		c.last = run
	}
	c.count++
	if s := c.sort(form(p.Text)); s != nil {
		s.add(example{run, p})
	}
}

// sort finds or makes the sort of a form; nil if there are too many.
func (c *class) sort(form string) *sort {
	for _, s := range c.sorts {
		if s.form == form {
			return s
		}
	}
	if len(c.sorts) == maxSorts {
		return nil
	}
	c.sorts = append(c.sorts, &sort{form: form})
	return c.sorts[len(c.sorts)-1]
}

func (s *sort) add(e example) {
	s.count++
	alike := func(o example) bool { return o.problem.Text == e.problem.Text }
	if len(s.examples) < maxExamples && !slices.ContainsFunc(s.examples, alike) {
		s.examples = append(s.examples, e)
	}
}

var particular = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|-?\b[0-9][0-9.,]*`)

// form is a text without what is particular to one attribute: quoted names, and numbers.
func form(text string) string { return particular.ReplaceAllLiteralString(text, "…") }

func (cs classes) counts() map[migrate.Code]int64 {
	counts := map[migrate.Code]int64{}
	for code, c := range cs {
		counts[code] = c.count
	}
	return counts
}

// meanings says what each code means to the user, losses first.
var meanings = []struct {
	code migrate.Code
	text string
}{
	{migrate.CodeMissing, "the archive announces it, but does not have it: look for it in another copy of the archive"},
	{migrate.CodeUnreadable, "the archive has it, but it cannot be read: look for it in another copy of the archive"},
	{migrate.CodeUnsupported, "MLflow has no place for it; it stays in the archive"},
	{migrate.CodeDiffers, "MLflow holds something else"},
	{migrate.CodeRenamed, "MLflow does not allow the name; nexport.jsonl of the run has the original"},
	{migrate.CodeShortened, "too long for a param; the whole text is an artifact of the run"},
	{migrate.CodeMerged, "several steps became one; nexport.jsonl has the exact ones (or use a larger --step-multiplier)"},
	{migrate.CodeApproximate, "MLflow cannot hold it exactly; nexport.jsonl of the run has the exact value"},
	{migrate.CodeSuspect, "it looks wrong or is ambiguous in the archive, or MLflow has it twice; it is taken as it is"},
	{migrate.CodeElsewhere, "Neptune names these files but never held them; what it knows of them is there"},
	{migrate.CodeDetail, "what Neptune says of attributes beside their values, such as units"},
}

// print writes the losses or the notes under a title, nothing if there are none.
func (cs classes) print(w io.Writer, title string, lossy bool) { cs.printAs(w, title, lossy, nil) }

// printAs is print with other meanings for some codes.
func (cs classes) printAs(w io.Writer, title string, lossy bool, others map[migrate.Code]string) {
	for _, m := range meanings {
		c := cs[m.code]
		if c == nil || m.code.Lossy() != lossy {
			continue
		}
		if title != "" {
			fmt.Fprintf(w, "\n%s\n", title)
			title = ""
		}
		text := cmp.Or(others[m.code], m.text)
		fmt.Fprintf(w, "  %s: %s in %s; %s\n", m.code, count(c.count), c.runs, text)
		c.printExamples(w)
	}
}

// printExamples shows some problems, one of each sort if there are several.
func (c *class) printExamples(w io.Writer) {
	if len(c.sorts) > 1 {
		c.printSorts(w)
		return
	}
	examples := c.sorts[0].examples
	for _, e := range examples {
		fmt.Fprintf(w, "    %s\n", e)
	}
	if more := c.count - int64(len(examples)); more > 0 {
		fmt.Fprintf(w, "    and %s more (--json lists all)\n", count(more))
	}
}

func (c *class) printSorts(w io.Writer) {
	others := c.count
	for _, s := range c.sorts {
		others -= s.count
		like := ""
		if s.count > 1 {
			like = count(s.count) + " like "
		}
		fmt.Fprintf(w, "    %s%s\n", like, s.examples[0])
	}
	if others > 0 {
		fmt.Fprintf(w, "    and %s of other sorts\n", count(others))
	}
	if c.count > int64(len(c.sorts)) {
		fmt.Fprintf(w, "    (--json lists all)\n")
	}
}

func (e example) String() string { return shown(e.run.String()) + ": " + shownProblem(e.problem) }

func shownProblem(p migrate.Problem) string {
	if p.Path == "" {
		return shown(p.Text)
	}
	return shown(p.Path) + ": " + shown(p.Text)
}
