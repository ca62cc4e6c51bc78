//go:build unix

package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// TestMigrateKilled kills migrations while they export, while they load, and in between. At the end the archive and
// the database are those of one that nothing disturbed.
func TestMigrateKilled(t *testing.T) { eachGeneration(t, testMigrateKilled) }

func testMigrateKilled(t *testing.T, g generation) {
	at := newSQLite(t)
	n := g.serve(t)
	mustMigrate(t, n, at)
	archive, database := archivedIn(t, n.dir), hold(t, at.uri, at.artifacts, "")
	if len(completeOf(archive)) != database.runs() {
		t.Fatalf("%d runs in the archive, %d in the database", len(archive), database.runs())
	}
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			at, n := newSQLite(t), g.serve(t)
			random := rand.New(rand.NewPCG(seed, 4))
			for range 3 {
				signal := []syscall.Signal{syscall.SIGKILL, syscall.SIGINT}[random.IntN(2)]
				killedMigration(t, n, at, signal, random)
				mustBeWholeRuns(t, archive, archivedIn(t, n.dir))
				mustBeSound(t, openDatabase(t, at.uri), at.uri)
			}
			n.SetFault(nil)
			mustMigrate(t, n, at)
			mustEqualArchives(t, archive, archivedIn(t, n.dir))
			mustHold(t, database, hold(t, at.uri, at.artifacts, ""))
		})
	}
}

// mustBeWholeRuns wants what looks complete to be so.
func mustBeWholeRuns(t *testing.T, want, now map[string]archivedRun) {
	t.Helper()
	r := faultRound{t: t, want: want, count: &tallies{}}
	r.mustBeWhole(now)
}

func migrateArgs(at place) []string {
	return []string{"--mlflow-tracking-uri", at.uri, "--artifacts-dir", at.artifacts}
}

func mustMigrate(t *testing.T, n neptuneSource, at place) {
	t.Helper()
	if code, out := n.run(t, "migrate", migrateArgs(at)...); code != exitMoved {
		t.Fatalf("migrate ended with %d:\n%s", code, out)
	}
}

// killedMigration ends a migration some time after it began to read.
func killedMigration(t *testing.T, n neptuneSource, at place, signal syscall.Signal, random *rand.Rand) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd, out := n.command(ctx, t, "migrate", migrateArgs(at)...)
	late := time.Duration(random.IntN(200)) * time.Millisecond
	ready := make(chan struct{})
	var once sync.Once
	n.SetFault(func(int, *http.Request) neptunetest.Fault {
		once.Do(func() {
			<-ready
			time.AfterFunc(late, func() { _ = cmd.Process.Signal(signal) })
		})
		return neptunetest.Fault{}
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(ready)
	_ = cmd.Wait() // the code says more
	code := cmd.ProcessState.ExitCode()
	t.Logf("signal %d after %v: exit %d", signal, late, code)
	if code != exitMoved && code != -1 && code != exitInterrupted {
		t.Errorf("the migration ended with %d:\n%s", code, out)
	}
}
