package neptune_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

func image(step float64, f neptunetest.File) neptunetest.Point[neptunetest.File] {
	return neptunetest.Point[neptunetest.File]{Step: step, TimeMS: 1_700_000_000_000 + int64(step), Value: f}
}

func described(f neptunetest.File, description string) neptunetest.File {
	f.Description = description
	return f
}

func TestImages(t *testing.T) {
	pictures := neptunetest.FileSeries{
		image(-1, described(neptunetest.FileOf("ü 0/x", "image/png", []byte("a")), "first, \"q\"\n0")),
		image(2.5, neptunetest.FileOf("", "image/svg+xml", []byte("<svg/>"))),
		image(1e6, neptunetest.FileOf("too big", "image/jpeg", nil)),
		image(1e6+1, neptunetest.File{Name: "lost", MIME: "image/png", Size: 3}),
		image(1e6+2, neptunetest.FileOf("large.gif", "image/gif", []byte(strings.Repeat("x", 600<<10)))),
	}
	want := []copied{
		{"i/pics", "-1", 1_699_999_999_999, "ü 0/x", "first, \"q\"\n0", "image/png", "a"},
		{"i/pics", "2.5", 1_700_000_000_002, "pics.svg", "", "image/svg+xml", "<svg/>"},
		{"i/pics", "1000000", 1_700_001_000_000, "too big", "", "image/jpeg", ""},
		{"i/pics", "1000001", 1_700_001_000_001, "lost", "", "", "error: download file \"i/pics[3]\": "},
		{"i/pics", "1000002", 1_700_001_000_002, "large.gif", "", "image/gif", strings.Repeat("x", 600<<10)},
	}
	for name, opts := range map[string]neptunetest.Options{
		"ordinary": {}, "parts, small pages": {Ranges: true, PagePoints: 2}, "elsewhere": {Redirect: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := openRun2(t, project2(t, opts, neptunetest.Attribute{Path: "i/pics", Value: pictures}), nil)
			got, _ := copyFiles(t, r)
			if diff := cmp.Diff(want, got, cmp.Comparer(beginning)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if problems := told(r); len(problems) > 0 {
				t.Errorf("problems %q", problems)
			}
		})
	}
}

// Without what the channel tells, images have their numbers as steps, and the reader says so.
func TestImagesWithoutChannel(t *testing.T) {
	pictures := neptunetest.FileSeries{
		image(5, neptunetest.FileOf("a", "image/png", []byte("a"))), image(7, neptunetest.FileOf("b", "image/png", []byte("b"))),
	}
	want := []copied{
		{"pics", "0", migrate.NoTime, "pics.png", "", "image/png", "a"}, {"pics", "1", migrate.NoTime, "pics.png", "", "image/png", "b"},
	}
	for _, test := range []struct {
		name, answer, want string
	}{
		{"not there", "", "404"},
		{"other number", `{"totalItemCount":3,"values":[{"x":1,"y":{}}]}`, "its channel has 3, the series 2 images"},
		{"ends", `{"totalItemCount":2,"values":[]}`, "its channel ends after 0 of 2 images"},
		{"no steps", `{"totalItemCount":2,"values":[{"y":{}},{"y":{}}]}`, "an image has no step"},
		{"too far", `{"totalItemCount":2,"values":[{"x":1e300},{"x":2}]}`, "too large for the archive"},
		{"NaN", `{"totalItemCount":2,"values":[{"x":NaN},{"x":"NaN"}]}`, "too large for the archive"},
		{"another answer", `{"channelId":"x"}`, "no values in it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			opts := neptunetest.Options{}
			if test.answer == "" {
				opts.Lacks = []string{"getChannelValues"}
			}
			server := project2(t, opts, neptunetest.Attribute{Path: "pics", Value: pictures})
			r := openRun2(t, server, nil)
			server.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
				if test.answer != "" && strings.Contains(r.URL.Path, "/channels/") {
					return neptunetest.Fault{Status: 200, Body: test.answer}
				}
				return neptunetest.Fault{}
			})
			got, _ := copyFiles(t, r)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			problems := told(r)
			if len(problems) != 1 || !strings.HasPrefix(problems[0], "suspect: the steps of its images are their numbers") || !strings.Contains(problems[0], test.want) {
				t.Errorf("problems %q", problems)
			}
		})
	}
}

// What a channel does not say of an image is not made up, and its order is that of the steps.
func TestImagesOfChannel(t *testing.T) {
	pictures := neptunetest.FileSeries{image(0, neptunetest.FileOf("", "image/png", []byte("a"))), image(1, neptunetest.FileOf("", "image/png", []byte("b")))}
	server := project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "pics", Value: pictures})
	r := openRun2(t, server, nil)
	server.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
		if strings.Contains(r.URL.Path, "/channels/") {
			return neptunetest.Fault{Status: 200, Body: `{"values":[{"x":"9","timestampMillis":5,"y":{"imageValue":{"name":"n","description":"d"}}},{"x":1}]}`}
		}
		return neptunetest.Fault{}
	})
	got, _ := copyFiles(t, r)
	want := []copied{{"pics", "1", migrate.NoTime, "pics.png", "", "image/png", "b"}, {"pics", "9", 5, "n", "d", "image/png", "a"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// If what the channel tells are no steps, it does not have the last step that the series itself has.
func TestImagesOfAnotherScale(t *testing.T) {
	pictures := neptunetest.FileSeries{image(5, neptunetest.FileOf("", "image/png", []byte("a"))), image(7, neptunetest.FileOf("", "image/png", []byte("b")))}
	server := project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "pics", Value: pictures})
	r := openRun2(t, server, nil)
	server.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
		if strings.Contains(r.URL.Path, "/channels/") {
			return neptunetest.Fault{Status: 200, Body: `{"values":[{"x":0},{"x":1}]}`}
		}
		return neptunetest.Fault{}
	})
	copyFiles(t, r)
	want := []string{"suspect: its images are at the steps 0 to 1 by its channel, and its last one at 7 by the series itself"}
	if diff := cmp.Diff(want, told(r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNoImages(t *testing.T) {
	r := openRun2(t, project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "pics", Value: neptunetest.FileSeries{}}), nil)
	if got, _ := copyFiles(t, r); len(got) > 0 {
		t.Errorf("images %v", got)
	}
	if diff := cmp.Diff([]string{"detail: a series without points"}, told(r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Images are got once, and are in memory only a few at a time.
func TestManyImages(t *testing.T) {
	const n, size = 250, 100 << 10
	var attributes []neptunetest.Attribute
	for s := range 3 {
		var pictures neptunetest.FileSeries
		for i := range n {
			pictures = append(pictures, image(float64(i), neptunetest.GeneratedFile("", "image/png", size, int64(s*n+i))))
		}
		attributes = append(attributes, neptunetest.Attribute{Path: fmt.Sprintf("pics/%d", s), Value: pictures})
	}
	server := project2(t, neptunetest.Options{NoRecord: true}, attributes...)
	var requests atomic.Int32
	r := openRun2(t, server, func(cfg *neptune.Config) {
		cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, pathImage) {
				requests.Add(1)
			}
			return http.DefaultTransport.RoundTrip(r)
		})
	})
	count, most := 0, uint64(0)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for c, err := range r.Chunks(t.Context(), func(path string, _ migrate.Kind) bool { return strings.HasPrefix(path, "pics/") }) {
		if err != nil {
			t.Fatal(err)
		}
		for i, ref := range c.Values.(migrate.Files) {
			if text := textOf(t.Context(), r, ref); len(text) != size || c.Steps[i] != migrate.Step(count%n)*migrate.StepUnit {
				t.Fatalf("image %d: %d bytes at %s, %.100q", count, len(text), c.Steps[i], text)
			}
			count++
		}
		if count%100 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
	}
	if count != 3*n || requests.Load() != 3*n {
		t.Errorf("%d images, %d requests", count, requests.Load())
	}
	if grown := int64(most) - int64(before.HeapAlloc); grown > 40<<20 {
		t.Errorf("%d MB in use for %d MB of images", grown>>20, 3*n*size>>20)
	}
}

// A damaged answer to the count is a problem of the series.
func TestImageCountIsDamaged(t *testing.T) {
	pictures := neptunetest.FileSeries{image(0, neptunetest.FileOf("", "image/png", []byte("a")))}
	for _, body := range []string{`{}`, `{"totalItemCount":-1}`, `{"totalItemCount":` + strconv.Itoa(1<<50) + `}`, `[]`} {
		server := project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "pics", Value: pictures})
		r := openRun2(t, server, nil)
		server.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
			if strings.HasSuffix(r.URL.Path, "/series/image") {
				return neptunetest.Fault{Status: 200, Body: body}
			}
			return neptunetest.Fault{}
		})
		if got, _ := copyFiles(t, r); len(got) > 0 {
			t.Errorf("%s: images %v", body, got)
		}
		if problems := told(r); len(problems) != 1 || !strings.HasPrefix(problems[0], "unreadable: ") {
			t.Errorf("%s: problems %q", body, problems)
		}
	}
}
