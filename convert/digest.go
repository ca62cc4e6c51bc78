package convert

import (
	"encoding/hex"
	"strings"

	"golang.org/x/crypto/blake2b"
)

const (
	// suffixLen is the length of "_h" or "_k" and the 16 hex digits after it.
	suffixLen = 2 + 2*suffixBytes
	// suffixBytes is the size of the BLAKE2b digest in a changed key or path.
	suffixBytes = 8
	// idBytes is the size of the BLAKE2b digests that identify runs and layouts.
	idBytes = 16

	changedMark = "_h" // the digest is of the original
	kindMark    = "_k" // the digest is of the original's digest and a kind
)

// digest gives the hex digits of the BLAKE2b digest of s.
func digest(s string, size int) string {
	h, err := blake2b.New(size, nil)
	if err != nil {
		panic(err) // only for a size that BLAKE2b does not have
	}
	h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil))
}

// idOf gives the digest of fields joined by NUL.
func idOf(fields ...string) string { return digest(strings.Join(fields, "\x00"), idBytes) }

func suffixOf(original string) string { return changedMark + digest(original, suffixBytes) }

// hasSuffix reports whether s ends as a changed key does. Such names are changed too, because
// otherwise somebody could log the very key that another path is changed to.
func hasSuffix(s string) bool {
	if len(s) < suffixLen {
		return false
	}
	mark, digits := s[len(s)-suffixLen:len(s)-2*suffixBytes], s[len(s)-2*suffixBytes:]
	return (mark == changedMark || mark == kindMark) && strings.Trim(digits, "0123456789abcdef") == ""
}
