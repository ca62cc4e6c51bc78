package mlflow_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/mlflow"
	"github.com/nexport-go/migrate/mlflow/mlflowtest"
)

// TestForeignHostGetsNoCredentials: whoever may create an experiment says which host takes its artifacts.
func TestForeignHostGetsNoCredentials(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		want   string
	}{
		"takes them":      {http.StatusOK, ""},
		"wants a login":   {http.StatusUnauthorized, "gets no credentials"},
		"forbids":         {http.StatusForbidden, "gets no credentials"},
		"is out of order": {http.StatusTeapot, "418"},
	} {
		t.Run(name, func(t *testing.T) {
			uploads := 0
			other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				uploads++
				for _, header := range []string{"Authorization", "X-Mlflow-Workspace"} {
					if got := r.Header.Get(header); got != "" {
						t.Errorf("%s %s has %s: %q", r.Method, r.URL.Path, header, got)
					}
				}
				w.WriteHeader(test.status)
			}))
			defer other.Close()
			host := strings.TrimPrefix(other.URL, "http://")
			server := mlflowtest.NewServer(t, mlflowtest.Options{User: "ann", Password: secret, ArtifactRoot: "mlflow-artifacts://" + host + "/loot"})
			cfg := mlflow.Config{TrackingURI: server.URL, Username: "ann", Password: secret, Workspace: "w", NoCheck: true}
			_, err := put(t, newSink(t, cfg), example())
			if uploads == 0 || (err == nil) != (test.want == "") {
				t.Fatalf("%d uploads, error %v", uploads, err)
			}
			if err == nil {
				return
			}
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), host) {
				t.Errorf("error %v", err)
			}
			if errors.Is(err, migrate.ErrFatal) || errors.Is(err, migrate.ErrUnauthorized) {
				t.Errorf("another experiment may have another host, but: %v", err)
			}
		})
	}
}

// TestOwnHostGetsCredentials also if a location names the tracking server itself.
func TestOwnHostGetsCredentials(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config.Handler = mlflowtest.NewServer(t, mlflowtest.Options{
		User: "ann", Password: secret, ArtifactRoot: "mlflow-artifacts://" + server.Listener.Addr().String(),
	})
	server.Start()
	defer server.Close()
	mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL, Username: "ann", Password: secret}), example())
}

func TestWhoseHost(t *testing.T) {
	for _, test := range []struct {
		server, url string
		own         bool
	}{
		{"http://a", "http://a/x", true},
		{"http://a", "http://A:80/x", true},
		{"https://a:443/team", "https://a/x", true},
		{"http://a:5000", "http://a:5001/x", false},
		{"http://a", "http://a:443/x", false},
		{"https://a", "http://a/x", false},
		{"http://a", "http://a.evil/x", false},
		{"http://[::1]:5000", "http://[::1]:5000/x", true},
	} {
		if got := mlflow.Owns(t, test.server, test.url); got != test.own {
			t.Errorf("server %s, %s: %v", test.server, test.url, got)
		}
	}
}

// TestForbiddenExperiment is the failure of its runs alone.
func TestForbiddenExperiment(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{Forbid: func(name string) bool { return name == "ws/p" }})
	var source migratetest.Memory
	for _, project := range []string{"ws/a", "ws/p", "ws/z"} {
		for _, id := range []string{"1", "2"} {
			run := example()
			run.Info.RunRef = migrate.RunRef{Project: project, ID: id}
			source.Add(run)
		}
	}
	report, err := migrate.Run(t.Context(), migrate.Job{Source: &source, Sink: newSink(t, mlflow.Config{TrackingURI: server.URL}), Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	if moved := report.Moved[migrate.StageLoad].Runs; moved != 4 || len(report.Runs) != 2 {
		t.Errorf("%d runs moved, %d not", moved, len(report.Runs))
	}
	for _, run := range report.Runs {
		if !errors.Is(run.Err, migrate.ErrUnauthorized) || !strings.Contains(run.Err.Error(), "an account that may edit the experiment") {
			t.Errorf("%s: %v", run.Run, run.Err)
		}
	}
}
