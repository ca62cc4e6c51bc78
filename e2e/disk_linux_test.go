package e2e_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// smallDisk makes a file system of a few bytes, and gives what makes it large.
func smallDisk(t *testing.T, bytes int) (dir string, grow func()) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("only who may mount can make a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir, func() {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=256m"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullDisk has no room for the database, or for the artifacts: the command says so and ends, and goes on
// when there is room.
func TestFullDisk(t *testing.T) {
	venv(t, envMLflow3)
	whole, _ := undisturbed(t, newSQLite, databaseShape)
	for _, c := range []struct {
		name  string
		bytes int
		want  string
		place func(disk, other string) place
	}{
		{"new database", 64 << 10, "has no room left on its disk", databaseIn},
		{"database", 3 << 20, "has no room left on its disk", databaseIn},
		{"artifacts", 48 << 10, "no space left on device", func(disk, other string) place { return databaseIn(other, disk) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			disk, grow := smallDisk(t, c.bytes)
			at := c.place(disk, t.TempDir())
			a := plain(t, databaseShape, "full/")
			a.artifacts = at.artifacts
			mustFail(t, a, at.uri, c.want)
			db := openDatabase(t, at.uri)
			mustBeSound(t, db, at.uri)
			if hasTables(t, db, at.uri) {
				shown := hold(t, at.uri, at.artifacts, a.prefix)
				t.Logf("%d runs are shown", shown.runs())
				mustShowWholeRuns(t, whole, shown)
			}
			grow()
			load(t, a, at.uri, false)
			mustHold(t, whole, hold(t, at.uri, at.artifacts, a.prefix))
			db.Close()
		})
	}
}

func databaseIn(dir, artifacts string) place {
	return place{uri: sqliteURI(dir), artifacts: filepath.Join(artifacts, "runs")}
}

// mustFail loads, and wants exit code 1 and a plain message.
func mustFail(t *testing.T, a archiveDirs, uri, want string) {
	t.Helper()
	code, out := run(t, a.loadArgs(uri)...)
	mustSay(t, code, out, want)
}

func mustSay(t *testing.T, code int, out, want string) {
	t.Helper()
	if code != exitFailed || !strings.Contains(out, want) || strings.Contains(out, "goroutine") {
		t.Errorf("exit %d, want %d and %q:\n%s", code, exitFailed, want, out)
	}
	t.Log(strings.TrimSpace(out))
}

// TestNotPermitted loads as a user who may not write.
func TestNotPermitted(t *testing.T) {
	venv(t, envMLflow3)
	first := plain(t, "1x1x1", "first/")
	a := plain(t, databaseShape, "denied/")
	for _, c := range []struct {
		name, want string
		loaded     bool        // there is a database
		file, dir  os.FileMode // its permissions
	}{
		{"read-only file", "cannot be written: check its permissions", true, 0o444, 0o777},
		{"read-only directory", "cannot be written: check its permissions", true, 0o666, 0o555},
		{"no database", "check its permissions", false, 0, 0o555},
		{"unreadable file", "check its permissions", true, 0o000, 0o777},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			at := databaseIn(dir, t.TempDir())
			before := [sha256.Size]byte{}
			if c.loaded {
				first.artifacts = at.artifacts
				load(t, first, at.uri, false)
				before = fileDigest(t, sqliteFile(dir))
				chmod(t, sqliteFile(dir), c.file)
			}
			chmod(t, dir, c.dir)
			a.artifacts = at.artifacts
			code, out := runUnprivileged(t, a, at.uri)
			mustSay(t, code, out, c.want)
			if c.loaded && fileDigest(t, sqliteFile(dir)) != before {
				t.Error("the database was changed")
			}
		})
	}
}

// TestArtifactsNotPermitted may write the database, and not where artifacts are.
func TestArtifactsNotPermitted(t *testing.T) {
	venv(t, envMLflow3)
	dir, artifacts := t.TempDir(), t.TempDir()
	chmod(t, dir, 0o777)
	chmod(t, artifacts, 0o555)
	a := plain(t, "1x1x1", "denied/")
	a.artifacts = filepath.Join(artifacts, "runs")
	code, out := runUnprivileged(t, a, sqliteURI(dir))
	mustSay(t, code, out, "permission denied")
	if shown := hold(t, sqliteURI(dir), a.artifacts, a.prefix); shown.runs() != 0 {
		t.Errorf("runs are shown without their files: %v", shown)
	}
}

func fileDigest(t *testing.T, path string) [sha256.Size]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(b)
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(path, 0o755) })
}

// runUnprivileged loads as a user for whom permissions count, which they do not for root.
func runUnprivileged(t *testing.T, a archiveDirs, uri string) (code int, out string) {
	t.Helper()
	cmd, said := command(t.Context(), t, a.loadArgs(uri)...)
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: nobody(t)}
		cmd.Env = append(cmd.Env, "HOME=/nonexistent")
		for _, path := range []string{binary(t), a.data, a.artifacts, strings.TrimPrefix(uri, "sqlite:///")} {
			openParents(t, path)
		}
	}
	cmd.Dir = "/"
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), said.String()
}

func nobody(t *testing.T) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Skipf("there is no user without rights: %v", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// openParents lets everybody through the temporary directories above a path.
func openParents(t *testing.T, path string) {
	t.Helper()
	temporary := filepath.Clean(os.TempDir())
	for dir := filepath.Dir(path); strings.HasPrefix(dir, temporary+"/"); dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			continue
		}
		if err := os.Chmod(dir, info.Mode().Perm()|0o011); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOtherRevision loads into databases of an MLflow that the command does not know: nothing is written, and it
// says what to do.
func TestOtherRevision(t *testing.T) {
	venv(t, envMLflow3)
	for _, kind := range kinds {
		for revision, want := range map[string]string{
			"acf3f17fdcc7": "mlflow db upgrade", // of 2.9.2
			"ffffffffffff": "newer than MLflow",
		} {
			t.Run(kind.name+" "+revision, func(t *testing.T) {
				at := kind.open(t)
				a := plain(t, "1x1x1", "other revision/")
				a.artifacts = at.artifacts
				load(t, a, at.uri, false)
				db := openDatabase(t, at.uri)
				if _, err := db.ExecContext(t.Context(), "UPDATE alembic_version SET version_num = '"+revision+"'"); err != nil {
					t.Fatal(err)
				}
				before := hold(t, at.uri, at.artifacts, "")
				more := plain(t, "2x1x1", "other revision/")
				more.artifacts = at.artifacts
				mustFail(t, more, at.uri, want)
				mustHold(t, before, hold(t, at.uri, at.artifacts, ""))
				if n := number(t, db, hiddenRuns); n != 0 {
					t.Errorf("%d hidden runs were written", n)
				}
			})
		}
	}
}
