package main

import (
	"context"
	"errors"

	migrate "github.com/nexport-go/migrate"
)

// The exit codes; 0 is that everything was moved.
const (
	exitFailed       = 1   // the job, or some runs
	exitPartial      = 3   // finished, but something could not be moved
	exitUnauthorized = 4   // the server refused the credentials
	exitUsage        = 80  // as Kong has it
	exitInterrupted  = 130 // as shells have it
)

// coded is an error with its exit code.
type coded struct {
	error
	code int
}

func (c coded) Error() string { return shownLines(c.error.Error()) }
func (c coded) ExitCode() int { return c.code }
func (c coded) Unwrap() error { return c.error }

// errFailed and errPartial end a command whose report has said all.
var (
	errFailed  = errors.New("some runs failed; see the report")
	errPartial = coded{errors.New("some things could not be moved; see the report"), exitPartial}
)

var errInterrupted = errors.New("interrupted: nothing is lost; the same command again completes what is missing")

func usage(err error) error { return coded{err, exitUsage} }

// exitCoded gives a command's error its exit code.
func exitCoded(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return coded{errInterrupted, exitInterrupted}
	case errors.As(err, new(coded)):
		return err
	case errors.Is(err, migrate.ErrUnauthorized):
		return coded{err, exitUnauthorized}
	default:
		return coded{err, exitFailed}
	}
}

// exitCode is the code that main will end with for err.
func exitCode(ctx context.Context, err error) int {
	var c coded
	if errors.As(exitCoded(ctx, err), &c) {
		return c.code
	}
	return 0
}

// outcome turns a job's report and error into the command's error.
func outcome(report *migrate.Report, err error) error {
	switch failed := report.Err(); {
	case err != nil:
		return err
	case failed != nil && refused(report):
		return coded{errFailed, exitUnauthorized}
	case failed != nil:
		return coded{errFailed, exitFailed}
	case !report.Whole():
		return errPartial
	default:
		return nil
	}
}

// refused reports that all runs that failed were refused, and that no other got as far as they did:
// then it is the credentials, not the runs.
func refused(report *migrate.Report) bool {
	for _, run := range report.Runs {
		others := report.Moved[run.Stage].Runs + report.Existed[run.Stage]
		if run.Err != nil && (others > 0 || !errors.Is(run.Err, migrate.ErrUnauthorized)) {
			return false
		}
	}
	return true
}
