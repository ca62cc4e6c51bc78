package parquetstore_test

import (
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/nexport-go/migrate/parquetstore"
)

// TestLeftoversOfWhole breaks the replacement of a run at every change on disk: a put that leaves the run as it is, since
// it is whole, removes what there was of the new copy.
func TestLeftoversOfWhole(t *testing.T) {
	older := rich()
	older.Info.Modified = older.Info.Modified.Add(-time.Hour)
	limits := parquetstore.Config{}.Limits(4000, 12, 1<<20)
	for at := 1; ; at++ {
		data, files := t.TempDir(), t.TempDir()
		store := createIn(t, data, files, limits)
		mustPut(t, store, older)
		store.Close()
		b := breaker{at: at, kill: true, err: errBroken}
		store = createIn(t, data, files, limits.Fault(b.fault))
		_, _ = put(t, store, rich()) // breaks
		store.Close()
		if !b.fired {
			return
		}
		keep := limits
		keep.Renew = parquetstore.RenewNone
		store = createIn(t, data, files, keep)
		if !mustPut(t, store, rich()).Existed {
			t.Errorf("at change %d: the run was written again", at)
		}
		store.Close()
		err := filepath.WalkDir(data, func(name string, _ fs.DirEntry, err error) error {
			if slices.Contains([]string{".tmp", ".swap"}, filepath.Ext(name)) {
				t.Errorf("at change %d: %s was left", at, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
