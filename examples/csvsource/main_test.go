package main

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
)

func files() fstest.MapFS {
	var long strings.Builder
	long.WriteString("step,loss\n")
	for i := range migrate.MaxChunkPoints + 1 {
		fmt.Fprintf(&long, "%d,%d\n", i, i)
	}
	return fstest.MapFS{
		"a.csv":     {Data: []byte("step,loss,acc\n0,1,0.5\n0.5,NaN,+Inf\n")},
		"long.csv":  {Data: []byte(long.String())},
		"empty.csv": {},
		"other.txt": {},
	}
}

func TestSource(t *testing.T) {
	migratetest.TestSource(t, source{files()}, migrate.Selection{})
}

func TestValues(t *testing.T) {
	var store migratetest.Memory
	if _, err := migrate.Run(t.Context(), migrate.Job{Source: source{files()}, Sink: &store}); err != nil {
		t.Fatal(err)
	}
	run, _ := store.Get(migrate.RunRef{Project: "csv/metrics", ID: "a"})
	want := []migrate.Chunk{
		{Path: "loss", Values: migrate.Floats{1, math.NaN()}},
		{Path: "acc", Values: migrate.Floats{0.5, math.Inf(1)}},
	}
	for i := range want {
		want[i].Kind = migrate.KindFloatSeries
		want[i].Steps, want[i].Times = []migrate.Step{0, migrate.StepUnit / 2}, []int64{migrate.NoTime, migrate.NoTime}
	}
	if diff := cmp.Diff(want, run.Chunks, cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
}

func TestNotANumber(t *testing.T) {
	bad := source{fstest.MapFS{"a.csv": {Data: []byte("step,loss\n0,x\n")}}}
	report, err := migrate.Run(t.Context(), migrate.Job{Source: bad, Sink: &migratetest.Memory{}})
	if err != nil || report.Err() == nil || !strings.Contains(report.Err().Error(), "loss at step") {
		t.Errorf("job %v, run %v; want the run to fail and name the value", err, report.Err())
	}
}
