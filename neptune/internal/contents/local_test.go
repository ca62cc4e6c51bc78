package contents_test

import (
	"context"
	"crypto/sha1" //nolint:gosec // it is what Neptune has on record
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nexport-go/migrate/neptune/internal/contents"
)

func sha1Of(text string) string {
	sum := sha1.Sum([]byte(text)) //nolint:gosec
	return hex.EncodeToString(sum[:])
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// readAll opens a file and reads it to its end.
func readAll(t *testing.T, o *contents.Opener, f contents.File) (string, error) {
	t.Helper()
	r, err := o.Open(t.Context(), f)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

func TestLocal(t *testing.T) {
	dir := t.TempDir()
	odd := write(t, filepath.Join(dir, "ü %41.bin"), "text")
	link := filepath.Join(dir, "link")
	if err := os.Symlink(odd, link); err != nil {
		t.Skip(err)
	}
	good := contents.File{Location: "file://" + odd, Hash: sha1Of("text"), Size: 4}
	with := func(change func(*contents.File)) contents.File {
		f := good
		change(&f)
		return f
	}
	for _, test := range []struct {
		name string
		file contents.File
		want string // in the error
	}{
		{"as it was", good, ""},
		{"of unknown size", with(func(f *contents.File) { f.Size = -1 }), ""},
		{"hash in capitals", with(func(f *contents.File) { f.Hash = strings.ToUpper(f.Hash) }), ""},
		{"a link to it", with(func(f *contents.File) { f.Location = "file://" + link }), ""},
		{"another size", with(func(f *contents.File) { f.Size = 5 }), "its size is 4, not 5"},
		{"another hash", with(func(f *contents.File) { f.Hash = sha1Of("Text") }), "its SHA-1 is " + sha1Of("text")},
		{"no hash", with(func(f *contents.File) { f.Hash = "" }), "its SHA-1 is"},
		{"not there", with(func(f *contents.File) { f.Location += "x" }), "no such file"},
		{"a directory", contents.File{Location: "file://" + dir, Hash: sha1Of(""), Size: -1}, "no regular file"},
		{"a device", contents.File{Location: "file:///dev/null", Hash: sha1Of(""), Size: 0}, "no regular file"},
		{"relative", contents.File{Location: "file://x", Hash: sha1Of("text"), Size: 4}, "no absolute path"},
		{"with a zero", with(func(f *contents.File) { f.Location += "\x00" }), "no absolute path"},
		{"of the web", contents.File{Location: "https://example.org/x", Hash: sha1Of("text"), Size: 4}, "neither on a disk nor in S3"},
		{"nowhere", contents.File{Hash: sha1Of("text"), Size: 4}, "neither on a disk nor in S3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var o contents.Opener
			err := o.Check(t.Context(), test.file)
			text, openErr := readAll(t, &o, test.file)
			if test.want == "" {
				if err != nil || openErr != nil || text != "text" {
					t.Errorf("Check: %v; %q, %v", err, text, openErr)
				}
				return
			}
			for _, err := range []error{err, openErr} {
				if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), dir) {
					t.Errorf("error %v", err)
				}
			}
			if text != "" {
				t.Errorf("gave %q", text)
			}
		})
	}
}

// A file that is exchanged after it was checked is not handed out, and one that changes under the reader's
// hands ends with an error.
func TestLocalThatChanges(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "a"), "text")
	f := contents.File{Location: "file://" + path, Hash: sha1Of("text"), Size: 4}
	var o contents.Opener
	if err := o.Check(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	r, err := o.Open(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, "TEXT")
	if b, err := io.ReadAll(r); err == nil {
		t.Errorf("the changed file gives %q", b)
	}
	r.Close()
	if err := os.Rename(write(t, filepath.Join(dir, "b"), "evil"), path); err != nil {
		t.Fatal(err)
	}
	if text, err := readAll(t, &o, f); err == nil {
		t.Errorf("the exchanged file gives %q", text)
	}
}

func TestCheckEnds(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "a"), "text")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var o contents.Opener
	if err := o.Check(ctx, contents.File{Location: "file://" + path, Hash: sha1Of("text"), Size: 4}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
