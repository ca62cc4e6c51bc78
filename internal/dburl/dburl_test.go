package dburl_test

import (
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nexport-go/migrate/internal/dburl"
)

// TestParse has what make_url of SQLAlchemy 2.1.9 gives; 2.0 does not decode databases.
func TestParse(t *testing.T) {
	for address, want := range map[string]dburl.URL{
		"postgresql://":                              {},
		"postgresql:///db":                           {Database: "db"},
		"postgresql://nex:5432/w@host/db":            {User: "nex", Password: "5432/w", Host: "host", Database: "db"},
		"postgresql://nex:a:b/c?d%zz%2@host:5433/db": {User: "nex", Password: "a:b/c?d%zz%2", Host: "host", Port: "5433", Database: "db"},
		"postgresql://us%40er:p%40%2F%25@host/a%20b": {User: "us@er", Password: "p@/%", Host: "host", Database: "a b"},
		"postgresql://us@er@host/db":                 {User: "us@er", Host: "host", Database: "db"},
		"postgresql://u@x:p@host/db":                 {User: "u@x", Password: "p", Host: "host", Database: "db"},
		"postgresql://host/db@x":                     {Host: "host", Database: "db@x"},
		"postgresql://host:5432/db@x":                {User: "host", Password: "5432/db", Host: "x"},
		"postgresql+psycopg2://u:p@[::1]:5433/db":    {Driver: "psycopg2", User: "u", Password: "p", Host: "::1", Port: "5433", Database: "db"},
		"postgresql://u:p%FFq%C3%A4@host/db":         {User: "u", Password: "p\ufffdqä", Host: "host", Database: "db"},
		"postgresql://u:p@host/db?a=1&a=2&b=x+y%26&c&d=&e=%zz": {
			User: "u", Password: "p", Host: "host", Database: "db",
			Query: url.Values{"a": {"1", "2"}, "b": {"x y&"}, "e": {"%zz"}},
		},
		"sqlite:///a%20b.db":            {Dialect: "sqlite", Database: "a b.db"},
		"sqlite:///a%2520b.db":          {Dialect: "sqlite", Database: "a%20b.db"},
		"sqlite:///100%.db":             {Dialect: "sqlite", Database: "100%.db"},
		"sqlite:///a#b@c:d.db":          {Dialect: "sqlite", Database: "a#b@c:d.db"},
		"sqlite:///a%3Fb.db?timeout=5":  {Dialect: "sqlite", Database: "a?b.db", Query: url.Values{"timeout": {"5"}}},
		"sqlite:///C:/x%41.db":          {Dialect: "sqlite", Database: "C:/xA.db"},
		"sqlite+pysqlite:////abs/x+.db": {Dialect: "sqlite", Driver: "pysqlite", Database: "/abs/x+.db"},
	} {
		if want.Dialect == "" {
			want.Dialect = "postgresql"
		}
		got, err := dburl.Parse(address)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(dburl.URL{}), cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%s: %v %s", address, err, diff)
		}
	}
}

// TestPasswordsAreNotShown: also those that nobody wrote as they should be written.
func TestPasswordsAreNotShown(t *testing.T) {
	for address, refused := range map[string]bool{
		"postgresql://u:sec/ret@host/db":              false,
		"postgresql://u:5432/sec?ret@host/db":         false,
		"postgresql://u:x@host/db?password=secret":    false,
		"postgresql://u:x@sec@ret@host/db":            true,
		"postgresql://u:x@sec/ret@host/db":            true,
		"postgresql://u:@sec/ret@host/db":             true,
		"postgresql://u:x@sec?ret@host/db":            true,
		"postgresql://u:x@sec?ret=1@host/db":          true,
		"postgresql://u:x@sec:ret/y@host/db":          true,
		"postgresql://u:secret:ret":                   true,
		"postgresql:u:secret@host/db":                 true,
		"sqlite+pysqlcipher://:secret@/a.db":          false,
		"sqlite://u:secret@host/a.db?password=secret": false,
	} {
		_, err := dburl.Parse(address)
		if shown := dburl.Shown(address); (err != nil) != refused || strings.Contains(shown, "sec") || strings.Contains(shown, "ret") {
			t.Errorf("%s: shown as %q, error %v", address, shown, err)
		}
	}
}

func TestShown(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("old%20name.db", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"postgresql://u:p@host:5432/a%20b?x=y":   "postgresql://host:5432/a%20b",
		"postgresql+psycopg2://[::1]/db":         "postgresql+psycopg2://[::1]/db",
		"postgresql://u:p@[::1]:5433/db":         "postgresql://[::1]:5433/db",
		"postgresql://:5433/db":                  "postgresql://:5433/db",
		"postgresql:///db?host=/run":             "postgresql:///db",
		"postgresql://host/":                     "postgresql://host",
		"sqlite+pysqlite:///a.db?timeout=5":      "sqlite:///a.db",
		"sqlite:///a%20b%.db":                    "sqlite:///a b%.db",
		"sqlite:///new%2520name%3F.db":           "sqlite:///new%2520name%3F.db",
		"sqlite:///old%20name.db":                "sqlite:///old%2520name.db", // there is such a file
		"sqlite:////home/ö/#1/mlflow.db":         "sqlite:////home/ö/#1/mlflow.db",
		"sqlite:///C:/mlflow.db?check=true&x=%3": "sqlite:///C:/mlflow.db",
	} {
		if got := dburl.Shown(address); got != want {
			t.Errorf("%s is shown as %s, not %s", address, got, want)
		}
	}
}

// TestSQLiteGoesBack: what is made of a path is read as that path.
func TestSQLiteGoesBack(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{"a%20b/mlflow.db", "%%41", "%2%30", "a?b%3F", "100%", "a%", "#?&@:%25", "/abs/ö+ .db", "C:/x"} {
		u, err := dburl.Parse(dburl.SQLite(path))
		if got, ok := u.File(); got != path || !ok || err != nil {
			t.Errorf("%s: %s is %q, %v", path, dburl.SQLite(path), got, err)
		}
	}
}
