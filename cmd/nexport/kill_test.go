package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/fixture"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/neptune/neptunetest"
	"github.com/nexport-go/migrate/parquetstore"
)

// TestExportKilled kills exports at random moments while the network fails now and then. Whatever
// the archive calls complete is like that of an undisturbed export at any time, and in the end all
// of it is there; and an export that replaces all runs loses none of them meanwhile.
func TestExportKilled(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps files open for a while after a kill")
	}
	if testing.Short() {
		t.Skip("takes long")
	}
	t.Run("neptune3", func(t *testing.T) { testKilled(t, 3, "neptune3-d-odd") })
	t.Run("neptune2", func(t *testing.T) { testKilled(t, 2, "neptune2-de-odd") })
}

func testKilled(t *testing.T, generation int, world string) {
	project, err := neptunetest.World{}.ReadWorld(fixture.World(t, world))
	if err != nil {
		t.Fatal(err)
	}
	server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{project}, Generation: generation, NoRecord: true})
	k := killer{t: t, token: server.Token(), project: project.ID(), rand: rand.New(rand.NewPCG(1, 2))}
	whole, killed := t.TempDir(), t.TempDir()
	k.finish(whole)
	want := held(t, whole)
	if len(want) < 10 {
		t.Fatalf("only %d runs", len(want))
	}
	server.SetFault(func(n int, r *http.Request) (f neptunetest.Fault) {
		f.Delay = time.Millisecond
		switch {
		case n%29 == 7:
			f.Reset = true
		case n%31 == 11 && r.Method == http.MethodGet:
			f.Cut = true
		}
		return f
	})
	kills := 12
	if testing.Short() {
		kills = 3
	}
	for range kills {
		k.kill(killed, 300*time.Millisecond)
		now := held(t, killed)
		t.Log(len(now), "runs")
		alike(t, want, now, false)
	}
	k.finish(killed)
	alike(t, want, held(t, killed), true)
	for range kills / 2 {
		k.kill(killed, 600*time.Millisecond, "--overwrite")
		alike(t, want, held(t, killed), true)
	}
	k.finish(killed, "--overwrite")
	alike(t, want, held(t, killed), true)
	for name := range files(t, killed) {
		if strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".swap") {
			t.Errorf("%s was left", name)
		}
	}
}

// killer starts exports.
type killer struct {
	t       *testing.T
	token   string
	project string
	rand    *rand.Rand
}

func (k killer) command(dir string, args []string) (*exec.Cmd, *strings.Builder) {
	args = append([]string{"export", "-p", k.project, "--include-archived-runs", "-d", filepath.Join(dir, "data"), "-f", filepath.Join(dir, "files")}, args...)
	cmd := exec.CommandContext(context.WithoutCancel(k.t.Context()), "nexport", args...)
	var stderr strings.Builder
	cmd.Env, cmd.Stderr = append(os.Environ(), "NEPTUNE_API_TOKEN="+k.token), &stderr
	return cmd, &stderr
}

// kill kills an export within a time.
func (k killer) kill(dir string, within time.Duration, args ...string) {
	k.t.Helper()
	cmd, _ := k.command(dir, args)
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	timer := time.AfterFunc(time.Duration(k.rand.Int64N(int64(within))), func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // an error, unless it was faster
	timer.Stop()
}

// finish exports to the end.
func (k killer) finish(dir string, args ...string) {
	k.t.Helper()
	cmd, stderr := k.command(dir, args)
	if err := cmd.Run(); err != nil && cmd.ProcessState.ExitCode() != exitPartial {
		k.t.Fatalf("export: %v\n%s", err, stderr)
	}
}

// held reads all runs of an archive that do not look cut off.
func held(t *testing.T, dir string) map[migrate.RunRef]*migratetest.Memory {
	t.Helper()
	runs := map[migrate.RunRef]*migratetest.Memory{}
	if _, err := os.Stat(filepath.Join(dir, "data")); err != nil {
		return runs // killed before anything
	}
	store, err := parquetstore.Open(filepath.Join(dir, "data"), filepath.Join(dir, "files"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for info, err := range store.Runs(t.Context(), migrate.Selection{Scopes: allScopes}) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := store.OpenRun(t.Context(), info)
		if err != nil {
			t.Fatal(err)
		}
		m := &migratetest.Memory{}
		if _, err := m.PutRun(t.Context(), info, r); err != nil {
			t.Fatalf("%s: %v", info.RunRef, err)
		}
		runs[info.RunRef] = m
	}
	return runs
}

// alike compares what both have, or all.
func alike(t *testing.T, want, got map[migrate.RunRef]*migratetest.Memory, all bool) {
	t.Helper()
	for ref, m := range got {
		if want[ref] == nil {
			t.Errorf("%s is not known", ref)
			continue
		}
		info := migrate.RunInfo{RunRef: ref}
		r, err := m.OpenRun(t.Context(), info)
		if err != nil {
			t.Fatal(err)
		}
		problems, err := want[ref].VerifyRun(t.Context(), info, r)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", ref, p)
		}
	}
	if all && len(got) != len(want) {
		t.Errorf("%d runs, want %d", len(got), len(want))
	}
}

// files are the names of all files below a directory.
func files(t *testing.T, dir string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names[name] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
