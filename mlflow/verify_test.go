package mlflow_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nexport-go/migrate/convert"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/mlflow"
	"github.com/nexport-go/migrate/mlflow/mlflowtest"
)

// TestWrongPoints: a server takes no point back, so a load can only say which run to delete.
func TestWrongPoints(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	cfg := mlflow.Config{TrackingURI: server.URL}
	run := example()
	id := mustPut(t, newSink(t, cfg), run).Target
	server.ChangeRun(id, func(r *mlflowtest.Run) {
		r.Metrics["m/curve"][7].Value = 1e6
		r.Tags[convert.TagState] = convert.StateLoading
	})
	var m migratetest.Memory
	m.Add(run)
	r, err := m.OpenRun(t.Context(), run.Info)
	if err != nil {
		t.Fatal(err)
	}
	problems, err := newSink(t, cfg).VerifyRun(t.Context(), run.Info, r)
	if err != nil || len(problems) == 0 || problems[0].String() != "m/curve: metric has other points than those sent (1500 each) (differs)" {
		t.Errorf("problems %v, error %v", problems, err)
	}
	for range 2 {
		_, err = put(t, newSink(t, cfg), run)
		if err == nil || !strings.Contains(err.Error(), "mlflow runs delete --run-id "+id) || strings.Contains(err.Error(), "sends what is missing") {
			t.Errorf("error %v", err)
		}
	}
	response, err := http.Post(server.URL+"/api/2.0/mlflow/runs/delete", "application/json", strings.NewReader(`{"run_id": "`+id+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	mustPut(t, newSink(t, cfg), run)
}

// TestLostPoints can be sent again.
func TestLostPoints(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	server.SetFault(func(n int, r *http.Request) mlflowtest.Fault {
		return mlflowtest.Fault{Drop: strings.HasSuffix(r.URL.Path, "log-batch")}
	})
	_, err := put(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), example())
	if err == nil || !strings.Contains(err.Error(), "loading again sends what is missing") {
		t.Errorf("error %v", err)
	}
}
