package parquetstore_test

import (
	"errors"
	"testing"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/parquetstore"
)

// TestOtherServer: what came from a server of another name is neither replaced nor set aside, nor taken for a run that differs.
func TestOtherServer(t *testing.T) {
	const was = "https://Neptune.example.com:8443/ (Neptune 2.x)"
	for _, test := range []struct {
		name, now string
		moved     []string
		renew     parquetstore.Renew
		modified  bool
		refused   bool
	}{
		{name: "same", now: "http://neptune.example.com (Neptune 3.x)", modified: true},
		{name: "other", now: "https://other.example.com", modified: true, refused: true},
		{name: "other, update", now: "https://other.example.com", renew: parquetstore.RenewNone, modified: true, refused: true},
		{name: "other, all", now: "https://other.example.com", renew: parquetstore.RenewAll, refused: true},
		{name: "not modified", now: "https://other.example.com"},
		{name: "moved", now: "https://other.example.com", moved: []string{"https://neptune.example.com"}, modified: true},
		{name: "moved, by name", now: "https://other.example.com", moved: []string{"x", "neptune.EXAMPLE.com"}, modified: true},
		{name: "moved, by name and port", now: "https://other.example.com", moved: []string{"neptune.example.com:8443"}, modified: true},
		{name: "tunnel", now: "http://127.0.0.1:1234", modified: true},
		{name: "local", now: "http://localhost", modified: true},
		{name: "no address", now: "a backup", modified: true},
		{name: "nothing", modified: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			data, files := t.TempDir(), t.TempDir()
			old := settled(rich())
			store := createIn(t, data, files, parquetstore.Config{Source: was})
			mustPut(t, store, old)
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			store = createIn(t, data, files, parquetstore.Config{Source: test.now, MovedFrom: test.moved, Renew: test.renew})
			run := settled(rich())
			if test.modified {
				run.Info.Modified = run.Info.Modified.Add(time.Second)
			}
			var m migratetest.Memory
			m.Add(run)
			r, err := m.OpenRun(t.Context(), run.Info)
			if err != nil {
				t.Fatal(err)
			}
			_, err = store.PutRun(t.Context(), run.Info, r)
			if refused := errors.Is(err, parquetstore.ErrOtherServer); refused != test.refused || refused != errors.Is(err, migrate.ErrFatal) || !refused && err != nil {
				t.Errorf("put: %v", err)
			}
			_, err = store.SetAside(t.Context(), run.Info.RunRef)
			if kept := errors.Is(err, parquetstore.ErrOtherServer); kept != (test.refused || test.name == "not modified") || !kept && err != nil {
				t.Errorf("set aside: %v", err)
			}
		})
	}
}
