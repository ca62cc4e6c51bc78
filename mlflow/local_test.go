package mlflow_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
	"github.com/nexport-go/migrate/migratetest"
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

// TestLeftParts: what a killed load left stays as long as nothing is written.
func TestLeftParts(t *testing.T) {
	dir := t.TempDir()
	server := mlflowtest.NewServer(t, mlflowtest.Options{ArtifactRoot: "file://" + filepath.ToSlash(dir), SharedDisk: true})
	cfg, run := mlflow.Config{TrackingURI: server.URL}, example()
	result := mustPut(t, newSink(t, cfg), run)
	server.ChangeRun(result.Target, func(r *mlflowtest.Run) { r.Tags[convert.TagState] = convert.StateLoading })
	parts := filepath.Join(dir, server.Runs()[0].ExperimentID, result.Target, "nexport-parts")
	old, fresh := filepath.Join(parts, "old"), filepath.Join(parts, "fresh")
	for name, age := range map[string]time.Duration{old: 2 * time.Hour, fresh: 0} {
		writeFile(t, name, "x")
		if err := os.Chtimes(name, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	there := func(name string) bool {
		_, err := os.Stat(name)
		return err == nil
	}
	var m migratetest.Memory
	m.Add(run)
	r, err := m.OpenRun(t.Context(), run.Info)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newSink(t, cfg).VerifyRun(t.Context(), run.Info, r); err != nil {
		t.Error(err)
	}
	dry := cfg
	dry.DryRun = true
	mustPut(t, newSink(t, dry), run)
	if !there(old) || !there(fresh) {
		t.Error("a check or a dry run removed parts")
	}
	mustPut(t, newSink(t, cfg), run)
	if there(old) || !there(fresh) {
		t.Errorf("after a load: the old part is there: %v, the fresh one: %v", there(old), there(fresh))
	}
}
