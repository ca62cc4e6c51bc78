package mlflow_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/mlflow"
	"github.com/nexport-go/migrate/mlflow/mlflowtest"
)

func TestLocalArtifacts(t *testing.T) {
	dir := t.TempDir()
	server := mlflowtest.NewServer(t, mlflowtest.Options{ArtifactRoot: "file://" + filepath.ToSlash(dir), SharedDisk: true})
	cfg := mlflow.Config{TrackingURI: server.URL}
	result := mustPut(t, newSink(t, cfg), example())
	run := server.Runs()[0]
	got, err := os.ReadFile(filepath.Join(dir, run.ExperimentID, result.Target, "artifacts", "file.bin"))
	if err != nil || string(got) != "hello" {
		t.Errorf("file %q, %v", got, err)
	}
	if !mustPut(t, newSink(t, cfg), example()).Existed {
		t.Error("the run was not complete")
	}
}

// TestLocalArtifactsOfAnotherMachine: the directory exists here too, but the server does not see it.
func TestLocalArtifactsOfAnotherMachine(t *testing.T) {
	for _, root := range []string{"file://" + filepath.ToSlash(t.TempDir()), filepath.ToSlash(t.TempDir()), "mlruns", "./x"} {
		server := mlflowtest.NewServer(t, mlflowtest.Options{ArtifactRoot: root})
		_, err := put(t, newSink(t, mlflow.Config{TrackingURI: server.URL, NoCheck: true}), example())
		if !errors.Is(err, migrate.ErrFatal) {
			t.Errorf("%s: error %v", root, err)
		}
	}
}
