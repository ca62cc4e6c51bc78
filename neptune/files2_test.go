package neptune_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

const (
	pathDownload  = "/attributes/download"
	pathPrepare   = "/attributes/downloadFileSetZipRequest"
	pathPoll      = "/download/downloadRequest"
	pathZip       = "/download/downloadFile"
	pathList      = "/attributes/ls"
	pathImage     = "/series/image/single"
	pathArtifacts = "/artifact/files"
)

// copied is a file as a store sees it.
type copied struct {
	Path, Step              string
	Time                    int64
	Name, Description, MIME string
	Text                    string // its bytes, or "error: " and why there are none
}

// project2 serves a run of generation 2 that has these attributes.
func project2(t testing.TB, opts neptunetest.Options, attributes ...neptunetest.Attribute) *neptunetest.Server {
	t.Helper()
	return serve2(t, opts, project(attributes...))
}

// openRun2 opens the only run of a server of generation 2. Nothing waits.
func openRun2(t testing.TB, server *neptunetest.Server, change func(*neptune.Config)) migrate.RunReader {
	t.Helper()
	source := open2(t, server, func(cfg *neptune.Config) {
		quick(cfg)
		cfg.TempDir = t.TempDir()
		if change != nil {
			change(cfg)
		}
	})
	r, err := source.OpenRun(t.Context(), migrate.RunInfo{RunRef: migrate.RunRef{Project: "team/proj", ID: "PRJ-1"}, SysID: "PRJ-1"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// copyFiles does what a store does with files: it opens each before it asks for the next chunk.
func copyFiles(t testing.TB, r migrate.RunReader) (files []copied, refs []migrate.FileRef) {
	t.Helper()
	for c, err := range r.Chunks(t.Context(), func(path string, _ migrate.Kind) bool { return !strings.HasPrefix(path, "sys/") }) {
		if err != nil {
			t.Fatal(err)
		}
		values, ok := c.Values.(migrate.Files)
		if !ok {
			continue
		}
		for i, ref := range values {
			f := copied{Path: c.Path, Name: ref.Name, Description: ref.Description, MIME: ref.MIME, Text: textOf(t.Context(), r, ref)}
			if c.Steps != nil {
				f.Step, f.Time = c.Steps[i].String(), c.Times[i]
			}
			files, refs = append(files, f), append(refs, ref)
		}
	}
	return files, refs
}

// textOf reads a file; its size must be the one that was announced.
func textOf(ctx context.Context, r migrate.RunReader, ref migrate.FileRef) string {
	body, err := r.OpenFile(ctx, ref)
	if err != nil {
		return "error: " + err.Error()
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		return "error: " + err.Error()
	}
	if ref.Size >= 0 && int64(len(b)) != ref.Size {
		return "error: another size than announced"
	}
	return string(b)
}

// told are the problems as text, "code: text".
func told(r migrate.RunReader) (texts []string) {
	for _, p := range r.Problems() {
		texts = append(texts, string(p.Code)+": "+p.Text)
	}
	return texts
}

func TestFiles2(t *testing.T) {
	png := neptunetest.FileOf("pic.png", "image/png", []byte("pixels"))
	for _, test := range []struct {
		name string
		file neptunetest.File
		want copied
	}{
		{"with an extension", png, copied{Name: "pic.png", MIME: "image/png", Text: "pixels"}},
		{"with directories", neptunetest.FileOf("d/e/x.tar.gz", "", []byte("z")), copied{Name: "x.tar.gz", MIME: "application/gzip", Text: "z"}},
		{"without", neptunetest.FileOf("LICENSE", "", []byte("MIT")), copied{Name: "LICENSE", Text: "MIT"}},
		{"in capitals", neptunetest.FileOf("A.PNG", "", []byte("A")), copied{Name: "A.PNG", MIME: "image/png", Text: "A"}},
		{"empty", neptunetest.FileOf("e.txt", "", nil), copied{Name: "e.txt", MIME: "text/plain"}},
	} {
		for name, opts := range map[string]neptunetest.Options{"whole": {}, "parts": {Ranges: true}, "elsewhere": {Redirect: true}} {
			t.Run(test.name+" "+name, func(t *testing.T) {
				r := openRun2(t, project2(t, opts, neptunetest.Attribute{Path: "//f/x", Value: test.file}), nil)
				got, _ := copyFiles(t, r)
				test.want.Path = "//f/x"
				if diff := cmp.Diff([]copied{test.want}, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if problems := told(r); len(problems) > 0 {
					t.Errorf("problems %q", problems)
				}
			})
		}
	}
}

// A transfer that is cut goes on, in parts where the server has them, and never ends early.
func TestDownloads2(t *testing.T) {
	const size = 1 << 20
	file := neptunetest.GeneratedFile("big.bin", "", size, 7)
	want, err := io.ReadAll(io.NewSectionReader(file.Content, 0, size))
	if err != nil {
		t.Fatal(err)
	}
	faults := map[string]func(n int) neptunetest.Fault{
		"cut":     func(n int) neptunetest.Fault { return neptunetest.Fault{Cut: n < 3} },
		"503":     func(n int) neptunetest.Fault { return neptunetest.Fault{Status: []int{503, 0}[min(n, 1)]} },
		"reset":   func(n int) neptunetest.Fault { return neptunetest.Fault{Reset: n == 0, Cut: n == 1} },
		"expired": func(n int) neptunetest.Fault { return neptunetest.Fault{ExpiredToken: n == 0, Cut: n == 1} },
	}
	for name, fault := range faults {
		for kind, opts := range map[string]neptunetest.Options{"whole": {}, "parts": {Ranges: true}, "elsewhere": {Redirect: true}} {
			t.Run(name+" "+kind, func(t *testing.T) {
				server := project2(t, opts, neptunetest.Attribute{Path: "f", Value: file})
				r := openRun2(t, server, nil)
				var n atomic.Int32
				server.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
					if !strings.HasSuffix(r.URL.Path, pathDownload) {
						return neptunetest.Fault{}
					}
					return fault(int(n.Add(1)) - 1)
				})
				got, _ := copyFiles(t, r)
				if len(got) != 1 || got[0].Text != string(want) {
					t.Errorf("%d files, %.200q", len(got), got[0].Text)
				}
				if problems := told(r); len(problems) > 0 {
					t.Errorf("problems %q", problems)
				}
			})
		}
	}
}

// The bearer token goes to the API only, wherever that sends its clients.
func TestTokenStaysAtItsHost(t *testing.T) {
	set := neptunetest.FileSet{Files: []neptunetest.File{neptunetest.FileOf("a", "", []byte("1"))}}
	server := project2(t, neptunetest.Options{Redirect: true},
		neptunetest.Attribute{Path: "f", Value: neptunetest.FileOf("f", "", []byte("1"))}, neptunetest.Attribute{Path: "s", Value: set})
	var elsewhere atomic.Int32
	r := openRun2(t, server, func(cfg *neptune.Config) {
		cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
			if strings.HasPrefix(r.URL.Host, "localhost") {
				elsewhere.Add(1)
				if r.Header.Get("Authorization") != "" {
					t.Errorf("the token went to %s", r.URL)
				}
			}
			return http.DefaultTransport.RoundTrip(r)
		})
	})
	if got, _ := copyFiles(t, r); len(got) != 2 || got[0].Text != "1" || got[1].Text != "1" || elsewhere.Load() != 2 {
		t.Errorf("%v, %d requests elsewhere", got, elsewhere.Load())
	}
}

func TestFilesThatCannotBeRead2(t *testing.T) {
	for _, test := range []struct {
		name  string
		file  neptunetest.File
		fault neptunetest.Fault
		is    error
		want  string
	}{
		{"lost", neptunetest.File{Name: "lost", Size: 5}, neptunetest.Fault{}, migrate.ErrNotFound, "404"},
		{"forbidden", neptunetest.FileOf("a", "", []byte("1")), neptunetest.Fault{Status: 403}, migrate.ErrUnauthorized, "403"},
		{"500 for ever", neptunetest.FileOf("a", "", []byte("1")), neptunetest.Fault{Status: 500}, migrate.ErrCorrupt, "500"},
		{"cut for ever", neptunetest.FileOf("a", "", []byte("12")), neptunetest.Fault{Status: 200, Body: "1"}, migrate.ErrCorrupt, "has only 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "f", Value: test.file})
			r := openRun2(t, server, nil)
			_, refs := copyFiles(t, r)
			server.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
				if strings.HasSuffix(r.URL.Path, pathDownload) {
					return test.fault
				}
				return neptunetest.Fault{}
			})
			body, err := r.OpenFile(t.Context(), refs[0])
			if err == nil {
				_, err = io.ReadAll(body)
				body.Close()
			}
			if !errors.Is(err, test.is) || errors.Is(err, migrate.ErrFatal) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Keys that no reader made open nothing.
func TestForeignKeys(t *testing.T) {
	r := openRun2(t, project2(t, neptunetest.Options{}), nil)
	for _, key := range []string{"", "file", "member:", "member:9:a:b", "member:-1:a:b", "image:x", "image:1:9:a", "content:1:a:1:b:c", "content:x", "list", "x:y"} {
		if body, err := r.OpenFile(t.Context(), migrate.FileRef{Key: key}); !errors.Is(err, migrate.ErrNotFound) || body != nil {
			t.Errorf("%q: %v, %v", key, body, err)
		}
	}
}
