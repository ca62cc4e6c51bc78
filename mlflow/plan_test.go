package mlflow_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/mlflow"
	"github.com/nexport-go/migrate/mlflow/mlflowtest"
)

// dry loads the example without writing.
func dry(t *testing.T, cfg mlflow.Config) (mlflow.Plan, error) {
	t.Helper()
	cfg.DryRun = true
	sink := newSink(t, cfg)
	defer sink.Close()
	_, err := put(t, sink, example())
	return sink.Plan(), err
}

// mustRefuse wants a dry run to give the error of the load, and neither to leave anything behind.
func mustRefuse(t *testing.T, cfg mlflow.Config) {
	t.Helper()
	plan, planned := dry(t, cfg)
	sink := newSink(t, cfg)
	defer sink.Close()
	_, err := put(t, sink, example())
	if !errors.Is(err, migrate.ErrFatal) || planned == nil || !strings.Contains(err.Error(), planned.Error()) {
		t.Errorf("the dry run says %v, the load %v", planned, err)
	}
	if plan.Experiments != 0 || plan.Runs != 0 {
		t.Errorf("plan %+v", plan)
	}
}

func TestDryRunDeletedExperiment(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	server.AddExperiment("ws/p")
	server.DeleteExperiment("ws/p")
	mustRefuse(t, mlflow.Config{TrackingURI: server.URL})
}

func TestDryRunRefusedRoot(t *testing.T) {
	for _, root := range []string{"s3://bucket/x", "mlruns"} {
		server := mlflowtest.NewServer(t, mlflowtest.Options{ArtifactRoot: root})
		server.AddExperiment("ws/p")
		mustRefuse(t, mlflow.Config{TrackingURI: server.URL})
	}
}

// TestDryRunOldExperiment counts the tags that an experiment lacks, and not the experiment.
func TestDryRunOldExperiment(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	cfg := mlflow.Config{TrackingURI: server.URL}
	fresh, err := dry(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	server.AddExperiment("ws/p")
	plan, err := dry(t, cfg)
	if err != nil || plan.Experiments != 0 || plan.Runs != 1 || plan.Requests != fresh.Requests+2 {
		t.Errorf("plan %+v, error %v; for a new one %+v", plan, err, fresh)
	}
	before := len(server.Requests())
	mustPut(t, newSink(t, cfg), example())
	written := int64(0)
	for _, request := range server.Requests()[before:] {
		if !strings.HasPrefix(request, "GET ") && !strings.HasSuffix(request, "/search") {
			written++
		}
	}
	if written--; written != plan.Requests { // experiments/create was refused, and wrote nothing
		t.Errorf("%d requests were planned, %d sent", plan.Requests, written)
	}
}

// TestDryRunOtherLayout: the run is there, in an experiment that another layout made.
func TestDryRunOtherLayout(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), example())
	plan, err := dry(t, mlflow.Config{TrackingURI: server.URL, ExperimentBy: mlflow.ByName})
	if err != nil || plan.Experiments != 0 || plan.Runs != 0 {
		t.Errorf("plan %+v, error %v", plan, err)
	}
}

// TestDryRunOfNoDatabase: a file that is none is no server that cannot be reached.
func TestDryRunOfNoDatabase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(file, []byte(strings.Repeat("no database", 1000)), 0o666); err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, mlflow.Config{TrackingURI: "sqlite:///" + filepath.ToSlash(file)})
}

func TestDryRunUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, uri := range []string{"http://" + l.Addr().String(), "postgresql://user@" + l.Addr().String() + "/db"} {
		plan, err := dry(t, mlflow.WithoutWaiting(mlflow.Config{TrackingURI: uri}, nil))
		if err != nil || !plan.Unreachable || plan.Cause == "" || plan.Assumed == "" || plan.Experiments != 1 || plan.Runs != 1 {
			t.Errorf("%s: plan %+v, error %v", uri, plan, err)
		}
	}
}
