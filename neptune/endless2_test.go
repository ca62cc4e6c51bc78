package neptune_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// A count can be any number: a series ends where there is nothing any more.
func TestEndlessImages(t *testing.T) {
	p := project(neptunetest.Attribute{Path: "m", Value: neptunetest.FileSeries{}})
	var asked atomic.Int64
	source := open2(t, serve2(t, neptunetest.Options{}, p), func(cfg *neptune.Config) {
		quick(cfg)
		cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/series/image"):
				return answer(r, `{"totalItemCount":1000000000000}`), nil
			case strings.HasSuffix(r.URL.Path, "/series/image/single"), strings.Contains(r.URL.Path, "/channels/"):
				if asked.Add(1) > 30_000 {
					return nil, errors.New("30,000 images were asked for, none of which there is")
				}
				a := answer(r, `{}`)
				a.StatusCode = 404
				return a, nil
			}
			return http.DefaultTransport.RoundTrip(r)
		})
	})
	r, err := source.OpenRun(t.Context(), first2(p))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range r.Chunks(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, problem := range r.Problems() {
		if problem.Code == migrate.CodeMissing {
			return
		}
	}
	t.Errorf("problems %v", r.Problems())
}

// zeros is a body that goes on for longer than any disk should have to take.
type zeros struct{ n *atomic.Int64 }

func (z zeros) Read(p []byte) (int, error) {
	if z.n.Add(int64(len(p))) > 600<<20 {
		return 0, io.EOF
	}
	clear(p)
	return len(p), nil
}

func (zeros) Close() error { return nil }

// The zip of a small set does not fill the disk.
func TestEndlessZip(t *testing.T) {
	var got atomic.Int64
	r := openRun2(t, project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "s", Value: fileSet("a", "b")}), func(cfg *neptune.Config) {
		cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(r.URL.Path, pathZip) {
				return http.DefaultTransport.RoundTrip(r)
			}
			a := answer(r, "")
			a.Body, a.ContentLength = zeros{&got}, -1
			return a, nil
		})
	})
	files, _ := copyFiles(t, r)
	if got.Load() > 350<<20 {
		t.Errorf("%d MB written to the disk for a set of 2 bytes", got.Load()>>20)
	}
	if len(files) != 2 {
		t.Errorf("files %v", namesAndTexts(files))
	}
}
