package migrate

import (
	"errors"
	"fmt"
	"time"
)

// Stage is a step of a job.
type Stage string

// The stages.
const (
	StageExport Stage = "export"
	StageLoad   Stage = "load"
	StageVerify Stage = "verify"
)

// Totals counts what was read for the target, each attribute once.
type Totals struct {
	Runs       int64 `json:"runs"`
	Attributes int64 `json:"attributes"`
	Points     int64 `json:"points"`
	Files      int64 `json:"files"`
	Bytes      int64 `json:"bytes"` // of files
}

func (t *Totals) add(o Totals) {
	t.Runs += o.Runs
	t.Attributes += o.Attributes
	t.Points += o.Points
	t.Files += o.Files
	t.Bytes += o.Bytes
}

// Report is the outcome of a job. It counts all runs and lists those that failed or are not whole.
type Report struct {
	Started time.Time
	Ended   time.Time
	Listed  int64            // runs selected
	Moved   map[Stage]Totals // runs moved now; those that failed are not among them
	Existed map[Stage]int64  // runs the target held already
	Notes   map[Code]int64   // Problems that are not losses
	Runs    []RunReport
}

// Err joins the errors of the runs that failed; nil if none did.
func (r *Report) Err() error {
	var errs []error
	for _, run := range r.Runs {
		if run.Err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", run.Stage, run.Run, run.Err))
		}
	}
	return errors.Join(errs...)
}

// Whole reports whether every run is at its target with nothing lost.
func (r *Report) Whole() bool { return len(r.Runs) == 0 }

// RunReport is the outcome of one stage of one run.
type RunReport struct {
	Run      RunRef
	Stage    Stage
	Existed  bool
	State    State  // Partial if anything was lost
	Target   string // as the sink named it
	Problems []Problem
	Err      error
}

// Event is the progress of a run: when a stage of it starts, at most ten times a second, and when
// it ends (Done). Only the last one has the outcome.
type Event struct {
	RunReport
	Totals Totals // of this stage of this run
	Done   bool
	Size   int64 // RunInfo.Size
	Listed int64 // runs selected so far
	All    bool  // the listing has ended: Listed is final
}
