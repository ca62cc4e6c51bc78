package parquetstore

import (
	"encoding/hex"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	migrate "github.com/nexport-go/migrate"
	"golang.org/x/crypto/blake2b"
)

// What the readable part of a name may have. File systems take 255 bytes, and what is put behind a
// run's name is up to 30.
const (
	maxReadable     = 180 // bytes, of projects and runs
	maxReadableFile = 100 // bytes, of attributes and members of sets
	maxExtension    = 16
)

// digestedName is the Python tool's name for a project or run: what is readable of it, and a digest
// that tells it from all others. Readers go by the rows, so a name may be shortened.
func digestedName(id string) string {
	readable := strings.Map(func(c rune) rune {
		// What Python's str.isalnum accepts.
		if c == '_' || c == '-' || unicode.IsLetter(c) || unicode.IsNumber(c) {
			return c
		}
		return '_'
	}, id)
	return shorten(readable, maxReadable) + "-" + digest(id)
}

// shorten cuts s between runes.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// digest is 16 hexadecimal digits of BLAKE2b.
func digest(s string) string {
	h, err := blake2b.New(8, nil)
	if err != nil {
		panic(err) // the size is a constant
	}
	h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil))
}

// fileName is a name for bytes that belong to key: what can be read of a text, a digest, and the
// extension of name. It has ASCII letters, digits, "_", "-" and one dot only, is no device of
// Windows, and differs from those of other keys also where case is folded.
func fileName(readable, key, name string) string {
	readable = strings.Map(func(c rune) rune {
		switch {
		case c == '_', c == '-', c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			return c
		}
		return '_'
	}, strings.TrimSuffix(readable, extension(name)))
	return shorten(readable, maxReadableFile) + "-" + digest(key) + extension(name)
}

// extension returns a name's extension with its dot, or nothing if it is none to keep.
func extension(name string) string {
	ext := path.Ext(name)
	if len(ext) < 2 || len(ext) > maxExtension {
		return ""
	}
	for _, c := range ext[1:] {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return ""
		}
	}
	return ext
}

// place is where a run is in an archive.
type place struct {
	ref  migrate.RunRef
	home string // the project's directory, below both the data and the files directory
	dir  string // of the parts, below the data directory
	stem string // beginning of the names of the run's files
}

func placeOf(ref migrate.RunRef) place {
	p := place{ref: ref, home: digestedName(ref.Project), stem: digestedName(ref.ID)}
	p.dir = p.home
	for dir, scope := range scopeDirs {
		if scope == ref.Scope {
			p.dir = path.Join(p.home, dir)
		}
	}
	return p
}

// filesDir is the run's directory below the project's files. Files of registry objects are apart,
// since their IDs may be those of runs.
func (p place) filesDir(suffix string) string {
	return path.Join(strings.TrimPrefix(strings.TrimPrefix(p.dir, p.home), "/"), p.stem+suffix)
}
