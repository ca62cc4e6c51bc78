package demo_test

import (
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/demo"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/neptune"
)

// TestServed exports what the server has, which must be what the project is.
func TestServed(t *testing.T) {
	if testing.Short() {
		t.Skip("images and curves are drawn twice")
	}
	server, err := demo.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	source, err := neptune.New(neptune.Config{APIToken: server.Token(), Projects: []string{demo.Project}})
	if err != nil {
		t.Fatal(err)
	}
	var exported migratetest.Memory
	report, err := migrate.Run(t.Context(), migrate.Job{Source: source, Store: &exported})
	if err != nil || report.Err() != nil || !report.Whole() {
		t.Fatalf("%v, %v, %+v", err, report.Err(), report.Runs)
	}
	report, err = migrate.Verify(t.Context(), migrate.Job{Source: demo.Source{}, Sink: &exported})
	if err != nil || report.Err() != nil || !report.Whole() || report.Listed == 0 {
		t.Errorf("the exported project is another: %v, %v, %+v", err, report.Err(), report.Runs)
	}
}
