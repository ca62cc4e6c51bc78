package neptune_test

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

func TestFromEnv(t *testing.T) {
	env := map[string]string{
		"NEPTUNE_API_TOKEN": " abc\n", "NEPTUNE_PROJECT": "team/proj",
		"NEPTUNE_VERIFY_SSL": "False", "NEPTUNE_HTTP_REQUEST_TIMEOUT_SECONDS": "2.5",
	}
	got, err := neptune.FromEnv(func(name string) string { return env[name] })
	want := neptune.Config{APIToken: "abc", Projects: []string{"team/proj"}, InsecureTLS: true, Timeout: 2500 * time.Millisecond}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(neptune.Config{})); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	old := map[string]string{"NEPTUNE_API_TOKEN": "abc", "NEPTUNE_ALLOW_SELF_SIGNED_CERTIFICATE": "0", "NEPTUNE_REQUEST_TIMEOUT": "600"}
	got, err = neptune.FromEnv(func(name string) string { return old[name] })
	want = neptune.Config{APIToken: "abc", InsecureTLS: true, Timeout: 10 * time.Minute}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(neptune.Config{})); diff != "" || err != nil {
		t.Errorf("of 2.x: %v (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{"x", "-1", "0", "NaN", "1e300"} {
		env["NEPTUNE_HTTP_REQUEST_TIMEOUT_SECONDS"] = bad
		if _, err := neptune.FromEnv(func(name string) string { return env[name] }); err == nil {
			t.Errorf("%s seconds are taken", bad)
		}
	}
}

func token(json string) string { return base64.StdEncoding.EncodeToString([]byte(json)) }

func TestConfigurations(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  neptune.Config
		want string // in the error; empty: none
		is   error
	}{
		{"no token", neptune.Config{}, "NEPTUNE_API_TOKEN", migrate.ErrUnauthorized},
		{"no base64", neptune.Config{APIToken: "secret!"}, "copy it again", migrate.ErrUnauthorized},
		{"no JSON", neptune.Config{APIToken: token("secret!")}, "copy it again", migrate.ErrUnauthorized},
		{"no address", neptune.Config{APIToken: token(`{"api_key":"secret"}`)}, "--neptune-url", nil},
		{"no URL", neptune.Config{APIToken: token(`{"api_url":"secret"}`)}, "--neptune-url", nil},
		{"null and an address", neptune.Config{APIToken: token(`{"api_url":null,"api_address":"http://h"}`)}, "", nil},
		{"without padding", neptune.Config{APIToken: strings.TrimRight(token(`{"api_url":"http://h/p/"}`), "=")}, "", nil},
		{"address given", neptune.Config{APIToken: "opaque", URL: "https://h:8/p"}, "", nil},
		{"project", neptune.Config{APIToken: "x", URL: "http://h", Projects: []string{"proj"}}, "workspace/project", nil},
		{"CA bundle that is not there", neptune.Config{APIToken: "x", URL: "http://h", CABundle: "/no/such"}, "/no/such", os.ErrNotExist},
		{"CA bundle without certificates", neptune.Config{APIToken: "x", URL: "http://h", CABundle: "config_test.go"}, "no PEM", nil},
		{"client certificate", neptune.Config{APIToken: "x", URL: "http://h", ClientCert: "/no/such"}, "client certificate", os.ErrNotExist},
		{"client key alone", neptune.Config{APIToken: "x", URL: "http://h", ClientKey: "/no/such"}, "certificate that it belongs to", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := neptune.New(test.cfg)
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want %q in it", err, test.want)
			case test.is != nil && !errors.Is(err, test.is):
				t.Errorf("error %v is not %v", err, test.is)
			case err != nil && strings.Contains(err.Error(), "secret"):
				t.Errorf("secret in %v", err)
			}
		})
	}
}

// A server below a path, behind TLS of one's own.
func TestOwnAuthority(t *testing.T) {
	p := project(neptunetest.Attribute{Path: "x", Value: neptunetest.Int(1)})
	inner := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}, Prefix: "/neptune"})
	outer := httptest.NewTLSServer(inner)
	defer outer.Close()
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: outer.Certificate().Raw})
	if err := os.WriteFile(bundle, text, 0o600); err != nil {
		t.Fatal(err)
	}
	source := open(t, inner, func(cfg *neptune.Config) {
		quick(cfg)
		cfg.URL, cfg.CABundle = outer.URL+"/neptune/", bundle
	})
	if got := readAll(t, source, p.ID()); len(got) != 1 {
		t.Errorf("%d runs", len(got))
	}
	stranger := open(t, inner, func(cfg *neptune.Config) { quick(cfg); cfg.URL = outer.URL + "/neptune" })
	if err := stranger.Probe(t.Context(), p.ID()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error %v", err)
	}
}

// Where a wrong address leads nowhere, it does not take minutes to say so.
func TestNobodyThere(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	source, err := neptune.New(neptune.WithoutWaits(neptune.Config{APIToken: "x", URL: server.URL}, nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := source.Probe(t.Context(), "a/b"); err == nil || !strings.Contains(err.Error(), "gave up") {
		t.Errorf("error %v", err)
	}
}
