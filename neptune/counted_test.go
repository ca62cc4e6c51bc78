package neptune_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// counting makes a server count total points of each float series.
func counting(total uint64) func(*neptune.Config) {
	return func(cfg *neptune.Config) {
		quick(cfg)
		cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
			response, err := http.DefaultTransport.RoundTrip(r)
			if err == nil && strings.HasSuffix(r.URL.Path, pathFloats) {
				body, _ := io.ReadAll(response.Body)
				response.Body.Close()
				body = counted(without(body, 1, 2, 1), total)
				response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			}
			return response, err
		})
	}
}

// counted puts a count into the answers to requests for series.
func counted(b []byte, total uint64) (out []byte) {
	for len(b) > 0 {
		_, _, n := protowire.ConsumeTag(b)
		entry, size := protowire.ConsumeBytes(b[n:])
		b = b[n+size:]
		series := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), total)
		entry = protowire.AppendBytes(protowire.AppendTag(entry[:len(entry):len(entry)], 2, protowire.BytesType), merged(entry, series))
		out = protowire.AppendBytes(protowire.AppendTag(out, 1, protowire.BytesType), entry)
	}
	return out
}

// merged is the series of an entry with more fields.
func merged(entry, more []byte) []byte {
	for len(entry) > 0 {
		num, kind, n := protowire.ConsumeTag(entry)
		size := n + protowire.ConsumeFieldValue(num, kind, entry[n:])
		if num == 2 {
			series, _ := protowire.ConsumeBytes(entry[n:])
			return append(series[:len(series):len(series)], more...)
		}
		entry = entry[size:]
	}
	return more
}

// A server that counts more points than it gives has lost some, unless those are previews that nobody asked for.
func TestPointsThatAreCounted(t *testing.T) {
	s := floats(5)
	s[4].Preview, s[4].Completion = true, 0.5
	p := project(neptunetest.Attribute{Path: "m", Value: s})
	for _, test := range []struct {
		name    string
		total   uint64
		config  func(*neptune.Config)
		missing bool
	}{
		{"what it gives", 4, nil, false},
		{"the previews too", 5, nil, false},
		{"more than there are", 6, nil, true},
		{"more than there are with previews", 6, everything, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}, NoGzip: true})
			source := open(t, server, func(cfg *neptune.Config) {
				counting(test.total)(cfg)
				if test.config != nil {
					test.config(cfg)
				}
			})
			_, problems := readRun(t, source, migrate.RunInfo{RunRef: migrate.RunRef{Project: p.ID(), ID: "first"}})
			missing := false
			for _, problem := range problems {
				missing = missing || problem.Code == migrate.CodeMissing && strings.Contains(problem.Text, "counts 6 points")
			}
			if missing != test.missing {
				t.Errorf("problems %v, missing %t, want %t", problems, missing, test.missing)
			}
		})
	}
}

// A clock that jumps costs renewed tokens at most.
func TestClockJumps(t *testing.T) {
	p := world(t, "neptune3-d-small")
	for _, jump := range []time.Duration{-20 * 365 * 24 * time.Hour, -time.Hour, time.Hour, 20 * 365 * 24 * time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}, TokenLife: 5 * time.Minute})
			var asked atomic.Int64
			source := open(t, server, func(cfg *neptune.Config) {
				quick(cfg)
				*cfg = neptune.At(*cfg, func() time.Time {
					return time.Now().Add(time.Duration(asked.Add(1)%3) * jump) // there and back again
				})
			})
			got := readAll(t, source, p.ID())
			for _, run := range p.Runs {
				if diff := cmp.Diff(seeded(run), got[run.ID], cmp.Comparer(sameFloat)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", run.ID, diff)
				}
			}
			if asked.Load() < 3 {
				t.Errorf("the clock was asked %d times", asked.Load())
			}
		})
	}
}
