package contents_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nexport-go/migrate/neptune/internal/contents"
)

// A file that was read once is known by its sum, whatever was asked for, until it changes.
func TestSumsAreRemembered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write := func(text string, at time.Time) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	var o contents.Opener
	check := func(text string) error {
		return o.Check(t.Context(), contents.File{Location: "file://" + path, Hash: sha1Of(text), Size: -1})
	}
	write("one", time.Unix(1_000, 0))
	if check("two") == nil || check("one") != nil || check("two") == nil {
		t.Error("the first text is not known as what it is")
	}
	write("two", time.Unix(2_000, 0))
	if check("one") == nil || check("two") != nil {
		t.Error("the second text is not known as what it is")
	}
}
