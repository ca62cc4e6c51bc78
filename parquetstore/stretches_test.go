package parquetstore_test

import (
	"fmt"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/parquetstore"
)

// TestStretches writes series whose paths take one, two and three bytes to number, in stretches on both
// sides of the length from which they are written as such, and in row groups that cut them.
func TestStretches(t *testing.T) {
	for _, test := range []struct{ series, points, groupRows int }{
		{1, 1, 0}, {1, 8, 0}, {2, 7, 0}, {2, 9, 0}, {256, 8, 0}, {257, 8, 0}, {300, 20, 7}, {300, 20, 33}, {70_000, 1, 0}, {70_000, 8, 1 << 20},
	} {
		t.Run(fmt.Sprintf("%dx%d in %d", test.series, test.points, test.groupRows), func(t *testing.T) {
			if testing.Short() && test.series > 1000 {
				t.Skip("takes seconds")
			}
			run := migratetest.Run{Info: migrate.RunInfo{RunRef: ref, State: migrate.Complete}}
			for s := range test.series {
				c := migrate.Chunk{Path: fmt.Sprintf("metrics/%06d", s), Kind: migrate.KindFloatSeries}
				var values migrate.Floats
				for i := range test.points {
					c.Steps, c.Times = append(c.Steps, migrate.Step(i)*migrate.StepUnit), append(c.Times, int64(1000*s+i))
					values = append(values, float64(s)+float64(i)/64)
				}
				c.Values = values
				run.Chunks = append(run.Chunks, c)
			}
			store := createIn(t, t.TempDir(), t.TempDir(), parquetstore.Config{}.Limits(0, test.groupRows, 1<<30))
			mustPut(t, store, run)
			check(t, store, run)
		})
	}
}
