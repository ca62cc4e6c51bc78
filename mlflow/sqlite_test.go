package mlflow_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nexport-go/migrate/mlflow"
)

func TestSQLiteAddresses(t *testing.T) {
	dir := filepath.ToSlash(t.TempDir())
	for uri, file := range map[string]string{
		"sqlite:///" + dir + "/a.db":                          "a.db",
		"sqlite+pysqlite:///" + dir + "/b.db?timeout=5":       "b.db",
		"sqlite:///" + dir + "/ö #%20&.db":                    "ö #%20&.db",
		"sqlite:///":                                          "",
		"sqlite://c.db":                                       "",
		"sqlite:///:memory:":                                  "",
		"sqlite:///file:x?mode=memory&uri=true":               "",
		"sqlite+pysqlcipher://:secret@/" + dir + "/secret.db": "",
	} {
		sink, err := mlflow.New(mlflow.Config{TrackingURI: uri, ArtifactsDir: dir + "/artifacts"})
		if file == "" {
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: error %v", uri, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		mustPut(t, sink, example())
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
		if found, err := filepath.Glob(filepath.Join(dir, "*.db")); err != nil || !slices.Contains(found, filepath.Join(filepath.FromSlash(dir), file)) {
			t.Errorf("%s: files %q, %v", uri, found, err)
		}
	}
}

// TestSQLiteName: SQLite takes what is between two slashes and the third for a host, and refuses it.
func TestSQLiteName(t *testing.T) {
	for path, want := range map[string]string{
		"/home/a b/x.db":    "file:///home/a%20b/x.db",
		"C:/a#b/x%41.db":    "file:///C:/a%23b/x%2541.db",
		"//server/share/db": "file:////server/share/db",
	} {
		if got := mlflow.SQLiteName(path); got != want {
			t.Errorf("%s: %s, not %s", path, got, want)
		}
	}
}
