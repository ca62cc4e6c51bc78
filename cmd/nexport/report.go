package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/mlflow"
)

// counts takes a report apart. Runs that are partial are among the moved or existing ones too.
func counts(r *migrate.Report) (moved migrate.Totals, existed, partial, failed int64) {
	for _, run := range r.Runs {
		if run.Err != nil {
			failed++
		} else {
			partial++
		}
	}
	return r.Moved[migrate.StageLoad], r.Existed[migrate.StageLoad], partial, failed
}

// print writes the report of a job, which may have ended with err, for people.
func (l *load) print(ctx context.Context, report *migrate.Report, err error) error {
	w := bufio.NewWriter(l.io.out)
	t, moved, left := l.tally, report.Moved[migrate.StageLoad], l.tally.left()
	switch {
	case l.cmd.DryRun && err != nil:
		fmt.Fprintln(w, "Dry run: nothing was written. There is no plan, because it cannot be made to the end.")
	case l.cmd.DryRun:
		printPlan(w, l.sink.Plan(), l.uri)
	default:
		fmt.Fprintf(w, "%s moved to %s in %s: %s, %s, %s (%s)\n", t.moved, l.uri, span(report.Ended.Sub(report.Started)),
			plural(moved.Attributes, "attribute"), plural(moved.Points, "point"), plural(moved.Files, "file"), size(moved.Bytes))
		printThings(w, t.existed, "there already")
	}
	printThings(w, t.partial, "partial: something could not be moved, see below")
	printThings(w, t.failed, "failed")
	printThings(w, left, "not reached")
	l.tally.classes.print(w, "Could not be moved:", true)
	l.tally.classes.print(w, "Notes (nothing is lost):", false)
	printFailures(w, report)
	switch {
	case l.cmd.DryRun:
	case t.failed.sum() > 0 || left.sum() > 0 || ctx.Err() != nil:
		fmt.Fprintln(w, "\nThe same command again leaves alone what is complete and moves the rest.")
	case strings.HasPrefix(l.uri, "sqlite:"):
		fmt.Fprintf(w, "\nSee them: mlflow server --backend-store-uri %s\n", quoted(l.uri))
	}
	return w.Flush()
}

func printPlan(w io.Writer, p mlflow.Plan, uri string) {
	if p.Unreachable {
		fmt.Fprintf(w, "Dry run: nothing was written, and NOTHING WAS CHECKED: %s could not be reached.\n", uri)
		fmt.Fprintf(w, "  %s\n", shown(strings.Join(strings.Fields(p.Cause), " ")))
		fmt.Fprintf(w, "What is there already, or in the way, is not known. Loading into an empty MLflow %s would create\n", p.Assumed)
	} else {
		fmt.Fprintf(w, "Dry run: nothing was written. Loading into %s would create\n", uri)
	}
	for _, line := range []struct {
		n    int64
		noun string
	}{
		{p.Experiments, "experiment"},
		{p.Runs, "run"},
		{p.Params, "param"},
		{p.Points, "metric point"},
		{p.Artifacts, "artifact"},
	} {
		fmt.Fprintf(w, "  %s\n", plural(line.n, line.noun))
	}
	noun := "request"
	if !strings.HasPrefix(uri, "http") {
		noun = "write"
	}
	fmt.Fprintf(w, "by %s with %s.\n", plural(p.Requests, noun), size(p.Bytes))
	printCount(w, p.Completed, "run", "there in part, to be completed")
	printCount(w, p.Existing, "run", "there already")
}

func printCount(w io.Writer, n int64, noun, text string) {
	if n > 0 {
		fmt.Fprintf(w, "%s %s\n", plural(n, noun), text)
	}
}

// printThings writes counts by scope, if there are any.
func printThings(w io.Writer, things byScope, text string) {
	if things.sum() > 0 {
		fmt.Fprintf(w, "%s %s\n", things, text)
	}
}

// maxFailures bounds the list of failed runs; --json has all of them.
const maxFailures = 50

func printFailures(w io.Writer, report *migrate.Report) {
	var n int64
	for _, run := range report.Runs {
		if run.Err == nil || errors.Is(run.Err, migrate.ErrFatal) { // the last message tells of a fatal one
			continue
		}
		if n++; n == 1 {
			fmt.Fprintln(w, "\nFailed:")
		}
		if n <= maxFailures {
			fmt.Fprintf(w, "  %s: %s\n", shown(run.Run.String()), oneLine(run.Err))
			if next := advice(run.Err); next != "" {
				fmt.Fprintf(w, "    %s\n", next)
			}
		}
	}
	if n > maxFailures {
		fmt.Fprintf(w, "  and %s more (--json lists all)\n", count(n-maxFailures))
	}
}

// advice says what to do about an error, if its text does not.
func advice(err error) string {
	switch {
	case errors.Is(err, migrate.ErrCorrupt):
		return "The file is damaged: put an undamaged copy in its place and load again."
	case errors.Is(err, context.DeadlineExceeded):
		return "The server took too long: load again when it is less busy, or with fewer --jobs."
	}
	return ""
}

// quoted is a word for a shell.
func quoted(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("/:._-", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

func oneLine(err error) string {
	return shown(strings.ReplaceAll(err.Error(), "\n", "; "))
}
