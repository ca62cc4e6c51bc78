package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
)

// TestRunList gives back what it was given, in the same order.
func TestRunList(t *testing.T) {
	born := time.Date(2024, 2, 29, 23, 59, 59, 123_000_000, time.UTC)
	runs := []migrate.RunInfo{
		{RunRef: migrate.RunRef{Project: "ws/p"}},
		{
			RunRef: migrate.RunRef{Project: "ws/p", ID: "run \xff\x00"}, SysID: "P-1", Name: "ex", Parent: "other",
			Created: born, Modified: born.Add(time.Millisecond), Size: 1 << 60, State: migrate.Complete,
		},
		{RunRef: migrate.RunRef{Project: "ws/p", ID: "P-M", Scope: migrate.ScopeModel}, State: migrate.Partial, Size: -1},
		{RunRef: migrate.RunRef{Project: "ws/p", ID: "P-M-1", Scope: migrate.ScopeModelVersion}, Modified: born},
		{RunRef: migrate.RunRef{Project: "ws/p", ID: "P-M-1", Scope: migrate.ScopeModelVersion}}, // twice is twice
	}
	l := newRunList("ws/p")
	for _, run := range runs {
		if err := l.add(run); err != nil {
			t.Fatal(err)
		}
	}
	if want := (byScope{migrate.ScopeRun: 2, migrate.ScopeModel: 1, migrate.ScopeModelVersion: 2}); !cmp.Equal(want, l.runs) {
		t.Error(cmp.Diff(want, l.runs))
	}
	var got []migrate.RunInfo
	for run, err := range l.take() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, run)
	}
	if diff := cmp.Diff(runs, got); diff != "" {
		t.Error(diff)
	}
	for range newRunList("ws/empty").take() {
		t.Error("an empty list has something")
	}
}

// TestRunListSize keeps a hundred thousand runs in a few megabytes.
func TestRunListSize(t *testing.T) {
	l := newRunList("ws/p")
	born := time.UnixMilli(1_700_000_000_000).UTC()
	const n = 100_000
	for i := range n {
		run := migrate.RunInfo{
			RunRef: migrate.RunRef{Project: "ws/p", ID: fmt.Sprintf("%016x", uint64(i)*0x9e3779b97f4a7c15)}, SysID: fmt.Sprintf("P-%d", i),
			Name: "experiment", Created: born.Add(time.Duration(i) * 7919 * time.Millisecond), Size: int64(i * 7), State: migrate.Complete,
		}
		run.Modified = run.Created.Add(time.Duration(i*31%9973) * time.Second)
		if err := l.add(run); err != nil {
			t.Fatal(err)
		}
	}
	if size := l.packed.Len() / n; size > 64 {
		t.Errorf("%d bytes a run", size)
	} else {
		t.Logf("%d bytes a run", size)
	}
}
