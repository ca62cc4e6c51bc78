package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
)

func event(id string, done bool, points, size int64) migrate.Event {
	e := migrate.Event{Done: done, Totals: migrate.Totals{Points: points}, Size: size}
	e.Run.ID = id
	return e
}

func TestTally(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tally := newTally(&listing{scopes: byScope{migrate.ScopeRun: 4}, size: 100})
		existed := event("a", true, 0, 40)
		existed.Existed = true
		failed := event("b", true, 5, 10)
		failed.Err = errors.New("boom")
		for _, e := range []migrate.Event{existed, event("b", false, 3, 10), failed, event("c", false, 7, 30)} {
			tally.observe(e)
		}
		time.Sleep(2 * time.Second) // the bubble's clock
		got := tally.now()
		if got.ended != 2 || got.failed != 1 || got.runs.sum() != 4 || got.sum.Points != 12 {
			t.Errorf("state %+v", got)
		}
		if got.left != 0 {
			t.Errorf("time left %s, though nothing was moved yet", got.left)
		}
		tally.observe(event("c", true, 8, 30))
		got = tally.now()
		// 30 bytes took two seconds, 20 are left.
		if want := 2 * time.Second * 20 / 30; got.left.Round(time.Millisecond) != want.Round(time.Millisecond) {
			t.Errorf("time left %s, want %s", got.left, want)
		}
		if got, want := got.details(), "13 points (6/s), 1 failed, about 1.3s left"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestAdvanceCountsScopesTogether(t *testing.T) {
	run, model, version := migrate.ScopeRun, migrate.ScopeModel, migrate.ScopeModelVersion
	for want, runs := range map[string]byScope{
		"62 of 68 (55 runs, 4 models and 9 model versions)": {run: 55, model: 4, version: 9},
		"62 of 70 runs": {run: 70, model: 0},
	} {
		if got := (state{ended: 62, runs: runs}).advance(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestClassesKeepDifferentExamples(t *testing.T) {
	cs := classes{}
	for i, n := range []int{1, 1, 2, 3, 4, 1} {
		text := fmt.Sprintf(`stored as "a \"b\" %c", %d`, 'a'+n, n)
		cs.add(migrate.RunRef{ID: string(rune('a' + i/2))}, migrate.Problem{Code: migrate.CodeRenamed, Text: text})
	}
	c := cs[migrate.CodeRenamed]
	if len(c.sorts) != 1 || len(c.sorts[0].examples) != maxExamples {
		t.Errorf("sorts %+v, want one with %d examples", c.sorts, maxExamples)
	}
	if c.count != 6 || c.runs.sum() != 3 {
		t.Errorf("%d problems in %s, want 6 in 3 runs", c.count, c.runs)
	}
}

// What is rare is shown too, however much there is of something else.
func TestClassesShowEverySort(t *testing.T) {
	cs := classes{}
	suspect := func(id, path, text string) {
		cs.add(migrate.RunRef{Project: "p", ID: id}, migrate.Problem{Path: path, Code: migrate.CodeSuspect, Text: text})
	}
	for range 200 {
		suspect("a", "x", "no value")
	}
	suspect("a", "y", `shares "f1" with "x"`)
	suspect("b", "y", `shares "f2" with "x"`)
	suspect("b", "z", "integers such as -12 may be rounded")
	var out strings.Builder
	cs.print(&out, "", false)
	_, got, _ := strings.Cut(out.String(), "\n")
	want := `    200 like p/a: x: no value
    2 like p/a: y: shares "f1" with "x"
    p/b: z: integers such as -12 may be rounded
    (--json lists all)
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestClassesAreBounded(t *testing.T) {
	cs := classes{}
	for i := range 1000 {
		cs.add(migrate.RunRef{ID: "a"}, migrate.Problem{Code: migrate.CodeMissing, Text: strings.Repeat("x", i)})
	}
	var out strings.Builder
	cs.print(&out, "", true)
	if c := cs[migrate.CodeMissing]; len(c.sorts) != maxSorts || !strings.Contains(out.String(), "and 980 of other sorts") {
		t.Errorf("%d sorts:\n%s", len(c.sorts), out.String())
	}
}
