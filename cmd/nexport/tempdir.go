package main

import (
	"fmt"
	"os"
)

// tempName is a directory among the files of an archive for what a source has to write down for a
// moment, so that nothing is written anywhere else. No project has such a name.
const tempName = ".nexport.tmp"

// makeTemp makes the directory anew, and so finds out at once whether anything can be written there;
// remove takes it away again. The caller holds the archive's lock, so that one that is there already
// is what was left by a process that was killed.
func makeTemp(dir string) (remove func() error, err error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("clear the temporary directory: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("write to the files directory: %w", err)
	}
	return func() error { return os.RemoveAll(dir) }, nil
}
