package mlflow_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	migrate "github.com/nexport-go/migrate"
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

// TestDroppedEnds has a server that takes in only the beginning of a batch, as MLflow's parser does at what it does not
// understand, and answers 200: wherever that is, the check sees it.
func TestDroppedEnds(t *testing.T) {
	run := migratetest.Run{Info: migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/p", ID: "r"}}}
	for i := range 130 { // more metrics than a batch takes, and one that two share
		chunk := floats(fmt.Sprintf("m/%03d", i), 1, 2, 3)
		slices.Reverse(chunk.Steps) // so that the latest point is sent first
		run.Chunks = append(run.Chunks, chunk)
	}
	run.Chunks = append(run.Chunks, floats("m/130", curve(1500)...))
	for _, at := range []struct{ batch, keep int }{{0, 0}, {0, 1}, {0, 150}, {0, 298}, {0, 299}, {1, 0}, {1, 88}, {1, 89}, {1, 90}, {1, 999}, {2, 0}, {2, 589}} {
		server := mlflowtest.NewServer(t, mlflowtest.Options{})
		sent := 0
		front := cutting(t, server.URL, func(metrics []any) []any {
			if sent++; sent-1 == at.batch {
				return metrics[:at.keep]
			}
			return metrics
		})
		_, err := put(t, newSink(t, mlflow.Config{TrackingURI: front}), run)
		if err == nil || !strings.Contains(err.Error(), "is not what was sent") {
			t.Errorf("%d points of batch %d stored: got %v after %d batches", at.keep, at.batch, err, sent)
		}
	}
}

// cutting gives the URL of a proxy that leaves out points of batches that have any.
func cutting(t *testing.T, server string, cut func(metrics []any) []any) string {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	var mu sync.Mutex
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var batch map[string]any
		if strings.HasSuffix(r.URL.Path, "log-batch") && json.Unmarshal(body, &batch) == nil && batch["metrics"] != nil {
			mu.Lock()
			batch["metrics"] = cut(batch["metrics"].([]any))
			mu.Unlock()
			if len(batch["metrics"].([]any)) == 0 {
				io.WriteString(w, "{}")
				return
			}
			if body, err = json.Marshal(batch); err != nil {
				t.Error(err)
			}
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front.URL
}
