package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nexport-go/migrate/internal/fixture"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// neptuneKey finds the Neptune of a script.
type neptuneKey struct{}

// watchedNeptune is a Neptune and how many of its requests a script has looked at.
type watchedNeptune struct {
	*neptunetest.Server
	seen int
}

// serveNeptune is neptune COMMAND; it starts the script's Neptune, and later changes it:
//
//	neptune start [WORLD]        serves a world of testdata/archives, else a small one; sets NEPTUNE_API_TOKEN and NEPTUNE_URL
//	neptune start2 [WORLD]       the same of Neptune 2
//	neptune fail STATUS PART     answers requests whose path has PART in it with the status
//	neptune mend                 ends what fail began
//	neptune remove ID            removes the run with this ID
//	neptune touch ID             changes the run with this ID, and when it was modified
func serveNeptune(ts *testscript.TestScript, t *testing.T, args []string) {
	n := ts.Value(neptuneKey{}).(*watchedNeptune)
	switch command := strings.Join(args[:min(1, len(args))], ""); {
	case command == "start" && len(args) <= 2:
		n.start(ts, t, neptunetest.Options{Projects: neptuneProjects(ts, t, args[1:], smallProject)})
	case command == "start2" && len(args) <= 2:
		n.start(ts, t, neptunetest.Options{Projects: neptuneProjects(ts, t, args[1:], smallProject2), Generation: 2})
	case command == "fail" && len(args) == 3:
		status, err := strconv.Atoi(args[1])
		ts.Check(err)
		n.SetFault(func(_ int, r *http.Request) (f neptunetest.Fault) {
			if strings.Contains(r.URL.Path, args[2]) {
				f.Status = status
			}
			return f
		})
	case command == "mend" && len(args) == 1:
		n.SetFault(nil)
	case command == "remove" && len(args) == 2:
		n.Change(func(projects []*neptunetest.Project) []*neptunetest.Project {
			for _, p := range projects {
				gone := func(r *neptunetest.Run) bool { return r.CustomID == args[1] || r.ID == args[1] }
				p.Runs, p.ModelVersions = slices.DeleteFunc(p.Runs, gone), slices.DeleteFunc(p.ModelVersions, gone)
			}
			return projects
		})
	case command == "touch" && len(args) == 2:
		n.Change(func(projects []*neptunetest.Project) []*neptunetest.Project {
			for _, p := range projects {
				for _, r := range slices.Concat(p.Runs, p.Models, p.ModelVersions) {
					if r.CustomID == args[1] || r.ID == args[1] {
						touch(r)
					}
				}
			}
			return projects
		})
	default:
		ts.Fatalf("neptune %q: no such command", args)
	}
}

func (n *watchedNeptune) start(ts *testscript.TestScript, t *testing.T, opts neptunetest.Options) {
	n.Server, n.seen = neptunetest.NewServer(t, opts), 0
	ts.Setenv("NEPTUNE_API_TOKEN", n.Token())
	ts.Setenv("NEPTUNE_URL", n.URL)
}

func touch(r *neptunetest.Run) {
	for i, a := range r.Attributes {
		if at, ok := a.Value.(neptunetest.Datetime); ok && a.Path == "sys/modification_time" {
			r.Attributes[i].Value = at + 60_000
		}
	}
	r.Attributes = append(r.Attributes, neptunetest.Attribute{Path: "touched", Value: neptunetest.Bool(true)})
}

func neptuneProjects(ts *testscript.TestScript, t *testing.T, world []string,
	small func(workspace, name, key string, runs int) *neptunetest.Project,
) []*neptunetest.Project {
	if len(world) == 0 {
		return []*neptunetest.Project{small("team", "mnist", "MN", 5), small("team", "test-bed", "TB", 2)}
	}
	project, err := neptunetest.World{}.ReadWorld(fixture.World(t, world[0]))
	ts.Check(err)
	return []*neptunetest.Project{project}
}

// smallProject has runs with an attribute of each class, the last one archived.
func smallProject(workspace, name, key string, runs int) *neptunetest.Project {
	p := &neptunetest.Project{Workspace: workspace, Name: name, Key: key}
	for i := 1; i <= runs; i++ {
		n := strconv.Itoa(i)
		r := &neptunetest.Run{ID: key + "-" + n, CustomID: name + "-run-" + n, Attributes: []neptunetest.Attribute{
			{Path: "sys/creation_time", Value: neptunetest.Datetime(1_700_000_000_000 + i)},
			{Path: "sys/modification_time", Value: neptunetest.Datetime(1_700_000_100_000 + i)},
			{Path: "lr", Value: neptunetest.Float(0.1)},
			{Path: "model/weights", Value: neptunetest.FileOf("weights.bin", "application/octet-stream", bytes.Repeat([]byte(n), 1000))},
			{Path: "train/loss", Value: neptunetest.FloatSeries{{Step: 1, TimeMS: 1_700_000_000_001, Value: 1}, {Step: 2, TimeMS: 1_700_000_000_002, Value: 0.5}}},
			{Path: "log", Value: neptunetest.StringSeries{{Step: 1, TimeMS: 1_700_000_000_001, Value: "one"}}},
		}}
		if i == runs {
			r.Attributes = append(r.Attributes, neptunetest.Attribute{Path: "sys/archived", Value: neptunetest.Bool(true)})
		}
		p.Runs = append(p.Runs, r)
	}
	return p
}

// smallProject2 is smallProject in Neptune 2: with a model and two versions of it, the second in the trash.
func smallProject2(workspace, name, key string, runs int) *neptunetest.Project {
	p := smallProject(workspace, name, key, runs)
	for _, r := range p.Runs {
		r.CustomID = ""
		r.Attributes = slices.DeleteFunc(r.Attributes, func(a neptunetest.Attribute) bool { return a.Path == "sys/archived" })
		r.Attributes = append(r.Attributes,
			neptunetest.Attribute{Path: "images", Value: neptunetest.FileSet{Files: []neptunetest.File{
				neptunetest.FileOf("a.txt", "text/plain", []byte("a")), neptunetest.FileOf("deep/b.txt", "text/plain", []byte("bb")),
			}}},
			neptunetest.Attribute{Path: "data", Value: neptunetest.Artifact{Hash: strings.Repeat("0f", 32), Files: []neptunetest.ArtifactFile{
				{Path: "d.csv", Hash: strings.Repeat("ab", 20), Size: 9, Metadata: map[string]string{"file_path": "file:///no/such/file/d.csv"}},
			}}})
	}
	trashed := neptunetest.Attribute{Path: "sys/trashed", Value: neptunetest.Bool(true)}
	p.Runs[runs-1].Attributes = append(p.Runs[runs-1].Attributes, trashed)
	registered := func(id string, more ...neptunetest.Attribute) *neptunetest.Run {
		return &neptunetest.Run{ID: id, Attributes: append(more,
			neptunetest.Attribute{Path: "sys/modification_time", Value: neptunetest.Datetime(1_700_000_100_000)},
			neptunetest.Attribute{Path: "signature", Value: neptunetest.FileOf("s.json", "application/json", []byte("{}"))},
			neptunetest.Attribute{Path: "val/acc", Value: neptunetest.FloatSeries{{Step: 1, TimeMS: 1_700_000_000_001, Value: 0.5}}})}
	}
	p.Models = []*neptunetest.Run{registered(key + "-NET")}
	p.ModelVersions = []*neptunetest.Run{registered(key + "-NET-1"), registered(key+"-NET-2", trashed)}
	return p
}

// asked checks that attributes or files of runs were asked for since it was last called, or with !
// that they were not.
func asked(ts *testscript.TestScript, neg bool, _ []string) {
	n := ts.Value(neptuneKey{}).(*watchedNeptune)
	requests := n.Requests()
	var read []string
	for _, r := range requests[n.seen:] {
		if strings.Contains(r.Path, "/attributes/") || strings.Contains(r.Path, "/storage/") || strings.Contains(r.Path, "ttributes") {
			read = append(read, r.Method+" "+r.Path)
		}
	}
	if (len(read) > 0) == neg {
		ts.Fatalf("read: %q", read)
	}
	n.seen = len(requests)
}

// TestExportInterrupt interrupts an export that waits for Neptune: it ends at once, by itself, and
// the same command again completes it.
func TestExportInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no interrupts to send")
	}
	t.Run("neptune3", func(t *testing.T) {
		testInterrupt(t, 3, smallProject("team", "mnist", "MN", 5),
			"team/mnist/mnist-run-1 team/mnist/mnist-run-2 team/mnist/mnist-run-3 team/mnist/mnist-run-4")
	})
	t.Run("neptune2", func(t *testing.T) {
		testInterrupt(t, 2, smallProject2("team", "mnist", "MN", 3),
			"team/mnist/model/MN-NET team/mnist/model_version/MN-NET-1 team/mnist/MN-1 team/mnist/MN-2")
	})
}

func testInterrupt(t *testing.T, generation int, project *neptunetest.Project, all string) {
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{project}, Generation: generation})
	hangs := make(chan struct{}, 100)
	server.SetFault(func(_ int, r *http.Request) (f neptunetest.Fault) {
		if strings.Contains(strings.ToLower(r.URL.Path), "series") {
			hangs <- struct{}{}
			f.Hang = true
		}
		return f
	})
	dir := t.TempDir()
	export := func() (*exec.Cmd, *strings.Builder) {
		var stderr strings.Builder
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "nexport", "export", "-p", "team/mnist",
			"--data-path", filepath.Join(dir, "data"), "--files-path", filepath.Join(dir, "files"))
		cmd.Env, cmd.Stderr = append(os.Environ(), "NEPTUNE_API_TOKEN="+server.Token()), &stderr
		return cmd, &stderr
	}
	cmd, stderr := export()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-hangs
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	err := cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != exitInterrupted {
		t.Errorf("exit code %d (%v), want %d\n%s", got, err, exitInterrupted, stderr)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v to stop", took)
	}
	if !strings.Contains(stderr.String(), "the same command again") {
		t.Errorf("standard error does not say how to go on:\n%s", stderr)
	}
	server.SetFault(nil)
	cmd, stderr = export()
	if err := cmd.Run(); err != nil {
		t.Errorf("again: %v\n%s", err, stderr)
	}
	c := commands{t: t, dir: dir}
	c.holds(all)
}
