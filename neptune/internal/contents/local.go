package contents

import (
	"context"
	"crypto/sha1" //nolint:gosec // it is what Neptune has on record
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
)

var errSpecial = errors.New("it is no regular file")

// localPath is the path in a location. The 1.x client writes it as it is, without escapes.
func localPath(location string) (string, error) {
	path := filepath.FromSlash(strings.TrimPrefix(location, filePrefix))
	if strings.ContainsRune(path, 0) || !filepath.IsAbs(path) {
		return "", errors.New("it has no absolute path")
	}
	return path, nil
}

// openLocal opens a file that has the size and the hash on record.
func (o *Opener) openLocal(ctx context.Context, f File) (*localFile, error) {
	path, err := localPath(f.Location)
	if err != nil {
		return nil, err
	}
	file, info, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	if err := o.checkLocal(ctx, f, file, info); err != nil {
		file.Close()
		return nil, err
	}
	return &localFile{File: file, sum: sha1.New(), hash: f.Hash}, nil //nolint:gosec
}

// openRegular opens a regular file. It looks before it opens, since opening can have effects on a device,
// and again afterwards, since it may have been exchanged.
func openRegular(path string) (*os.File, os.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, plain(err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, errSpecial
	}
	file, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, nil, plain(err)
	}
	if info, err = file.Stat(); err == nil && !info.Mode().IsRegular() {
		err = errSpecial
	}
	if err != nil {
		file.Close()
		return nil, nil, plain(err)
	}
	return file, info, nil
}

// plain leaves the path out of an error: whoever asked knows it.
func plain(err error) error {
	var failed *os.PathError
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// checkLocal compares a file with what is on record, unless that was done and the file is the same since.
func (o *Opener) checkLocal(ctx context.Context, f File, file *os.File, info os.FileInfo) error {
	if f.Size >= 0 && info.Size() != f.Size {
		return differs("size", info.Size(), f.Size)
	}
	have, known := o.sumOf(file, info)
	if !known {
		sum := sha1.New() //nolint:gosec
		if _, err := io.Copy(sum, &cancelReader{ctx, file}); err != nil {
			return plain(err)
		}
		have = hex.EncodeToString(sum.Sum(nil))
		o.remember(file, info, have)
	}
	if !strings.EqualFold(have, f.Hash) {
		return differs("SHA-1", have, f.Hash)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return plain(err)
	}
	return nil
}

// summed is a file that was read. It is remembered whatever its hash, since a list can name one large file any number
// of times.
type summed struct {
	info os.FileInfo
	sum  string
}

func (o *Opener) sumOf(file *os.File, info os.FileInfo) (sum string, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before, ok := o.sums[filepath.Clean(file.Name())]
	ok = ok && os.SameFile(before.info, info) && before.info.Size() == info.Size() && before.info.ModTime().Equal(info.ModTime())
	return before.sum, ok
}

func (o *Opener) remember(file *os.File, info os.FileInfo, sum string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sums == nil || len(o.sums) >= maxSums {
		o.sums = map[string]summed{}
	}
	o.sums[filepath.Clean(file.Name())] = summed{info, sum}
}

// localFile looks at its hash once more while it is read.
type localFile struct {
	*os.File
	sum  hash.Hash
	hash string
}

// WriteTo hides that of os.File, which would go past Read.
func (l *localFile) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{l})
}

func (l *localFile) Read(p []byte) (int, error) {
	n, err := l.File.Read(p)
	l.sum.Write(p[:n])
	if err == io.EOF && !strings.EqualFold(hex.EncodeToString(l.sum.Sum(nil)), l.hash) {
		return n, fmt.Errorf("%s changed while it was read", l.Name())
	}
	return n, err
}

type cancelReader struct {
	ctx context.Context
	io.Reader
}

func (r *cancelReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}
