package mlflow_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nexport-go/migrate/mlflow"
)

func TestSQLiteAddresses(t *testing.T) {
	dir := filepath.ToSlash(t.TempDir())
	if err := os.WriteFile(filepath.Join(dir, "f%20g.db"), nil, 0o666); err != nil { // made by an older one
		t.Fatal(err)
	}
	for uri, file := range map[string]string{
		"sqlite:///" + dir + "/a.db":                          "a.db",
		"sqlite+pysqlite:///" + dir + "/b.db?timeout=5":       "b.db",
		"sqlite:///" + dir + "/ö #%2520&.db":                  "ö #%20&.db",
		"sqlite:///" + dir + "/d%20e.db":                      "d e.db", // since SQLAlchemy 2.1
		"sqlite:///" + dir + "/f%20g.db":                      "f%20g.db",
		"sqlite:///" + dir + "/h.db?mode=rwc&immutable=0":     "h.db",
		"sqlite:///" + dir + "/i.db?mode=ro":                  "",
		"sqlite:///" + dir + "/i.db?immutable=1":              "",
		"sqlite:///" + dir + "/i.db?vfs=unix&uri=true":        "",
		"sqlite://ann:secret@/" + dir + "/i.db":               "",
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

// TestSQLiteMakesDirectories: as MLflow does, but not before there is something to write.
func TestSQLiteMakesDirectories(t *testing.T) {
	dir := t.TempDir()
	cfg := mlflow.Config{TrackingURI: "sqlite:///" + filepath.ToSlash(dir) + "/new/a%20b/x.db", ArtifactsDir: dir, DryRun: true}
	mustPut(t, newSink(t, cfg), example())
	if _, err := os.Stat(filepath.Join(dir, "new")); err == nil {
		t.Error("a dry run made a directory")
	}
	cfg.DryRun = false
	mustPut(t, newSink(t, cfg), example())
	if _, err := os.Stat(filepath.Join(dir, "new", "a b", "x.db")); err != nil {
		t.Error(err)
	}
}

// TestFileStoreIsRefused: such addresses are those of directories.
func TestFileStoreIsRefused(t *testing.T) {
	for _, uri := range []string{"mlruns", "./mlruns", "/home/ann/mlruns", "file:///home/ann/mlruns", "file:mlruns", `C:\mlruns`, "./a:b"} {
		if _, err := mlflow.New(mlflow.Config{TrackingURI: uri}); err == nil || !strings.Contains(err.Error(), "mlflow migrate-filestore") {
			t.Errorf("%s: error %v", uri, err)
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
