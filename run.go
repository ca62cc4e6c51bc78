package migrate

import (
	"context"
	"errors"
	"fmt"
)

// Run moves the selected runs, each from its parent on after the parent. The Report is never nil
// and has the runs that failed; the error means that the job stopped early: the listing broke
// off, ctx ended, a run met ErrFatal, StopOnError and a run failed, or a Finisher failed. Runs that ctx cut short are
// not in the Report; the next job completes them.
func Run(ctx context.Context, job Job) (*Report, error) {
	var stages []transfer
	from := job.Source
	if job.Source != nil && job.Store != nil {
		stages = append(stages, transfer{stage: StageExport, from: job.Source, put: job.Store.PutRun})
	}
	if job.Store != nil {
		from = job.Store
	}
	if job.Sink != nil && from != nil {
		load := transfer{stage: StageLoad, from: from, put: job.Sink.PutRun}
		if finder, ok := job.Store.(Finder); ok && len(stages) > 0 {
			load.find = finder.Run
		}
		stages = append(stages, load)
	}
	if len(stages) == 0 {
		return &Report{}, errors.New("a job needs two of source, store and sink")
	}
	report, err := newPipeline(job, stages).run(ctx)
	if finisher, ok := job.Sink.(Finisher); ok && err == nil {
		err = finisher.Finish(ctx)
	}
	return report, err
}

// Verify compares instead of moving: Source with Store, Store (or else Source) with Sink, or a
// Store alone with its own records. The side compared with must be a Verifier. What differs makes
// a run Partial in the Report.
func Verify(ctx context.Context, job Job) (*Report, error) {
	from, against := job.Source, Sink(job.Store)
	if job.Sink != nil {
		against = job.Sink
	}
	if job.Store != nil && (from == nil || job.Sink != nil) {
		from = job.Store
	}
	verifier, ok := against.(Verifier)
	if !ok || from == nil {
		return &Report{}, fmt.Errorf("%T cannot verify", against)
	}
	compare := func(ctx context.Context, run RunInfo, r RunReader) (Result, error) {
		problems, err := verifier.VerifyRun(ctx, run, r)
		return Result{Problems: problems}, err
	}
	return newPipeline(job, []transfer{{stage: StageVerify, from: from, put: compare}}).run(ctx)
}

// transfer is one stage that every run of a job goes through.
type transfer struct {
	stage Stage
	from  Source
	put   func(context.Context, RunInfo, RunReader) (Result, error)
	find  func(context.Context, RunRef) (RunInfo, error) // not nil: what to know of a run is asked here
}
