package main

import (
	"maps"
	"sync"
	"time"

	migrate "github.com/nexport-go/migrate"
)

// tally adds up a job's events: what the progress shows meanwhile, and the report at the end.
type tally struct {
	mu       sync.Mutex
	start    time.Time
	runs     byScope // selected
	size     int64   // of them
	ended    int64
	moved    byScope // those that ended; partial ones are among the moved and existing ones too
	existed  byScope
	partial  byScope
	failed   byScope
	sizeDone int64 // of runs that were moved now
	sizeLeft int64
	done     migrate.Totals                    // of runs that have ended
	flying   map[migrate.RunRef]migrate.Totals // of those in flight
	classes  classes
}

func newTally(l *listing) *tally {
	t := &tally{
		start: time.Now(), runs: byScope{}, moved: byScope{}, existed: byScope{}, partial: byScope{}, failed: byScope{},
		flying: map[migrate.RunRef]migrate.Totals{}, classes: classes{},
	}
	t.expect(l.scopes, l.size)
	return t
}

// expect adds runs that were listed.
func (t *tally) expect(runs byScope, size int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs.add(runs)
	for scope := range runs {
		t.moved[scope] += 0 // of which none may be
	}
	t.size += size
	t.sizeLeft += size
}

func (t *tally) observe(e migrate.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !e.Done {
		t.flying[e.Run] = e.Totals
		return
	}
	delete(t.flying, e.Run)
	t.ended++
	t.sizeLeft -= e.Size
	add(&t.done, e.Totals)
	switch scope := e.Run.Scope; {
	case e.Err != nil:
		t.failed[scope]++
	case e.Existed:
		t.existed[scope]++
	default:
		t.moved[scope]++
		t.sizeDone += e.Size
	}
	if e.Err == nil && e.State == migrate.Partial {
		t.partial[e.Run.Scope]++
	}
	for _, p := range e.Problems {
		t.classes.add(e.Run, p)
	}
}

// left are those that have not ended.
func (t *tally) left() byScope {
	left := byScope{}
	for scope, n := range t.runs {
		left[scope] = n - t.moved[scope] - t.existed[scope] - t.failed[scope]
	}
	return left
}

// state is a tally at one moment.
type state struct {
	elapsed, left time.Duration // left is 0 if it cannot be told
	runs          byScope
	ended, failed int64
	sum           migrate.Totals
}

func (t *tally) now() state {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := state{elapsed: time.Since(t.start), runs: maps.Clone(t.runs), ended: t.ended, failed: t.failed.sum(), sum: t.done}
	for _, totals := range t.flying {
		add(&s.sum, totals)
	}
	// Runs that existed already took no time, so they say nothing of the time left.
	if t.sizeDone > 0 && t.sizeLeft > 0 {
		s.left = time.Duration(float64(s.elapsed) * float64(t.sizeLeft) / float64(t.sizeDone))
	}
	return s
}

// rate is n per second.
func (s state) rate(n int64) int64 {
	if s.elapsed < time.Second {
		return 0
	}
	return int64(float64(n) / s.elapsed.Seconds())
}

func add(sum *migrate.Totals, t migrate.Totals) {
	sum.Runs += t.Runs
	sum.Attributes += t.Attributes
	sum.Points += t.Points
	sum.Files += t.Files
	sum.Bytes += t.Bytes
}
