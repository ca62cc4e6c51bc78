package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	migrate "github.com/nexport-go/migrate"
)

// classes counts problems by code and keeps some of each, with different texts, as examples.
type classes map[migrate.Code]*class

type class struct {
	count    int64
	runs     byScope
	last     migrate.RunRef
	examples []example
}

type example struct {
	run     migrate.RunRef
	problem migrate.Problem
}

const maxExamples = 3

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
	alike := func(e example) bool { return e.problem.Text == p.Text }
	if len(c.examples) < maxExamples && !slices.ContainsFunc(c.examples, alike) {
		c.examples = append(c.examples, example{run, p})
	}
}

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
		for _, e := range c.examples {
			fmt.Fprintf(w, "    %s: %s\n", shown(e.run.String()), shownProblem(e.problem))
		}
		if more := c.count - int64(len(c.examples)); more > 0 {
			fmt.Fprintf(w, "    and %s more (--json lists all)\n", count(more))
		}
	}
}

func shownProblem(p migrate.Problem) string {
	if p.Path == "" {
		return shown(p.Text)
	}
	return shown(p.Path) + ": " + shown(p.Text)
}
