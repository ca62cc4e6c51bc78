package neptune_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// large is a project of generated series.
func large(runs, series, points int) *neptunetest.Project {
	p := &neptunetest.Project{Workspace: "team", Name: "large", Key: "L"}
	at := func(i int) neptunetest.Point[float64] {
		return neptunetest.Point[float64]{Step: float64(i), TimeMS: 1_700_000_000_000 + int64(i), Value: math.Sqrt(float64(i))}
	}
	for n := range runs {
		run := &neptunetest.Run{ID: fmt.Sprintf("L-%d", n+1), CustomID: fmt.Sprintf("run-%d", n+1)}
		for s := range series {
			path := fmt.Sprintf("metrics/m%03d", s)
			run.Attributes = append(run.Attributes, neptunetest.Attribute{Path: path, Value: neptunetest.GeneratedFloats{N: points, At: at}})
		}
		p.Runs = append(p.Runs, run)
	}
	return p
}

// BenchmarkRead compares reading with a client that sends the same requests and throws the answers
// away.
func BenchmarkRead(b *testing.B) {
	for _, g := range generations {
		for _, size := range []struct{ runs, series, points int }{{20, 50, 1000}, {200, 10, 100}, {4, 4, 100_000}, {1, 1, 2_000_000}} {
			b.Run(fmt.Sprintf("%s/%dx%dx%d", g, size.runs, size.series, size.points), func(b *testing.B) {
				p := large(size.runs, size.series, size.points)
				server := g.serve(b, neptunetest.Options{NoGzip: true}, p)
				source := g.open(b, server, nil)
				readInParallel(b, source, p.ID())
				requests := server.Requests()
				var ours, bare time.Duration
				for b.Loop() {
					start := time.Now()
					readInParallel(b, source, p.ID())
					ours += time.Since(start)
					start = time.Now()
					replay(b, server.URL, requests)
					bare += time.Since(start)
				}
				points := float64(size.runs*size.series*size.points) * float64(b.N)
				b.ReportMetric(points/ours.Seconds()/1e6, "Mpoints/s")
				b.ReportMetric(points/bare.Seconds()/1e6, "bare-Mpoints/s")
				b.ReportMetric(ours.Seconds()/bare.Seconds(), "times-bare")
				b.ReportMetric(float64(len(requests)), "requests")
			})
		}
	}
}

const workers = 4

func readInParallel(b *testing.B, source migrate.Source, project string) {
	var runs []migrate.RunInfo
	for run, err := range source.Runs(b.Context(), migrate.Selection{Projects: []string{project}}) {
		if err != nil {
			b.Fatal(err)
		}
		runs = append(runs, run)
	}
	each(runs, func(run migrate.RunInfo) {
		r, err := source.OpenRun(b.Context(), run)
		if err != nil {
			b.Error(err)
			return
		}
		for _, err := range r.Chunks(b.Context(), nil) {
			if err != nil {
				b.Error(err)
			}
		}
	})
}

// replay sends what a server got, but for what makes it grant tokens.
func replay(b *testing.B, url string, requests []neptunetest.Request) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, ReadBufferSize: 64 << 10, DisableCompression: true}}
	defer client.CloseIdleConnections()
	each(requests, func(in neptunetest.Request) {
		if !strings.Contains(in.Path, "/leaderboard/") {
			return
		}
		request, err := http.NewRequestWithContext(b.Context(), in.Method, url+in.Path+"?"+in.Query, bytes.NewReader(in.Body))
		if err != nil {
			b.Error(err)
			return
		}
		request.Header = in.Header
		response, err := client.Do(request)
		if err != nil {
			b.Error(err)
			return
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
			b.Errorf("status %d, %v", response.StatusCode, err)
		}
	})
}

// each calls do for all items, by a few workers.
func each[T any](items []T, do func(T)) {
	var group sync.WaitGroup
	work := make(chan T)
	for range workers {
		group.Go(func() {
			for item := range work {
				do(item)
			}
		})
	}
	for _, item := range items {
		work <- item
	}
	close(work)
	group.Wait()
}
