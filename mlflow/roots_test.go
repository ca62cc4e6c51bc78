package mlflow_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/mlflow"
	"github.com/nexport-go/migrate/mlflow/mlflowtest"
)

// TestRefusedRootOfANewExperiment: no run is made, and the same load works after the server was started as the
// error says.
func TestRefusedRootOfANewExperiment(t *testing.T) {
	for _, root := range []string{"s3://bucket/x", "mlruns"} {
		server := mlflowtest.NewServer(t, mlflowtest.Options{ArtifactRoot: root})
		cfg := mlflow.Config{TrackingURI: server.URL, NamePrefix: strings.Repeat("long ", 48)} // names have room for 256
		_, err := put(t, newSink(t, cfg), example())
		if !errors.Is(err, migrate.ErrFatal) || !strings.Contains(err.Error(), "--artifacts-destination") || strings.Contains(err.Error(), "--name-prefix") {
			t.Errorf("%s: error %v", root, err)
		}
		if runs := server.Runs(); len(runs) != 0 {
			t.Errorf("%s: %d runs were made", root, len(runs))
		}
		for _, e := range server.Experiments()[1:] {
			if !e.Deleted || !strings.Contains(e.Name, "(artifact root refused "+e.ID+")") {
				t.Errorf("%s: left behind: %+v", root, e)
			}
		}
		server.SetArtifactRoot("mlflow-artifacts:")
		mustPut(t, newSink(t, cfg), example())
	}
}

// TestRefusedRootOfAnOldExperiment: it is left as it is.
func TestRefusedRootOfAnOldExperiment(t *testing.T) {
	for _, root := range []string{"s3://bucket/x", "mlruns"} {
		server := mlflowtest.NewServer(t, mlflowtest.Options{ArtifactRoot: root})
		server.AddExperiment("ws/p")
		server.SetArtifactRoot("mlflow-artifacts:")
		_, err := put(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), example())
		if !errors.Is(err, migrate.ErrFatal) || !strings.Contains(err.Error(), "--name-prefix") {
			t.Errorf("%s: error %v", root, err)
		}
		if e := server.Experiments()[1]; e.Deleted || e.Name != "ws/p" || len(e.Tags) != 0 || len(server.Runs()) != 0 {
			t.Errorf("%s: %+v, %d runs", root, e, len(server.Runs()))
		}
		mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL, NamePrefix: "x/"}), example())
	}
}

// TestRefusedRootOfAKnownExperiment: an earlier load made it, and runs in it, over a server that has another root now.
func TestRefusedRootOfAKnownExperiment(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	cfg := mlflow.Config{TrackingURI: server.URL}
	parent, child := example(), example()
	child.Info.ID, child.Info.Parent = "child", parent.Info.ID
	other := example()
	other.Info.ID = "other"
	mustPut(t, newSink(t, cfg), parent)
	server.ChangeExperiment("ws/p", func(e *mlflowtest.Experiment) { e.Root = "gs://bucket/x" })
	for _, run := range []migratetest.Run{child, other} {
		_, err := put(t, newSink(t, cfg), run)
		if !errors.Is(err, migrate.ErrFatal) || !strings.Contains(err.Error(), "--name-prefix") || len(server.Runs()) != 1 {
			t.Errorf("%s: error %v, %d runs", run.Info.ID, err, len(server.Runs()))
		}
	}
}

// TestRefusedRootOnce: of many runs that are loaded at once only one makes an experiment in vain.
func TestRefusedRootOnce(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{ArtifactRoot: "s3://bucket/x"})
	sink := newSink(t, mlflow.Config{TrackingURI: server.URL})
	var all sync.WaitGroup
	for _, project := range []string{"ws/a", "ws/a", "ws/b", "ws/c"} {
		all.Go(func() {
			run := example()
			run.Info.Project = project
			if _, err := put(t, sink, run); !errors.Is(err, migrate.ErrFatal) {
				t.Errorf("%s: error %v", project, err)
			}
		})
	}
	all.Wait()
	if n := len(server.Experiments()); n != 2 {
		t.Errorf("%d experiments", n)
	}
}

// TestRefusedRootStays: where the name cannot be freed, the error says that.
func TestRefusedRootStays(t *testing.T) {
	for _, request := range []string{"update", "delete"} {
		server := mlflowtest.NewServer(t, mlflowtest.Options{ArtifactRoot: "s3://bucket/x"})
		server.SetFault(func(_ int, r *http.Request) (f mlflowtest.Fault) {
			if strings.HasSuffix(r.URL.Path, "experiments/"+request) {
				f.Status = http.StatusForbidden
			}
			return f
		})
		_, err := put(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), example())
		if !errors.Is(err, migrate.ErrFatal) || !strings.Contains(err.Error(), "--artifacts-destination") || !strings.Contains(err.Error(), "--name-prefix") {
			t.Errorf("%s: error %v", request, err)
		}
	}
}

// TestRefusedRootInterrupted: an interrupt does not keep the name from being freed.
func TestRefusedRootInterrupted(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{ArtifactRoot: "s3://bucket/x"})
	ctx, interrupt := context.WithCancel(t.Context())
	server.SetFault(func(_ int, r *http.Request) mlflowtest.Fault {
		if strings.HasSuffix(r.URL.Path, "experiments/update") {
			interrupt()
		}
		return mlflowtest.Fault{}
	})
	var m migratetest.Memory
	m.Add(example())
	r, err := m.OpenRun(ctx, example().Info)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newSink(t, mlflow.Config{TrackingURI: server.URL}).PutRun(ctx, example().Info, r); err == nil {
		t.Error("no error")
	}
	if e := server.Experiments()[1]; !e.Deleted || e.Name == "ws/p" {
		t.Errorf("left behind: %+v", e)
	}
}

// TestRelativeFileAddress is refused like a relative path.
func TestRelativeFileAddress(t *testing.T) {
	for _, root := range []string{"file:relx", "file:./x"} {
		server := mlflowtest.NewServer(t, mlflowtest.Options{ArtifactRoot: root})
		_, err := put(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), example())
		if !errors.Is(err, migrate.ErrFatal) || !strings.Contains(err.Error(), "--artifacts-destination") || len(server.Runs()) != 0 {
			t.Errorf("%s: error %v, %d runs", root, err, len(server.Runs()))
		}
	}
}
