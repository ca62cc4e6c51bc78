package parquetstore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// disk is where a writer changes something below a root. Tests let any change fail.
type disk struct {
	root    *os.Root
	fault   func(op, name string) error
	settled *sync.Map // directories that are there to stay
}

func (d disk) try(op, name string) error {
	if d.fault == nil {
		return nil
	}
	return d.fault(op, name)
}

// named makes an error of root name the whole path: two directories are written to.
func (d disk) named(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) && !filepath.IsAbs(of.Path) {
		of.Path = filepath.Join(d.root.Name(), of.Path)
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		link.Old, link.New = filepath.Join(d.root.Name(), link.Old), filepath.Join(d.root.Name(), link.New)
	}
	return err
}

// gone reports whether the directory is not where it was any more.
func (d disk) gone() bool {
	opened, err := d.root.Stat(".")
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	now, err := os.Stat(d.root.Name())
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(opened, now)
}

func (d disk) rename(from, to string) error {
	if err := d.try("rename", from); err != nil {
		return err
	}
	return d.named(d.root.Rename(from, to))
}

// remove removes a file if it is there.
func (d disk) remove(name string) error {
	if err := d.try("remove", name); err != nil {
		return err
	}
	return ifThere(d.named(d.root.Remove(name)))
}

func (d disk) removeAll(name string) error {
	if err := d.try("remove", name); err != nil {
		return err
	}
	return ifThere(d.named(d.root.RemoveAll(name)))
}

func (d disk) mkdirAll(name string) error {
	if err := d.try("mkdir", name); err != nil {
		return err
	}
	if info, err := d.root.Stat(name); err == nil && info.IsDir() {
		return nil
	}
	d.settled.Clear() // somebody may have removed it
	return d.named(d.root.MkdirAll(name, 0o777))
}

// syncDir makes what was renamed in a directory last.
func (d disk) syncDir(name string) error {
	if err := d.try("sync", name); err != nil {
		return err
	}
	return d.named(syncDir(d.root, name))
}

// settle makes directories last, each of which is in the one before it: once, since most runs share theirs.
func (d disk) settle(dirs ...string) error {
	for i := 1; i < len(dirs); i++ {
		if _, ok := d.settled.Load(dirs[i]); ok || dirs[i] == dirs[i-1] {
			continue
		}
		if err := d.syncDir(dirs[i-1]); err != nil {
			return err
		}
		d.settled.Store(dirs[i], nil)
	}
	return nil
}

// create creates a file that is not there yet.
func (d disk) create(name string) (*diskFile, error) {
	if err := d.try("create", name); err != nil {
		return nil, err
	}
	f, err := d.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, d.named(err)
	}
	return &diskFile{file: f, disk: d, name: name}, nil
}

// diskFile is a file that is being written.
type diskFile struct {
	file *os.File
	disk disk
	name string
}

func (f *diskFile) Write(p []byte) (int, error) {
	if err := f.disk.try("write", f.name); err != nil {
		n, _ := f.file.Write(p[:len(p)/2]) // as a full disk would
		return n, err
	}
	return f.file.Write(p)
}

func (f *diskFile) Sync() error {
	if err := f.disk.try("sync", f.name); err != nil {
		return err
	}
	return f.file.Sync()
}

func (f *diskFile) Close() error { return f.file.Close() }
