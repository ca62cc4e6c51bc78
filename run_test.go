package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
)

func ref(id string) migrate.RunRef { return migrate.RunRef{Project: "ws/p", ID: id} }

func ints(path string, values ...int64) migrate.Chunk {
	return migrate.Chunk{Path: path, Kind: migrate.KindInt, Values: migrate.Ints(values)}
}

func series(path string, values ...float64) migrate.Chunk {
	c := migrate.Chunk{Path: path, Kind: migrate.KindFloatSeries, Values: migrate.Floats(values)}
	for i := range values {
		c.Steps, c.Times = append(c.Steps, migrate.Step(i)*migrate.StepUnit), append(c.Times, int64(i))
	}
	return c
}

// forest has n runs, each third one a child of the run after it, and its share of orphans.
func forest(n int) *migratetest.Memory {
	m := &migratetest.Memory{}
	for i := range n {
		info := migrate.RunInfo{RunRef: ref(fmt.Sprintf("%04d", i))}
		switch i % 3 {
		case 0:
			info.Parent = fmt.Sprintf("%04d", i+1)
		case 2:
			info.Parent = "gone"
		}
		m.Add(migratetest.Run{Info: info, Chunks: []migrate.Chunk{ints("i", int64(i)), series("s", 1, 2, 3)}})
	}
	return m
}

// recorder is a Sink that checks what Run promises to sinks.
type recorder struct {
	t        *testing.T
	put      func(migrate.RunInfo) error
	mu       sync.Mutex
	ended    map[migrate.RunRef]bool
	running  map[migrate.RunRef]bool
	parents  migrate.Source
	finished int
	finish   error
}

func (r *recorder) PutRun(ctx context.Context, run migrate.RunInfo, body migrate.RunReader) (migrate.Result, error) {
	r.mu.Lock()
	if r.running[run.RunRef] {
		r.t.Errorf("%s put twice at a time", run.RunRef)
	}
	parent := migrate.RunInfo{RunRef: ref(run.Parent)}
	if _, err := r.parents.OpenRun(ctx, parent); err == nil && !r.ended[parent.RunRef] {
		r.t.Errorf("%s put before its parent ended", run.RunRef)
	}
	r.running[run.RunRef] = true
	r.mu.Unlock()
	var err error
	for _, e := range body.Chunks(ctx, nil) {
		err = errors.Join(err, e)
	}
	if r.put != nil {
		err = errors.Join(err, r.put(run))
	}
	r.mu.Lock()
	r.ended[run.RunRef] = true
	r.mu.Unlock()
	return migrate.Result{Target: "t/" + run.ID}, err
}

// Finish is called when no run is under way any more.
func (r *recorder) Finish(context.Context) error {
	if len(r.running) != len(r.ended) {
		r.t.Errorf("%d of %d runs have ended", len(r.ended), len(r.running))
	}
	r.finished++
	return r.finish
}

func newRecorder(t *testing.T, from migrate.Source, put func(migrate.RunInfo) error) *recorder {
	return &recorder{t: t, put: put, parents: from, ended: map[migrate.RunRef]bool{}, running: map[migrate.RunRef]bool{}}
}

func TestRunMovesParentsFirst(t *testing.T) {
	store := forest(203)
	sink := newRecorder(t, store, nil)
	var done, busy int
	report, err := migrate.Run(t.Context(), migrate.Job{
		Store: store, Sink: sink, Concurrency: 8,
		Observe: func(e migrate.Event) {
			if busy++; busy != 1 {
				t.Error("two calls of Observe at a time")
			}
			if e.Done {
				done++
			}
			busy--
		},
	})
	if err != nil || report.Err() != nil || !report.Whole() {
		t.Fatalf("err %v, report %+v", err, report)
	}
	want := migrate.Totals{Runs: 203, Attributes: 406, Points: 609}
	if diff := cmp.Diff(want, report.Moved[migrate.StageLoad]); diff != "" {
		t.Error(diff)
	}
	if sink.finished != 1 {
		t.Errorf("finished %d times", sink.finished)
	}
	if len(sink.ended) != 203 || done != 203 || report.Listed != 203 {
		t.Errorf("%d runs put, %d events, %d listed; want 203", len(sink.ended), done, report.Listed)
	}
}

// TestRunTellsWhatIsStored: the source knows of a later version than the store has.
func TestRunTellsWhatIsStored(t *testing.T) {
	day := time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)
	filter := migrate.Filter{Kinds: []migrate.Kind{migrate.KindInt}}
	for name, c := range map[string]struct {
		wrap func(migrate.Store) migrate.Store
		want time.Time
	}{
		"by a finder":    {func(s migrate.Store) migrate.Store { return s }, day},
		"without finder": {func(s migrate.Store) migrate.Store { return struct{ migrate.Store }{s} }, day.Add(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			source, store := forest(1), forest(1)
			for memory, modified := range map[*migratetest.Memory]time.Time{source: day.Add(time.Hour), store: day} {
				run, _ := memory.Get(ref("0000"))
				run.Info.Modified, run.Info.State = modified, migrate.Complete
				memory.Add(run)
			}
			var got migrate.RunInfo
			sink := newRecorder(t, source, func(run migrate.RunInfo) error {
				got = run
				return nil
			})
			report, err := migrate.Run(t.Context(), migrate.Job{
				Source: source, Store: c.wrap(store), Sink: sink, Selection: migrate.Selection{Filter: filter},
			})
			if err != nil || report.Err() != nil || report.Existed[migrate.StageExport] != 1 {
				t.Fatalf("error %v, report %+v", err, report)
			}
			if !got.Modified.Equal(c.want) || !cmp.Equal(got.Filter.Kinds, filter.Kinds) {
				t.Errorf("the sink was told %+v, want a run of %s", got, c.want)
			}
		})
	}
}

// TestRunLosesStored: a store that does not find what it took fails the run, not the job.
func TestRunLosesStored(t *testing.T) {
	source := forest(3)
	report, err := migrate.Run(t.Context(), migrate.Job{
		Source: source, Store: &forgetful{}, Sink: newRecorder(t, &migratetest.Memory{}, nil),
	})
	if err != nil || len(report.Runs) != 3 || !errors.Is(report.Err(), migrate.ErrNotFound) {
		t.Errorf("error %v, report %+v", err, report)
	}
}

// forgetful is a store that finds nothing.
type forgetful struct{ migratetest.Memory }

func (s *forgetful) Run(ctx context.Context, ref migrate.RunRef) (migrate.RunInfo, error) {
	return (&migratetest.Memory{}).Run(ctx, ref)
}

func TestRunCollectsFailures(t *testing.T) {
	store := forest(30)
	boom := errors.New("boom")
	sink := newRecorder(t, store, func(run migrate.RunInfo) error {
		if run.ID == "0004" {
			return boom
		}
		return nil
	})
	report, err := migrate.Run(t.Context(), migrate.Job{Store: store, Sink: sink})
	if err != nil || len(sink.ended) != 30 {
		t.Fatalf("err %v, %d runs put", err, len(sink.ended))
	}
	if !errors.Is(report.Err(), boom) || len(report.Runs) != 1 || report.Runs[0].Run != ref("0004") {
		t.Errorf("report lists %+v", report.Runs)
	}
	if got := report.Moved[migrate.StageLoad].Runs; got != 29 {
		t.Errorf("%d runs moved, want 29", got)
	}
}

func TestRunEndsEarly(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		job migrate.Job
		err error
	}{
		"fatal":         {migrate.Job{}, fmt.Errorf("%w: %w", migrate.ErrFatal, boom)},
		"stop on error": {migrate.Job{StopOnError: true}, boom},
	} {
		t.Run(name, func(t *testing.T) {
			c.job.Store = forest(300)
			sink := newRecorder(t, c.job.Store, func(migrate.RunInfo) error { return c.err })
			c.job.Sink = sink
			report, err := migrate.Run(t.Context(), c.job)
			if !errors.Is(err, boom) {
				t.Errorf("err %v, want boom", err)
			}
			if len(sink.ended) >= 300 || len(report.Runs) == 0 || sink.finished != 0 {
				t.Errorf("%d runs put, %d reported, finished %d times", len(sink.ended), len(report.Runs), sink.finished)
			}
		})
	}
}

func TestRunCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	store := forest(300)
	sink := newRecorder(t, store, func(migrate.RunInfo) error { cancel(why); return ctx.Err() })
	report, err := migrate.Run(ctx, migrate.Job{Store: store, Sink: sink})
	if !errors.Is(err, why) {
		t.Errorf("err %v, want the cause", err)
	}
	if report.Err() != nil || sink.finished != 0 {
		t.Errorf("runs that were cut short are no failures: %v; finished %d times", report.Err(), sink.finished)
	}
}

func TestRunFinishes(t *testing.T) {
	store := forest(3)
	sink := newRecorder(t, store, func(migrate.RunInfo) error { return errors.New("of one run") })
	sink.finish = errors.New("of all")
	report, err := migrate.Run(t.Context(), migrate.Job{Store: store, Sink: sink})
	if !errors.Is(err, sink.finish) || report.Err() == nil {
		t.Errorf("err %v, report %+v", err, report)
	}
}

// brokenListing ends with an error after the runs of the Memory.
type brokenListing struct{ *migratetest.Memory }

var errListing = errors.New("listing broke")

func (b brokenListing) Runs(ctx context.Context, sel migrate.Selection) iter.Seq2[migrate.RunInfo, error] {
	return func(yield func(migrate.RunInfo, error) bool) {
		for run, err := range b.Memory.Runs(ctx, sel) {
			if !yield(run, err) {
				return
			}
		}
		yield(migrate.RunInfo{}, errListing)
	}
}

func TestRunBrokenListing(t *testing.T) {
	store := forest(30)
	sink := newRecorder(t, store, nil)
	_, err := migrate.Run(t.Context(), migrate.Job{Store: brokenListing{store}, Sink: sink})
	if !errors.Is(err, errListing) || len(sink.ended) != 30 {
		t.Errorf("err %v, %d runs put; want all 30 and the error", err, len(sink.ended))
	}
}

func TestRunThroughStore(t *testing.T) {
	source, store, sink := forest(20), &migratetest.Memory{}, &migratetest.Memory{}
	bad := migratetest.Run{
		Info:     migrate.RunInfo{RunRef: ref("bad")},
		Problems: []migrate.Problem{{Path: "x", Code: migrate.CodeUnreadable}, {Path: "y", Code: migrate.CodeRenamed}},
	}
	source.Add(bad)
	source.Add(migratetest.Run{Info: migrate.RunInfo{RunRef: ref("cut")}, Err: errors.New("cut off")})
	job := migrate.Job{Source: source, Store: store, Sink: sink}
	report, err := migrate.Run(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	if got := report.Moved[migrate.StageLoad].Runs; got != 21 {
		t.Errorf("%d runs loaded, want 21", got)
	}
	if _, there := sink.Get(ref("cut")); there {
		t.Error("a run that was cut off was loaded")
	}
	if len(report.Runs) != 3 || report.Notes[migrate.CodeRenamed] != 1 {
		t.Errorf("runs %+v, notes %v; want bad's export and load, cut's export, one note", report.Runs, report.Notes)
	}
	again, err := migrate.Run(t.Context(), job)
	if err != nil || again.Existed[migrate.StageExport] != 20 || again.Moved[migrate.StageExport].Runs != 1 {
		t.Errorf("again: %v, existed %v, moved %v", err, again.Existed, again.Moved)
	}
	verified, err := migrate.Verify(t.Context(), migrate.Job{Source: source, Store: store, Selection: migrate.Selection{Runs: []migrate.RunRef{ref("0001"), ref("cut")}}})
	if err != nil || len(verified.Runs) != 1 || verified.Runs[0].Run != ref("cut") {
		t.Errorf("verify: %v, %+v", err, verified.Runs)
	}
}

func TestRunFilter(t *testing.T) {
	source, sink := forest(1), &migratetest.Memory{}
	job := migrate.Job{Source: source, Sink: sink}
	job.Selection.Filter.Kinds = []migrate.Kind{migrate.KindInt}
	if _, err := migrate.Run(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	run, _ := sink.Get(ref("0000"))
	if len(run.Chunks) != 1 || run.Chunks[0].Path != "i" {
		t.Errorf("filtered run has %+v", run.Chunks)
	}
}

func TestRunNeedsTwoSides(t *testing.T) {
	for _, job := range []migrate.Job{{}, {Store: forest(1)}, {Sink: forest(1)}, {Source: forest(1)}} {
		if _, err := migrate.Run(t.Context(), job); err == nil {
			t.Errorf("no error for %+v", job)
		}
	}
}
