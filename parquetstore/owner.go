package parquetstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// ownerName is a file in both directories of an archive, with the same text that no other archive has. Two archives must
// not share a files directory: each would remove the other's files as what an interrupted write has left.
const ownerName = ".nexport.archive"

// ErrOtherFiles is what Create returns if the files directory is that of an archive with another data directory.
var ErrOtherFiles = errors.New("it has the files of another archive, which would be removed; name a new directory for these files")

// claim makes sure that the files directory is that of this archive. Archives without the mark get it: the
// Python tool's, and copies that lost one of the two.
func (s *Store) claim() error {
	files, err := readOwner(s.files)
	if err != nil {
		return err
	}
	data, err := readOwner(s.data)
	if err != nil {
		return err
	}
	if data == "" {
		data = rand.Text()
		if files != "" && holdsParts(s.data) {
			data = files
		}
		if files == "" || data == files {
			if err := writeOwner(s.data, data); err != nil {
				return err
			}
		}
	}
	if files == "" { // last, so that files are never marked for an archive that is not
		if err := writeOwner(s.files, data); err != nil {
			return err
		}
		if files, err = readOwner(s.files); err != nil {
			return err
		}
	}
	if files != data {
		return ErrOtherFiles
	}
	return nil
}

// holdsParts reports whether there is anything of an archive in a data directory.
func holdsParts(data *os.Root) bool {
	for _, pattern := range []string{"*/*.parquet", "*/*/*.parquet"} {
		if found, _ := fs.Glob(data.FS(), pattern); len(found) > 0 {
			return true
		}
	}
	return false
}

// readOwner is empty if there is no mark.
func readOwner(root *os.Root) (string, error) {
	f, err := openRegular(root, ownerName)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 100))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", ownerName, err)
	}
	return strings.TrimSpace(string(text)), nil
}

// writeOwner leaves a mark alone that somebody else has made meanwhile.
func writeOwner(root *os.Root, owner string) error {
	f, err := root.OpenFile(ownerName, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return err
	}
	if info, err := f.Stat(); err != nil || info.Size() > 0 {
		return errors.Join(err, f.Close())
	}
	_, err = f.WriteString(owner + "\n")
	return errors.Join(err, f.Close())
}
