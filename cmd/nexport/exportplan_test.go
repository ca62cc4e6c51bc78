package main

import (
	"os"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
)

func TestExportDryRun(t *testing.T) {
	c := newCommands(t)
	c.want(0, "Dry run: nothing was written. From Neptune 3.x at https://neptune.test to\nws/a: 3 runs\n3 runs to be exported\nattributes: 3 file, 3 float, 3 float_series\nat least 8 requests; about 3.0 kB in Neptune",
		"export", "-p", "ws/a", "--dry-run")
	if left, err := os.ReadDir(c.dir); err != nil || len(left) > 0 {
		t.Errorf("something was written: %v, %v", left, err)
	}
	c.want(0, "", "export", "-p", "ws/a", "-r", "RUN-1")
	c.want(0, "", "export", "-p", "ws/a", "-r", "RUN-2", "-c", "files")
	c.neptune.add("ws/a", "RUN-1", 5000)
	c.want(0, "1 run to be exported\n1 run there in part, to be completed\n1 run there already\nattributes: 2 file, 2 float, 2 float_series", "export", "-p", "ws/a", "--dry-run")
	c.want(0, "1 run to be exported again", "export", "-p", "ws/a", "--dry-run", "--update")
	c.want(0, `"dry_run":true`+"\n"+`"plan":{"export":1,"complete":1,"renew":1,"keep":0,"sampled":3,`, "export", "-p", "ws/a", "--dry-run", "--overwrite", "--json")
	c.want(1, "no runs in Neptune for -r nope", "export", "-p", "ws/a", "--dry-run", "-r", "nope")
}

func TestRequestsFor(t *testing.T) {
	for name, test := range map[string]struct {
		runs  int64
		kinds map[migrate.Kind]int64
		want  int64
	}{
		"empty runs":      {16, nil, 1},
		"small runs":      {33, map[migrate.Kind]int64{migrate.KindInt: 330}, 3},
		"many parameters": {2, map[migrate.Kind]int64{migrate.KindInt: 8_001}, 3},
		"short metrics":   {1, map[migrate.Kind]int64{migrate.KindFloatSeries: 1_001}, 1 + 2},
		"series":          {10, map[migrate.Kind]int64{migrate.KindStringSeries: 10}, 1 + 10},
		"few series":      {10, map[migrate.Kind]int64{migrate.KindStringSeries: 3}, 1 + 3},
		"many series":     {2, map[migrate.Kind]int64{migrate.KindStringSeries: 402}, 1 + 6},
		"files":           {1, map[migrate.Kind]int64{migrate.KindFile: 33}, 1 + 33 + 2},
	} {
		if got := requestsFor(neptune.Neptune3, test.runs, test.kinds); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

func TestRequestsFor2(t *testing.T) {
	kinds := map[migrate.Kind]int64{
		migrate.KindInt: 100, migrate.KindFloatSeries: 3, migrate.KindStringSeries: 4, migrate.KindFile: 5,
		migrate.KindArtifact: 6, migrate.KindFileSet: 7, migrate.KindFileSeries: 8,
	}
	if got, want := requestsFor(neptune.Neptune2, 2, kinds), int64(2+3+4+5+6+2*7+3*8); got != want {
		t.Errorf("%d, want %d", got, want)
	}
}

// TestSpread keeps few of many, at equal distances, and all of few.
func TestSpread(t *testing.T) {
	for _, all := range []int{0, 1, perSample, perSample + 1, 2*perSample + 1, 1_000, 12_345} {
		var s spread
		for i := range all {
			s.add(migrate.RunInfo{Size: int64(i)})
		}
		if s.all != int64(all) || len(s.kept) > perSample || len(s.kept) < min(all, perSample/2) {
			t.Fatalf("of %d: %d kept, %d counted", all, len(s.kept), s.all)
		}
		for i, run := range s.kept {
			if run.Size != int64(i)*max(s.step, 1) {
				t.Fatalf("of %d: the %d-th is %d, at steps of %d", all, i, run.Size, s.step)
			}
		}
	}
}
