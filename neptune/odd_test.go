package neptune_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// instead answers requests to one path in the place of the server; an answer of nil lets it be asked.
func instead(path string, answer func(r *http.Request) *http.Response) func(*neptune.Config) {
	return func(cfg *neptune.Config) {
		quick(cfg)
		cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, path) {
				if a := answer(r); a != nil {
					return a, nil
				}
			}
			return http.DefaultTransport.RoundTrip(r)
		})
	}
}

// rewritten sends a request with another body.
func rewritten(r *http.Request, change func([]byte) []byte) *http.Response {
	body := change(peek(r))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return nil
}

// Servers that do not do as they should must neither hold a reader for ever nor go unnoticed.
func TestOddServers(t *testing.T) {
	var turns atomic.Int64
	afterStep := regexp.MustCompile(`,"afterStep":[^,}]*`)
	limit := regexp.MustCompile(`"perSeriesPointsLimit":\d+`)
	for _, test := range []struct {
		name  string
		value neptunetest.Value
		opts  neptunetest.Options
		path  string
		do    func(r *http.Request) *http.Response
		code  migrate.Code
		text  string
		kept  int // points
	}{
		{
			"always the first page of floats", floats(20),
			neptunetest.Options{},
			pathFloats,
			func(r *http.Request) *http.Response {
				return rewritten(r, func(b []byte) []byte {
					return limit.ReplaceAll(afterStep.ReplaceAll(b, nil), []byte(`"perSeriesPointsLimit":5`))
				})
			}, migrate.CodeUnreadable, "same page", 5,
		},
		{
			"no floats where some should be", floats(20),
			neptunetest.Options{},
			pathFloats,
			func(r *http.Request) *http.Response { return answer(r, "") }, migrate.CodeMissing, "gives none", 0,
		},
		{
			"no texts where some should be",
			neptunetest.StringSeries{{Step: 1, Value: "x"}},
			neptunetest.Options{},
			pathSeries,
			func(r *http.Request) *http.Response { return answer(r, "") }, migrate.CodeMissing, "gives none", 0,
		},
		{
			"a token that leads in circles",
			neptunetest.StringSeries{{Step: 1, Value: "x"}},
			neptunetest.Options{},
			pathSeries,
			func(r *http.Request) *http.Response { return answer(r, "\x0a\x08\x0a\x010\x12\x03\x12\x01t") },
			migrate.CodeUnreadable, "same page", 0,
		},
		{
			"tokens without end",
			neptunetest.StringSeries{{Step: 1, Value: "x"}},
			neptunetest.Options{},
			pathSeries,
			func(r *http.Request) *http.Response {
				token := fmt.Sprintf("%09d", turns.Add(1))
				return answer(r, "\x0a\x10\x0a\x010\x12\x0b\x12\x09"+token)
			},
			migrate.CodeUnreadable, "same page", 0,
		},
		{
			"texts without a word on how to go on",
			neptunetest.StringSeries{{Step: 1, Value: "x"}},
			neptunetest.Options{},
			pathSeries,
			func(r *http.Request) *http.Response {
				return answer(r, "\x0a\x0b\x0a\x010\x22\x06\x0a\x04\x32\x02\x0a\x00")
			},
			migrate.CodeUnreadable, "does not say where", 1,
		},
		{
			"floats that are no protobuf", floats(3),
			neptunetest.Options{},
			pathFloats,
			func(r *http.Request) *http.Response { return answer(r, "\x0a\xff\xff\xff\xff\x7f") },
			migrate.CodeUnreadable, "undecodable", 0,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := project(neptunetest.Attribute{Path: "x", Value: test.value})
			test.opts.Projects = []*neptunetest.Project{p}
			server := neptunetest.NewServer(t, test.opts)
			got, problems := readRun(t, open(t, server, instead(test.path, test.do)),
				migrate.RunInfo{RunRef: migrate.RunRef{Project: p.ID(), ID: "first"}})
			if len(problems) != 1 || problems[0].Path != "x" || problems[0].Code != test.code || !strings.Contains(problems[0].Text, test.text) {
				t.Errorf("problems %v, want %s with %q", problems, test.code, test.text)
			}
			if n := len(got["x"].Points); n != test.kept {
				t.Errorf("%d points, want %d", n, test.kept)
			}
			if len(got) < 4 {
				t.Errorf("the rest is missing: %v", got)
			}
		})
	}
}

// A series that an answer passes over is asked for again.
func TestSeriesThatIsPassedOver(t *testing.T) {
	p := project(neptunetest.Attribute{Path: "m", Value: floats(20)}, neptunetest.Attribute{Path: "n", Value: floats(20)})
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	n := 0
	got, problems := readRun(t, open(t, server, instead(pathFloats, func(r *http.Request) *http.Response {
		if n++; n == 1 {
			return answer(r, "")
		}
		return nil
	})), migrate.RunInfo{RunRef: migrate.RunRef{Project: p.ID(), ID: "first"}})
	if diff := cmp.Diff(seeded(p.Runs[0]), got); diff != "" || len(problems) > 0 {
		t.Errorf("%v (-want +got):\n%s", problems, diff)
	}
}

// Without a count of points, a series ends with an empty page.
func TestServerThatDoesNotCount(t *testing.T) {
	var attributes []neptunetest.Attribute
	for i, n := range []int{1, 2, 5000, 3, 3000, 1} {
		attributes = append(attributes, neptunetest.Attribute{Path: fmt.Sprint("m/", i), Value: floats(n)})
	}
	p := project(attributes...)
	for _, page := range []int{0, 500} {
		server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}, PageFloats: page, NoGzip: true})
		source := open(t, server, func(cfg *neptune.Config) {
			cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
				response, err := http.DefaultTransport.RoundTrip(r)
				if err == nil && strings.HasSuffix(r.URL.Path, pathFloats) {
					body, _ := io.ReadAll(response.Body)
					response.Body.Close()
					body = without(body, 1, 2, 1)
					response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
				}
				return response, err
			})
		})
		got, problems := readRun(t, source, migrate.RunInfo{RunRef: migrate.RunRef{Project: p.ID(), ID: "first"}})
		if diff := cmp.Diff(seeded(p.Runs[0]), got); diff != "" || len(problems) > 0 {
			t.Errorf("%v (-want +got):\n%s", problems, diff)
		}
	}
}

// without leaves out the last field of path from the messages that the others lead to.
func without(b []byte, path ...protowire.Number) (out []byte) {
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		size := n + protowire.ConsumeFieldValue(num, kind, b[n:])
		field := b[:size]
		b = b[size:]
		switch {
		case num != path[0]:
			out = append(out, field...)
		case len(path) > 1:
			inner, _ := protowire.ConsumeBytes(field[n:])
			out = protowire.AppendBytes(protowire.AppendTag(out, num, kind), without(inner, path[1:]...))
		}
	}
	return out
}

// Pages of values that lead in circles are read in parts.
func TestValuesInCircles(t *testing.T) {
	p := project(neptunetest.Attribute{Path: "x", Value: neptunetest.Int(5)}, neptunetest.Attribute{Path: "m", Value: floats(2)})
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	circles := instead(pathValues, func(r *http.Request) *http.Response {
		if bytes.Contains(peek(r), []byte("attributeNamesFilter")) {
			return nil
		}
		return answer(r, "\x12\x03\x0a\x01t")
	})
	got, problems := readRun(t, open(t, server, circles), migrate.RunInfo{RunRef: migrate.RunRef{Project: p.ID(), ID: "first"}})
	if diff := cmp.Diff(seeded(p.Runs[0]), got); diff != "" || len(problems) > 0 {
		t.Errorf("%v (-want +got):\n%s", problems, diff)
	}
}

// A listing that ignores where a page should begin ends.
func TestListingInCircles(t *testing.T) {
	p := numbered(3)
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	source := open(t, server, instead(pathSearch, func(r *http.Request) *http.Response {
		return answer(r, "\x1a\x12\x3a\x10\x0a\x06sys/id\x2a\x06\x1a\x04M-77")
	}))
	var last error
	for _, err := range source.Runs(t.Context(), migrate.Selection{Projects: []string{p.ID()}}) {
		last = err
	}
	if last == nil || !strings.Contains(last.Error(), "same page") {
		t.Errorf("error %v", last)
	}
}

// A fork that has nothing of its own in a series is no loss: the points are its parent's.
func TestForks(t *testing.T) {
	p := project(neptunetest.Attribute{Path: "m", Value: floats(8)}, neptunetest.Attribute{Path: "only", Value: floats(8)})
	p.Runs = append(p.Runs, &neptunetest.Run{ID: "PRJ-2", CustomID: "fork", Attributes: []neptunetest.Attribute{
		{Path: "sys/forking/parent", Value: neptunetest.String("first")},
		{Path: "sys/forking/step", Value: neptunetest.Float(1)},
		{Path: "m", Value: neptunetest.FloatSeries{{Step: 2, Value: 9}}},
	}})
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	got, problems := readRun(t, open(t, server, nil), migrate.RunInfo{RunRef: migrate.RunRef{Project: p.ID(), ID: "fork"}})
	if len(got["m"].Points) != 1 || got["m"].Points[0].Step != "2" || len(problems) > 0 {
		t.Errorf("points %v, problems %v", got["m"].Points, problems)
	}
}

// Whatever happens to single requests, what is moved in the end is the same.
func TestRandomFaults(t *testing.T) {
	bothGenerations(t, func(t *testing.T, g generation) {
		p := world(t, g.odd)
		small := numbered(40)
		sel := migrate.Selection{Projects: []string{p.ID(), small.ID()}, Scopes: g.scopes}
		calm := g.serve(t, neptunetest.Options{}, p, small)
		var want migratetest.Memory
		move(t, g.open(t, calm, everything), &want, sel)
		for seed := range uint64(6) {
			server := g.serve(t, neptunetest.Options{PageRuns: 7, PageAttributes: 11, PageFloats: 9, PagePoints: 13, Window: 20, Ranges: true}, p, small)
			server.SetFault(randomFault(seed))
			var got migratetest.Memory
			source := g.open(t, server, func(cfg *neptune.Config) { everything(cfg); quick(cfg); *cfg = neptune.Window(*cfg, 20) })
			move(t, source, &got, sel)
			report, err := migrate.Verify(t.Context(), migrate.Job{Source: &want, Sink: &got, Selection: sel})
			if err != nil || !report.Whole() {
				t.Errorf("seed %d: %v, %v", seed, err, report.Runs)
			}
		}
	})
}

// randomFault is one for some of the requests.
func randomFault(seed uint64) func(int, *http.Request) neptunetest.Fault {
	var mu sync.Mutex
	chance := rand.New(rand.NewPCG(seed, 1))
	return func(int, *http.Request) neptunetest.Fault {
		mu.Lock()
		defer mu.Unlock()
		switch chance.IntN(60) {
		case 0:
			return neptunetest.Fault{Status: 429, RetryAfter: "1"}
		case 1:
			return neptunetest.Fault{Status: 502}
		case 2:
			return neptunetest.Fault{Reset: true}
		case 3:
			return neptunetest.Fault{Cut: true}
		case 4:
			return neptunetest.Fault{ExpiredToken: true}
		case 5:
			return neptunetest.Fault{ExpiredLink: true}
		case 6:
			return neptunetest.Fault{Delay: time.Millisecond}
		}
		return neptunetest.Fault{}
	}
}

// move moves all runs that have no file that the storage has lost.
func move(t *testing.T, source migrate.Source, to migrate.Sink, sel migrate.Selection) {
	t.Helper()
	report, err := migrate.Run(t.Context(), migrate.Job{Source: source, Sink: to, Selection: sel})
	if err != nil || report.Listed < 50 {
		t.Fatalf("%d runs, %v", report.Listed, err)
	}
	for _, run := range report.Runs {
		if run.Err != nil && !strings.Contains(run.Err.Error(), "404") {
			t.Errorf("%s: %v", run.Run, run.Err)
		}
	}
}
