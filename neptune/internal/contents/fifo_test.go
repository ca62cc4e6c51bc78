//go:build unix

package contents_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/nexport-go/migrate/neptune/internal/contents"
)

// A FIFO that nobody writes to must not be waited for.
func TestFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	var o contents.Opener
	if err := o.Check(t.Context(), contents.File{Location: "file://" + path, Hash: sha1Of(""), Size: 0}); err == nil {
		t.Error("no error")
	}
}
