//go:build unix

package mlflow_test

import (
	"testing"

	"github.com/nexport-go/migrate/mlflow"
)

func TestDryRunOnDatabases(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		cfg := fresh(t)
		plan, err := dry(t, cfg)
		if err != nil || plan.Experiments != 1 || plan.Runs != 1 {
			t.Errorf("new database: plan %+v, error %v", plan, err)
		}
		mustPut(t, newDatabaseSink(t, cfg), example())
		db := open(t, cfg)
		mustExec(t, db, `DELETE FROM experiment_tags`)
		plan, err = dry(t, cfg)
		if err != nil || plan.Experiments != 0 || plan.Runs != 0 {
			t.Errorf("an experiment that is there: plan %+v, error %v", plan, err)
		}
		mustExec(t, db, `UPDATE experiments SET artifact_location = 's3://bucket/x/1' WHERE experiment_id <> 0`)
		mustRefuse(t, cfg)
		mustExec(t, db, `UPDATE experiments SET lifecycle_stage = 'deleted' WHERE experiment_id <> 0`)
		mustRefuse(t, cfg)

		// A new experiment goes beside the experiment 0, unless there is a directory for artifacts.
		cfg.NamePrefix = "x/"
		mustExec(t, db, `UPDATE experiments SET artifact_location = 's3://bucket/x/0' WHERE experiment_id = 0`)
		if plan, err = dry(t, cfg); err != nil || plan.Experiments != 1 {
			t.Errorf("with a directory: plan %+v, error %v", plan, err)
		}
		cfg.ArtifactsDir = ""
		mustRefuse(t, cfg)
		mustRefuse(t, cfg) // the load before left nothing behind
	})
}
