package migrate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// pipeline carries out one job: one goroutine lists, one decides what may start, Concurrency
// workers take whole runs. Memory is bounded by the workers' chunks, a short queue, and what
// order keeps.
type pipeline struct {
	job    Job
	stages []transfer
	log    *slog.Logger

	mu     sync.Mutex // guards report and listed, and serialises Observe
	report Report
	all    bool
}

func newPipeline(job Job, stages []transfer) *pipeline {
	if job.Concurrency <= 0 {
		job.Concurrency = DefaultConcurrency
	}
	if job.Observe == nil {
		job.Observe = func(Event) {}
	}
	log := job.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &pipeline{job: job, stages: stages, log: log, report: Report{
		Started: time.Now(), Moved: map[Stage]Totals{}, Existed: map[Stage]int64{}, Notes: map[Code]int64{},
	}}
}

func (p *pipeline) run(ctx context.Context) (*Report, error) {
	var (
		listed   = make(chan RunInfo)
		work     = make(chan RunInfo)
		ended    = make(chan RunRef)
		listErr  error
		group, c = errgroup.WithContext(ctx)
	)
	group.Go(func() error {
		defer close(listed)
		listErr = p.list(c, listed)
		return nil // what was listed is still moved
	})
	group.Go(func() error {
		defer close(work)
		return p.dispatch(c, listed, work, ended)
	})
	for range p.job.Concurrency {
		group.Go(func() error { return p.work(c, work, ended) })
	}
	err := group.Wait()
	p.report.Ended = time.Now()
	if ctx.Err() != nil {
		return &p.report, context.Cause(ctx)
	}
	return &p.report, errors.Join(listErr, err)
}

// list sends the selected runs on.
func (p *pipeline) list(ctx context.Context, out chan<- RunInfo) error {
	for run, err := range p.stages[0].from.Runs(ctx, p.job.Selection) {
		if err != nil {
			return fmt.Errorf("list runs: %w", err)
		}
		run.Filter = p.job.Selection.Filter
		select {
		case out <- run:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// dispatch hands runs to the workers in the order that order allows. It takes no more from the
// listing than the workers can start, so that a long listing waits instead of piling up.
func (p *pipeline) dispatch(ctx context.Context, listed <-chan RunInfo, work chan<- RunInfo, ended <-chan RunRef) error {
	var (
		order    = newOrder()
		ready    []RunInfo
		inFlight int
	)
	for {
		if listed == nil && len(ready) == 0 && inFlight == 0 {
			run, waiting := order.unblock()
			if !waiting {
				return nil
			}
			p.log.Warn("runs are each other's parents; one goes first", "run", run.RunRef)
			ready = append(ready, run)
		}
		in, out, next := listed, work, RunInfo{}
		if len(ready) > 0 {
			next = ready[0]
		} else {
			out = nil
		}
		if len(ready) >= 2*p.job.Concurrency {
			in = nil
		}
		select {
		case run, open := <-in:
			if !open {
				listed = nil
				ready = append(ready, order.close()...)
				p.listedAll()
				continue
			}
			ready = append(ready, p.admit(order, run)...)
		case out <- next:
			ready = ready[1:]
			inFlight++
		case ref := <-ended:
			inFlight--
			ready = append(ready, order.end(ref)...)
		case <-ctx.Done():
			return nil
		}
	}
}

func (p *pipeline) admit(o *order, run RunInfo) []RunInfo {
	fresh, ready := o.add(run)
	if !fresh {
		p.log.Warn("run listed twice; the second is passed over", "run", run.RunRef)
		return nil
	}
	p.mu.Lock()
	p.report.Listed++
	p.mu.Unlock()
	return ready
}

func (p *pipeline) listedAll() {
	p.mu.Lock()
	p.all = true
	p.mu.Unlock()
}

func (p *pipeline) work(ctx context.Context, work <-chan RunInfo, ended chan<- RunRef) error {
	for run := range work {
		if err := p.move(ctx, run); err != nil {
			return err
		}
		select {
		case ended <- run.RunRef:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// move takes one run through all stages. Its error ends the job.
func (p *pipeline) move(ctx context.Context, run RunInfo) error {
	for _, stage := range p.stages {
		rep := p.transfer(ctx, stage, run)
		if rep.Err == nil {
			run.State = rep.State // what is partial here is partial further on
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if p.job.StopOnError || errors.Is(rep.Err, ErrFatal) {
			return fmt.Errorf("%s %s: %w", rep.Stage, rep.Run, rep.Err)
		}
		return nil
	}
	return nil
}

// transfer takes one run through one stage and reports it, unless ctx cut it short.
func (p *pipeline) transfer(ctx context.Context, stage transfer, run RunInfo) RunReport {
	start := RunReport{Run: run.RunRef, Stage: stage.stage, State: run.State}
	p.observe(Event{RunReport: start, Size: run.Size})
	var (
		totals Totals
		result Result
	)
	run, err := stage.known(ctx, run)
	var r RunReader
	if err == nil {
		r, err = stage.from.OpenRun(ctx, run)
	}
	var problems []Problem
	if err == nil {
		counted := newCountingReader(r, run.Filter, func(t Totals) {
			p.observe(Event{RunReport: start, Totals: t, Size: run.Size})
		})
		result, err = stage.put(ctx, run, counted)
		totals, problems = counted.totals(), r.Problems()
	}
	end := start
	end.Existed, end.Target, end.Err = result.Existed, result.Target, err
	end.Problems = append(problems, result.Problems...)
	for _, problem := range end.Problems {
		if problem.Code.Lossy() {
			end.State = Partial
		}
	}
	if err != nil && ctx.Err() != nil {
		return end
	}
	attrs := []any{"run", run.RunRef, "stage", stage.stage, "existed", end.Existed, "target", end.Target, "state", end.State}
	if err != nil {
		attrs = append(attrs, "err", err)
	}
	p.log.Info("run ended", attrs...)
	p.finish(end, totals, run.Size)
	return end
}

// known gives what is known of the run where it is read from. What the job and its earlier stages say of
// it stays.
func (t transfer) known(ctx context.Context, run RunInfo) (RunInfo, error) {
	if t.find == nil {
		return run, nil
	}
	found, err := t.find(ctx, run.RunRef)
	if err != nil {
		return run, err
	}
	found.Filter, found.Size = run.Filter, run.Size
	if run.State == Partial {
		found.State = Partial
	}
	return found, nil
}

// finish enters the outcome of a stage in the report and tells the observer.
func (p *pipeline) finish(end RunReport, totals Totals, size int64) {
	p.mu.Lock()
	switch moved := p.report.Moved[end.Stage]; {
	case end.Err != nil:
	case end.Existed:
		p.report.Existed[end.Stage]++
	default:
		totals.Runs = 1
		moved.add(totals)
		p.report.Moved[end.Stage] = moved
	}
	for _, problem := range end.Problems {
		if !problem.Code.Lossy() {
			p.report.Notes[problem.Code]++
		}
	}
	if end.Err != nil || end.State == Partial {
		p.report.Runs = append(p.report.Runs, end)
	}
	p.mu.Unlock()
	p.observe(Event{RunReport: end, Totals: totals, Size: size, Done: true})
}

func (p *pipeline) observe(e Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.Listed, e.All = p.report.Listed, p.all
	p.job.Observe(e)
}
