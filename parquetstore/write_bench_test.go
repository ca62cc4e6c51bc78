package parquetstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand"
	"runtime"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/parquetstore"
)

// curves is a reader of float series that are all alike, so that reading costs little.
type curves struct {
	series, points int
	steps          []migrate.Step
	times          []int64
	values         migrate.Floats
	each           func(chunk int) // called before each
}

func newCurves(series, points int) *curves {
	c := &curves{series: series, points: points}
	rnd := rand.New(rand.NewSource(1))
	now := int64(1_700_000_000_000)
	for i := range migrate.MaxChunkPoints {
		now += 900 + int64(rnd.Intn(128))
		c.steps = append(c.steps, migrate.Step(i)*migrate.StepUnit)
		c.times = append(c.times, now)
		c.values = append(c.values, rnd.Float64())
	}
	return c
}

func (c *curves) Chunks(_ context.Context, want migrate.Want) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) {
		for s := range c.series {
			path := fmt.Sprintf("metrics/m%03d", s)
			for done := 0; done < c.points; {
				n := min(c.points-done, migrate.MaxChunkPoints)
				chunk := migrate.Chunk{Path: path, Kind: migrate.KindFloatSeries, Steps: c.steps[:n], Times: c.times[:n], Values: c.values[:n]}
				if done > 0 {
					chunk.Steps = make([]migrate.Step, n)
					for i := range chunk.Steps {
						chunk.Steps[i] = migrate.Step(done+i) * migrate.StepUnit
					}
				}
				if c.each != nil {
					c.each(done / migrate.MaxChunkPoints)
				}
				if !yield(chunk, nil) {
					return
				}
				done += n
			}
		}
	}
}

func (c *curves) OpenFile(context.Context, migrate.FileRef) (io.ReadCloser, error) {
	return nil, errors.New("there are no files")
}

func (c *curves) Problems() []migrate.Problem { return nil }

// inUse is the memory that is reachable.
func inUse() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// TestLongSeries writes a series of many chunks within little memory, in several parts.
func TestLongSeries(t *testing.T) {
	notShort(t)
	const points = 6_000_000
	store := createIn(t, t.TempDir(), t.TempDir(), parquetstore.Config{}.Limits(4<<20, 0, 0))
	info := migrate.RunInfo{RunRef: ref}
	before, most := inUse(), int64(0)
	source := newCurves(1, points)
	source.each = func(chunk int) {
		if chunk%16 == 0 {
			most = max(most, inUse()-before)
		}
	}
	if _, err := store.PutRun(t.Context(), info, source); err != nil {
		t.Fatal(err)
	}
	if most > 32<<20 { // the points alone take 144 MB
		t.Errorf("the heap grew by %d MB", most>>20)
	}
	r, err := store.OpenRun(t.Context(), info)
	if err != nil {
		t.Fatal(err)
	}
	next := migrate.Step(0)
	for c, err := range r.Chunks(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.Steps {
			if s != next*migrate.StepUnit {
				t.Fatalf("step %s, want %d", s, next)
			}
			next++
		}
	}
	if next != points || len(r.Problems()) > 0 {
		t.Errorf("%d points, problems %v", next, r.Problems())
	}
}

// BenchmarkWrite writes float series; B/row are bytes on disk.
func BenchmarkWrite(b *testing.B) {
	const series, points = 20, 100_000
	source := newCurves(series, points)
	store := createIn(b, b.TempDir(), b.TempDir(), parquetstore.Config{})
	run := 0
	for b.Loop() {
		run++
		info := migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/p", ID: fmt.Sprint(run)}}
		if _, err := store.PutRun(b.Context(), info, source); err != nil {
			b.Fatal(err)
		}
	}
	var size int64
	for info, err := range store.Runs(b.Context(), migrate.Selection{}) {
		if err != nil {
			b.Fatal(err)
		}
		size += info.Size
	}
	rows := float64(run) * series * points
	b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(size)/rows, "B/row")
}

// BenchmarkWriteRuns writes small runs, and asks for them again.
func BenchmarkWriteRuns(b *testing.B) {
	store := createIn(b, b.TempDir(), b.TempDir(), parquetstore.Config{})
	var m migratetest.Memory
	run := settled(rich())
	m.Add(run)
	r, err := m.OpenRun(b.Context(), run.Info)
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		n++
		run.Info.ID = fmt.Sprint(n)
		for range 2 {
			if _, err := store.PutRun(b.Context(), run.Info, r); err != nil {
				b.Fatal(err)
			}
		}
	}
}
