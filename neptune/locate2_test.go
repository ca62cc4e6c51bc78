package neptune_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// The API is where the server says that it is, if it says so, and a token never goes from https to http.
func TestLocation(t *testing.T) {
	for _, test := range []struct {
		name   string
		config string // that the server of the token answers, with the address of the API in it
		status int
		tls    bool
		given  bool // the address is configured
		want   bool // the API itself is asked
	}{
		{"elsewhere", `{"apiUrl":"%s"}`, 200, false, false, true},
		{"with a slash", `{"apiUrl":"%s/"}`, 200, false, false, true},
		{"not said", `{}`, 200, false, false, false},
		{"not an address", `{"apiUrl":"x"}`, 200, false, false, false},
		{"not there", `no`, 404, false, false, false},
		{"not now", `no`, 503, false, false, false},
		{"in the clear", `{"apiUrl":"%s"}`, 200, true, false, false},
		{"given", `{"apiUrl":"%s"}`, 200, false, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := project(neptunetest.Attribute{Path: "m", Value: floats(2)})
			inner := serve2(t, neptunetest.Options{}, p)
			var first, configs atomic.Int32
			outer := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				first.Add(1)
				if strings.HasSuffix(r.URL.Path, "/clients/config") {
					configs.Add(1)
					w.WriteHeader(test.status)
					io.WriteString(w, strings.ReplaceAll(test.config, "%s", inner.URL))
					return
				}
				inner.ServeHTTP(w, r)
			}))
			if test.tls {
				outer.StartTLS()
			} else {
				outer.Start()
			}
			defer outer.Close()
			inside, _ := json.Marshal(map[string]string{"api_address": outer.URL})
			cfg := neptune.WithoutWaits(neptune.Config{APIToken: token(string(inside)), Generation: neptune.Neptune2, InsecureTLS: true}, nil)
			if test.given {
				cfg.URL = outer.URL
			}
			cfg.Client = withToken{inner.Token(), outer.Client().Transport}
			source, err := neptune.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			runs := 0
			for _, err := range source.Runs(t.Context(), migrate.Selection{Projects: []string{p.ID()}}) {
				if runs++; err != nil {
					t.Fatal(err)
				}
			}
			if runs != 1 {
				t.Errorf("%d runs", runs)
			}
			if moved := first.Load() == configs.Load(); moved != test.want {
				t.Errorf("%d requests to the address of the token, of which %d for the configuration", first.Load(), configs.Load())
			}
			if test.given == (configs.Load() > 0) {
				t.Errorf("%d requests for the configuration", configs.Load())
			}
		})
	}
}

// withToken puts another API token in the place of the one that has the address to test.
type withToken struct {
	token string
	next  http.RoundTripper
}

func (w withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("X-Neptune-Api-Token") != "" {
		r = r.Clone(r.Context())
		r.Header.Set("X-Neptune-Api-Token", w.token)
	}
	return w.next.RoundTrip(r)
}
