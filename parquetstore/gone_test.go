package parquetstore_test

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/parquetstore"
)

// TestDirectoryGone takes one of the directories away, or puts another one in its place: no run can be written any
// more, and the error says which directory it is.
func TestDirectoryGone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows removes no directory that is open")
	}
	for _, again := range []bool{false, true} {
		for i := range 2 {
			dirs := []string{t.TempDir(), t.TempDir()}
			store := createIn(t, dirs[0], dirs[1], parquetstore.Config{})
			if err := os.RemoveAll(dirs[i]); err != nil {
				t.Fatal(err)
			}
			if again {
				if err := os.Mkdir(dirs[i], 0o755); err != nil {
					t.Fatal(err)
				}
			}
			_, err := put(t, store, rich())
			if !errors.Is(err, migrate.ErrFatal) || !strings.Contains(err.Error(), dirs[i]+`" was removed or replaced`) {
				t.Errorf("directory %d, made again: %t: error %v", i, again, err)
			}
		}
	}
}
