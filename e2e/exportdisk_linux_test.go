package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// mustBeSoundArchive wants what looks complete to be so.
func mustBeSoundArchive(t *testing.T, want, now map[string]archivedRun) {
	t.Helper()
	for id, run := range completeOf(now) {
		if diff := cmp.Diff(want[id].content, run.content); diff != "" {
			t.Errorf("%q looks complete and is not as it should be (-want +got):\n%.2000s", id, diff)
		}
	}
	t.Logf("%d runs are complete", len(completeOf(now)))
}

// TestExportFullDisk has no room for the rows, or for the files: the command says so and ends, what is there is sound,
// and when there is room it goes on. An export that replaces runs does not lose them.
func TestExportFullDisk(t *testing.T) { eachGeneration(t, testExportFullDisk) }

func testExportFullDisk(t *testing.T, g generation) {
	for _, c := range []struct {
		name, on string // which directory is on the small disk
		bytes    int
		again    bool // with --overwrite, over an archive that fits
	}{
		{"no room for a lock", "data", 4 << 10, false},
		{"rows", "data", 64 << 10, false},
		{"files", "files", 150 << 10, false},
		{"all", "", 400 << 10, false},
		{"replaced", "", g.onDisk, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := g.serve(t)
			want := n.fresh(t)
			if err := os.Mkdir(filepath.Join(n.dir, c.on), 0o755); err != nil && c.on != "" {
				t.Fatal(err)
			}
			disk, grow := smallDisk(t, c.bytes)
			flags := []string{}
			switch c.on {
			case "":
				n = n.in(disk)
			default:
				flags = append(flags, "--"+c.on+"-path", disk)
			}
			if c.again {
				n.export(t, exitMoved, nil)
				flags = append(flags, "--overwrite", "--jobs", "6")
				fill(t, disk)
			}
			code, out := n.run(t, "export", flags...)
			mustSay(t, code, out, "no space left on device")
			if c.on != "" {
				link(t, disk, filepath.Join(n.dir, c.on))
			}
			now := archivedIn(t, n.dir)
			mustBeSoundArchive(t, want, now)
			if c.again && len(completeOf(now)) != len(want) {
				t.Errorf("only %d runs are still complete", len(completeOf(now)))
			}
			grow()
			code, out = n.run(t, "export", flags...)
			if code != exitMoved {
				t.Errorf("with room the export ended with %d:\n%s", code, out)
			}
			mustEqualArchives(t, want, archivedIn(t, n.dir))
			if left := leftovers(t, n.dir); len(left) > 0 {
				t.Errorf("left over: %q", left)
			}
		})
	}
}

// fill leaves some room on a disk, but not enough to have all twice.
func fill(t *testing.T, disk string) {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(disk, &s); err != nil {
		t.Fatal(err)
	}
	const room = 100 << 10
	size := int64(s.Bavail)*s.Bsize - room
	if size < 0 {
		t.Fatalf("the disk is too small by %d bytes", -size)
	}
	if err := os.WriteFile(filepath.Join(disk, "data", "other"), make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(filepath.Join(disk, "data", "other")) })
}

// link makes a directory be found where the tests look for it.
func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

// TestExportNotPermitted exports as a user who may not write: the command names the directory, and writes nothing.
func TestExportNotPermitted(t *testing.T) {
	g := generations[0]
	for _, c := range []struct {
		name, of string // which directory is read-only
		there    bool   // there is an archive
	}{
		{"data", "data", false},
		{"files", "files", false},
		{"above both", "", false},
		{"data of an archive", "data", true},
		{"files of an archive", "files", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := g.serve(t)
			want := n.fresh(t)
			chmod(t, n.dir, 0o777)
			if c.there {
				n.export(t, exitMoved, nil, "-r", g.first)
			}
			for _, dir := range []string{"data", "files"} {
				if c.of == "" {
					continue
				}
				if err := os.MkdirAll(filepath.Join(n.dir, dir), 0o777); err != nil {
					t.Fatal(err)
				}
				chmod(t, filepath.Join(n.dir, dir), 0o777)
			}
			before := files(t, n.dir)
			openAll(t, n.dir)
			readOnly := []string{filepath.Join(n.dir, c.of)}
			if c.there {
				readOnly = append(readOnly, filepath.Join(n.dir, c.of, filepath.Dir(projectDir(t, n))))
			}
			for _, dir := range readOnly {
				chmod(t, dir, 0o555)
			}
			code, out := n.unprivileged(t)
			mustSay(t, code, out, "permission denied")
			if !strings.Contains(out, n.dir+"/"+c.of) {
				t.Errorf("the directory is not named:\n%s", out)
			}
			if after := files(t, n.dir); c.of != "files" {
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("something was written (-before +after):\n%s", diff)
				}
			}
			for _, dir := range readOnly {
				chmod(t, dir, 0o777)
			}
			now := archivedIn(t, n.dir)
			mustBeSoundArchive(t, want, now)
			n.export(t, exitMoved, nil)
			mustEqualArchives(t, want, archivedIn(t, n.dir))
		})
	}
}

// projectDir is what the archive has of a project, as "<project>/<name>".
func projectDir(t *testing.T, n neptuneSource) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(n.dir, "data", "*", "*_manifest.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no manifest: %v", err)
	}
	rest, err := filepath.Rel(filepath.Join(n.dir, "data"), paths[0])
	if err != nil {
		t.Fatal(err)
	}
	return rest
}

// openAll lets everybody write what is in a directory, but for what is directly below it.
func openAll(t *testing.T, dir string) {
	t.Helper()
	for _, pattern := range []string{"*/*", "*/.*", "*/*/*"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if err := os.Chmod(path, 0o777); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// unprivileged exports as a user for whom permissions count.
func (n neptuneSource) unprivileged(t *testing.T) (code int, out string) {
	t.Helper()
	cmd, said := n.command(t.Context(), t, "export")
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: nobody(t)}
		openParents(t, binary(t))
		openParents(t, filepath.Join(n.dir, "data"))
	}
	cmd.Dir = "/"
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), said.String()
}

// TestExportDirectoryRemoved takes the archive's directories away while an export writes to them: it ends and says
// so, and the next one makes the archive anew.
func TestExportDirectoryRemoved(t *testing.T) { eachGeneration(t, testExportDirectoryRemoved) }

func testExportDirectoryRemoved(t *testing.T, g generation) {
	for _, c := range []struct{ name, of string }{{"data", "data"}, {"files", "files"}, {"both", ""}} {
		t.Run(c.name, func(t *testing.T) {
			n := g.serve(t)
			want := n.fresh(t)
			n.export(t, exitMoved, nil, "-r", g.first)
			var once sync.Once
			n.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
				if strings.Contains(r.URL.Path, "/storage/") {
					once.Do(func() {
						if err := os.RemoveAll(filepath.Join(n.dir, c.of)); err != nil {
							t.Error(err)
						}
					})
				}
				return neptunetest.Fault{}
			})
			code, out := n.run(t, "export")
			mustSay(t, code, out, "was removed or replaced while it was being written to")
			n.SetFault(nil)
			if _, err := os.Stat(filepath.Join(n.dir, "data")); err == nil && c.of != "files" {
				mustBeSoundArchive(t, want, archivedIn(t, n.dir))
			}
			code, out = n.run(t, "export")
			if c.of == "data" { // the files may be those of another archive
				mustSay(t, code, out, "name a new directory for these files")
				if err := os.RemoveAll(filepath.Join(n.dir, "files")); err != nil {
					t.Fatal(err)
				}
				code, out = n.run(t, "export")
			}
			if code != exitMoved {
				t.Errorf("the next export ended with %d:\n%s", code, out)
			}
			if c.of == "files" {
				return // what was complete before lacks its files, as any archive would whose files somebody removed
			}
			mustEqualArchives(t, want, archivedIn(t, n.dir))
		})
	}
}
