package parquetstore_test

import (
	"context"
	"fmt"
	"math/rand"
	"path/filepath"
	"runtime"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/parquetstore"
)

// BenchmarkRead reads float series as the Python tool writes them: dictionaries, decimals as bytes,
// Snappy, pages of 1 MiB.
func BenchmarkRead(b *testing.B) {
	const series, steps = 20, 100_000
	data := b.TempDir()
	rows := []row{id("r")}
	rnd := rand.New(rand.NewSource(1))
	for s := range series {
		for step := range steps {
			rows = append(rows, point("r", fmt.Sprintf("metrics/m%02d", s), step, rnd.Float64()))
		}
	}
	writeParquet(b, filepath.Join(data, projectDir, "r-0123456789abcdef_part_0.parquet"), options{groupRows: 1 << 20}, rows...)
	rows = nil
	runtime.GC()
	store, err := parquetstore.Open(data, b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	r, err := store.OpenRun(context.Background(), migrate.RunInfo{RunRef: migrate.RunRef{Project: project, ID: "r"}})
	if err != nil {
		b.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	points := 0
	for b.Loop() {
		for c, err := range r.Chunks(context.Background(), nil) {
			if err != nil {
				b.Fatal(err)
			}
			points += c.Len()
		}
	}
	runtime.ReadMemStats(&after)
	if points != b.N*(series*steps+1) {
		b.Fatalf("read %d points", points)
	}
	b.ReportMetric(float64(points)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(points), "allocs/row")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(points), "B/row")
}
