package mlflow_test

import (
	"testing"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/mlflow"
	"github.com/nexport-go/migrate/mlflow/mlflowtest"
)

func TestContract(t *testing.T) {
	versions := []string{"2.22.5", "3.18.0", "2.8.0"}
	if testing.Short() {
		versions = versions[:1]
	}
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			migratetest.TestSink(t, func(t *testing.T) migrate.Sink {
				server := mlflowtest.NewServer(t, mlflowtest.Options{Version: version, HistoryPage: 1000, SearchPage: 2})
				return newSink(t, mlflow.Config{TrackingURI: server.URL})
			})
		})
	}
}

func newSink(t testing.TB, cfg mlflow.Config) *mlflow.Sink {
	t.Helper()
	sink, err := mlflow.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return sink
}
