package main

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	migrate "github.com/nexport-go/migrate"
)

// exportView is what is known of an export while it runs: a tally for each stage, the projects, and
// what of each run is being read.
type exportView struct {
	stages   map[migrate.Stage]*tally
	from     string // what is exported from
	projects int

	mu        sync.Mutex
	seen      int // projects that were listed
	project   string
	class     map[migrate.RunRef]string
	outOfDate map[migrate.RunRef]bool
}

func newExportView(from string, projects int) *exportView {
	v := &exportView{
		stages: map[migrate.Stage]*tally{}, from: from, projects: projects,
		class: map[migrate.RunRef]string{}, outOfDate: map[migrate.RunRef]bool{},
	}
	for _, stage := range []migrate.Stage{migrate.StageExport, migrate.StageLoad} {
		v.stages[stage] = newTally(&listing{})
	}
	return v
}

// listed takes the runs of one more project.
func (v *exportView) listed(project string, runs byScope, size int64) {
	for _, t := range v.stages {
		t.expect(runs, size)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seen, v.project = v.seen+1, project
}

func (v *exportView) observe(e migrate.Event) {
	v.stages[e.Stage].observe(e)
	if e.Done && e.Stage == migrate.StageExport {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.class, e.Run)
	}
}

func (v *exportView) outdated(run migrate.RunRef) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.outOfDate[run] = true
}

// takeOutdated reports whether the run is outdated, once.
func (v *exportView) takeOutdated(run migrate.RunRef) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	outdated := v.outOfDate[run]
	delete(v.outOfDate, run)
	return outdated
}

// watch makes a reader tell which class of data is being read.
func (v *exportView) watch(run migrate.RunRef, r migrate.RunReader) migrate.RunReader {
	return &watchedReader{r, func(class string) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.class[run] = class
	}}
}

type watchedReader struct {
	migrate.RunReader
	tell func(class string)
}

// Chunks yields what the reader does.
func (r *watchedReader) Chunks(ctx context.Context, want migrate.Want) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) {
		var last migrate.Kind
		for chunk, err := range r.RunReader.Chunks(ctx, want) {
			if err == nil && chunk.Kind != last {
				last = chunk.Kind
				r.tell(classOf(last))
			}
			if !yield(chunk, err) {
				return
			}
		}
	}
}

// maxLanes is the most runs that are shown one by one.
const maxLanes = 8

// show shows the progress until stop is called.
func (v *exportView) show(term *terminal, stages []migrate.Stage, jobs int) (stop func()) {
	if term.still {
		return func() {}
	}
	if term.tty {
		return v.showBars(term, stages, min(jobs, maxLanes))
	}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		every(lineEvery, done, func() {
			for _, stage := range stages {
				fmt.Fprintln(term, v.line(stage))
			}
		})
	}()
	return func() {
		close(done)
		<-gone
	}
}

func (v *exportView) line(stage migrate.Stage) string {
	s := v.stages[stage].now()
	text := fmt.Sprintf("%s: %s of %s", v.title(stage), count(s.ended), s.runs)
	if of := v.place(); of != "" {
		text += " of " + of
	}
	return text + ", " + s.details()
}

// title is what a stage is called.
func (v *exportView) title(stage migrate.Stage) string {
	if stage == migrate.StageExport {
		return string(stage) + " from " + v.from
	}
	return string(stage)
}

// place says which project it is, if there are several.
func (v *exportView) place() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.seen == 0:
		return "no project yet"
	case v.projects == 1:
		return ""
	}
	return fmt.Sprintf("project %d/%d, %s", v.seen, v.projects, short(shown(v.project), maxShownID))
}

func (v *exportView) showBars(term *terminal, stages []migrate.Stage, lanes int) (stop func()) {
	p := mpb.New(mpb.WithOutput(term.file), mpb.WithWidth(24), mpb.WithRefreshRate(200*time.Millisecond))
	var bars []*mpb.Bar
	for _, stage := range stages {
		bars = append(bars, v.bar(p, stage))
	}
	for i := range lanes {
		bars = append(bars, p.New(1, mpb.NopStyle(), mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return v.lane(i, stages) }))))
	}
	term.through(p)
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		every(200*time.Millisecond, done, func() {
			for i, stage := range stages {
				s := v.stages[stage].now()
				bars[i].SetTotal(s.runs.sum()+1, false) // never full: it would not be drawn any more
				bars[i].SetCurrent(s.ended)
			}
		})
	}()
	return func() {
		close(done)
		<-gone
		term.through(term.file)
		for _, bar := range bars {
			bar.Abort(true) // the report takes their place
		}
		p.Wait()
	}
}

func (v *exportView) bar(p *mpb.Progress, stage migrate.Stage) *mpb.Bar {
	return p.New(0, mpb.BarStyle(), // of a total that changes
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
			s := v.stages[stage].now()
			return fmt.Sprintf("%s %s/%s %s ", v.title(stage), count(s.ended), count(s.runs.sum()), s.runs.nouns())
		})),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			text := " " + v.stages[stage].now().details()
			if of := v.place(); of != "" && stage == migrate.StageExport {
				text += ", " + of
			}
			return text
		})),
	)
}

// lane describes the i-th of the runs that are being moved.
func (v *exportView) lane(i int, stages []migrate.Stage) string {
	for _, stage := range stages {
		runs := v.stages[stage].inFlight()
		if i < len(runs) {
			return v.flight(stage, runs[i])
		}
		i -= len(runs)
	}
	return ""
}

func (v *exportView) flight(stage migrate.Stage, run flight) string {
	name := titled(run.ref)
	if v.projects > 1 {
		name = run.ref.String()
	}
	parts := []string{string(stage) + " " + short(shown(name), maxShownID)}
	v.mu.Lock()
	if class := v.class[run.ref]; class != "" && stage == migrate.StageExport {
		parts = append(parts, class)
	}
	v.mu.Unlock()
	if run.totals.Points > 0 {
		parts = append(parts, plural(run.totals.Points, "point"))
	}
	if run.totals.Files > 0 {
		parts = append(parts, plural(run.totals.Files, "file")+" "+size(run.totals.Bytes))
	}
	return "  " + strings.Join(parts, ", ")
}

// flight is a run that is being moved.
type flight struct {
	ref    migrate.RunRef
	totals migrate.Totals
}

// inFlight are the runs that are being moved, in a fixed order.
func (t *tally) inFlight() (runs []flight) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ref, totals := range t.flying {
		runs = append(runs, flight{ref, totals})
	}
	slices.SortFunc(runs, func(a, b flight) int { return strings.Compare(a.ref.String(), b.ref.String()) })
	return runs
}
