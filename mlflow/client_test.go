package mlflow_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/mlflow"
	"github.com/nexport-go/migrate/mlflow/mlflowtest"
)

const secret = "s3cr3t-pass"

func TestAuthentication(t *testing.T) {
	basic := mlflowtest.Options{User: "ann", Password: secret}
	token := mlflowtest.Options{Token: secret}
	withUser := func(uri, user, password string) string {
		return strings.Replace(uri, "http://", "http://"+user+":"+password+"@", 1)
	}
	for name, test := range map[string]struct {
		opts   mlflowtest.Options
		config func(uri string) mlflow.Config
		ok     bool
	}{
		"basic": {basic, func(uri string) mlflow.Config {
			return mlflow.Config{TrackingURI: uri, Username: "ann", Password: secret}
		}, true},
		"in the URI":   {basic, func(uri string) mlflow.Config { return mlflow.Config{TrackingURI: withUser(uri, "ann", secret)} }, true},
		"bearer":       {token, func(uri string) mlflow.Config { return mlflow.Config{TrackingURI: uri, Token: secret} }, true},
		"none":         {basic, func(uri string) mlflow.Config { return mlflow.Config{TrackingURI: uri} }, false},
		"wrong":        {basic, func(uri string) mlflow.Config { return mlflow.Config{TrackingURI: withUser(uri, "bob", secret)} }, false},
		"wrong bearer": {token, func(uri string) mlflow.Config { return mlflow.Config{TrackingURI: uri, Token: secret + "x"} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := mlflowtest.NewServer(t, test.opts)
			var log bytes.Buffer
			cfg := test.config(server.URL)
			cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			_, err := put(t, newSink(t, cfg), example())
			if test.ok && err != nil || !test.ok && (!errors.Is(err, migrate.ErrUnauthorized) || !errors.Is(err, migrate.ErrFatal)) {
				t.Errorf("error %v", err)
			}
			if err != nil && strings.Contains(err.Error(), secret) || strings.Contains(log.String(), secret) {
				t.Errorf("the secret is shown: %v\n%s", err, log.String())
			}
		})
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	for _, uri := range []string{
		"postgresql://ann:" + secret + "@db/x", "mysql://db/x?password=" + secret, "http://ann:" + secret + "@%zz",
		"http://ann:" + secret + "@127.0.0.1:1", "sqlite:///doc.go/x?key=" + secret, "//ann:" + secret + "@host",
	} {
		sink, err := mlflow.New(mlflow.WithoutWaiting(mlflow.Config{TrackingURI: uri, Token: secret, RetryFor: 1}, nil))
		if err == nil {
			_, err = put(t, sink, example())
		}
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("error %v", err)
		}
	}
}

func TestHostCheck(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{AllowedHosts: []string{"mlflow.example:5000"}})
	_, err := put(t, newSink(t, mlflow.Config{TrackingURI: server.URL}), example())
	if !errors.Is(err, migrate.ErrFatal) || errors.Is(err, migrate.ErrUnauthorized) || !strings.Contains(err.Error(), "--allowed-hosts \""+strings.TrimPrefix(server.URL, "http://")) {
		t.Errorf("error %v", err)
	}
}

func TestNotMLflow(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"404 page": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusNotFound) },
		"200 page": func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>login</html>")) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://other.example/", http.StatusFound)
		},
		"413": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) },
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				handler(w, r)
			}))
			defer server.Close()
			_, err := put(t, newSink(t, mlflow.WithoutWaiting(mlflow.Config{TrackingURI: server.URL}, nil)), example())
			if err == nil || asked > 5 {
				t.Errorf("error %v after %d requests", err, asked)
			}
		})
	}
}

func TestStaticPrefix(t *testing.T) {
	inner := mlflowtest.NewServer(t, mlflowtest.Options{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, "/team/ajax-api/")
		if !ok {
			http.Error(w, "<html>", http.StatusNotFound)
			return
		}
		r.URL.Path, r.URL.RawPath = "/api/"+rest, ""
		inner.ServeHTTP(w, r)
	}))
	defer server.Close()
	run := example()
	mustPut(t, newSink(t, mlflow.Config{TrackingURI: server.URL + "/team/"}), run)
	if n := len(inner.Runs()); n != 1 {
		t.Errorf("%d runs", n)
	}
}

func TestRetryAfter(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	server.SetFault(func(n int, _ *http.Request) mlflowtest.Fault {
		if n < 3 {
			return mlflowtest.Fault{Status: http.StatusTooManyRequests, RetryAfter: "77"}
		}
		return mlflowtest.Fault{}
	})
	var waits []time.Duration
	cfg := mlflow.WithoutWaiting(mlflow.Config{TrackingURI: server.URL}, func(d time.Duration) { waits = append(waits, d) })
	mustPut(t, newSink(t, cfg), example())
	if diff := cmp.Diff([]time.Duration{77 * time.Second, 77 * time.Second, 77 * time.Second}, waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
}

func TestGivesUp(t *testing.T) {
	for _, status := range []int{http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusTooManyRequests} {
		server := mlflowtest.NewServer(t, mlflowtest.Options{})
		server.SetFault(func(int, *http.Request) mlflowtest.Fault { return mlflowtest.Fault{Status: status} })
		var waited time.Duration
		cfg := mlflow.WithoutWaiting(mlflow.Config{TrackingURI: server.URL, RetryFor: time.Minute}, func(d time.Duration) { waited += d })
		_, err := put(t, newSink(t, cfg), example())
		if err == nil || waited == 0 || waited > time.Minute {
			t.Errorf("status %d: error %v after waits of %v", status, err, waited)
		}
	}
}

func TestFromEnv(t *testing.T) {
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, ".mlflow"), 0o700); err != nil {
		t.Fatal(err)
	}
	ini := "[other]\nmlflow_tracking_username = x\n[mlflow]\n# comment\nmlflow_tracking_username = ann\nmlflow_tracking_password = " + secret + "\n"
	if err := os.WriteFile(filepath.Join(home, ".mlflow", "credentials"), []byte(ini), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		env  map[string]string
		home string
		want mlflow.Config
		err  string
	}{
		"file":      {nil, home, mlflow.Config{Username: "ann", Password: secret}, ""},
		"no home":   {nil, "", mlflow.Config{}, ""},
		"env wins":  {map[string]string{"MLFLOW_TRACKING_USERNAME": "bob"}, home, mlflow.Config{Username: "bob", Password: secret}, ""},
		"timeout":   {map[string]string{"MLFLOW_HTTP_REQUEST_TIMEOUT": "7"}, "", mlflow.Config{Timeout: 7 * time.Second}, ""},
		"tls":       {map[string]string{"MLFLOW_TRACKING_INSECURE_TLS": "true"}, "", mlflow.Config{InsecureTLS: true}, ""},
		"plugin":    {map[string]string{"MLFLOW_TRACKING_AUTH": "x"}, "", mlflow.Config{}, "MLFLOW_TRACKING_AUTH"},
		"sigv4":     {map[string]string{"MLFLOW_TRACKING_AWS_SIGV4": "true"}, "", mlflow.Config{}, "SIGV4"},
		"bad time":  {map[string]string{"MLFLOW_HTTP_REQUEST_TIMEOUT": "soon"}, "", mlflow.Config{}, "seconds"},
		"workspace": {map[string]string{"MLFLOW_WORKSPACE": "w"}, "", mlflow.Config{Workspace: "w"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := mlflow.FromEnv(func(key string) string { return test.env[key] }, test.home)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			same := got.Username == test.want.Username && got.Password == test.want.Password && got.Timeout == test.want.Timeout &&
				got.InsecureTLS == test.want.InsecureTLS && got.Workspace == test.want.Workspace
			if !same {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
