package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
	"github.com/nexport-go/migrate/parquetstore"
)

// TestManyRuns2 lists more runs than a Neptune 2 pages through: several are as old as each other where the window ends,
// and none may be missed or be there twice.
func TestManyRuns2(t *testing.T) {
	const runs, tied = 12_000, 7
	p := &neptunetest.Project{Workspace: "many", Name: "runs", Key: "MA"}
	for i := range runs {
		r := &neptunetest.Run{ID: fmt.Sprint("MA-", i+1)}
		at := neptunetest.Datetime(1_700_000_000_000 + i/tied)
		r.Attributes = []neptunetest.Attribute{{Path: "sys/creation_time", Value: at}, {Path: "p", Value: neptunetest.Int(i)}}
		p.Runs = append(p.Runs, r)
	}
	n := serve(t, neptunetest.Options{Generation: 2, Projects: []*neptunetest.Project{p}, NoRecord: true})
	source, err := neptune.New(neptune.Config{APIToken: n.Token(), Generation: neptune.Neptune2})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for info, err := range source.Runs(t.Context(), migrate.Selection{Projects: []string{n.project}}) {
		if err != nil {
			t.Fatal(err)
		}
		seen[info.ID]++
	}
	for _, r := range p.Runs {
		if seen[r.ID] != 1 {
			t.Errorf("%s is listed %d times", r.ID, seen[r.ID])
		}
	}
	if len(seen) != runs {
		t.Errorf("%d runs are listed, want %d", len(seen), runs)
	}
	n.export(t, exitMoved, []string{`"export":12000,`}, "--dry-run", "--json")
}

// TestWideRun2 exports a run with more attributes than a search of Neptune 2 gives columns.
func TestWideRun2(t *testing.T) {
	const attributes = 20_000
	r := &neptunetest.Run{ID: "WI-1"}
	add := adderTo(r)
	for i := range attributes {
		add(fmt.Sprintf("p/%05d", i), neptunetest.Int(i))
	}
	n := serveRun(t, r)
	n.export(t, exitMoved, []string{"1 run exported"})
	found := 0
	n.chunks(t, func(c migrate.Chunk) {
		var i int
		if _, err := fmt.Sscanf(c.Path, "p/%d", &i); err != nil {
			return
		}
		if v, ok := c.Values.(migrate.Ints); !ok || len(v) != 1 || v[0] != int64(i) || i != found {
			t.Errorf("%s, the %dth, is %v", c.Path, found, c.Values)
		}
		found++
	})
	if found != attributes {
		t.Errorf("%d attributes, want %d", found, attributes)
	}
}

// TestLongSeries2 exports a series of two million points, in little more memory than one of a quarter of that.
func TestLongSeries2(t *testing.T) {
	const most, more = 160 << 20, 64 << 20
	short, long := longSeries(t, 500_000), longSeries(t, 2_000_000)
	t.Logf("peak memory: %d MiB for 500,000 points, %d MiB for 2,000,000", short>>20, long>>20)
	if long > most || long > short+more {
		t.Errorf("2,000,000 points take %d MiB, and 500,000 %d", long>>20, short>>20)
	}
}

// longSeries exports a series of so many points, looks at all of them, and gives the export's peak memory in bytes.
func longSeries(t *testing.T, points int) int64 {
	t.Helper()
	s := make(neptunetest.FloatSeries, points)
	for i := range s {
		s[i] = neptunetest.Point[float64]{Step: float64(i) / 4, TimeMS: int64(1_700_000_000_000 + i), Value: float64(i) / 7}
	}
	r := &neptunetest.Run{ID: "LO-1"}
	adderTo(r)("m", s)
	n := serveRun(t, r)
	peak := n.peakOfExport(t)
	at := 0
	n.chunks(t, func(c migrate.Chunk) {
		if c.Path != "m" {
			return
		}
		values := c.Values.(migrate.Floats)
		for i, v := range values {
			if want := s[at]; v != want.Value || c.Times[i] != want.TimeMS || c.Steps[i] != migrate.Step(at)*migrate.StepUnit/4 {
				t.Fatalf("point %d is %v at step %v and %d", at, v, c.Steps[i], c.Times[i])
			}
			at++
		}
	})
	if at != points {
		t.Errorf("%d points, want %d", at, points)
	}
	return peak
}

// peakOfExport exports, and gives the most memory in bytes that the process had when it asked for something. The system
// counts for a process that has ended what this one had when it started it.
func (n neptuneSource) peakOfExport(t *testing.T) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
	defer cancel()
	cmd, said := n.command(ctx, t, "export")
	started := make(chan struct{})
	var peak atomic.Int64 // KiB
	n.SetFault(func(int, *http.Request) neptunetest.Fault {
		<-started
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		if found := highWater.FindSubmatch(status); err == nil && found != nil {
			now, _ := strconv.ParseInt(string(found[1]), 10, 64) // digits
			peak.Store(now)
		}
		return neptunetest.Fault{}
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	if err := cmd.Wait(); err != nil || peak.Load() == 0 {
		t.Fatalf("export: %v\n%s", err, said)
	}
	return peak.Load() << 10
}

var highWater = regexp.MustCompile(`VmHWM:\s*(\d+) kB`)

// serveRun is a Neptune 2 with one run.
func serveRun(t *testing.T, r *neptunetest.Run) neptuneSource {
	t.Helper()
	p := &neptunetest.Project{Workspace: "large", Name: "run", Key: r.ID[:2], Runs: []*neptunetest.Run{r}}
	return serve(t, neptunetest.Options{Generation: 2, Projects: []*neptunetest.Project{p}, NoRecord: true})
}

// chunks reads all that the archive has of the only run.
func (n neptuneSource) chunks(t *testing.T, look func(migrate.Chunk)) {
	t.Helper()
	store, err := parquetstore.Open(filepath.Join(n.dir, "data"), filepath.Join(n.dir, "files"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for info, err := range store.Runs(t.Context(), migrate.Selection{}) {
		if err != nil || info.State != migrate.Complete {
			t.Fatalf("%s is %s: %v", info.RunRef, info.State, err)
		}
		r, err := store.OpenRun(t.Context(), info)
		if err != nil {
			t.Fatal(err)
		}
		for c, err := range r.Chunks(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			look(c)
		}
	}
}
