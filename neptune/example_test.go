package neptune_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
	"github.com/nexport-go/migrate/parquetstore"
)

// Exporting a project of a server, here a fake one, into an archive.
func Example() {
	server, err := neptunetest.Start(neptunetest.Options{Projects: []*neptunetest.Project{{
		Workspace: "team", Name: "mnist", Key: "MN",
		Runs: []*neptunetest.Run{{ID: "MN-1", CustomID: "baseline", Attributes: []neptunetest.Attribute{
			{Path: "lr", Value: neptunetest.Float(0.1)},
			{Path: "loss", Value: neptunetest.FloatSeries{{Step: 1, TimeMS: 1700000000000, Value: 0.5}}},
		}}},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	source, err := neptune.New(neptune.Config{APIToken: server.Token()})
	if err != nil {
		log.Fatal(err)
	}
	archive, err := parquetstore.Create(filepath.Join(dir, "data"), filepath.Join(dir, "files"), parquetstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	report, err := migrate.Run(context.Background(), migrate.Job{
		Source: source, Store: archive, Selection: migrate.Selection{Projects: []string{"team/mnist"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	moved := report.Moved[migrate.StageExport]
	fmt.Println(moved.Runs, "run,", moved.Points, "point, whole:", report.Whole())
	// Output: 1 run, 1 point, whole: true
}
