package migrate_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
)

// stored copies runs into a new Memory.
func stored(t *testing.T, from migrate.Source) *migratetest.Memory {
	t.Helper()
	m := &migratetest.Memory{}
	report, err := migrate.Run(t.Context(), migrate.Job{Source: from, Sink: m})
	if err := errors.Join(err, report.Err()); err != nil {
		t.Fatal(err)
	}
	return m
}

// spoiled is forest(5) copied, with one run changed and one left out.
func spoiled(t *testing.T) *migratetest.Memory {
	whole, m := stored(t, forest(5)), &migratetest.Memory{}
	for _, id := range []string{"0000", "0001", "0002", "0003"} {
		run, _ := whole.Get(ref(id))
		if id == "0002" {
			run.Chunks = []migrate.Chunk{ints("i", 99)}
		}
		m.Add(run)
	}
	return m
}

// verdicts gives the codes of the problems by run.
func verdicts(report *migrate.Report) map[string][]migrate.Code {
	codes := map[string][]migrate.Code{}
	for _, run := range report.Runs {
		for _, p := range run.Problems {
			codes[run.Run.ID] = append(codes[run.Run.ID], p.Code)
		}
	}
	return codes
}

func TestVerifyFindsWhatDiffers(t *testing.T) {
	want := map[string][]migrate.Code{
		"0002": {migrate.CodeDiffers, migrate.CodeMissing},
		"0004": {migrate.CodeMissing},
	}
	source, bad := forest(5), spoiled(t)
	for name, job := range map[string]migrate.Job{
		"source with store": {Source: source, Store: bad},
		"source with sink":  {Source: source, Sink: bad},
		"store with sink":   {Store: stored(t, source), Sink: bad},
		"store, not source": {Source: &migratetest.Memory{}, Store: stored(t, source), Sink: bad},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := migrate.Verify(t.Context(), job)
			if err != nil || report.Err() != nil {
				t.Fatal(err, report.Err())
			}
			if diff := cmp.Diff(want, verdicts(report)); diff != "" {
				t.Error(diff)
			}
			if report.Whole() || report.Moved[migrate.StageVerify].Runs != 5 {
				t.Errorf("whole %v, moved %v", report.Whole(), report.Moved)
			}
			for _, run := range report.Runs {
				if run.State != migrate.Partial || run.Stage != migrate.StageVerify {
					t.Errorf("%s: %s %s", run.Run, run.Stage, run.State)
				}
			}
		})
	}
}

func TestVerifyEqual(t *testing.T) {
	source := forest(5)
	report, err := migrate.Verify(t.Context(), migrate.Job{Source: source, Sink: stored(t, source)})
	if err != nil || !report.Whole() {
		t.Errorf("%v, %+v", err, report.Runs)
	}
}

// TestVerifyAlone compares a store with its own records: nothing can differ in memory.
func TestVerifyAlone(t *testing.T) {
	report, err := migrate.Verify(t.Context(), migrate.Job{Store: forest(5)})
	if err != nil || !report.Whole() || report.Moved[migrate.StageVerify].Runs != 5 {
		t.Errorf("%v, %+v", err, report)
	}
}

func TestVerifyNeedsAVerifier(t *testing.T) {
	blind := sinkFunc(func(context.Context, migrate.RunInfo, migrate.RunReader) (migrate.Result, error) {
		t.Error("Verify must not put")
		return migrate.Result{}, nil
	})
	for name, job := range map[string]migrate.Job{
		"sink cannot": {Source: forest(1), Sink: blind},
		"only a sink": {Sink: forest(1)},
		"nothing":     {},
	} {
		t.Run(name, func(t *testing.T) {
			if report, err := migrate.Verify(t.Context(), job); err == nil || report == nil {
				t.Errorf("report %v, error %v", report, err)
			}
		})
	}
}
