//go:build unix

package mlflow_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/mlflow"
)

// TestRefusedRootInADatabase: of an experiment that a load made, of one that only has the name, and of the parent's.
// No row is left.
func TestRefusedRootInADatabase(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		cfg := fresh(t)
		parent, child, other := example(), example(), example()
		child.Info.ID, child.Info.Parent, other.Info.ID = "child", parent.Info.ID, "other"
		mustPut(t, newDatabaseSink(t, cfg), parent)
		db := open(t, cfg)
		cfg.ArtifactsDir = ""
		for _, location := range []string{"mlflow-artifacts:/1", "mlruns/1", "./x/1", "s3://bucket/1", "file://elsewhere/x/1", "file:relx/1", "file:", "", "NULL"} {
			mustExec(t, db, strings.ReplaceAll("UPDATE experiments SET artifact_location = '"+location+"' WHERE experiment_id = 1", "'NULL'", "NULL"))
			for _, run := range []migratetest.Run{child, other} {
				mustRefuseRoot(t, cfg, run)
			}
			mustExec(t, db, "UPDATE experiment_tags SET key = 'nexport.layout ' WHERE key = 'nexport.layout'")
			mustRefuseRoot(t, cfg, other)
			mustExec(t, db, "UPDATE experiment_tags SET key = 'nexport.layout' WHERE key = 'nexport.layout '")
			if n := count(t, db, "runs"); n != 1 {
				t.Fatalf("%q: %d runs", location, n)
			}
		}
	})
}

func mustRefuseRoot(t *testing.T, cfg mlflow.Config, run migratetest.Run) {
	t.Helper()
	_, err := put(t, newDatabaseSink(t, cfg), run)
	if !errors.Is(err, migrate.ErrFatal) || !strings.Contains(err.Error(), "--artifacts-d") || strings.Contains(err.Error(), "mkdir") {
		t.Errorf("error %v", err)
	}
}
