//go:build unix

package e2e_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nexport-go/migrate/internal/postgres"
)

const databaseShape = "8x4x1000" // runs, series, points

// kinds are the databases of the faults, new and empty.
var kinds = []struct {
	name string
	open func(t *testing.T) place
}{{"sqlite", newSQLite}, {"postgres", newPostgres}}

// undisturbed gives what a load leaves in a database of its own that nothing disturbs, and how many rows
// written counts there.
func undisturbed(t *testing.T, open func(*testing.T) place, shape string) (whole held, rows int) {
	t.Helper()
	at := open(t)
	a := plain(t, shape, "")
	a.artifacts = at.artifacts
	load(t, a, at.uri, false)
	whole = hold(t, at.uri, at.artifacts, a.prefix)
	delete(whole, "Default\t") // which is not of the archive
	return whole, written(t, openDatabase(t, at.uri), at.uri)
}

// TestKilledDatabase ends loads at random moments, by kill -9 or as Ctrl-C does. Whatever the moment, no run
// is shown in part, and a last load leaves what one that nobody disturbed does.
func TestKilledDatabase(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			at := kind.open(t)
			t.Parallel()
			whole, rows := undisturbed(t, kind.open, databaseShape)
			db := openDatabase(t, at.uri)
			ended := map[int]int{} // by exit code
			for seed := uint64(1); seed <= 3; seed++ {
				a := plain(t, databaseShape, fmt.Sprintf("killed %d/", seed))
				a.artifacts = at.artifacts
				random := rand.New(rand.NewPCG(seed, 3))
				for n := range 4 {
					signal := []os.Signal{syscall.SIGKILL, os.Interrupt}[n%2]
					code := killed(t, a, at.uri, db, random.IntN(rows/4), time.Duration(random.Int64N(int64(20*time.Millisecond))), signal)
					t.Logf("%v: exit %d", signal, code)
					ended[code]++
					mustBeSound(t, db, at.uri)
					if hasTables(t, db, at.uri) {
						mustShowWholeRuns(t, whole, hold(t, at.uri, at.artifacts, a.prefix))
					}
				}
				load(t, a, at.uri, false)
				mustHold(t, whole, hold(t, at.uri, at.artifacts, a.prefix))
			}
			if n := number(t, db, hiddenRuns); n != 0 {
				t.Errorf("%d hidden runs are left", n)
			}
			t.Logf("exit codes: %v", ended)
			if ended[-1] == 0 || ended[exitInterrupted] == 0 {
				t.Error("no load was killed, or none interrupted")
			}
			mustEqual(t, plain(t, databaseShape, "killed 1/"), at.serve(t))
		})
	}
}

// killed starts a load, and sends it a signal a little after it has written some rows. It gives the exit code, which
// is -1 after kill -9.
func killed(t *testing.T, a archiveDirs, uri string, db *sql.DB, rows int, later time.Duration, signal os.Signal) int {
	t.Helper()
	enough := written(t, db, uri) + rows
	code, out := signalLoad(t, a, uri, signal, func() bool {
		if written(t, db, uri) < enough {
			return false
		}
		time.Sleep(later)
		return true
	})
	if code == exitMoved || code == exitInterrupted && signal == os.Interrupt || code == -1 && (signal == syscall.SIGKILL || rows == 0) {
		return code
	}
	t.Errorf("%v: exit %d:\n%s", signal, code, out)
	return code
}

// written counts rows that each step of a load adds to.
func written(t *testing.T, db *sql.DB, uri string) int {
	if !hasTables(t, db, uri) {
		return 0
	}
	return number(t, db, `SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM tags) + (SELECT count(*) FROM params) + (SELECT count(*) FROM latest_metrics)`)
}

// hiddenRuns counts the runs that are not shown because their load did not end.
const hiddenRuns = `SELECT count(*) FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid WHERE t.key = 'nexport.hidden'`

// hasTables reports that the database is there.
func hasTables(t *testing.T, db *sql.DB, uri string) bool {
	query := `SELECT count(*) FROM pg_class WHERE relname = 'runs'`
	if strings.HasPrefix(uri, "sqlite:") {
		query = `SELECT count(*) FROM sqlite_master WHERE name = 'runs'`
	}
	return number(t, db, query) > 0
}

// signalLoad starts a load, sends it a signal when a condition holds, and waits for its end.
func signalLoad(t *testing.T, a archiveDirs, uri string, signal os.Signal, when func() bool) (code int, out string) {
	t.Helper()
	cmd, said := command(t.Context(), t, a.loadArgs(uri)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait()
	}()
	within(t, "the load comes to its point, or ends", func() bool {
		select {
		case <-ended:
			return true
		default:
			return when()
		}
	})
	cmd.Process.Signal(signal)
	<-ended
	return cmd.ProcessState.ExitCode(), said.String()
}

// TestTwoLoads loads an archive twice at the same time, into a database that neither finds, and then under
// other names into one that is there.
func TestTwoLoads(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			whole, _ := undisturbed(t, kind.open, databaseShape)
			for round := range 2 {
				at := kind.open(t)
				for again := range 2 {
					a := plain(t, databaseShape, fmt.Sprintf("two %d %d/", round, again))
					a.artifacts = at.artifacts
					loadTwice(t, a, at.uri)
					mustHold(t, whole, hold(t, at.uri, at.artifacts, a.prefix))
				}
				mustBeSound(t, openDatabase(t, at.uri), at.uri)
			}
		})
	}
}

// loadTwice runs two commands at the same time.
func loadTwice(t *testing.T, a archiveDirs, uri string) {
	t.Helper()
	first, firstSaid := command(t.Context(), t, a.loadArgs(uri)...)
	second, secondSaid := command(t.Context(), t, a.loadArgs(uri)...)
	for _, cmd := range []interface{ Start() error }{first, second} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for cmd, said := range map[interface{ Wait() error }]*bytes.Buffer{first: firstSaid, second: secondSaid} {
		if err := cmd.Wait(); err != nil {
			t.Errorf("one of two loads: %v\n%s", err, said)
		}
	}
}

// TestPostgresRestart crashes the database server in the middle of a load and starts it again.
func TestPostgresRestart(t *testing.T) {
	venv(t, envMLflow3)
	server, err := postgres.Start(postgres.Programs(t), postgres.Options{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	uri, err := server.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	whole, _ := undisturbed(t, newPostgres, databaseShape)
	a := plain(t, databaseShape, "restart/")
	a.artifacts = filepath.Join(t.TempDir(), "runs")
	load(t, plain(t, "1x1x1", "first/"), uri, false, "--artifacts-dir", a.artifacts)
	db := openDatabase(t, uri)
	cmd, said := command(t.Context(), t, a.loadArgs(uri)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	within(t, "the load has written points", func() bool { return number(t, db, "SELECT count(*) FROM metrics") > 1 })
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	t.Logf("exit %d: %s", cmd.ProcessState.ExitCode(), said)
	switch cmd.ProcessState.ExitCode() {
	case exitMoved:
	case exitFailed:
		load(t, a, uri, false)
	default:
		t.Fatalf("the load ended with %d:\n%s", cmd.ProcessState.ExitCode(), said)
	}
	mustHold(t, whole, hold(t, uri, a.artifacts, a.prefix))
}

// TestGarbageCollection leaves a run half loaded: a server shows nothing of it, "mlflow gc" removes it, and the
// next load brings it again.
func TestGarbageCollection(t *testing.T) {
	for _, env := range []string{envMLflow3, envMLflow2} {
		t.Run(strings.ToLower(env[len(env)-7:]), func(t *testing.T) {
			at := sqliteOf(env)(t)
			t.Parallel()
			whole, _ := undisturbed(t, sqliteOf(env), databaseShape)
			a := plain(t, databaseShape, "gc/")
			a.artifacts = at.artifacts
			db := openDatabase(t, at.uri)
			signalLoad(t, a, at.uri, syscall.SIGKILL, func() bool { return number(t, db, hiddenRuns) > 0 && number(t, db, "SELECT count(*) FROM metrics") > 0 })
			hidden := number(t, db, hiddenRuns)
			if hidden == 0 {
				t.Fatal("no run is half loaded")
			}
			url := at.serve(t)
			mustShowFinished(t, url)
			shown := hold(t, at.uri, at.artifacts, a.prefix)
			out := mlflowCommand(t, env, url, "gc", "--backend-store-uri", at.uri)
			t.Logf("%d hidden runs; mlflow gc says:\n%s", hidden, out)
			if n := number(t, db, hiddenRuns); n != 0 {
				t.Errorf("mlflow gc leaves %d hidden runs", n)
			}
			mustHold(t, shown, hold(t, at.uri, at.artifacts, a.prefix))
			load(t, a, at.uri, false)
			mustHold(t, whole, hold(t, at.uri, at.artifacts, a.prefix))
			mustEqual(t, a, url)
		})
	}
}

// mustShowFinished asks a server for all runs, deleted ones too: none may be unfinished.
func mustShowFinished(t *testing.T, url string) {
	t.Helper()
	ids := []string{}
	found := post(t, url, "experiments/search", map[string]any{"max_results": 1000, "view_type": "ALL"})
	for _, e := range found["experiments"].([]any) {
		ids = append(ids, e.(map[string]any)["experiment_id"].(string))
	}
	for _, view := range []string{"ALL", "ACTIVE_ONLY", "DELETED_ONLY"} {
		found := post(t, url, "runs/search", map[string]any{"experiment_ids": ids, "run_view_type": view, "max_results": 1000})
		runs, _ := found["runs"].([]any)
		for _, run := range runs {
			if info := run.(map[string]any)["info"].(map[string]any); info["status"] != "FINISHED" || info["lifecycle_stage"] != "active" {
				t.Errorf("view %s shows a half loaded run: %v", view, info)
			}
		}
		t.Logf("view %s: %d runs", view, len(runs))
	}
}
