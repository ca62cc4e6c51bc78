package migrate

import (
	"context"
	"errors"
	"fmt"
)

// Run moves the selected runs, each from its parent on after the parent. The Report is never nil
// and has the runs that failed; the error means that the job stopped early: the listing broke
// off, ctx ended, a run met ErrFatal, or StopOnError and a run failed. Runs that ctx cut short are
// not in the Report; the next job completes them.
func Run(ctx context.Context, job Job) (*Report, error) {
	var stages []transfer
	from := job.Source
	if job.Source != nil && job.Store != nil {
		stages = append(stages, transfer{StageExport, job.Source, job.Store.PutRun})
	}
	if job.Store != nil {
		from = job.Store
	}
	if job.Sink != nil && from != nil {
		stages = append(stages, transfer{StageLoad, from, job.Sink.PutRun})
	}
	if len(stages) == 0 {
		return &Report{}, errors.New("a job needs two of source, store and sink")
	}
	return newPipeline(job, stages).run(ctx)
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
	return newPipeline(job, []transfer{{StageVerify, from, compare}}).run(ctx)
}

// transfer is one stage that every run of a job goes through.
type transfer struct {
	stage Stage
	from  Source
	put   func(context.Context, RunInfo, RunReader) (Result, error)
}
