package parquetstore

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// lockFile locks the archive for as long as the file is open or this process lives: nobody else may
// open a file that is opened without sharing.
func lockFile(_ *os.Root, dataDir string) (*os.File, error) {
	const sharingViolation = syscall.Errno(32)
	name := filepath.Join(dataDir, lockName)
	p, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(p, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, sharingViolation) {
		return nil, ErrLocked
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(h), name), nil
}

func isDiskFull(err error) bool {
	const handleDiskFull, diskFull = syscall.Errno(39), syscall.Errno(112)
	return errors.Is(err, handleDiskFull) || errors.Is(err, diskFull)
}

// syncDir does nothing: Windows keeps its directories in order by itself.
func syncDir(*os.Root, string) error { return nil }
