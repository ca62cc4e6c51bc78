//go:build unix

package mlflowserver_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/nexport-go/migrate/e2e/internal/mlflowserver"
	"github.com/nexport-go/migrate/internal/postgres"
)

var databases postgres.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	databases.Stop()
	os.Exit(code)
}

// Both lines of MLflow work on PostgreSQL, with the drivers of their environments.
func TestStartOnPostgres(t *testing.T) {
	for _, env := range []string{"NEXPORT_TEST_MLFLOW3", "NEXPORT_TEST_MLFLOW2"} {
		t.Run(env, func(t *testing.T) {
			environment := os.Getenv(env)
			if environment == "" {
				t.Skipf("%s is not set: run this by make e2e", env)
			}
			store := databases.Database(t)
			server, err := mlflowserver.StartOn(environment, t.TempDir(), store, false)
			if err != nil {
				t.Fatal(err)
			}
			defer server.Stop()
			if got := experiment(t, server, "0"); !strings.Contains(got, `"Default"`) {
				t.Errorf("experiment 0 is %s", got)
			}
			if err := server.Restart(); err != nil {
				t.Fatal(err)
			}
			if got := experiment(t, server, "0"); !strings.Contains(got, `"Default"`) {
				t.Errorf("after a restart experiment 0 is %s", got)
			}
		})
	}
}

func experiment(t *testing.T, server *mlflowserver.Server, id string) string {
	t.Helper()
	answer, err := http.Get(server.URL() + "/api/2.0/mlflow/experiments/get?experiment_id=" + id)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
