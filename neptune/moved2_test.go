package neptune_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// That one series is refused says nothing of how others are to be asked for.
func TestOneRefusalIsNoRule(t *testing.T) {
	p := project(
		neptunetest.Attribute{Path: "a/bad", Value: floats(3000)},
		neptunetest.Attribute{Path: "b/good", Value: floats(3000)},
	)
	server := serve2(t, neptunetest.Options{}, p)
	refuse := true
	server.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
		q := r.URL.Query()
		if refuse && q.Get("attribute") == "a/bad" && q.Get("offset") != "0" && q.Get("offset") != "" {
			return neptunetest.Fault{Status: 400}
		}
		return neptunetest.Fault{}
	})
	// A server that knows offsets and passes over parameters that it does not know.
	source := open2(t, server, func(cfg *neptune.Config) {
		quick(cfg)
		cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
			r = r.Clone(r.Context())
			q := r.URL.Query()
			if q.Has("skipToStep") {
				q.Del("skipToStep")
				q.Set("offset", "0")
				r.URL.RawQuery = q.Encode()
			}
			return http.DefaultTransport.RoundTrip(r)
		})
	})
	readRun(t, source, first2(p))
	refuse = false
	got, problems := readRun(t, source, first2(p))
	if n := len(got["b/good"].Points); n != 3000 {
		t.Errorf("b/good has %d points, want 3000; problems %v", n, problems)
	}
	if n := len(got["a/bad"].Points); n != 3000 {
		t.Errorf("a/bad has %d points, want 3000; problems %v", n, problems)
	}
}

// A server that counts billions of points is asked for them in moderation.
func TestHugeCount(t *testing.T) {
	p := project(neptunetest.Attribute{Path: "m", Value: neptunetest.FloatSeries{}})
	server := &odd2{points: 1500, page: byOffset(9999), total: func(*odd2) int { return 5_000_000_000 }}
	source := open2(t, serve2(t, neptunetest.Options{}, p), func(cfg *neptune.Config) { quick(cfg); cfg.Client = server })
	got, problems := readRun(t, source, first2(p))
	if len(got["m"].Points) != 1500 || len(problems) != 1 || problems[0].Code != migrate.CodeMissing {
		t.Errorf("%d points, %v", len(got["m"].Points), problems)
	}
	if n := len(server.asked); n > 5000 {
		t.Errorf("%d requests", n)
	}
}

// One run goes and one comes while runs are listed, so that the count is the same and others have moved.
func TestRunsComeAndGo(t *testing.T) {
	const n = 60
	var list []string // in the order of the listing
	for i := range n {
		list = append(list, fmt.Sprintf("MANY-%d", i+1))
	}
	pages := 0
	p := runs2(1, func(i int) int { return i })
	source := open2(t, serve2(t, neptunetest.Options{}, p), func(cfg *neptune.Config) {
		cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(r.URL.Path, pathSearch2) {
				return http.DefaultTransport.RoundTrip(r)
			}
			var in struct {
				Pagination struct{ Limit, Offset int }
			}
			if err := json.Unmarshal(peek(r), &in); err != nil {
				return nil, err
			}
			var entries []string
			lo := min(in.Pagination.Offset, len(list))
			for _, id := range list[lo:min(lo+20, lo+in.Pagination.Limit, len(list))] {
				var no int
				fmt.Sscanf(id, "MANY-%d", &no)
				entries = append(entries, fmt.Sprintf(`{"experimentId":"u-%s","type":"run","attributes":[`+
					`{"name":"sys/id","type":"string","stringProperties":{"value":"%s"}},`+
					`{"name":"sys/creation_time","type":"datetime","datetimeProperties":{"value":"2024-01-01T00:00:%02d.%03dZ"}}]}`, id, id, no%60, no))
			}
			total := len(list)
			if pages++; pages == 1 { // one goes to the trash, one is made
				list = append(list[:3:3], list[4:]...)
				list = append(list, "MANY-61")
			}
			return answer(r, fmt.Sprintf(`{"matchingItemCount":%d,"entries":[%s]}`, total, strings.Join(entries, ","))), nil
		})
	})
	listed := map[string]bool{}
	for run, err := range source.Runs(t.Context(), migrate.Selection{Projects: []string{p.ID()}}) {
		if err != nil {
			t.Logf("error %v", err) // it may say that it cannot prove it
			return
		}
		listed[run.ID] = true
	}
	for _, id := range list {
		if !listed[id] {
			t.Errorf("%s was there all the time and is not listed, without an error", id)
		}
	}
}
