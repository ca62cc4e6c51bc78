package setzip_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/nexport-go/migrate/neptune/internal/setzip"
)

// entry is one of a zip that a test makes.
type entry struct {
	name, text string
	mode       fs.FileMode
}

func zipOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, NonUTF8: !utf8.ValidString(e.name)}
		if e.mode != 0 {
			h.SetMode(e.mode)
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(b []byte, announced int64) (*setzip.Set, error) {
	return setzip.Open(bytes.NewReader(b), int64(len(b)), announced)
}

func TestMembers(t *testing.T) {
	for _, test := range []struct {
		name    string
		entries []entry
		want    []string // name=text
		notes   []string
	}{
		{"none", nil, nil, nil},
		{"ordinary", []entry{{name: "a.py", text: "1"}, {name: "d/ü b.py", text: ""}}, []string{"a.py=1", "d/ü b.py="}, nil},
		{"directories are left out", []entry{{name: "d/", mode: fs.ModeDir | 0o755}, {name: "e/"}, {name: "d/a", text: "1"}}, []string{"d/a=1"}, nil},
		{"case", []entry{{name: "A", text: "1"}, {name: "a", text: "2"}}, []string{"A=1", "a=2"}, nil},
		{
			"upwards",
			[]entry{{name: "../../etc/passwd", text: "1"}},
			[]string{"%2E%2E/%2E%2E/etc/passwd=1"},
			[]string{`file "../../etc/passwd" of the set is named "%2E%2E/%2E%2E/etc/passwd" here`},
		},
		{
			"absolute",
			[]entry{{name: "/etc/passwd", text: "1"}, {name: "a//b/./c", text: "2"}},
			[]string{"etc/passwd=1", "a/b/%2E/c=2"},
			[]string{`file "/etc/passwd" of the set is named "etc/passwd" here`, `file "a//b/./c" of the set is named "a/b/%2E/c" here`},
		},
		{"other systems' separators are characters", []entry{{name: `..\x`, text: "1"}, {name: `C:\y`, text: "2"}}, []string{`..\x=1`, `C:\y=2`}, nil},
		{
			"no UTF-8",
			[]entry{{name: "a\xff", text: "1"}, {name: "a\xfe", text: "2"}},
			[]string{"a%FF=1", "a%FE=2"},
			[]string{`file "a\xff" of the set is named "a%FF" here`, `file "a\xfe" of the set is named "a%FE" here`},
		},
		{
			"nothing and zero",
			[]entry{{text: "1"}, {name: "a\x00b", text: "2"}},
			[]string{"unnamed=1", "a%00b=2"},
			[]string{`file "" of the set is named "unnamed" here`, `file "a\x00b" of the set is named "a%00b" here`},
		},
		{
			"twice",
			[]entry{{name: "a", text: "1"}, {name: "a~2", text: "2"}, {name: "a", text: "3"}},
			[]string{"a=1", "a~2=2", "a~3=3"},
			[]string{`file "a" of the set is named "a~3" here`},
		},
		{
			"links and devices",
			[]entry{{name: "l", text: "/etc/passwd", mode: fs.ModeSymlink | 0o777}, {name: "p", mode: fs.ModeNamedPipe}, {name: "a", text: "1"}},
			[]string{"a=1"},
			[]string{`lost: "l" is a symbolic link, which is not followed`, `lost: "p" is no file (p---------)`},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := open(zipOf(t, test.entries...), 0)
			if err != nil {
				t.Fatal(err)
			}
			var got, notes []string
			for i, m := range s.Members {
				got = append(got, m.Name+"="+read(t, s, i))
				if at, ok := s.Find(m.Name); !ok || at != i {
					t.Errorf("Find(%q) = %d, %t", m.Name, at, ok)
				}
			}
			for _, n := range s.Notes {
				text := n.Text
				if n.Lost {
					text = "lost: " + text
				}
				notes = append(notes, text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.notes, notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}

func read(t *testing.T, s *setzip.Set, i int) string {
	t.Helper()
	body, err := s.Open(i)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// directory finds the nth entry of a zip's directory.
func directory(t *testing.T, b []byte, n int) []byte {
	t.Helper()
	at := 0
	for range n + 1 {
		i := bytes.Index(b[at:], []byte("PK\x01\x02"))
		if i < 0 {
			t.Fatal("no such entry")
		}
		at += i + 4
	}
	return b[at-4:]
}

func TestRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("packs and unpacks a lot, which takes minutes with the race detector")
	}
	zeros := zipOf(t, entry{name: "zeros", text: strings.Repeat("\x00", 80<<20)}) // 80 kB, packed
	overlapping := zipOf(t, entry{name: "a", text: "some text that is here"}, entry{name: "b", text: "some text that is here"})
	for i := range 2 {
		binary.LittleEndian.PutUint32(directory(t, overlapping, i)[20:], uint32(len(overlapping)))
	}
	huge := zipOf(t, entry{name: "a", text: "1"})
	binary.LittleEndian.PutUint32(directory(t, huge, 0)[24:], 1<<31)
	for _, test := range []struct {
		name      string
		zip       []byte
		announced int64
	}{
		{"more than announced", zeros, 1000},
		{"more than a zip can be believed to hold", huge, 0},
		{"the same bytes twice", overlapping, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := open(test.zip, test.announced); !errors.Is(err, setzip.ErrRefused) {
				t.Errorf("error %v", err)
			}
		})
	}
	for announced, name := range map[int64]string{80 << 20: "as announced", 40 << 20: "grown since", 0: "not announced"} {
		if _, err := open(zeros, announced); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEncrypted(t *testing.T) {
	b := zipOf(t, entry{name: "a", text: "1"}, entry{name: "b", text: "2"})
	directory(t, b, 0)[8] |= 1
	s, err := open(b, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Members) != 1 || len(s.Notes) != 1 || s.Notes[0] != (setzip.Note{Text: `"a" is encrypted`, Lost: true}) {
		t.Errorf("members %v, notes %v", s.Members, s.Notes)
	}
}

func TestNoWholeZip(t *testing.T) {
	whole := zipOf(t, entry{name: "a", text: "1"}, entry{name: "b", text: "2"})
	for _, n := range []int{0, 1, 22, len(whole) / 2, len(whole) - 1} {
		if _, err := open(whole[:n], 0); err == nil || errors.Is(err, setzip.ErrRefused) {
			t.Errorf("%d of %d bytes: error %v", n, len(whole), err)
		}
	}
}

// What a zip's directory says of an entry and what is in it are compared.
func TestCheck(t *testing.T) {
	good := func() []byte {
		return zipOf(t, entry{name: "a", text: "first"}, entry{name: "b", text: "second"}, entry{name: "c", text: "third"})
	}
	for _, test := range []struct {
		name   string
		spoil  func(b []byte)
		broken []int
		want   string
	}{
		{"good", func([]byte) {}, nil, ""},
		{"checksum", func(b []byte) { directory(t, b, 1)[16]++ }, []int{1}, `unpack "b": zip: checksum error`},
		{"longer than said", func(b []byte) { directory(t, b, 1)[24]-- }, []int{1}, `unpack "b": zip: not a valid zip file`},
		{"shorter than said", func(b []byte) { directory(t, b, 1)[24]++ }, []int{1}, `unpack "b": unexpected EOF`},
		{"method", func(b []byte) { directory(t, b, 0)[10] = 99 }, []int{0}, `unpack "a": zip: unsupported compression algorithm`},
		{"two", func(b []byte) { directory(t, b, 0)[16]++; directory(t, b, 2)[16]++ }, []int{0, 2}, `unpack "a": zip: checksum error`},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := good()
			test.spoil(b)
			s, err := open(b, 0)
			if err != nil {
				t.Fatal(err)
			}
			broken, reason, err := s.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.broken, broken); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := fmt.Sprint(reason); test.want != "" && got != test.want || test.want == "" && reason != nil {
				t.Errorf("reason %v", reason)
			}
		})
	}
}

func TestCheckEnds(t *testing.T) {
	s, err := open(zipOf(t, entry{name: "a", text: "1"}), 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Check(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// A zip with very many entries of one name is read in no more time than another.
func TestManyTwins(t *testing.T) {
	if testing.Short() {
		t.Skip("packs and unpacks a lot, which takes minutes with the race detector")
	}
	entries := make([]entry, 70_000) // more than a directory without zip64 can count
	for i := range entries {
		entries[i].name = "a"
	}
	s, err := open(zipOf(t, entries...), 0)
	if err != nil || len(s.Members) != len(entries) || s.Members[len(entries)-1].Name != "a~70000" {
		t.Fatalf("%v", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(zipOf(f), int64(0))
	f.Add(zipOf(f, entry{name: "../a", text: "1"}, entry{name: "../a", text: "22"}, entry{name: "d/"}), int64(3))
	f.Add(zipOf(f, entry{name: "l", text: "x", mode: fs.ModeSymlink}, entry{name: "a\xff\x00", text: "1"}), int64(1))
	f.Fuzz(func(t *testing.T, b []byte, announced int64) {
		s, err := open(b, announced)
		if err != nil {
			return
		}
		var size int64
		seen := map[string]bool{}
		for i, m := range s.Members {
			if !fs.ValidPath(m.Name) || m.Name == "." || strings.ContainsRune(m.Name, 0) || seen[m.Name] {
				t.Fatalf("member is named %q", m.Name)
			}
			seen[m.Name] = true
			size += m.Size
			body, err := s.Open(i)
			if err != nil {
				continue
			}
			n, err := io.Copy(io.Discard, io.LimitReader(body, 1<<20))
			if body.Close(); n > m.Size || err == nil && n != min(m.Size, 1<<20) {
				t.Fatalf("member of %d bytes gives %d, %v", m.Size, n, err)
			}
		}
		if size != s.Size {
			t.Fatalf("the members have %d bytes, not %d", size, s.Size)
		}
	})
}

func FuzzClean(f *testing.F) {
	for _, name := range []string{"", "/", "a/../b", "a\xff", "..", "ü/%2E", "\uFFFD/", "a/."} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean := setzip.Clean(name)
		if !fs.ValidPath(clean) || clean == "." || strings.ContainsRune(clean, 0) {
			t.Errorf("%q became %q", name, clean)
		}
		if again := setzip.Clean(clean); again != clean {
			t.Errorf("%q became %q, and then %q", name, clean, again)
		}
	})
}
