package neptune_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// fileSet has files of these names, each with its name as its text.
func fileSet(names ...string) (set neptunetest.FileSet) {
	for _, name := range names {
		set.Files = append(set.Files, neptunetest.FileOf(name, "", []byte(name)))
	}
	return set
}

// zipped is a set of which clients get this zip.
func zipped(set neptunetest.FileSet, zip []byte) neptunetest.FileSet {
	set.Zip = zip
	return set
}

// zipOf makes a zip of pairs of names and texts. A name that ends with "@" is that of a symbolic link.
func zipOf(t testing.TB, pairs ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for pair := range slices.Chunk(pairs, 2) {
		h := &zip.FileHeader{Name: strings.TrimSuffix(pair[0], "@"), Method: zip.Deflate}
		if h.Name != pair[0] {
			h.SetMode(fs.ModeSymlink | 0o777)
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, pair[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// namesAndTexts are those of the copied files.
func namesAndTexts(files []copied) (list []string) {
	for _, f := range files {
		list = append(list, f.Name+"="+f.Text)
	}
	return list
}

func TestFileSets(t *testing.T) {
	plain := fileSet("train.py", "lib/data.py", "lib/nets/ü b.py", "A", "a")
	lost := fileSet("a", "d/b")
	lost.Files[1].Content = nil
	spoilt := zipOf(t, "a", "a", "d/b", "d/b")
	spoilt[bytes.Index(spoilt, []byte("PK\x01\x02"))+16]++ // the first checksum of the directory
	for _, test := range []struct {
		name     string
		set      neptunetest.FileSet
		opts     neptunetest.Options
		want     []string
		problems []string
	}{
		{"none", neptunetest.FileSet{}, neptunetest.Options{}, nil, nil},
		{"ordinary", plain, neptunetest.Options{}, []string{"train.py=train.py", "lib/data.py=lib/data.py", "lib/nets/ü b.py=lib/nets/ü b.py", "A=A", "a=a"}, nil},
		{"ready late, elsewhere", fileSet("a"), neptunetest.Options{ZipPolls: 30, Redirect: true, ZipName: "../../evil"}, []string{"a=a"}, nil},
		{
			"hostile names", zipped(fileSet(), zipOf(t, "../x", "1", "/y", "2", "y", "3", "l@", "/etc/passwd")),
			neptunetest.Options{},
			[]string{"%2E%2E/x=1", "y=2", "y~2=3"},
			[]string{
				`renamed: file "../x" of the set is named "%2E%2E/x" here`, `renamed: file "/y" of the set is named "y" here`,
				`renamed: file "y" of the set is named "y~2" here`, `unsupported: "l" is a symbolic link, which is not followed`,
				`suspect: its files have 3 bytes, the server says 0`,
			},
		},
		{"not all in the zip", zipped(fileSet("a", "d/b"), zipOf(t, "a", "a")), neptunetest.Options{}, []string{"a=a", "d/b=d/b"}, nil},
		{
			"not all in the zip, nor listed", zipped(fileSet("a", "d/b"), zipOf(t, "a", "a")),
			neptunetest.Options{Lacks: []string{"lsFileSetAttribute"}},
			[]string{"a=a"},
			[]string{"missing: its files have 1 bytes, the server says 4, and does not list them: "},
		},
		{"lost by the server", lost, neptunetest.Options{}, []string{"a=a", "d/b=error: download file \"s: d/b\": "}, nil},
		{
			"other names in the zip", zipped(fileSet("a", "b"), zipOf(t, "s/a", "a1", "s/b", "b1")),
			neptunetest.Options{},
			[]string{"s/a=a1", "s/b=b1"},
			[]string{`suspect: the zip has other names than the list of its files, such as "s/a" and "a"`},
		},
		{"a bad checksum", zipped(fileSet("a", "d/b"), spoilt), neptunetest.Options{}, []string{"a=a", "d/b=d/b"}, nil},
		{"no zip", zipped(fileSet("a", "d/e/b", "d/c"), []byte("PK...")), neptunetest.Options{}, []string{"a=a", "d/c=d/c", "d/e/b=d/e/b"}, nil},
		{"half a zip", zipped(fileSet("a", "d/b"), spoilt[:len(spoilt)/2]), neptunetest.Options{}, []string{"a=a", "d/b=d/b"}, nil},
		{"a bomb", zipped(fileSet("a"), zipOf(t, "a", strings.Repeat("\x00", 70<<20))), neptunetest.Options{}, []string{"a=a"}, nil},
		{"a zip that is never ready", fileSet("a", "d/b"), neptunetest.Options{ZipPolls: 1 << 30}, []string{"a=a", "d/b=d/b"}, nil},
		{"no zips", fileSet("a", "d/b"), neptunetest.Options{Lacks: []string{"prepareForDownloadFileSetAttributeZip"}}, []string{"a=a", "d/b=d/b"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := openRun2(t, project2(t, test.opts, neptunetest.Attribute{Path: "s", Value: test.set}), nil)
			files, _ := copyFiles(t, r)
			if diff := cmp.Diff(test.want, namesAndTexts(files), cmp.Comparer(beginning)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.problems, told(r), cmp.Comparer(beginning)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// beginning takes a text that ends with ": " for the beginning of the other.
func beginning(a, b string) bool {
	return a == b || strings.HasSuffix(a, ": ") && strings.HasPrefix(b, a) || strings.HasSuffix(b, ": ") && strings.HasPrefix(a, b)
}

// A set without files is a chunk without files, so that it can be told from a set that was not read.
func TestEmptyFileSet(t *testing.T) {
	r := openRun2(t, project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "s", Value: neptunetest.FileSet{}}), nil)
	var chunks []migrate.Chunk
	for c, err := range r.Chunks(t.Context(), func(path string, _ migrate.Kind) bool { return path == "s" }) {
		if err != nil {
			t.Fatal(err)
		}
		chunks = append(chunks, c)
	}
	if len(chunks) != 1 || chunks[0].Kind != migrate.KindFileSet || chunks[0].Len() != 0 {
		t.Errorf("chunks %v", chunks)
	}
}

func TestFileSetFaults(t *testing.T) {
	for _, test := range []struct {
		name, path string
		fault      func(n int) neptunetest.Fault
		zips       int // that were asked for
	}{
		{"cut", pathZip, func(n int) neptunetest.Fault { return neptunetest.Fault{Cut: n == 0} }, 1},
		{"503", pathZip, func(n int) neptunetest.Fault { return neptunetest.Fault{Status: []int{503, 0}[min(n, 1)]} }, 1},
		{"expired", pathZip, func(n int) neptunetest.Fault { return neptunetest.Fault{ExpiredToken: n == 0} }, 1},
		{"the link is gone", pathZip, func(n int) neptunetest.Fault { return neptunetest.Fault{Status: []int{404, 0}[min(n, 1)]} }, 2},
		{"polls", pathPoll, func(n int) neptunetest.Fault { return neptunetest.Fault{Status: []int{502, 500, 0}[min(n, 2)]} }, 1},
		{"sense without a URL", pathPoll, func(n int) neptunetest.Fault {
			if n > 0 {
				return neptunetest.Fault{}
			}
			return neptunetest.Fault{Status: 200, Body: `{"id":"x","downloadUrl":"ftp://x/y"}`}
		}, 2},
		{"refused", pathPrepare, func(n int) neptunetest.Fault { return neptunetest.Fault{Status: 422} }, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "s", Value: fileSet("a", "d/b")})
			r := openRun2(t, server, nil)
			n := 0
			server.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
				if !strings.HasSuffix(r.URL.Path, test.path) {
					return neptunetest.Fault{}
				}
				n++
				return test.fault(n - 1)
			})
			files, _ := copyFiles(t, r)
			if diff := cmp.Diff([]string{"a=a", "d/b=d/b"}, namesAndTexts(files)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if problems := told(r); len(problems) > 0 {
				t.Errorf("problems %q", problems)
			}
			if n := asks(server, pathPrepare); n != test.zips {
				t.Errorf("asked for %d zips", n)
			}
		})
	}
}

// What the server gives in no way is a problem of the set, and the rest of the run is read.
func TestFileSetThatCannotBeRead(t *testing.T) {
	server := project2(t, neptunetest.Options{Lacks: []string{"prepareForDownloadFileSetAttributeZip", "lsFileSetAttribute"}},
		neptunetest.Attribute{Path: "s", Value: fileSet("a")}, neptunetest.Attribute{Path: "t", Value: neptunetest.FileOf("f", "", []byte("1"))})
	r := openRun2(t, server, nil)
	files, _ := copyFiles(t, r)
	if diff := cmp.Diff([]string{"f=1"}, namesAndTexts(files)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if problems := told(r); len(problems) != 1 || !strings.HasPrefix(problems[0], "unreadable: there is no zip of it: ") {
		t.Errorf("problems %q", problems)
	}
}

// A zip is got once for all files of its set while they are copied, lies in a temporary file that is not left behind,
// and is got again for a file that is opened later.
func TestZipIsGotOnce(t *testing.T) {
	var names []string
	for i := range 2500 { // more than a chunk
		names = append(names, "d/"+strconv.Itoa(i))
	}
	server := project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "s", Value: fileSet(names...)}, neptunetest.Attribute{Path: "t", Value: fileSet("a")})
	dir := t.TempDir()
	r := openRun2(t, server, func(cfg *neptune.Config) { cfg.TempDir = dir })
	files, refs := copyFiles(t, r)
	if len(files) != 2501 || asks(server, pathZip) != 2 || asks(server, pathList) != 0 {
		t.Errorf("%d files, %d zips, %d lists", len(files), asks(server, pathZip), asks(server, pathList))
	}
	for i, f := range files[:2500] {
		if f.Text != names[i] {
			t.Fatalf("file %d: %+v", i, f)
		}
	}
	if text := textOf(t.Context(), r, refs[2400]); text != "d/2400" || asks(server, pathZip) != 3 {
		t.Errorf("later: %q, %d zips", text, asks(server, pathZip))
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A file that is open while the receiver goes on, or leaves, can be read to its end.
func TestMemberOutlivesItsChunk(t *testing.T) {
	server := project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "s", Value: fileSet("a", "b")}, neptunetest.Attribute{Path: "t", Value: fileSet("c")})
	r := openRun2(t, server, nil)
	var bodies []io.ReadCloser
	for c, err := range r.Chunks(t.Context(), func(path string, _ migrate.Kind) bool { return path == "s" || path == "t" }) {
		if err != nil {
			t.Fatal(err)
		}
		body, err := r.OpenFile(t.Context(), c.Values.(migrate.Files)[0])
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
		if c.Path == "t" {
			break
		}
	}
	for i, want := range []string{"a", "c"} {
		b, err := io.ReadAll(bodies[i])
		if err != nil || string(b) != want {
			t.Errorf("%q, %v", b, err)
		}
		bodies[i].Close()
	}
}

// The questions for a zip come less and less often, and have an end.
func TestWaitsForZip(t *testing.T) {
	server := project2(t, neptunetest.Options{ZipPolls: 1 << 30, Lacks: []string{"lsFileSetAttribute"}}, neptunetest.Attribute{Path: "s", Value: fileSet("a")})
	var waited, longest time.Duration
	r := openRun2(t, server, func(cfg *neptune.Config) {
		*cfg = neptune.WithoutWaits(*cfg, func(d time.Duration) {
			waited, longest = waited+d, max(longest, d)
		})
	})
	copyFiles(t, r)
	if polls := asks(server, pathPoll); waited < 10*time.Minute || waited > 11*time.Minute || longest > 5*time.Second || polls > 200 {
		t.Errorf("waited %s in %d polls, at most %s", waited, polls, longest)
	}
	if problems := told(r); len(problems) != 1 || !strings.Contains(problems[0], "not ready after 10m") {
		t.Errorf("problems %q", problems)
	}
}

// A disk that is full, or not there, is no fault of the set.
func TestNoTempDir(t *testing.T) {
	server := project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "s", Value: fileSet("a")})
	r := openRun2(t, server, func(cfg *neptune.Config) { cfg.TempDir = t.TempDir() + "/none" })
	var last error
	for _, err := range r.Chunks(t.Context(), nil) {
		last = err
	}
	if !errors.Is(last, migrate.ErrFatal) || !errors.Is(last, fs.ErrNotExist) {
		t.Errorf("error %v", last)
	}
}

// A listing that leads in circles ends.
func TestEndlessDirectories(t *testing.T) {
	server := project2(t, neptunetest.Options{Lacks: []string{"prepareForDownloadFileSetAttributeZip"}}, neptunetest.Attribute{Path: "s", Value: fileSet("a")})
	r := openRun2(t, server, func(cfg *neptune.Config) {
		cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(r.URL.Path, pathList) {
				return http.DefaultTransport.RoundTrip(r)
			}
			response := answer(r, `[{"name":"d","fileType":"directory"},{"name":".","fileType":"directory"},{"name":"f","fileType":"file","size":1}]`)
			response.Header.Set("Content-Type", "application/json")
			return response, nil
		})
	})
	files, _ := copyFiles(t, r)
	if len(files) < 100 || len(files) > 200 {
		t.Errorf("%d files", len(files))
	}
	if problems := told(r); len(problems) != 1 || !strings.HasPrefix(problems[0], "unreadable: it has too many directories") {
		t.Errorf("problems %q", problems)
	}
}

// A server can name any number of files badly; the notes about it are few.
func TestFewNotes(t *testing.T) {
	var pairs []string
	for i := range 1000 {
		pairs = append(pairs, fmt.Sprintf("../%d", i), "")
	}
	r := openRun2(t, project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "s", Value: zipped(fileSet(), zipOf(t, pairs...))}), nil)
	if files, _ := copyFiles(t, r); len(files) != 1000 {
		t.Errorf("%d files", len(files))
	}
	problems := told(r)
	if len(problems) != 101 || problems[100] != "renamed: and 900 more like these" {
		t.Errorf("%d problems, the last is %q", len(problems), problems[len(problems)-1])
	}
}

// Behind a proxy the server gives the address that others reach it by, or none but a path.
func TestZipOfAnotherName(t *testing.T) {
	for name, origin := range map[string]string{"another host": "https://public.example/base", "a path": ""} {
		t.Run(name, func(t *testing.T) {
			server := project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "s", Value: fileSet("a")})
			r := openRun2(t, server, func(cfg *neptune.Config) {
				cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
					response, err := http.DefaultTransport.RoundTrip(r)
					if err == nil && strings.HasSuffix(r.URL.Path, pathPoll) {
						body, _ := io.ReadAll(response.Body)
						response.Body.Close()
						body = bytes.ReplaceAll(body, []byte(server.URL), []byte(origin))
						response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
					}
					return response, err
				})
			})
			files, _ := copyFiles(t, r)
			if diff := cmp.Diff([]string{"a=a"}, namesAndTexts(files)); diff != "" || asks(server, pathZip) != 1 {
				t.Errorf("%d zips (-want +got):\n%s", asks(server, pathZip), diff)
			}
		})
	}
}

// Whoever stops in the middle leaves no file open.
func TestLeavingEarlyClosesZips(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	var names []string
	for i := range 4500 { // more chunks than wait for their receiver
		names = append(names, strconv.Itoa(i))
	}
	set := fileSet(names...)
	for name, leave := range map[string]func(cancel func()) (stop bool){
		"by a break":    func(func()) bool { return true },
		"by a deadline": func(cancel func()) bool { cancel(); return false },
		"not at all":    func(func()) bool { return false },
	} {
		t.Run(name, func(t *testing.T) {
			server := project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "s", Value: set}, neptunetest.Attribute{Path: "t", Value: set})
			dir := t.TempDir()
			r := openRun2(t, server, func(cfg *neptune.Config) { cfg.TempDir = dir })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			seen := false
			for c, err := range r.Chunks(ctx, func(path string, _ migrate.Kind) bool { return path == "s" || path == "t" }) {
				if err != nil {
					break
				}
				seen = seen || c.Len() > 0 && openBelow(t, dir) > 0
				if leave(cancel) {
					break
				}
			}
			if n := openBelow(t, dir); !seen || n > 0 {
				t.Errorf("%d files are open; seen while reading: %t", n, seen)
			}
		})
	}
}

// openBelow counts the files of a directory that this process has open, removed ones too.
func openBelow(t *testing.T, dir string) (n int) {
	t.Helper()
	const open = "/proc/self/fd"
	entries, err := os.ReadDir(open)
	if err != nil {
		t.Skip("only where the system tells what is open")
	}
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(open, e.Name())); err == nil && strings.HasPrefix(target, dir) {
			n++
		}
	}
	return n
}

// A set of which a file was taken away says so when that is opened later.
func TestMemberThatIsGone(t *testing.T) {
	server := project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "s", Value: fileSet("a")})
	r := openRun2(t, server, nil)
	_, refs := copyFiles(t, r)
	refs[0].Key = strings.TrimSuffix(refs[0].Key, "a") + "b"
	if _, err := r.OpenFile(t.Context(), refs[0]); !errors.Is(err, migrate.ErrNotFound) {
		t.Errorf("error %v", err)
	}
}
