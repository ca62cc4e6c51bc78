//go:build unix

package mlflow_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/postgres"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/mlflow"
)

var pgServer postgres.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	pgServer.Stop()
	os.Exit(code)
}

// databases gives fresh addresses of each kind of database.
func databases(t *testing.T, f func(t *testing.T, fresh func(t *testing.T) mlflow.Config)) {
	t.Run("sqlite", func(t *testing.T) {
		f(t, func(t *testing.T) mlflow.Config {
			dir := t.TempDir()
			return mlflow.Config{TrackingURI: "sqlite:///" + filepath.ToSlash(filepath.Join(dir, "mlflow.db")), ArtifactsDir: filepath.Join(dir, "artifacts")}
		})
	})
	t.Run("postgres", func(t *testing.T) {
		f(t, func(t *testing.T) mlflow.Config {
			return mlflow.Config{TrackingURI: pgServer.Database(t), ArtifactsDir: t.TempDir()}
		})
	})
}

func TestDatabaseContract(t *testing.T) {
	databases(t, func(t *testing.T, fresh func(t *testing.T) mlflow.Config) {
		migratetest.TestSink(t, func(t *testing.T) migrate.Sink { return newDatabaseSink(t, fresh(t)) })
	})
}

func newDatabaseSink(t *testing.T, cfg mlflow.Config) *mlflow.Sink {
	t.Helper()
	sink := newSink(t, cfg)
	t.Cleanup(func() {
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
	})
	return sink
}

var _ = sql.ErrNoRows
