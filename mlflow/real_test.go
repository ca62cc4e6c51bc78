package mlflow_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/mlflow"
)

// TestRealServer runs the contract of a Sink against a server that is named by the environment;
// `make e2e` does more, with servers of its own.
func TestRealServer(t *testing.T) {
	uri := os.Getenv("NEXPORT_TEST_MLFLOW_URI")
	if uri == "" {
		t.Skip("set NEXPORT_TEST_MLFLOW_URI to the address of an MLflow server")
	}
	sinks := 0
	migratetest.TestSink(t, func(t *testing.T) migrate.Sink {
		sinks++
		sink, err := mlflow.New(mlflow.Config{TrackingURI: uri, NamePrefix: fmt.Sprintf("%d-%d-", time.Now().UnixNano(), sinks)})
		if err != nil {
			t.Fatal(err)
		}
		return sink
	})
}
