package neptune_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// fileRefs opens the only run of a project and gives its files.
func fileRefs(t *testing.T, source migrate.Source, p *neptunetest.Project) (migrate.RunReader, []migrate.FileRef) {
	t.Helper()
	r, err := source.OpenRun(t.Context(), migrate.RunInfo{RunRef: migrate.RunRef{Project: p.ID(), ID: "first"}})
	if err != nil {
		t.Fatal(err)
	}
	var refs []migrate.FileRef
	for c, err := range r.Chunks(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if files, ok := c.Values.(migrate.Files); ok {
			refs = append(refs, files...)
		}
	}
	return r, refs
}

func TestDownloads(t *testing.T) {
	const size = 3 << 20
	file := neptunetest.GeneratedFile("big", "application/octet-stream", size, 7)
	want, err := io.ReadAll(io.NewSectionReader(file.Content, 0, size))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		opts  neptunetest.Options
		fault func(n int, server *neptunetest.Server) neptunetest.Fault // of the nth transfer
	}{
		{"ordinary", neptunetest.Options{}, nil},
		{"of S3", neptunetest.Options{Provider: "aws"}, nil},
		{"of Azure", neptunetest.Options{Provider: "azure"}, nil},
		{"cut three times", neptunetest.Options{}, func(n int, _ *neptunetest.Server) neptunetest.Fault {
			return neptunetest.Fault{Cut: n < 3}
		}},
		{"cut, and then the link is too old", neptunetest.Options{Provider: "aws"}, func(n int, server *neptunetest.Server) neptunetest.Fault {
			if n == 1 {
				server.ExpireLinks()
			}
			return neptunetest.Fault{Cut: n < 1}
		}},
		{"link of Azure that is too old", neptunetest.Options{Provider: "azure"}, func(n int, _ *neptunetest.Server) neptunetest.Fault {
			return neptunetest.Fault{ExpiredLink: n == 0}
		}},
		{"400 once", neptunetest.Options{}, func(n int, _ *neptunetest.Server) neptunetest.Fault {
			if n == 0 {
				return neptunetest.Fault{Status: 400}
			}
			return neptunetest.Fault{}
		}},
		{"503 and reset", neptunetest.Options{}, func(n int, _ *neptunetest.Server) neptunetest.Fault {
			switch n {
			case 0:
				return neptunetest.Fault{Status: 503}
			case 1:
				return neptunetest.Fault{Reset: true}
			}
			return neptunetest.Fault{}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := project(neptunetest.Attribute{Path: "f", Value: file})
			test.opts.Projects = []*neptunetest.Project{p}
			server := neptunetest.NewServer(t, test.opts)
			r, refs := fileRefs(t, open(t, server, quick), p)
			var mu sync.Mutex
			transfers := 0
			server.SetFault(func(_ int, req *http.Request) neptunetest.Fault {
				mu.Lock()
				defer mu.Unlock()
				if strings.Contains(req.URL.Path, "/api/") || test.fault == nil {
					return neptunetest.Fault{}
				}
				transfers++
				return test.fault(transfers-1, server)
			})
			body, err := r.OpenFile(t.Context(), refs[0])
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(body)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if err := body.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Files that come one after the other are signed together.
func TestLinksAreSignedTogether(t *testing.T) {
	var attributes []neptunetest.Attribute
	var pictures neptunetest.FileSeries
	for i := range 100 {
		pictures = append(pictures, neptunetest.Point[neptunetest.File]{
			Step: float64(i), Value: neptunetest.FileOf("x", "image/png", []byte(strconv.Itoa(i))),
		})
		attributes = append(attributes, neptunetest.Attribute{
			Path: fmt.Sprintf("f/%02d", i), Value: neptunetest.FileOf("x", "text/plain", []byte(strconv.Itoa(i))),
		})
	}
	p := project(append(attributes, neptunetest.Attribute{Path: "pictures", Value: pictures})...)
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	source := open(t, server, nil)
	got, _ := readRun(t, source, migrate.RunInfo{RunRef: migrate.RunRef{Project: p.ID(), ID: "first"}})
	if diff := cmp.Diff(seeded(p.Runs[0]), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := asks(server, pathSign); n > 10 {
		t.Errorf("%d requests for links to 200 files", n)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	lost := neptunetest.File{Name: "lost", MIME: "text/plain", Size: 5}
	for _, test := range []struct {
		name     string
		file     neptunetest.File
		fault    neptunetest.Fault
		notFound bool
		want     string
	}{
		{"lost by the storage", lost, neptunetest.Fault{}, true, "404"},
		{"forbidden for ever", neptunetest.FileOf("a", "text/plain", []byte("hello")), neptunetest.Fault{Status: 403}, false, "403"},
		{"cut for ever", neptunetest.FileOf("a", "text/plain", nil), neptunetest.Fault{Reset: true}, false, "gave up"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := project(neptunetest.Attribute{Path: "f", Value: test.file})
			server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
			r, refs := fileRefs(t, open(t, server, quick), p)
			server.SetFault(func(_ int, req *http.Request) neptunetest.Fault {
				if strings.Contains(req.URL.Path, "/api/") {
					return neptunetest.Fault{}
				}
				return test.fault
			})
			_, err := r.OpenFile(t.Context(), refs[0])
			if err == nil || errors.Is(err, migrate.ErrNotFound) != test.notFound || !strings.Contains(err.Error(), test.want) ||
				errors.Is(err, migrate.ErrFatal) || strings.Contains(err.Error(), "?") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// storage answers downloads itself; the API is the server's.
func storage(t *testing.T, content []byte, handle func(n int, r *http.Request) *http.Response) (migrate.RunReader, migrate.FileRef) {
	t.Helper()
	p := project(neptunetest.Attribute{Path: "f", Value: neptunetest.FileOf("a", "text/plain", content)})
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	n := 0
	source := open(t, server, func(cfg *neptune.Config) {
		quick(cfg)
		cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
			if strings.Contains(r.URL.Path, "/api/") {
				return http.DefaultTransport.RoundTrip(r)
			}
			n++
			return handle(n-1, r), nil
		})
	})
	r, refs := fileRefs(t, source, p)
	return r, refs[0]
}

// broken ends with an error after some text.
func broken(r *http.Request, text string) *http.Response {
	response := answer(r, "")
	response.Body = io.NopCloser(io.MultiReader(strings.NewReader(text), errorReader{}))
	return response
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestStorages(t *testing.T) {
	for _, test := range []struct {
		name   string
		handle func(n int, r *http.Request) *http.Response
		want   string // the content, or what the error says
		fails  bool
	}{
		{"without ranges", func(n int, r *http.Request) *http.Response {
			if n == 0 {
				return broken(r, "hel")
			}
			return answer(r, "hello world")
		}, "hello world", false},
		{"another part than asked for", func(n int, r *http.Request) *http.Response {
			if n == 0 {
				return broken(r, "hel")
			}
			a := answer(r, "world")
			a.StatusCode = http.StatusPartialContent
			a.Header.Set("Content-Range", "bytes 6-10/11")
			return a
		}, "another part", true},
		{"a file that changed", func(n int, r *http.Request) *http.Response {
			a := broken(r, "hel")
			a.Header.Set("ETag", strconv.Itoa(n))
			return a
		}, "changed", true},
		{"too short", func(_ int, r *http.Request) *http.Response {
			a := answer(r, "hello")
			a.ContentLength = 5
			return a
		}, "has only 5", true},
		{"ends early without saying so", func(_ int, r *http.Request) *http.Response {
			return answer(r, "")
		}, "again and again", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, ref := storage(t, []byte("hello world"), test.handle)
			var got []byte
			body, err := r.OpenFile(t.Context(), ref)
			if err == nil {
				got, err = io.ReadAll(body)
				body.Close()
			}
			switch {
			case test.fails && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want %q", err, test.want)
			case !test.fails && (err != nil || string(got) != test.want):
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// What is longer than the server says is kept, with a note.
func TestLongerFile(t *testing.T) {
	r, ref := storage(t, []byte("hello"), func(_ int, r *http.Request) *http.Response { return answer(r, "hello world") })
	if got := fileText(t, r, ref); got != "text/plain hello world" {
		t.Errorf("got %q", got)
	}
	if problems := r.Problems(); len(problems) != 1 || problems[0].Code != migrate.CodeSuspect {
		t.Errorf("problems %v", problems)
	}
}

func TestSilentTransfer(t *testing.T) {
	p := project(neptunetest.Attribute{Path: "f", Value: neptunetest.FileOf("a", "text/plain", []byte("hello"))})
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	source := open(t, server, func(cfg *neptune.Config) { quick(cfg); cfg.Timeout = 300 * time.Millisecond })
	r, refs := fileRefs(t, source, p)
	var once sync.Once
	server.SetFault(func(_ int, req *http.Request) (f neptunetest.Fault) {
		if !strings.Contains(req.URL.Path, "/api/") {
			once.Do(func() { f.Hang = true })
		}
		return f
	})
	if got := fileText(t, r, refs[0]); got != "text/plain hello" {
		t.Errorf("got %q", got)
	}
}
