// Package setzip reads the zip that a server makes of a file set, and trusts nothing in it: not its
// names, not its sizes, not what it says its entries are.
package setzip

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strings"
)

const (
	// maxDirectory bounds what is read of the zip's directory, and by that the memory for it: some ten
	// bytes for each of its bytes, at the worst.
	maxDirectory = 32 << 20
	// MaxMembers is how many files a set may have.
	MaxMembers = 500_000

	// slack and ratio say how much a set may grow when it is unpacked if its size is not known.
	slack = 1 << 30
	ratio = 200
)

// ErrRefused is in errors that mean: this zip is not unpacked, whatever its bytes are.
var ErrRefused = errors.New("not unpacked")

// Member is a file of a set.
type Member struct {
	Name string // relative, slash-separated, valid as fs.ValidPath says, and unique in its set
	Size int64  // bytes, as the directory says; Open gives so many or an error
	file *zip.File
}

// Raw is the member's name as the zip has it.
func (m Member) Raw() string { return m.file.Name }

// Note is something about an entry that the receiver must hear of.
type Note struct {
	Text string
	Lost bool // the entry is not among the members
}

// Set is a zip that was looked through.
type Set struct {
	Members []Member // in the zip's order
	Notes   []Note
	Size    int64 // bytes of all members
	names   map[string]int
	twins   map[string]int // how many names were made of one
}

// Open looks through the directory of a zip of size bytes. announced is how many bytes its members
// should have together; 0 or less if that is unknown. r must stay open as long as the set is used. An
// error means that it is no whole zip, or, with ErrRefused, that its members would be more than was
// announced or can be believed.
func Open(r io.ReaderAt, size, announced int64) (*Set, error) {
	bounded := &directoryReader{ReaderAt: r, left: maxDirectory}
	z, err := zip.NewReader(bounded, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("read the directory of a zip of %d bytes: %w", size, err)
	}
	bounded.done = true
	s := &Set{names: map[string]int{}, twins: map[string]int{}}
	var packed uint64
	for _, f := range z.File {
		if f.CompressedSize64 > uint64(size) || f.UncompressedSize64 > math.MaxInt64/2 || uint64(s.Size) > math.MaxInt64/2 {
			return nil, fmt.Errorf("zip entry %q claims %d bytes in a zip of %d: %w", f.Name, f.UncompressedSize64, size, ErrRefused)
		}
		packed += f.CompressedSize64
		s.add(f)
	}
	switch {
	case packed > uint64(size):
		return nil, fmt.Errorf("the entries of a zip share their bytes: %w", ErrRefused)
	case len(s.Members) > MaxMembers:
		return nil, fmt.Errorf("a zip has %d files, more than %d: %w", len(s.Members), MaxMembers, ErrRefused)
	case s.Size > most(size, announced):
		return nil, fmt.Errorf("a zip of %d bytes claims to hold %d: %w", size, s.Size, ErrRefused)
	}
	return s, nil
}

// most is how many bytes the members of a zip may have together. What was announced may be older than
// the zip: a run that is active adds files.
func most(size, announced int64) int64 {
	if announced > 0 {
		return min(announced, math.MaxInt64/4)*2 + slack/16
	}
	return max(slack, min(size, math.MaxInt64/ratio)*ratio)
}

// MaxBytes is how many bytes a zip can have that Open does not refuse: its members, stored as they are, and what
// it says of them twice.
func MaxBytes(announced int64) int64 {
	if announced <= 0 {
		return math.MaxInt64 - 1
	}
	return most(0, announced) + 2*maxDirectory
}

// add takes an entry as a member, or notes why it is none. Directories come out of the members' names.
func (s *Set) add(f *zip.File) {
	mode := f.Mode()
	switch {
	case mode.IsDir() && f.UncompressedSize64 == 0:
		return
	case mode&fs.ModeSymlink != 0:
		s.lose("%q is a symbolic link, which is not followed", f.Name)
		return
	case !mode.IsRegular():
		s.lose("%q is no file (%s)", f.Name, mode.Type())
		return
	case f.Flags&1 != 0:
		s.lose("%q is encrypted", f.Name)
		return
	}
	name := s.unique(Clean(f.Name))
	if name != f.Name {
		s.Notes = append(s.Notes, Note{Text: fmt.Sprintf("file %q of the set is named %q here", f.Name, name)})
	}
	s.names[name] = len(s.Members)
	s.Members = append(s.Members, Member{Name: name, Size: int64(f.UncompressedSize64), file: f})
	s.Size += int64(f.UncompressedSize64)
}

func (s *Set) lose(format string, args ...any) {
	s.Notes = append(s.Notes, Note{Text: fmt.Sprintf(format, args...), Lost: true})
}

// unique numbers a name that the set has already.
func (s *Set) unique(name string) string {
	try := name
	for {
		if _, taken := s.names[try]; !taken {
			return try
		}
		s.twins[name]++
		try = fmt.Sprintf("%s~%d", name, s.twins[name]+1)
	}
}

// Find gives a member's index by its name.
func (s *Set) Find(name string) (i int, ok bool) {
	i, ok = s.names[name]
	return i, ok
}

// Open opens a member. Its reader gives exactly as many bytes as the directory says, with the checksum
// that it says, or an error.
func (s *Set) Open(i int) (io.ReadCloser, error) {
	m := s.Members[i]
	body, err := m.file.Open()
	if err != nil {
		return nil, fmt.Errorf("unpack %q: %w", m.Name, err)
	}
	return member{body, m.Name}, nil
}

// Check reads all members, and names those that cannot be unpacked, with the first reason. The error
// is that of ctx.
func (s *Set) Check(ctx context.Context) (broken []int, reason, err error) {
	for i := range s.Members {
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		if err := s.check(ctx, i); err != nil && ctx.Err() == nil {
			if reason == nil {
				reason = err
			}
			broken = append(broken, i)
		}
	}
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	return broken, reason, nil
}

func (s *Set) check(ctx context.Context, i int) error {
	body, err := s.Open(i)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(io.Discard, &cancelReader{ctx, body})
	return err
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

// member tells in its errors whose they are. That an entry has neither more nor fewer bytes than its
// directory says, and their checksum, is what archive/zip sees to.
type member struct {
	io.ReadCloser
	name string
}

func (m member) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("unpack %q: %w", m.name, err)
	}
	return n, err
}

// directoryReader ends the reading of a directory that has no end.
type directoryReader struct {
	io.ReaderAt
	left int
	done bool // the directory was read; what follows are members
}

func (r *directoryReader) ReadAt(p []byte, off int64) (int, error) {
	if !r.done {
		if r.left -= len(p); r.left < 0 {
			return 0, fmt.Errorf("the directory is longer than %d MB: %w", maxDirectory>>20, ErrRefused)
		}
	}
	return r.ReaderAt.ReadAt(p, off)
}

// Clean makes a relative path of a name that is none, so that it can still be read what the name was:
// bytes that are not UTF-8 and the dots of "." and ".." become %XX, and empty segments are left out.
// Names that are good are left as they are.
func Clean(name string) string {
	if fs.ValidPath(name) && name != "." && !strings.ContainsRune(name, 0) {
		return name
	}
	var segments []string
	for segment := range strings.SplitSeq(name, "/") {
		switch segment {
		case "":
			continue
		case ".", "..":
			segment = strings.ReplaceAll(segment, ".", "%2E")
		}
		segments = append(segments, escape(segment))
	}
	if len(segments) == 0 {
		return "unnamed"
	}
	return strings.Join(segments, "/")
}

// escape writes NUL and bytes that are not UTF-8 as %XX.
func escape(s string) string {
	var b strings.Builder
	for i, c := range s {
		switch {
		case c == 0, c == '\uFFFD' && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, "%%%02X", s[i])
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}
