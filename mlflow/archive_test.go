package mlflow_test

import (
	"testing"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
	"github.com/nexport-go/migrate/internal/fixture"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/mlflow"
	"github.com/nexport-go/migrate/mlflow/mlflowtest"
	"github.com/nexport-go/migrate/parquetstore"
)

// TestArchives loads every archive into the strict server, verifies it, and loads it again.
func TestArchives(t *testing.T) {
	for _, name := range fixture.Names(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, files := fixture.Unpack(t, name)
			store, err := parquetstore.Open(data, files)
			if err != nil {
				t.Fatal(err)
			}
			server := mlflowtest.NewServer(t, mlflowtest.Options{Version: "2.22.5"})
			all := migrate.Selection{Scopes: []migrate.Scope{migrate.ScopeRun, migrate.ScopeModel, migrate.ScopeModelVersion}}
			job := migrate.Job{Source: store, Sink: newSink(t, mlflow.Config{TrackingURI: server.URL}), Selection: all}
			report, err := migrate.Run(t.Context(), job)
			if err != nil || report.Err() != nil || report.Listed == 0 {
				t.Fatalf("%d runs listed: %v, %v", report.Listed, err, report.Err())
			}
			if n := int64(len(server.Runs())); n != report.Listed {
				t.Errorf("%d runs on the server, %d listed", n, report.Listed)
			}
			complete := int64(0)
			for _, run := range server.Runs() {
				if run.Tags[convert.TagState] == convert.StateComplete {
					complete++
				}
			}
			job.Sink = newSink(t, mlflow.Config{TrackingURI: server.URL})
			again, err := migrate.Run(t.Context(), job)
			if err != nil || again.Err() != nil || again.Existed[migrate.StageLoad] != complete {
				t.Errorf("second load: %v, %v, %d of %d existed", err, again.Err(), again.Existed[migrate.StageLoad], complete)
			}
			if n := int64(len(server.Runs())); n != report.Listed {
				t.Errorf("%d runs after the second load", n)
			}
		})
	}
}

// BenchmarkPutRun loads a run of 25 series of 200 points into a server that does not look.
func BenchmarkPutRun(b *testing.B) {
	server := mlflowtest.NewServer(b, mlflowtest.Options{Discard: true})
	var m migratetest.Memory
	run := migratetest.Run{Info: migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/p", ID: "a"}}}
	for i := range 25 {
		run.Chunks = append(run.Chunks, floats("metrics/series/"+string(rune('a'+i)), curve(200)...))
	}
	m.Add(run)
	r, err := m.OpenRun(b.Context(), run.Info)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		sink := newSink(b, mlflow.Config{TrackingURI: server.URL, NoCheck: true})
		run.Info.ID += "x"
		if _, err := sink.PutRun(b.Context(), run.Info, r); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*5000/b.Elapsed().Seconds(), "points/s")
}
