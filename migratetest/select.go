package migratetest

import (
	"regexp"
	"testing"
	"time"

	migrate "github.com/nexport-go/migrate"
)

// testSelection narrows sel in each way that it leaves open. The runs are those of sel.
func testSelection(t *testing.T, source migrate.Source, sel migrate.Selection, runs []migrate.RunInfo) {
	last := runs[len(runs)-1]
	t.Run("selects by project", func(t *testing.T) {
		one := sel
		one.Projects = []string{last.Project}
		selects(t, source, one, runs)
		one.Projects = []string{"no/such"}
		for run, err := range source.Runs(t.Context(), one) { // an error is as good as no runs
			if err == nil {
				t.Errorf("%s is not of project no/such", run.RunRef)
			}
		}
	})
	t.Run("selects by short ID", func(t *testing.T) {
		one := sel
		one.Runs = []migrate.RunRef{{ID: last.SysID, Scope: last.Scope}} // of any project
		if last.SysID == "" {
			one.Runs[0].ID = last.ID
		}
		selects(t, source, one, runs)
	})
	if sel.IDMatch == nil {
		t.Run("selects by a pattern", func(t *testing.T) {
			one := sel
			one.IDMatch = regexp.MustCompile("^" + regexp.QuoteMeta(last.ID) + "$")
			selects(t, source, one, runs)
		})
	}
	if sel.Since.IsZero() {
		t.Run("selects by time", func(t *testing.T) {
			one := sel
			for _, run := range runs {
				if run.Modified.After(one.Since) {
					one.Since = run.Modified
				}
			}
			selects(t, source, one, runs)
			one.Since = one.Since.Add(24 * time.Hour)
			selects(t, source, one, runs)
		})
	}
	if sel.ShardCount == 0 {
		t.Run("selects by shard", func(t *testing.T) { testShards(t, source, sel, runs) })
	}
}

// selects wants those of the runs that sel matches, each once.
func selects(t *testing.T, source migrate.Source, sel migrate.Selection, runs []migrate.RunInfo) {
	t.Helper()
	got := map[migrate.RunRef]int{}
	for _, run := range list(t, source, sel) {
		got[run.RunRef]++
	}
	for _, run := range runs {
		want := 0
		if sel.Match(run) {
			want = 1
		}
		if got[run.RunRef] != want {
			t.Errorf("%s is selected %d times, want %d", run.RunRef, got[run.RunRef], want)
		}
		delete(got, run.RunRef)
	}
	for ref := range got {
		t.Errorf("%s is selected, but not by the wider selection", ref)
	}
}

// testShards wants each run in one shard: whoever moves all shards moves everything once.
func testShards(t *testing.T, source migrate.Source, sel migrate.Selection, runs []migrate.RunInfo) {
	shards := map[migrate.RunRef][]int{}
	sel.ShardCount = 3
	for ; sel.Shard < sel.ShardCount; sel.Shard++ {
		for _, run := range list(t, source, sel) {
			shards[run.RunRef] = append(shards[run.RunRef], sel.Shard)
		}
	}
	for _, run := range runs {
		if in := shards[run.RunRef]; len(in) != 1 {
			t.Errorf("%s is in the shards %d, want one", run.RunRef, in)
		}
	}
	if len(shards) != len(runs) {
		t.Errorf("the shards have %d runs, want %d", len(shards), len(runs))
	}
}
