package migrate_test

import (
	"context"
	"fmt"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
)

// printer is a Sink of one's own: it prints what it receives.
type printer struct{}

func (printer) PutRun(ctx context.Context, run migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	fmt.Println(run.RunRef)
	for chunk, err := range r.Chunks(ctx, nil) {
		if err != nil {
			return migrate.Result{}, err
		}
		switch values := chunk.Values.(type) {
		case migrate.Floats:
			for i, v := range values {
				fmt.Printf("  %s step %s: %v\n", chunk.Path, chunk.Steps[i], v)
			}
		default:
			fmt.Printf("  %s: %v\n", chunk.Path, values)
		}
	}
	return migrate.Result{}, nil
}

func ExampleRun() {
	var archive migratetest.Memory
	archive.Add(migratetest.Run{
		Info: migrate.RunInfo{RunRef: migrate.RunRef{Project: "team/project", ID: "first"}},
		Chunks: []migrate.Chunk{
			{Path: "optimizer", Kind: migrate.KindString, Values: migrate.Strings{"adam"}},
			{
				Path: "loss", Kind: migrate.KindFloatSeries,
				Steps: []migrate.Step{migrate.StepUnit / 2, migrate.StepUnit}, Times: []int64{1000, 2000},
				Values: migrate.Floats{0.5, 0.25},
			},
		},
	})
	report, err := migrate.Run(context.Background(), migrate.Job{Source: &archive, Sink: printer{}})
	fmt.Println(report.Moved[migrate.StageLoad].Points, "points,", report.Whole(), err)
	// Output:
	// team/project/first
	//   optimizer: [adam]
	//   loss step 0.5: 0.5
	//   loss step 1: 0.25
	// 2 points, true <nil>
}

func ExampleSelection() {
	sel := migrate.Selection{Projects: []string{"team/project"}, Runs: []migrate.RunRef{{ID: "PRJ-7"}}}
	run := migrate.RunInfo{RunRef: migrate.RunRef{Project: "team/project", ID: "my-run"}, SysID: "PRJ-7"}
	fmt.Println(sel.Match(run))
	// Output: true
}
