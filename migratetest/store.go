package migratetest

import (
	"testing"

	migrate "github.com/nexport-go/migrate"
)

// TestStore checks the contracts of both roles of a migrate.Store, and that it gives back what it
// received. Each call of newStore gives an empty one.
func TestStore(t *testing.T, newStore func(t *testing.T) migrate.Store) {
	TestSink(t, func(t *testing.T) migrate.Sink { return newStore(t) })
	store := newStore(t)
	for _, run := range samples() {
		put(t, store, run)
	}
	TestSource(t, store, migrate.Selection{Scopes: []migrate.Scope{migrate.ScopeRun, migrate.ScopeModel, migrate.ScopeModelVersion}})
	t.Run("gives back what it received", func(t *testing.T) {
		for _, run := range samples() {
			r, err := store.OpenRun(t.Context(), run.Info)
			if err != nil {
				t.Fatal(err)
			}
			var copied Memory
			if _, err := copied.PutRun(t.Context(), run.Info, r); err != nil || !lossless(r.Problems()) {
				t.Fatalf("%s: %v, %v", run.Info.RunRef, err, r.Problems())
			}
			verify(t, &copied, run)
		}
	})
}
