package neptune_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

func quick(cfg *neptune.Config) { *cfg = neptune.WithoutWaits(*cfg, nil) }

const (
	pathExchange = "/authorization/oauth-token"
	pathRefresh  = "/openid-connect/token"
	pathSearch   = "/entries/search/"
	pathValues   = "/proto/leaderboard/attributes/query"
	pathFloats   = "/attributes/series/float"
	pathSeries   = "/proto/attributes/series"
	pathSign     = "/signedUrl"
)

func asks(server *neptunetest.Server, path string) (n int) {
	for _, request := range server.Requests() {
		if strings.HasSuffix(request.Path, path) {
			n++
		}
	}
	return n
}

// Whatever passes leaves no trace.
func TestFaultsThatPass(t *testing.T) {
	faults := map[string]neptunetest.Fault{
		"429 with seconds":  {Status: 429, RetryAfter: "0.2"},
		"429 with a date":   {Status: 429, RetryAfter: "Wed, 21 Oct 2065 07:28:00 GMT"},
		"429":               {Status: 429},
		"408":               {Status: 408},
		"500 as a web page": {Status: 500, Body: "<html>oops</html>"},
		"503":               {Status: 503},
		"520":               {Status: 520},
		"reset":             {Reset: true},
		"cut":               {Cut: true},
		"slow":              {Slow: time.Millisecond},
		"expired token":     {ExpiredToken: true},
		"expired link":      {ExpiredLink: true},
		"garbage":           {Status: 200, Body: "\x0a\xff\xff"},
	}
	bothGenerations(t, func(t *testing.T, g generation) {
		for name, fault := range faults {
			worlds := []string{g.small, g.odd}
			if testing.Short() {
				worlds = worlds[:1]
			}
			for _, world := range worlds {
				t.Run(name+"/"+world, func(t *testing.T) {
					t.Parallel()
					g.faultThatPasses(t, world, fault)
				})
			}
		}
	})
}

func (g generation) faultThatPasses(t *testing.T, name string, fault neptunetest.Fault) {
	p := world(t, name)
	server := g.serve(t, neptunetest.Options{PagePoints: 50}, p)
	var mu sync.Mutex
	tries := map[string]int{} // each first try of an endpoint fails, and later ones at random
	hits := map[string]int{}
	chance := rand.New(rand.NewPCG(7, 7))
	server.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
		mu.Lock()
		defer mu.Unlock()
		if fault.Status == 200 && (!strings.Contains(r.URL.Path, "/api/") || strings.HasSuffix(r.URL.Path, "/download")) {
			return neptunetest.Fault{} // of a file, it would be its content
		}
		tries[r.URL.Path]++
		if tries[r.URL.Path] > 1 && chance.IntN(10) > 0 {
			return neptunetest.Fault{}
		}
		body, _ := io.ReadAll(r.Body)
		request := r.URL.String() + string(body)
		if hits[request]++; hits[request] <= 2 { // who is refused three times in a row is refused
			return fault
		}
		return neptunetest.Fault{}
	})
	g.check(t, g.open(t, server, func(cfg *neptune.Config) { everything(cfg); quick(cfg) }), p)
}

// What the server can never give is named; all the rest is read.
func TestAttributesThatCannotBeRead(t *testing.T) {
	many := func() (list []neptunetest.Attribute) {
		for i := range 40 {
			list = append(list,
				neptunetest.Attribute{Path: fmt.Sprintf("m/%02d", i), Value: floats(3)},
				neptunetest.Attribute{Path: fmt.Sprintf("p/%02d", i), Value: neptunetest.Int(i)},
				neptunetest.Attribute{Path: fmt.Sprintf("t/%02d", i), Value: neptunetest.StringSeries{{Step: 1, Value: "x"}}},
			)
		}
		return list
	}
	for _, test := range []struct {
		path  string
		fault neptunetest.Fault
	}{
		{"m/17", neptunetest.Fault{Status: 500}},
		{"t/03", neptunetest.Fault{Status: 400}},
		{"m/39", neptunetest.Fault{Status: 200, Body: "\x0a\xff\xff"}},
		{"t/00", neptunetest.Fault{Status: 422, Body: "[]"}},
		{"p/20", neptunetest.Fault{Status: 500}},
	} {
		t.Run(test.path, func(t *testing.T) {
			p := project(many()...)
			server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
			quoted := []byte(`"` + test.path + `"`)
			refuse := func(cfg *neptune.Config) {
				quick(cfg)
				cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
					body := peek(r)
					all := strings.HasPrefix(test.path, "p/") && strings.HasSuffix(r.URL.Path, pathValues) && !bytes.Contains(body, []byte("attributeNamesFilter"))
					if all || bytes.Contains(body, quoted) {
						refusal := answer(r, test.fault.Body)
						refusal.StatusCode = test.fault.Status
						return refusal, nil
					}
					return http.DefaultTransport.RoundTrip(r)
				})
			}
			got, problems := readRun(t, open(t, server, refuse), migrate.RunInfo{RunRef: migrate.RunRef{Project: p.ID(), ID: "first"}})
			want := seeded(p.Runs[0])
			delete(want, test.path)
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("the rest (-want +got):\n%s", diff)
			}
			if len(problems) != 1 || problems[0].Path != test.path || problems[0].Code != migrate.CodeUnreadable {
				t.Errorf("problems: %v", problems)
			}
		})
	}
}

// peek reads a request's body, which is then there again.
func peek(r *http.Request) []byte {
	var buf bytes.Buffer
	if r.Body != nil {
		_, _ = buf.ReadFrom(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(buf.Bytes()))
	}
	return buf.Bytes()
}

// answer is one with status 200.
func answer(r *http.Request, body string) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: -1, Request: r,
		Body: io.NopCloser(strings.NewReader(body)),
	}
}

// A server that is down ends the run with an error, and does not make problems of its attributes.
func TestServerGoesAway(t *testing.T) {
	bothGenerations(t, func(t *testing.T, g generation) {
		for _, path := range g.paths {
			t.Run(path, func(t *testing.T) { g.goesAway(t, path) })
		}
	})
}

func (g generation) goesAway(t *testing.T, path string) {
	p := world(t, g.small)
	server := g.serve(t, neptunetest.Options{}, p)
	server.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
		if strings.HasSuffix(r.URL.Path, path) {
			return neptunetest.Fault{Status: 503}
		}
		return neptunetest.Fault{}
	})
	var last error
	run := migrate.RunInfo{RunRef: migrate.RunRef{Project: p.ID(), ID: cmp.Or(p.Runs[1].CustomID, p.Runs[1].ID)}}
	source := g.open(t, server, quick)
	r, err := source.OpenRun(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	if path == pathSearch2 {
		_, last = first(source.Runs(t.Context(), migrate.Selection{Projects: []string{p.ID()}}))
	} else {
		for _, err := range r.Chunks(t.Context(), nil) {
			last = err
		}
	}
	var api *neptune.APIError
	if !errors.As(last, &api) || api.Status != 503 {
		t.Errorf("error %v, want the 503", last)
	}
	for _, problem := range r.Problems() {
		if problem.Code.Lossy() {
			t.Errorf("problem: %s", problem)
		}
	}
}

// first is the first pair of a sequence.
func first[K, V any](seq iter.Seq2[K, V]) (key K, value V) {
	for key, value := range seq {
		return key, value
	}
	return key, value
}

func TestRetryAfterHoldsBack(t *testing.T) {
	p := project()
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	server.SetFault(func(n int, _ *http.Request) neptunetest.Fault {
		if n == 0 {
			return neptunetest.Fault{Status: 429, RetryAfter: "7.5"}
		}
		return neptunetest.Fault{}
	})
	var longest time.Duration
	source := open(t, server, func(cfg *neptune.Config) {
		*cfg = neptune.WithoutWaits(*cfg, func(d time.Duration) { longest = max(longest, d) })
	})
	readAll(t, source, p.ID())
	if longest != 7500*time.Millisecond {
		t.Errorf("waited %s, want 7.5s", longest)
	}
}

func TestHangIsNoticed(t *testing.T) {
	bothGenerations(t, func(t *testing.T, g generation) {
		p := world(t, g.small)
		server := g.serve(t, neptunetest.Options{}, p)
		var mu sync.Mutex
		hung := map[string]bool{}
		server.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
			mu.Lock()
			defer mu.Unlock()
			if hung[r.URL.Path] || len(hung) == 4 {
				return neptunetest.Fault{}
			}
			hung[r.URL.Path] = true
			return neptunetest.Fault{Hang: true}
		})
		source := g.open(t, server, func(cfg *neptune.Config) { quick(cfg); cfg.Timeout = 300 * time.Millisecond })
		if got := g.read(t, source, p.ID()); len(got) == 0 {
			t.Error("no runs")
		}
		if len(hung) < 4 {
			t.Errorf("only %d requests hung", len(hung))
		}
	})
}

func TestCancelEndsWaiting(t *testing.T) {
	bothGenerations(t, func(t *testing.T, g generation) {
		p := project(neptunetest.Attribute{Path: "m", Value: floats(3)})
		server := g.serve(t, neptunetest.Options{}, p)
		ctx, cancel := context.WithCancel(t.Context())
		server.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
			if strings.HasSuffix(r.URL.Path, g.floats) {
				cancel()
				return neptunetest.Fault{Hang: true}
			}
			return neptunetest.Fault{}
		})
		r, err := g.open(t, server, nil).OpenRun(ctx, migrate.RunInfo{RunRef: migrate.RunRef{Project: p.ID(), ID: "PRJ-1"}})
		if err != nil {
			t.Fatal(err)
		}
		var last error
		for _, err := range r.Chunks(ctx, nil) {
			last = err
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", last)
		}
	})
}

// The bearer token is renewed once for all who need it, also in the middle.
func TestTokens(t *testing.T) {
	bothGenerations(t, func(t *testing.T, g generation) {
		for _, test := range []struct {
			name     string
			life     time.Duration
			fault    func(server *neptunetest.Server) func(int, *http.Request) neptunetest.Fault
			exchange int
		}{
			{"lasts", time.Hour, nil, 1},
			{"is always about to end", 8 * time.Second, nil, 1},
			{"cannot be refreshed", time.Hour, func(server *neptunetest.Server) func(int, *http.Request) neptunetest.Fault {
				var once sync.Once
				return func(_ int, r *http.Request) neptunetest.Fault {
					if strings.HasSuffix(r.URL.Path, pathRefresh) {
						return neptunetest.Fault{Status: 400}
					}
					if strings.HasSuffix(r.URL.Path, g.floats) {
						once.Do(server.ExpireTokens)
					}
					return neptunetest.Fault{}
				}
			}, 2},
			{"is revoked", time.Hour, func(server *neptunetest.Server) func(int, *http.Request) neptunetest.Fault {
				var once sync.Once
				return func(_ int, r *http.Request) neptunetest.Fault {
					if strings.HasSuffix(r.URL.Path, g.floats) {
						once.Do(func() { server.RevokeRefreshTokens(); server.ExpireTokens() })
					}
					return neptunetest.Fault{}
				}
			}, 2},
		} {
			t.Run(test.name, func(t *testing.T) {
				p := world(t, g.small)
				server := g.serve(t, neptunetest.Options{TokenLife: test.life}, p)
				if test.fault != nil {
					server.SetFault(test.fault(server))
				}
				source := g.open(t, server, quick)
				var group sync.WaitGroup
				for range 8 {
					group.Go(func() { g.read(t, source, p.ID()) })
				}
				group.Wait()
				if got := asks(server, pathExchange); got != test.exchange {
					t.Errorf("%d exchanges, want %d", got, test.exchange)
				}
			})
		}
	})
}

func TestExpiredTokenIsRefreshedOnce(t *testing.T) {
	bothGenerations(t, func(t *testing.T, g generation) {
		p := world(t, g.small)
		server := g.serve(t, neptunetest.Options{}, p)
		source := g.open(t, server, quick)
		g.read(t, source, p.ID())
		server.ExpireTokens()
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() { g.read(t, source, p.ID()) })
		}
		group.Wait()
		if exchanges, refreshes := asks(server, pathExchange), asks(server, pathRefresh); exchanges != 1 || refreshes != 1 {
			t.Errorf("%d exchanges and %d refreshes, want one each", exchanges, refreshes)
		}
	})
}

// Refused credentials end at once, and say what to do.
func TestRefusedToken(t *testing.T) {
	bothGenerations(t, func(t *testing.T, g generation) {
		wrong, bad := "--exporter neptune2", []error{neptune.ErrGeneration, migrate.ErrFatal}
		unknown, unauthorized := "set NEPTUNE_API_TOKEN", []error{migrate.ErrUnauthorized, migrate.ErrFatal}
		if g.Generation == neptune.Neptune2 {
			wrong = "--exporter neptune3"
		}
		tests := []struct {
			status int
			body   string
			want   string
			is     []error
		}{
			{401, "", unknown, unauthorized},
			{400, `{"code":400,"message":"unknown token"}`, wrong, bad},
			{404, "<html>", wrong, bad},
			{301, "", "--neptune-url", []error{migrate.ErrFatal}},
		}
		if g.Generation == neptune.Neptune2 { // so it answers to a token that it does not know
			tests[1].want, tests[1].is = unknown, unauthorized
		}
		for _, test := range tests {
			t.Run(fmt.Sprint(test.status), func(t *testing.T) {
				p := project()
				server := g.serve(t, neptunetest.Options{}, p)
				server.SetFault(func(int, *http.Request) neptunetest.Fault {
					return neptunetest.Fault{Status: test.status, Body: test.body}
				})
				var last error
				for _, err := range g.open(t, server, quick).Runs(t.Context(), migrate.Selection{Projects: []string{p.ID()}}) {
					last = err
				}
				for _, target := range test.is {
					if !errors.Is(last, target) {
						t.Errorf("error %v is not %v", last, target)
					}
				}
				if last == nil || !strings.Contains(last.Error(), test.want) || strings.Contains(last.Error(), server.Token()) {
					t.Errorf("error %v, want %q in it and not the token", last, test.want)
				}
				if n := asks(server, pathExchange); n != 1 {
					t.Errorf("%d exchanges, want one", n)
				}
			})
		}
	})
}

// Nothing that lets others in is in errors or in the log.
func TestSecretsStayIn(t *testing.T) {
	bothGenerations(t, func(t *testing.T, g generation) {
		p := project(neptunetest.Attribute{Path: "f", Value: neptunetest.FileOf("a", "text/plain", []byte("hello"))})
		server := g.serve(t, neptunetest.Options{Redirect: true}, p)
		var log bytes.Buffer
		var secrets []string
		var mu sync.Mutex
		source := g.open(t, server, func(cfg *neptune.Config) {
			*cfg = neptune.WithoutWaits(*cfg, nil)
			cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
			cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				defer mu.Unlock()
				secrets = append(secrets, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
				if strings.Contains(r.URL.Path, "/api/") || strings.HasSuffix(r.URL.Path, pathRefresh) {
					return http.DefaultTransport.RoundTrip(r)
				}
				for _, values := range r.URL.Query() {
					secrets = append(secrets, values...)
				}
				return nil, errors.New("connection reset")
			})
		})
		r, err := source.OpenRun(t.Context(), migrate.RunInfo{RunRef: migrate.RunRef{Project: p.ID(), ID: "PRJ-1"}})
		if err != nil {
			t.Fatal(err)
		}
		for c, err := range r.Chunks(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			if files, ok := c.Values.(migrate.Files); ok {
				_, err := r.OpenFile(t.Context(), files[0])
				if err == nil {
					t.Fatal("the file was opened")
				}
				log.WriteString(err.Error())
			}
		}
		if log.Len() == 0 {
			t.Fatal("nothing was said")
		}
		for _, secret := range append(secrets, server.Token()) {
			if len(secret) > 8 && (strings.Contains(log.String(), secret) || strings.Contains(log.String(), url.QueryEscape(secret))) {
				t.Errorf("%q is in %s", secret, &log)
			}
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A project that cannot be listed does not keep the others from it.
func TestOneProjectOfTwo(t *testing.T) {
	bothGenerations(t, func(t *testing.T, g generation) {
		p := world(t, g.small)
		server := g.serve(t, neptunetest.Options{}, p)
		var runs int
		var last error
		for _, err := range g.open(t, server, quick).Runs(t.Context(), migrate.Selection{Projects: []string{"no/such", p.ID()}}) {
			if last = err; err == nil {
				runs++
			}
		}
		if runs == 0 || !errors.Is(last, migrate.ErrNotFound) || errors.Is(last, migrate.ErrFatal) {
			t.Errorf("%d runs and %v", runs, last)
		}
	})
}

func TestRate(t *testing.T) {
	bothGenerations(t, func(t *testing.T, g generation) {
		p := world(t, g.small)
		server := g.serve(t, neptunetest.Options{}, p)
		var waited atomic.Int64
		source := g.open(t, server, func(cfg *neptune.Config) {
			cfg.Rate = 0.5
			*cfg = neptune.WithoutWaits(*cfg, func(d time.Duration) { waited.Add(int64(d)) })
		})
		g.read(t, source, p.ID())
		if n := len(server.Requests()); n < 3 || time.Duration(waited.Load()) < 3*time.Second {
			t.Errorf("%d requests waited %s in all", n, time.Duration(waited.Load()))
		}
	})
}
