package mlflow_test

import (
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/nexport-go/migrate/mlflow"
)

// without the environment, addresses alone say where to connect to.
func withoutPostgresEnv(t *testing.T) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "PG") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("PGUSER", "me")
	t.Setenv("PGHOST", "there")
}

// TestPostgresAddresses: wanted is what create_connect_args of SQLAlchemy 2.1.9 gives to Python's driver.
func TestPostgresAddresses(t *testing.T) {
	withoutPostgresEnv(t)
	for uri, want := range map[string]string{
		"postgresql://":                   "me  there:5432 ",
		"postgres:///db":                  "me  there:5432 db",
		"postgresql://nex:5432/w@host/db": "nex 5432/w host:5432 db",
		"postgresql+psycopg2://nex:a:b/c?d%zz%2@host:5433/db":          "nex a:b/c?d%zz%2 host:5433 db",
		`postgresql://u:it's\@host/a'b\`:                               `u it's\ host:5432 a'b\`,
		"postgresql://us%40er:p%40%2F%25@host/a%20b":                   "us@er p@/% host:5432 a b",
		"postgresql://u:p@[::1]:5433/db":                               "u p ::1:5433 db",
		"postgresql://u:p@/db?host=h1:1&host=h2:2":                     "u p h1:1 h2:2 db",
		"postgresql://u:p@/db?host=h1:5444":                            "u p h1:5444 db",
		"postgresql://u:p@/db?host=h1&port=5444":                       "u p h1:5444 db",
		"postgresql://u:p@h0:5555/db?host=h1,h2&port=1,2":              "u p h1:1 h2:2 db",
		"postgresql://u:p@h0:5555/db?host=h1":                          "u p h1:5555 db",
		"postgresql://u:p@h0:5555/db?host=/var/run":                    "u p /var/run:5555 db",
		"postgresql://u:p@h0:5555/db?host=h1:&host=h2":                 "u p h1:5432 h2:5432 db",
		"postgresql://u:p@h0:5555/db?user=v&password=q&dbname=e":       "v q h0:5555 e",
		"postgresql://u:p@/db?hostaddr=127.0.0.1":                      "u p 127.0.0.1:5432 db",
		"postgresql://u:p@host/db?gssencmode=prefer&krbsrvname=p":      "u p host:5432 db",
		"postgresql://u:p@host/db?host=h1:1&host=h2:2&port=3":          "",
		"postgresql://u:secret@host:port/db":                           "",
		"postgresql://u:x@secret@host/db":                              "",
		"postgresql://u:secret@host/db?sslmode=never":                  "",
		"postgresql://u:secret@host/db?a%3D1+b=2":                      "",
		"postgresql://u:secret@host/db?gssencmode=require":             "",
		"postgresql://u:secret@host/db?sslcrl=x":                       "",
		"postgresql://u:secret@/db?host=/run&requirepeer=postgres":     "",
		"postgresql://u:secret@host/db?ssl_min_protocol_version=SSLv3": "",
	} {
		config, err := mlflow.PostgresConfig(uri)
		if want == "" {
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: error %v", uri, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", uri, err)
		} else if got := fmt.Sprintf("%s %s %s %s", config.User, config.Password, hosts(config), config.Database); got != want {
			t.Errorf("%s: %s, not %s", uri, got, want)
		}
	}
}

// hosts leaves out those that are there twice, with and without TLS.
func hosts(config *pgx.ConnConfig) string {
	all := fmt.Sprintf("%s:%d", config.Host, config.Port)
	for _, other := range config.Fallbacks {
		if next := fmt.Sprintf("%s:%d", other.Host, other.Port); !strings.HasSuffix(all, next) {
			all += " " + next
		}
	}
	return all
}

func TestPostgresTLS(t *testing.T) {
	withoutPostgresEnv(t)
	config, err := mlflow.PostgresConfig("postgresql://db.example.com/x?hostaddr=192.0.2.1&ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=tlsv1.3")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range append([]*tls.Config{config.TLSConfig}, config.Fallbacks[0].TLSConfig) {
		if c != nil && (c.MinVersion != tls.VersionTLS13 || c.MaxVersion != tls.VersionTLS13 || c.ServerName != "db.example.com") {
			t.Errorf("TLS %x to %x, to %s", c.MinVersion, c.MaxVersion, c.ServerName)
		}
	}
	if found, err := config.LookupFunc(t.Context(), "db.example.com"); len(found) != 1 || found[0] != "192.0.2.1" {
		t.Errorf("addresses %q, %v", found, err)
	}
}
