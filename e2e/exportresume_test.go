//go:build unix

package e2e_test

import (
	"bytes"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nexport-go/migrate/internal/fixture"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// fresh is the archive of an export into new directories.
func (n neptuneSource) fresh(t testing.TB) map[string]archivedRun {
	t.Helper()
	n = n.in(t.TempDir())
	n.export(t, exitMoved, nil)
	return archivedIn(t, n.dir)
}

// since gives the requests of what is done.
func (n neptuneSource) since(do func()) []neptunetest.Request {
	before := len(n.Requests())
	do()
	return n.Requests()[before:]
}

// TestExportAgain exports twice: the second time nothing is asked for but the list of runs.
func TestExportAgain(t *testing.T) {
	// The configuration, the token, the list, and what is asked for the token's realm; of Neptune 2 there are three lists, and
	// before them it has to be found out that it is one.
	for name, most := range map[string]int{"neptune3-d-small": 4, "neptune3-d-odd": 4, "neptune2-de-odd": 12} {
		n := serveWorld(t, fixture.World(t, name), neptunetest.Options{})
		n.export(t, exitMoved, nil)
		before := contentsOf(t, n.dir)
		for _, flags := range [][]string{nil, {"--update"}, {"-c", "metrics", "-a", "^m"}, {"--jobs", "16"}} {
			requests := n.since(func() { n.export(t, exitMoved, []string{"0 runs exported", "there already"}, flags...) })
			mustOnlyList(t, requests)
			if len(requests) > most {
				t.Errorf("%s %q: %d requests", name, flags, len(requests))
			}
		}
		if diff := cmp.Diff(before, contentsOf(t, n.dir)); diff != "" {
			t.Errorf("%s: the archive was changed (-before +after):\n%.2000s", name, diff)
		}
	}
}

// contentsOf reads all files below a directory.
func contentsOf(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, line := range files(t, dir) {
		_, rest, _ := strings.Cut(line, "\t")
		name, sum, _ := strings.Cut(rest, "\t")
		all[name] = sum
	}
	if len(all) == 0 {
		t.Fatalf("nothing is below %s", dir)
	}
	return all
}

// TestExportNarrower exports by and by: nothing is complete before all of it is there, and in the end it is as if
// it had been exported at once.
func TestExportNarrower(t *testing.T) { eachGeneration(t, testExportNarrower) }

func testExportNarrower(t *testing.T, g generation) {
	for name, steps := range map[string][][]string{
		"a class":             {{"-c", "metrics"}},
		"all but files":       {{"--exclude", "files"}},
		"by attribute":        {{"-a", "^p/"}, {"-a", "m/loss", "-a", "s/log"}},
		"class by class":      {{"-c", "files"}, {"-c", "series"}, {"-c", "parameters"}, {"-c", "metrics"}},
		"wider and narrower":  {{"--exclude", "files"}, {"-c", "metrics"}},
		"again from scratch":  {{"-c", "files"}, {"-c", "metrics", "--overwrite"}},
		"one after the other": {{"-r", g.first}, {"-r", g.firstTwo, "-c", "metrics"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := g.serveRecorded(t)
			want := n.fresh(t)
			for _, flags := range steps {
				n.export(t, exitMoved, nil, flags...)
				for id, run := range archivedIn(t, n.dir) {
					if run.complete && (name != "one after the other" || id != g.ids[0]) {
						t.Errorf("after %q run %q counts as complete", flags, id)
					}
				}
				again := n.since(func() {
					n.export(t, exitMoved, []string{"0 runs exported"}, slices.DeleteFunc(slices.Clone(flags), isOverwrite)...)
				})
				mustOnlyList(t, again)
			}
			n.export(t, exitMoved, nil)
			mustEqualArchives(t, want, archivedIn(t, n.dir))
			if left := leftovers(t, n.dir); len(left) > 0 {
				t.Errorf("left over: %q", left)
			}
		})
	}
}

func isOverwrite(flag string) bool { return flag == "--overwrite" }

// change changes runs by their short IDs, or with nil removes them.
func (n neptuneSource) change(changes map[string]func(*neptunetest.Run)) {
	n.Change(func(projects []*neptunetest.Project) []*neptunetest.Project {
		for _, p := range projects {
			var runs []*neptunetest.Run
			for _, r := range p.Runs {
				change, is := changes[r.ID]
				if is && change != nil {
					change(r)
				}
				if !is || change != nil {
					runs = append(runs, r)
				}
			}
			p.Runs = runs
		}
		return projects
	})
}

// anotherValue changes a run, and says so or not.
func anotherValue(modified bool) func(*neptunetest.Run) {
	return func(r *neptunetest.Run) {
		for i, a := range r.Attributes {
			if at, is := a.Value.(neptunetest.Datetime); is && a.Path == "sys/modification_time" && modified {
				r.Attributes[i].Value = at + 1
			}
			if a.Path == "p/int" {
				r.Attributes[i].Value = neptunetest.Int(-1)
			}
			if a.Path == "f/a.txt" {
				r.Attributes[i].Value = neptunetest.FileOf("a.txt", "text/plain", []byte("changed"))
			}
		}
	}
}

// TestExportUpdate exports again what was modified, and reads nothing else.
func TestExportUpdate(t *testing.T) { eachGeneration(t, testExportUpdate) }

func testExportUpdate(t *testing.T, g generation) {
	n := g.serveRecorded(t)
	n.export(t, exitMoved, nil)
	old := archivedIn(t, n.dir)
	n.change(map[string]func(*neptunetest.Run){"FA-2": anotherValue(true)})
	mustOnlyList(t, n.since(func() { n.export(t, exitMoved, []string{"1 run of these changed", "--update"}) }))
	mustEqualArchives(t, old, archivedIn(t, n.dir))
	for _, r := range n.since(func() { n.export(t, exitMoved, []string{"1 run exported", "5 runs there already"}, "--update") }) {
		if !n.isAbout(t, r, "FA-2") {
			t.Errorf("more than the run was read: %s %s %.300s", r.Path, r.Query, r.Body)
		}
	}
	mustEqualArchives(t, n.fresh(t), archivedIn(t, n.dir))
	mustOnlyList(t, n.since(func() { n.export(t, exitMoved, []string{"0 runs exported"}, "--update") }))
}

// TestExportShards exports in three parts, each into an archive of its own: together they have everything, and nothing
// twice.
func TestExportShards(t *testing.T) { eachGeneration(t, testExportShards) }

func testExportShards(t *testing.T, g generation) {
	n := g.serve(t)
	want, all := n.fresh(t), map[string]archivedRun{}
	for _, shard := range []string{"1/3", "2/3", "3/3"} {
		n = n.in(t.TempDir())
		n.export(t, exitMoved, nil, "--shard", shard)
		for id, run := range archivedIn(t, n.dir) {
			if _, twice := all[id]; twice {
				t.Errorf("%q is in two parts", id)
			}
			all[id] = run
		}
	}
	mustEqualArchives(t, want, all)
}

// isAbout reports that a request reads nothing of other runs.
func (n neptuneSource) isAbout(t *testing.T, r neptunetest.Request, run string) bool {
	t.Helper()
	if strings.HasPrefix(r.Path, "/storage/runs/") {
		return strings.Contains(r.Path, "/"+run+"/")
	}
	if !strings.Contains(r.Path, "/attributes") {
		return true
	}
	if n.second {
		query, err := url.ParseQuery(r.Query)
		return err == nil && query.Get("experimentId") == n.uuid(t, run)
	}
	return bytes.Contains(r.Body, []byte("/"+run+"\""))
}

// TestExportOverwrite exports everything again. What Neptune has lost is set aside, as it was.
func TestExportOverwrite(t *testing.T) { eachGeneration(t, testExportOverwrite) }

func testExportOverwrite(t *testing.T, g generation) {
	n := g.serveRecorded(t)
	n.export(t, exitMoved, nil)
	old, before := archivedIn(t, n.dir), contentsOf(t, n.dir)
	n.change(map[string]func(*neptunetest.Run){"FA-1": anotherValue(false), "FA-3": nil})
	mustOnlyList(t, n.since(func() { n.export(t, exitMoved, []string{"0 runs exported"}) }))
	n.export(t, exitMoved, []string{"5 runs exported", "set aside", g.ids[2] + ": "}, "--overwrite")
	mustEqualArchives(t, n.fresh(t), archivedIn(t, n.dir))
	stem := strings.TrimSuffix(filepath.Base(old[g.ids[2]].manifest.FilesDir), "_2")
	var aside int
	now := contentsOf(t, n.dir)
	for name, sum := range before {
		if !strings.Contains(name, stem) {
			continue
		}
		aside++
		if _, still := now[name]; still {
			t.Errorf("%s is where it was", name)
		}
		if got := now[setAsideName(name, stem)]; got != sum {
			t.Errorf("%s was set aside as %q, with other bytes or not at all", name, setAsideName(name, stem))
		}
	}
	if aside < 5 {
		t.Errorf("only %d files of the run", aside)
	}
	n.export(t, exitMoved, []string{"5 runs exported"}, "--overwrite")
	if diff := cmp.Diff(len(now), len(contentsOf(t, n.dir))); diff != "" {
		t.Errorf("files after one more export (-before +after):\n%s", diff)
	}
}

// setAsideName is where a file of a run went: its name or that of the run's directory has the suffix.
func setAsideName(name, stem string) string {
	const suffix = ".removed-at-source"
	if strings.HasPrefix(name, "data"+string(filepath.Separator)) {
		return name + suffix
	}
	return strings.Replace(name, stem, stem+suffix, 1)
}

// TestExportLocked has two exports into one archive: the second is refused, and disturbs nothing.
func TestExportLocked(t *testing.T) { eachGeneration(t, testExportLocked) }

func testExportLocked(t *testing.T, g generation) {
	n := g.serve(t)
	want := n.fresh(t)
	reached, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	n.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
		if strings.Contains(r.URL.Path, "/series") {
			once.Do(func() { close(reached) })
			<-release
		}
		return neptunetest.Fault{}
	})
	first, said := n.command(t.Context(), t, "export")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	<-reached
	for _, flags := range [][]string{nil, {"--overwrite"}} {
		n.export(t, exitFailed, []string{"another process is writing to this archive"}, flags...)
	}
	close(release)
	if err := first.Wait(); err != nil {
		t.Errorf("the first export: %v\n%s", err, said)
	}
	mustEqualArchives(t, want, archivedIn(t, n.dir))
	if err := os.WriteFile(filepath.Join(n.dir, "data", ".nexport.lock"), nil, 0o600); err != nil { // of one that was killed
		t.Fatal(err)
	}
	n.export(t, exitMoved, []string{"6 runs there already"})
}
