package parquetstore_test

import (
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/parquetstore"
)

func create(t testing.TB) *parquetstore.Store {
	t.Helper()
	return createIn(t, t.TempDir(), t.TempDir())
}

func createIn(t testing.TB, data, files string) *parquetstore.Store {
	t.Helper()
	store, err := parquetstore.Create(data, files, parquetstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func TestStore(t *testing.T) {
	migratetest.TestStore(t, func(t *testing.T) migrate.Store { return create(t) })
}
