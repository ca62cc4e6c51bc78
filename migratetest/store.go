package migratetest

import (
	"errors"
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
	everything := migrate.Selection{Scopes: []migrate.Scope{migrate.ScopeRun, migrate.ScopeModel, migrate.ScopeModelVersion}}
	TestSource(t, store, everything)
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
	t.Run("knows of a run what it was told", func(t *testing.T) {
		held := map[migrate.RunRef]migrate.RunInfo{}
		for _, info := range list(t, store, everything) {
			held[info.RunRef] = info
		}
		for _, run := range samples() {
			sameInfo(t, "Runs", held[run.Info.RunRef], run.Info)
		}
	})
	t.Run("changes no text silently", func(t *testing.T) { testInvalidText(t, newStore(t)) })
	if finder, ok := store.(migrate.Finder); ok {
		t.Run("finds a run", func(t *testing.T) { testFinder(t, finder) })
	}
}

// testFinder looks for the samples, which the store has.
func testFinder(t *testing.T, finder migrate.Finder) {
	for _, run := range samples() {
		info, err := finder.Run(t.Context(), run.Info.RunRef)
		if err != nil {
			t.Errorf("%s: %v", run.Info.RunRef, err)
			continue
		}
		sameInfo(t, "Run", info, run.Info)
	}
	if _, err := finder.Run(t.Context(), migrate.RunRef{Project: "no/such", ID: "run"}); !errors.Is(err, migrate.ErrNotFound) {
		t.Errorf("a run that is not there: error %v, want ErrNotFound", err)
	}
}

// sameInfo compares what a sink decides by: parents go first, and names and times are loaded. Size and State are the
// store's own.
func sameInfo(t *testing.T, from string, got, want migrate.RunInfo) {
	t.Helper()
	if !got.Created.Equal(want.Created) || !got.Modified.Equal(want.Modified) {
		t.Errorf("%s of %s: created %s and modified %s, want %s and %s", from, want.RunRef, got.Created, got.Modified, want.Created, want.Modified)
	}
	if got.RunRef != want.RunRef || got.SysID != want.SysID || got.Name != want.Name || got.Parent != want.Parent {
		t.Errorf("%s of %s: got %s, short ID %q, name %q, parent %q; want short ID %q, name %q, parent %q",
			from, want.RunRef, got.RunRef, got.SysID, got.Name, got.Parent, want.SysID, want.Name, want.Parent)
	}
}

// testInvalidText puts what is not UTF-8. A store need not keep it, but must say so.
func testInvalidText(t *testing.T, store migrate.Store) {
	run := changed(small("a"), "p/text", migrate.Strings{"caf\xe9"})
	result, err := store.PutRun(t.Context(), run.Info, &memoryReader{&run})
	if err != nil || !lossless(result.Problems) {
		return
	}
	r, err := store.OpenRun(t.Context(), run.Info)
	if err != nil {
		t.Fatal(err)
	}
	var copied Memory
	if _, err := copied.PutRun(t.Context(), run.Info, r); err != nil {
		t.Fatal(err)
	}
	if lossless(r.Problems()) {
		verify(t, &copied, run)
	}
}
