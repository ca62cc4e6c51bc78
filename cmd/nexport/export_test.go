package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/parquetstore"
)

// fakeNeptune has runs in memory. Archived ones are those whose ID says so.
type fakeNeptune struct {
	migratetest.Memory
	archived bool             // show archived runs
	broken   map[string]error // what cannot be listed: projects, or some of their scopes as "project model"
	opened   func(run migrate.RunInfo)

	mu    sync.Mutex
	reads int // runs that were opened for reading
}

func (n *fakeNeptune) Runs(ctx context.Context, sel migrate.Selection) iter.Seq2[migrate.RunInfo, error] {
	return func(yield func(migrate.RunInfo, error) bool) {
		for run, err := range n.Memory.Runs(ctx, sel) {
			if strings.Contains(run.ID, "archived") && !n.archived {
				continue
			}
			if !yield(run, err) {
				return
			}
		}
		for _, p := range sel.Projects {
			for _, scope := range sel.Scopes {
				if err := cmp.Or(n.broken[p], n.broken[p+" "+string(scope)]); err != nil {
					yield(migrate.RunInfo{}, err)
					return
				}
			}
		}
	}
}

func (n *fakeNeptune) OpenRun(ctx context.Context, run migrate.RunInfo) (migrate.RunReader, error) {
	r, err := n.Memory.OpenRun(ctx, run)
	if err == nil {
		r = &openedReader{r, n, run}
	}
	return r, err
}

// openedReader counts the runs that are read.
type openedReader struct {
	migrate.RunReader
	from *fakeNeptune
	run  migrate.RunInfo
}

func (r *openedReader) Chunks(ctx context.Context, want migrate.Want) iter.Seq2[migrate.Chunk, error] {
	r.from.mu.Lock()
	r.from.reads++
	opened := r.from.opened
	r.from.mu.Unlock()
	if opened != nil {
		opened(r.run)
	}
	return r.RunReader.Chunks(ctx, want)
}

func (n *fakeNeptune) Projects(_ context.Context, workspace string) ([]string, error) {
	if workspace != "ws" {
		return nil, fmt.Errorf("workspace %s: %w", workspace, migrate.ErrNotFound)
	}
	return []string{"ws/a", "ws/b", "ws/test"}, nil
}

// add adds a run with a parameter, a metric and a file.
func (n *fakeNeptune) add(project, id string, modified int64) {
	n.addTo(migrate.ScopeRun, project, id, modified)
}

func (n *fakeNeptune) addTo(scope migrate.Scope, project, id string, modified int64) {
	n.Add(migratetest.Run{
		Info: migrate.RunInfo{
			RunRef: migrate.RunRef{Project: project, ID: id, Scope: scope}, SysID: "S-" + id, Size: 1000,
			Created: time.UnixMilli(1).UTC(), Modified: time.UnixMilli(modified).UTC(),
		},
		Chunks: []migrate.Chunk{
			{Path: "lr", Kind: migrate.KindFloat, Values: migrate.Floats{float64(modified)}},
			{Path: "model", Kind: migrate.KindFile, Values: migrate.Files{{Key: "f", Name: "m.bin", Size: 5}}},
			{Path: "loss", Kind: migrate.KindFloatSeries, Steps: []migrate.Step{1, 2}, Times: []int64{1, 2}, Values: migrate.Floats{3, 4}},
		},
		Files: map[string][]byte{"f": []byte("bytes")},
	})
}

// world is a Neptune of three projects.
func world() *fakeNeptune {
	n := &fakeNeptune{}
	for _, id := range []string{"RUN-1", "RUN-2", "RUN-3"} {
		n.add("ws/a", id, 1000)
	}
	n.add("ws/a", "RUN-archived", 1000)
	n.add("ws/b", "RUN-1", 1000)
	n.add("ws/test", "T-1", 1000)
	return n
}

// world2 is a Neptune 2 with models.
func world2() *fakeNeptune {
	n := world()
	n.addTo(migrate.ScopeModel, "ws/a", "A-MOD", 1000)
	n.addTo(migrate.ScopeModelVersion, "ws/a", "A-MOD-1", 1000)
	n.addTo(migrate.ScopeModelVersion, "ws/a", "A-MOD-2", 1000)
	n.addTo(migrate.ScopeModelVersion, "ws/a", "A-MOD-archived", 1000)
	return n
}

// commands runs the command line in a directory of its own.
type commands struct {
	t          *testing.T
	dir        string
	neptune    *fakeNeptune
	generation neptune.Generation // that the server is of
	address    string
}

// run gives the exit code, and what the command wrote.
func (c commands) run(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	c.t.Helper()
	var all cli
	dial := func(_ context.Context, f neptuneFlags, _ *slog.Logger) (connection, error) {
		n := &fakeNeptune{archived: f.IncludeArchivedRuns, broken: c.neptune.broken}
		if f.IncludeArchivedRuns == c.neptune.archived {
			n = c.neptune
		} else {
			for run := range c.neptune.Memory.Runs(ctx, migrate.Selection{Scopes: allScopes}) {
				held, _ := c.neptune.Get(run.RunRef)
				n.Add(held)
			}
		}
		return connection{n, c.generation, c.address}, nil
	}
	all.Export.connect, all.ExportModels.connect, all.Migrate.connect = dial, dial, dial
	parser, err := kong.New(&all, kong.Exit(func(int) { panic("exit") }), kong.BindTo(ctx, (*context.Context)(nil)), vars())
	if err != nil {
		c.t.Fatal(err)
	}
	args = append(args, "--data-path", filepath.Join(c.dir, "data"), "--files-path", filepath.Join(c.dir, "files"))
	var out, messages bytes.Buffer
	k, err := parser.Parse(args)
	if err != nil {
		return exitUsage, "", err.Error()
	}
	term := &terminal{w: &messages}
	err = k.Run(&stdio{out: &out, term: term}, slog.New(slog.NewTextHandler(term, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		fmt.Fprintln(&messages, exitCoded(ctx, err))
	}
	return exitCode(ctx, err), out.String(), messages.String()
}

// want runs a command, which must end with a code and write these lines, among others.
func (c commands) want(code int, lines string, args ...string) string {
	c.t.Helper()
	got, stdout, stderr := c.run(c.t.Context(), args...)
	if got != code {
		c.t.Errorf("%q: exit code %d, want %d\n%s%s", args, got, code, stdout, stderr)
	}
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); !strings.Contains(stdout+stderr, line) {
			c.t.Errorf("%q: no %q in\n%s%s", args, line, stdout, stderr)
		}
	}
	return stdout
}

func newCommands(t *testing.T) commands {
	return commands{t, t.TempDir(), world(), neptune.Neptune3, "https://neptune.test"}
}

func newCommands2(t *testing.T) commands {
	return commands{t, t.TempDir(), world2(), neptune.Neptune2, "https://neptune.test"}
}

// archive lists what the archive has, as "project/id".
func (c commands) archive() string {
	c.t.Helper()
	store, err := parquetstore.Open(filepath.Join(c.dir, "data"), filepath.Join(c.dir, "files"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer store.Close()
	var runs []string
	for run, err := range store.Runs(c.t.Context(), migrate.Selection{Scopes: allScopes}) {
		if err != nil {
			c.t.Fatal(err)
		}
		if run.State != migrate.Complete {
			run.ID += "(" + run.State.String() + ")"
		}
		runs = append(runs, run.String())
	}
	return strings.Join(runs, " ")
}

func (c commands) holds(want string) {
	c.t.Helper()
	if got := c.archive(); got != want {
		c.t.Errorf("the archive has %s, want %s", got, want)
	}
}

func TestExport(t *testing.T) {
	c := newCommands(t)
	c.want(0, "3 runs exported to\n9 attributes, 6 points, 3 files (15 B)", "export", "-p", "ws/a")
	c.holds("ws/a/RUN-1 ws/a/RUN-2 ws/a/RUN-3")
	reads := c.neptune.reads
	c.want(0, "0 runs exported\n3 runs there already", "export", "-p", "ws/a")
	if c.neptune.reads != reads {
		t.Error("finished runs were read again")
	}
	if manifests, err := filepath.Glob(filepath.Join(c.dir, "data", "*", "*_manifest.json")); err != nil || len(manifests) != 3 {
		t.Fatal(manifests, err)
	} else if text, err := os.ReadFile(manifests[0]); err != nil || !bytes.Contains(text, []byte(`"source": "https://neptune.test (Neptune 3.x)"`)) {
		t.Errorf("%v: the manifest does not say where the run is from: %s", err, text)
	}
}

func TestExportChoice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ids")
	if err := os.WriteFile(file, []byte("S-RUN-1\nRUN-3\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ args, want string }{
		"expression":     {"-p ws/a -r 1|3$", "ws/a/RUN-1 ws/a/RUN-3"},
		"glob of manual": {"-p ws/a -r RUN-*", "ws/a/RUN-1 ws/a/RUN-2 ws/a/RUN-3"},
		"file":           {"-p ws/a --runs-file " + file, "ws/a/RUN-1 ws/a/RUN-3"},
		"two projects":   {"-p ws/a -p ws/b -p ws/a -r RUN-1", "ws/a/RUN-1 ws/b/RUN-1"},
		"workspace":      {"-w ws -r 1", "ws/a/RUN-1 ws/b/RUN-1 ws/test/T-1"},
		"include":        {"-w ws --project-include ^b$ --project-pattern te", "ws/b/RUN-1 ws/test/T-1"},
		"exclude":        {"-w ws --project-exclude-pattern test --project-exclude a", "ws/b/RUN-1"},
		"archived too":   {"-p ws/a --include-archived-runs", "ws/a/RUN-1 ws/a/RUN-2 ws/a/RUN-3 ws/a/RUN-archived"},
		"a class":        {"-p ws/b -c metrics", "ws/b/RUN-1(partial)"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCommands(t)
			c.want(0, "", append([]string{"export"}, strings.Fields(test.args)...)...)
			c.holds(test.want)
		})
	}
	c := newCommands(t)
	t.Setenv("NEPTUNE_PROJECT", "ws/b")
	c.want(0, "1 run exported", "export")
	c.holds("ws/b/RUN-1")
}

// TestExportShards checks that each run is in one shard.
func TestExportShards(t *testing.T) {
	c := newCommands(t)
	n := 0
	for _, s := range []string{"1/3", "2/3", "3/3"} {
		var line jsonExport
		stdout := c.want(0, "", "export", "-p", "ws/a", "--shard", s, "--json")
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &line); err != nil {
			t.Fatal(err)
		}
		if line.Moved.Runs == 3 {
			t.Errorf("shard %s has everything", s)
		}
		n += int(line.Moved.Runs)
	}
	if n != 3 {
		t.Errorf("%d runs in the shards", n)
	}
	c.holds("ws/a/RUN-1 ws/a/RUN-2 ws/a/RUN-3")
}

// TestExportNarrower exports in several goes.
func TestExportNarrower(t *testing.T) {
	c := newCommands(t)
	c.want(0, "1 run exported", "export", "-p", "ws/b", "-a", "lr")
	c.want(0, "1 run there already", "export", "-p", "ws/b", "-a", "lr")
	c.want(0, "1 run exported", "export", "-p", "ws/b", "-c", "metrics")
	c.holds("ws/b/RUN-1(partial)")
	c.want(0, "1 run exported", "export", "-p", "ws/b")
	c.holds("ws/b/RUN-1")
	c.want(0, "1 run there already", "export", "-p", "ws/b", "-c", "files", "-a", "model")
}

func TestExportUpdate(t *testing.T) {
	c := newCommands(t)
	c.want(0, "", "export", "-p", "ws/a")
	c.neptune.add("ws/a", "RUN-2", 2000)
	stdout := c.want(0, "3 runs there already\n1 run of these changed in Neptune since; --update exports them again", "export", "-p", "ws/a")
	c.want(0, `"run_id":"RUN-2","outcome":"existed"`+"\n"+`"outdated":true`+"\n"+`"outdated":1`, "export", "-p", "ws/a", "--json")
	if strings.Count(stdout, "changed") != 1 {
		t.Errorf("said twice:\n%s", stdout)
	}
	c.want(0, "1 run exported\n2 runs there already", "export", "-p", "ws/a", "--update")
	c.want(0, "0 runs exported\n3 runs there already", "export", "-p", "ws/a", "--update")
}

// TestExportOtherServer: a second server's runs do not replace the first one's of the same name, and are not said to be there.
func TestExportOtherServer(t *testing.T) {
	c := newCommands(t)
	c.want(0, "3 runs exported", "export", "-p", "ws/a")
	c.address = "https://other.test"
	c.want(0, "3 runs there already", "export", "-p", "ws/a") // the same by their times
	c.neptune = &fakeNeptune{}
	c.neptune.add("ws/a", "RUN-2", 2000)
	refused := "the archive has a run of this name from another server: neptune.test, not other.test; use an archive of its own for each server, or --moved-from neptune.test"
	for _, more := range []string{"--json", "--update", "--overwrite"} {
		c.want(1, refused, "export", "-p", "ws/a", more)
		c.holds("ws/a/RUN-1 ws/a/RUN-2 ws/a/RUN-3")
	}
	c.want(0, "1 run exported", "export", "-p", "ws/a", "--update", "--moved-from", "https://neptune.test/")
	c.neptune.add("ws/a", "RUN-4", 2000)
	c.want(3, "stays in the archive: it came from another server", "export", "-p", "ws/a", "--overwrite")
	c.holds("ws/a/RUN-1 ws/a/RUN-2 ws/a/RUN-3 ws/a/RUN-4")
	c.want(0, ".removed-at-source", "export", "-p", "ws/a", "--overwrite", "--moved-from", "neptune.test")
	c.holds("ws/a/RUN-2 ws/a/RUN-4")
}

func TestExportOverwrite(t *testing.T) {
	c := newCommands(t)
	c.want(0, "", "export", "-p", "ws/a", "--include-archived-runs")
	next := world()
	next.Memory = migratetest.Memory{}
	for _, id := range []string{"RUN-1", "RUN-archived"} {
		next.add("ws/a", id, 3000)
	}
	c.neptune = next

	// A choice says nothing of the rest.
	for _, some := range []string{"--runs=RUN", "--shard=1/1"} {
		c.want(0, "1 run exported", "export", "-p", "ws/a", "--overwrite", some)
		c.holds("ws/a/RUN-1 ws/a/RUN-2 ws/a/RUN-3 ws/a/RUN-archived")
	}
	// A project of which nothing is shown is not empty for sure.
	c.neptune = &fakeNeptune{}
	c.want(0, "Neptune shows no runs at all", "export", "-p", "ws/a", "--overwrite")
	c.holds("ws/a/RUN-1 ws/a/RUN-2 ws/a/RUN-3 ws/a/RUN-archived")
	// Neither is one whose listing breaks off.
	c.neptune = next
	next.broken = map[string]error{"ws/a": errors.New("listing broke")}
	c.want(1, "listing broke", "export", "-p", "ws/a", "--overwrite")
	c.holds("ws/a/RUN-1 ws/a/RUN-2 ws/a/RUN-3 ws/a/RUN-archived")
	next.broken = nil

	c.want(0, "1 run exported\nNeptune does not have these any more; their copies were set aside:\nws/a/RUN-2: \n.removed-at-source",
		"export", "-p", "ws/a", "--overwrite")
	c.holds("ws/a/RUN-1 ws/a/RUN-archived")
	aside, err := filepath.Glob(filepath.Join(c.dir, "data", "*", "*.removed-at-source"))
	if err != nil || len(aside) != 4 {
		t.Errorf("set aside: %q, %v", aside, err)
	}
	c.want(0, `"removed":[]`, "export", "-p", "ws/a", "--overwrite", "--json")
}

// TestExportOldCopy keeps the old copy where the new one cannot be made whole.
func TestExportOldCopy(t *testing.T) {
	c := newCommands(t)
	c.want(0, "", "export", "-p", "ws/b")
	broken := migratetest.Run{Info: migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/b", ID: "RUN-1"}}, Err: errors.New("cut off")}
	c.neptune.Add(broken)
	c.want(1, "1 run failed\nws/b/RUN-1: cut off\nThe same command again", "export", "-p", "ws/b", "--overwrite")
	c.holds("ws/b/RUN-1")
	broken.Err, broken.Problems = nil, []migrate.Problem{{Path: "loss", Code: migrate.CodeUnreadable, Text: "no answer"}}
	c.neptune.Add(broken)
	c.want(3, "Could not be exported:\nunreadable: 1 in 1 run; Neptune could not give it\nthe archive keeps its whole copy", "export", "-p", "ws/b", "--overwrite")
	c.holds("ws/b/RUN-1")
}

func TestExportPartial(t *testing.T) {
	c := newCommands(t)
	run, _ := c.neptune.Get(migrate.RunRef{Project: "ws/b", ID: "RUN-1"})
	run.Problems = []migrate.Problem{{Path: "x", Code: migrate.CodeUnreadable, Text: "no answer"}}
	c.neptune.Add(run)
	c.want(3, "1 run partial: something is missing, see below\nws/b/RUN-1: x: no answer", "export", "-p", "ws/b")
	c.holds("ws/b/RUN-1(partial)")
	run.Problems = nil
	c.neptune.Add(run)
	c.want(0, "1 run exported", "export", "-p", "ws/b")
	c.holds("ws/b/RUN-1")
}

// TestExportNotes says of previews what they are in Neptune, and nothing of MLflow.
func TestExportNotes(t *testing.T) {
	c := newCommands(t)
	run, _ := c.neptune.Get(migrate.RunRef{Project: "ws/b", ID: "RUN-1"})
	run.Problems = []migrate.Problem{{Path: "loss", Code: migrate.CodeApproximate, Text: "1 point is a preview"}}
	c.neptune.Add(run)
	stdout := c.want(0, "Notes (nothing is lost):\napproximate: 1 in 1 run; not final in Neptune\nws/b/RUN-1: loss: 1 point is a preview", "export", "-p", "ws/b")
	if strings.Contains(stdout, "MLflow") {
		t.Errorf("an export speaks of MLflow:\n%s", stdout)
	}
}

// TestExportListing exports the other projects where one cannot be listed.
func TestExportListing(t *testing.T) {
	c := newCommands(t)
	c.neptune.broken = map[string]error{"ws/a": errors.New("no such luck"), "ws/test": fmt.Errorf("not yours: %w", migrate.ErrUnauthorized)}
	c.want(exitUnauthorized, "5 runs exported\nProjects whose runs could not all be listed, so that some may be missing:\nws/a: no such luck\nws/test: not yours",
		"export", "-w", "ws")
	c.want(exitUnauthorized, `{"project":"ws/a","runs":3,"error":"no such luck"}`, "export", "-w", "ws", "--json")
}

func TestExportNothing(t *testing.T) {
	c := newCommands(t)
	c.want(1, "no runs in Neptune for -r nope", "export", "-p", "ws/a", "-r", "nope")
	c.want(0, "0 runs exported", "export", "-p", "ws/empty")
	c.want(1, "list projects of workspace other: workspace other: not found", "export", "-w", "other")
	c.want(1, "workspace ws has 3 projects, of which none was chosen", "export", "-w", "ws", "--project-include", "zzz")
	file := filepath.Join(c.dir, "ids")
	if err := os.WriteFile(file, []byte("RUN-1\nnope\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	c.want(1, "1 run exported\nno runs in Neptune for the ID nope", "export", "-p", "ws/a", "--runs-file", file)
	c.want(1, `"unmatched":["the ID nope"]`, "export", "-p", "ws/a", "--runs-file", file, "--json")
}

func TestExportUsage(t *testing.T) {
	t.Setenv("NEPTUNE_PROJECT", "")
	for args, want := range map[string]string{
		"":                                      "name a project with -p workspace/name or NEPTUNE_PROJECT",
		"-p name":                               `project "name": write workspace/name`,
		"-p ws/a -r a -r b":                     "-r is one regular expression",
		"-p ws/a -r (":                          "missing closing )",
		"-p ws/a -r (?=x)":                      "no look-ahead",
		"-p ws/a --project-include x":           "choose among the projects of a --workspace",
		"-p ws/a -c metrics --exclude files":    "not both",
		"-p ws/a -c pictures":                   "parameters",
		"-p ws/a --shard 5/2":                   `"5/2" is no part`,
		"-p ws/a --scope models":                "Neptune 3.x has no models and model versions",
		"-p ws/a --scope runs,models":           "--scope runs or without --scope",
		"-p ws/a --scope experiments":           "model_versions",
		"-p ws/a --exporter neptune4":           "neptune3",
		"-p ws/a --jobs 0":                      "--jobs must be at least 1",
		"-p ws/a --rate=-1":                     "--rate must not be negative",
		"-p ws/a --timeout soon":                "timeout",
		"-p ws/a --runs-file no/such/file/here": "--runs-file",
	} {
		c := newCommands(t)
		c.want(exitUsage, want, append([]string{"export"}, strings.Fields(args)...)...)
		if left, err := os.ReadDir(c.dir); err != nil || len(left) > 0 {
			t.Errorf("%s: something was written: %v, %v", args, left, err)
		}
	}
}

// TestExportLocked refuses a second export into one archive.
func TestExportLocked(t *testing.T) {
	c := newCommands(t)
	first, err := parquetstore.Create(filepath.Join(c.dir, "data"), filepath.Join(c.dir, "files"), parquetstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c.want(1, "another process is writing to this archive", "export", "-p", "ws/a")
	c.want(0, "3 runs to be exported", "export", "-p", "ws/a", "--dry-run")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	c.want(0, "3 runs exported", "export", "-p", "ws/a")
}

// TestExportInterrupted interrupts at the second run: the first one stays, and the next export
// completes the rest.
func TestExportInterrupted(t *testing.T) {
	c := newCommands(t)
	ctx, cancel := context.WithCancel(t.Context())
	c.neptune.opened = func(run migrate.RunInfo) {
		if run.ID == "RUN-2" {
			cancel()
		}
	}
	code, stdout, stderr := c.run(ctx, "export", "-p", "ws/a", "--jobs", "1")
	if code != exitInterrupted || !strings.Contains(stderr, "the same command again completes") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	c.holds("ws/a/RUN-1")
	c.neptune.opened = nil
	c.want(0, "2 runs exported\n1 run there already", "export", "-p", "ws/a")
	c.holds("ws/a/RUN-1 ws/a/RUN-2 ws/a/RUN-3")
}

func TestMigrate(t *testing.T) {
	c := newCommands(t)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("MLFLOW_TRACKING_URI", "")
	uri := "sqlite:///" + filepath.ToSlash(filepath.Join(c.dir, "mlflow.db"))
	args := []string{"migrate", "-p", "ws/a", "--mlflow-tracking-uri", uri, "--artifacts-dir", filepath.Join(c.dir, "artifacts"), "--step-multiplier", "1000000"}
	c.want(0, "3 runs to be exported", append(args, "--dry-run")...)
	if left, err := os.ReadDir(c.dir); err != nil || len(left) > 0 {
		t.Errorf("something was written: %v, %v", left, err)
	}
	c.want(0, "3 runs exported to\n3 runs loaded into "+uri, args...)
	c.holds("ws/a/RUN-1 ws/a/RUN-2 ws/a/RUN-3")
	c.want(0, "0 runs exported\n3 runs there already\n0 runs loaded", args...)
	c.neptune.add("ws/a", "RUN-4", 1)
	stdout := c.want(0, `"stage":"export"`+"\n"+`"stage":"load"`+"\n"+`"loaded":{"moved":{"runs":1,`, append(args, "--json")...)
	if n := strings.Count(stdout, "\n"); n != 9 {
		t.Errorf("%d lines, want two for each run and one for the whole:\n%s", n, stdout)
	}
}
