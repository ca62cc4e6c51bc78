package mlflow

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	migrate "github.com/nexport-go/migrate"
)

// directory is an artifactStore on this machine's disk.
type directory struct{ dir string }

// partsDir is beside the artifacts, so that nobody lists what is not whole.
const partsDir = "nexport-parts"

// put writes a file apart, syncs it, and moves it to its name, so that it is whole or not there.
func (d directory) put(_ context.Context, name string, size int64, open func() (io.ReadCloser, error)) error {
	return d.putAfter(name, size, open, func() error { return nil })
}

// putAfter calls ready when all bytes are there, before anybody sees them.
func (d directory) putAfter(name string, size int64, open func() (io.ReadCloser, error), ready func() error) error {
	if err := d.write(name, size, open, ready); err != nil {
		return fmt.Errorf("artifact %s in %s: %w", name, d.dir, fullDisk(err))
	}
	return nil
}

// same reports whether a file is there already, with these bytes.
func (d directory) same(name string, size int64, open func() (io.ReadCloser, error)) (bool, error) {
	root, err := os.OpenRoot(d.dir)
	if err != nil {
		return false, nil // put will say why, if it cannot be made
	}
	defer root.Close()
	there, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return false, nil
	}
	defer there.Close()
	if info, err := there.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() != size {
		return false, nil
	}
	body, err := open()
	if err != nil {
		return false, err
	}
	defer body.Close()
	return sameBytes(&exactly{body, size}, there)
}

// sameBytes reads both to the first difference. An error is one of the new bytes: the old ones are then replaced.
func sameBytes(next, old io.Reader) (bool, error) {
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(next, a)
		ended := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !ended {
			return false, err
		}
		m, _ := io.ReadFull(old, b[:n])
		if same := m == n && bytes.Equal(a[:n], b[:n]); !same || ended {
			return same, nil
		}
	}
}

func (d directory) write(name string, size int64, open func() (io.ReadCloser, error), ready func() error) (err error) {
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return err
	}
	// The root is the directory of the run, which has the artifacts and the parts.
	root, err := os.OpenRoot(filepath.Dir(d.dir))
	if err != nil {
		return err
	}
	defer root.Close()
	target := filepath.Join(filepath.Base(d.dir), filepath.FromSlash(name))
	if err := root.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	part, err := writePart(root, size, open)
	if err != nil {
		return err
	}
	if err = ready(); err == nil {
		err = root.Rename(part, target)
	}
	if err != nil {
		return errors.Join(err, root.Remove(part))
	}
	if root.Remove(partsDir) != nil { // there are others
		sweep(root)
	}
	return syncDir(root, filepath.Dir(target))
}

// writePart writes a file of a name that nobody else has.
func writePart(root *os.Root, size int64, open func() (io.ReadCloser, error)) (name string, err error) {
	body, err := open()
	if err != nil {
		return "", err
	}
	defer body.Close()
	f, err := createPart(root)
	if err != nil {
		return "", err
	}
	name = filepath.Join(partsDir, filepath.Base(f.Name()))
	_, err = io.Copy(f, &exactly{body, size})
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, root.Remove(name))
	}
	return name, nil
}

// createPart tries again when another load of the run has just removed the empty directory.
func createPart(root *os.Root) (f *os.File, err error) {
	for range 10 {
		if err := root.MkdirAll(partsDir, 0o755); err != nil {
			return nil, err
		}
		f, err = root.OpenFile(filepath.Join(partsDir, rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return f, err
}

// syncDir makes the names in a directory last; not every system can.
func syncDir(root *os.Root, name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// list walks the directory. It writes nothing, being part of dry runs too.
func (d directory) list(context.Context) (map[string]int64, error) {
	sizes := map[string]int64{}
	root, err := os.OpenRoot(filepath.Dir(d.dir))
	if errors.Is(err, fs.ErrNotExist) {
		return sizes, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list artifacts: %w", err)
	}
	defer root.Close()
	base := filepath.Base(d.dir)
	err = fs.WalkDir(root.FS(), base, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && entry.IsDir() {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		sizes[strings.TrimPrefix(name, base+"/")] = info.Size()
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list artifacts in %s: %w", d.dir, err)
	}
	return sizes, nil
}

// sweep removes parts that a killed load left: they are too old to belong to one that is under way.
func sweep(root *os.Root) {
	parts, err := fs.ReadDir(root.FS(), partsDir)
	if err != nil {
		return
	}
	for _, part := range parts {
		if info, err := part.Info(); err == nil && time.Since(info.ModTime()) > time.Hour {
			_ = root.Remove(filepath.Join(partsDir, part.Name()))
		}
	}
	_ = root.Remove(partsDir)
}

// fullDisk ends the job: every other run would meet that too.
func fullDisk(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: %w", migrate.ErrFatal, err)
	}
	return err
}
