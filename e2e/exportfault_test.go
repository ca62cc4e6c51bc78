//go:build unix

package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nexport-go/migrate/neptune/neptunetest"
)

const (
	faultRounds  = 100 // of each generation
	roundsAtOnce = 12
)

// TestExportFaults exports through faults and kills at random, with flags at random, and at last without any of them:
// the archive is that of an export that nothing disturbed, and at no time is there a run that
// looks complete and is not. The number of a round is its seed.
func TestExportFaults(t *testing.T) { eachGeneration(t, testExportFaults) }

func testExportFaults(t *testing.T, g generation) {
	n := g.serve(t)
	n.export(t, exitMoved, nil)
	want := archivedIn(t, n.dir)
	if p := g.project(t); len(want) != len(p.Runs)+len(p.Models)+len(p.ModelVersions) {
		t.Fatalf("%d runs in the archive", len(want))
	}
	binary(t)
	var count tallies
	seeds := make(chan uint64)
	var rounds sync.WaitGroup
	for range roundsAtOnce {
		rounds.Go(func() {
			for seed := range seeds {
				if t.Failed() {
					continue
				}
				r := &faultRound{t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 3)), neptune: g.serve(t), want: want, count: &count}
				r.run()
			}
		})
	}
	for seed := range uint64(faultRounds) {
		seeds <- seed
	}
	close(seeds)
	rounds.Wait()
	t.Log(count.String())
	if count.faults < faultRounds || count.kills < faultRounds/4 || count.interrupts < faultRounds/4 || count.torn == 0 {
		t.Error("the rounds were too quiet")
	}
}

// tallies say what the rounds were like.
type tallies struct {
	sync.Mutex
	exports, faults, kills, interrupts, torn int
}

func (c *tallies) add(n *int, by int) {
	c.Lock()
	defer c.Unlock()
	*n += by
}

func (c *tallies) String() string {
	return fmt.Sprintf("%d disturbed exports with %d faults, %d kills, %d interrupts; %d times there was something of a run that was not whole",
		c.exports, c.faults, c.kills, c.interrupts, c.torn)
}

// faultRound is one archive's story.
type faultRound struct {
	t       *testing.T
	seed    uint64
	random  *rand.Rand
	neptune neptuneSource
	want    map[string]archivedRun
	count   *tallies
}

func (r *faultRound) errorf(format string, args ...any) {
	r.t.Errorf("round %d: %s", r.seed, fmt.Sprintf(format, args...))
}

func (r *faultRound) run() {
	defer os.RemoveAll(r.neptune.dir)
	whole := map[string]archivedRun{}
	for range 1 + r.random.IntN(3) {
		signal := []syscall.Signal{0, syscall.SIGKILL, syscall.SIGINT}[r.random.IntN(3)]
		r.disturbed(signal)
		now := archivedIn(r.t, r.neptune.dir)
		r.mustBeWhole(now)
		for id := range whole {
			if !now[id].complete && !(signal == syscall.SIGKILL && now[id].renaming) {
				r.errorf("%q was complete, and is not any more", id)
			}
		}
		whole = completeOf(now)
	}
	r.neptune.SetFault(nil)
	code, out := r.neptune.run(r.t, "export")
	if code != exitMoved {
		r.errorf("the last export ended with %d:\n%s", code, out)
	}
	now := archivedIn(r.t, r.neptune.dir)
	r.mustBeWhole(now)
	if len(completeOf(now)) != len(r.want) {
		r.errorf("%d runs are complete, want %d", len(completeOf(now)), len(r.want))
	}
	for _, name := range leftovers(r.t, r.neptune.dir) {
		r.errorf("%s was left", name)
	}
}

func completeOf(runs map[string]archivedRun) map[string]archivedRun {
	complete := map[string]archivedRun{}
	for id, run := range runs {
		if run.complete {
			complete[id] = run
		}
	}
	return complete
}

// mustBeWhole wants what looks complete to be so.
func (r *faultRound) mustBeWhole(now map[string]archivedRun) {
	for id, run := range now {
		if !run.complete {
			r.count.add(&r.count.torn, 1)
		}
		if !run.complete && !run.renaming {
			continue
		}
		if diff := cmp.Diff(r.want[id].content, run.content); diff != "" {
			r.errorf("%q looks complete and is not as it should be (-want +got):\n%.3000s", id, diff)
		}
	}
}

// flagsOfRounds are those of disturbed exports.
var flagsOfRounds = [][]string{
	nil, nil, nil,
	{"--overwrite"},
	{"--update", "--jobs", "1"},
	{"-c", "metrics", "--jobs", "16"},
	{"--exclude", "files"},
	{"-a", "^p/", "-a", "m/loss"},
	{"-r", "irst|FA-[12]"},
}

// disturbed is an export with faults, which is ended by a signal at some request, or soon after it.
func (r *faultRound) disturbed(signal syscall.Signal) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	every, at, late := 5+r.random.IntN(40), r.random.IntN(90), time.Duration(r.random.IntN(12))*time.Millisecond
	ready := make(chan struct{})
	flags := append([]string{"--timeout", "1s"}, flagsOfRounds[r.random.IntN(len(flagsOfRounds))]...)
	cmd, out := r.neptune.command(ctx, r.t, "export", flags...)
	seed := r.random.Uint64()
	r.neptune.SetFault(func(n int, request *http.Request) neptunetest.Fault {
		if n == at && signal != 0 {
			<-ready
			time.AfterFunc(late, func() { _ = cmd.Process.Signal(signal) })
		}
		f, is := randomFault(rand.New(rand.NewPCG(seed, uint64(n))), every, request)
		if is {
			r.count.add(&r.count.faults, 1)
		}
		return f
	})
	if err := cmd.Start(); err != nil {
		r.t.Error(err)
		return
	}
	close(ready)
	_ = cmd.Wait() // the code says more
	r.judge(signal, cmd.ProcessState.ExitCode(), out.String())
}

// judge looks at how an export ended.
func (r *faultRound) judge(signal syscall.Signal, code int, out string) {
	r.count.add(&r.count.exports, 1)
	switch {
	case code == -1 && signal == syscall.SIGKILL:
		r.count.add(&r.count.kills, 1)
	case code == exitInterrupted && signal == syscall.SIGINT:
		r.count.add(&r.count.interrupts, 1)
	case code != exitMoved && code != exitFailed && code != exitPartial || strings.Contains(out, "goroutine "):
		r.errorf("after signal %d the export ended with %d:\n%s", signal, code, out)
	}
}

// randomFault is a fault for one of so many requests.
func randomFault(random *rand.Rand, every int, r *http.Request) (f neptunetest.Fault, is bool) {
	if random.IntN(every) != 0 {
		return f, false
	}
	faults := []neptunetest.Fault{
		{Status: http.StatusTooManyRequests, RetryAfter: "0.05"},
		{Status: http.StatusInternalServerError},
		{Status: http.StatusBadGateway, Body: "<html>"},
		{Status: http.StatusServiceUnavailable, RetryAfter: "0.01"},
		{Reset: true},
		{Cut: true},
		{Delay: 20 * time.Millisecond},
		{Hang: true},
		{Slow: 3 * time.Millisecond, Cut: true},
		{ExpiredToken: true},
	}
	if strings.Contains(r.URL.Path, "/storage/") {
		faults = append(faults[:len(faults)-1], neptunetest.Fault{ExpiredLink: true}, neptunetest.Fault{ExpiredLink: true})
	}
	return faults[random.IntN(len(faults))], true
}

// TestExportPermanentFaults has a server that can never give one attribute: all else is exported, the report and
// the manifest name it, and when the server has recovered the run is completed.
func TestExportPermanentFaults(t *testing.T) { eachGeneration(t, testExportPermanentFaults) }

func testExportPermanentFaults(t *testing.T, g generation) {
	for _, c := range g.permanent {
		t.Run(fmt.Sprint(c.path, " ", c.fault.Status), func(t *testing.T) {
			t.Parallel()
			n := g.serve(t)
			n.export(t, exitMoved, nil)
			want, id := archivedIn(t, n.dir), g.ids[2]
			n = n.in(t.TempDir())
			n.SetFault(n.onlyFor(t, 3, c.path, c.fault))
			out := n.export(t, exitPartial, []string{"1 run partial", n.project + "/" + id + ": " + c.path})
			now := archivedIn(t, n.dir)
			mustLackOnly(t, want, now, id, c.path, c.code)
			n.export(t, exitPartial, []string{c.path}, "--overwrite") // does not make it worse
			mustLackOnly(t, want, archivedIn(t, n.dir), id, c.path, c.code)
			n.SetFault(nil)
			n.export(t, exitMoved, []string{"1 run exported", "5 runs there already"})
			mustEqualArchives(t, want, archivedIn(t, n.dir))
			t.Log(out)
		})
	}
}

// storedName is what the storage calls the files of an attribute.
var storedName = map[string]string{"f/a.txt": "a.txt", "f/a_txt": "a_.txt", "f/large": "large", "s/images": "i.png"}

// onlyFor is a fault for whatever is about an attribute of a run, by its number.
func (n neptuneSource) onlyFor(t testing.TB, number int, path string, f neptunetest.Fault) func(int, *http.Request) neptunetest.Fault {
	run := fmt.Sprint("FA-", number)
	if n.second {
		id, hash := n.uuid(t, run), fmt.Sprintf("%064d", number)
		return func(_ int, r *http.Request) neptunetest.Fault {
			query := r.URL.Query()
			ofList := query.Get("hash") == hash && path == "f/data"
			if query.Get("experimentId") == id && query.Get("attribute") == path || ofList {
				return f
			}
			return neptunetest.Fault{}
		}
	}
	return func(_ int, r *http.Request) neptunetest.Fault {
		body, _ := io.ReadAll(r.Body) // is in memory
		r.Body = io.NopCloser(bytes.NewReader(body))
		ofSeries := strings.Contains(r.URL.Path, "/series") && bytes.Contains(body, []byte(`"`+path+`"`)) && bytes.Contains(body, []byte(`"`+n.project+"/"+run+`"`))
		ofFile := strings.Contains(r.URL.Path, "/storage/") && strings.Contains(r.URL.Path, "/"+run+"/") && strings.HasSuffix(r.URL.Path, "-"+storedName[path])
		if ofSeries && storedName[path] == "" || ofFile {
			return f
		}
		return neptunetest.Fault{}
	}
}

// mustLackOnly wants an archive without one attribute, which the manifest names.
func mustLackOnly(t *testing.T, want, now map[string]archivedRun, id, path, code string) {
	t.Helper()
	for other, run := range want {
		if other != id {
			if diff := cmp.Diff(run.content, now[other].content); diff != "" {
				t.Errorf("%q (-want +got):\n%.2000s", other, diff)
			}
		}
	}
	got := now[id]
	if got.complete || len(got.manifest.Reasons) == 0 || len(got.manifest.Problems) == 0 {
		t.Errorf("the run counts as complete: %t, reasons %q, problems %v", got.complete, got.manifest.Reasons, got.manifest.Problems)
	}
	for _, p := range got.manifest.Problems {
		always := slices.Contains(want[id].manifest.Problems, p)
		if !always && (p.Path != path || string(p.Code) != code) {
			t.Errorf("the manifest names %+v, want %s, %s", p, path, code)
		}
	}
	without := slices.DeleteFunc(slices.Clone(want[id].content.Rows), func(row string) bool { return strings.Contains(row, path+"\t") })
	has := slices.DeleteFunc(slices.Clone(got.content.Rows), func(row string) bool { return strings.Contains(row, path+"\t") })
	if diff := cmp.Diff(without, has); diff != "" {
		t.Errorf("the rest of the run (-want +got):\n%.2000s", diff)
	}
	if len(without) == len(want[id].content.Rows) {
		t.Errorf("nothing of %s was there before", path)
	}
}
