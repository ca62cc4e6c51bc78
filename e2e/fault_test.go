//go:build unix

package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
)

const (
	faultShape = "3x4x60" // runs, series, points
	maxLoads   = 20       // that a disturbed archive may take
)

// TestFaultyServer loads through a proxy that answers wrongly or not at all now and then, until a
// load says that all is moved: then all is there, and nothing twice.
func TestFaultyServer(t *testing.T) {
	url := sharedServer(t, envMLflow3, false)
	t.Parallel()
	for seed := uint64(1); seed <= 4; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			a := plain(t, faultShape, fmt.Sprintf("faulty %d/", seed))
			p := newProxy(t, url, seeded(seed, 6))
			loads := loadUntilMoved(t, a, p.URL)
			total, done := p.requests()
			t.Logf("%d loads, %d requests, faults by kind: %v", loads, total, done)
			if total == done[none] {
				t.Error("there was no fault: choose another seed")
			}
			mustEqual(t, a, url)
		})
	}
}

// TestEachFault does each of the faults to the first request of each kind: the ways in which one
// request can go wrong, where it matters what reached the server.
func TestEachFault(t *testing.T) {
	url := sharedServer(t, envMLflow3, false)
	t.Parallel()
	for f := none + 1; f < faults; f++ {
		t.Run(fmt.Sprint("fault ", f), func(t *testing.T) {
			a := plain(t, "2x2x10", fmt.Sprintf("fault %d/", f))
			done := map[string]bool{}
			p := newProxy(t, url, func(_ int, r *http.Request) fault {
				kind := r.Method + requestKind(r.URL.Path)
				if done[kind] {
					return none
				}
				done[kind] = true
				return f
			})
			t.Logf("%d loads, faults on %d kinds of request", loadUntilMoved(t, a, p.URL), len(done))
			mustEqual(t, a, url)
		})
	}
}

// requestKind is the path without what differs between runs.
func requestKind(path string) string {
	const artifacts = "/api/2.0/mlflow-artifacts/artifacts"
	if len(path) > len(artifacts) && path[:len(artifacts)] == artifacts {
		return artifacts
	}
	return path
}

// loadUntilMoved loads again and again, as a person would, and gives the number of loads.
func loadUntilMoved(t *testing.T, a archiveDirs, url string) int {
	t.Helper()
	for n := 1; n <= maxLoads; n++ {
		code, out := run(t, a.loadArgs(url)...)
		switch code {
		case exitMoved:
			return n
		case 1:
			t.Logf("load %d: %s", n, out)
		default:
			t.Fatalf("load %d ended with %d:\n%s", n, code, out)
		}
	}
	t.Fatalf("not moved after %d loads", maxLoads)
	return 0
}

// TestKilled ends the command at random requests, by kill -9 or as Ctrl-C does, and then lets it
// finish.
func TestKilled(t *testing.T) {
	url := sharedServer(t, envMLflow3, false)
	t.Parallel()
	total := countRequests(t, url)
	for name, signal := range map[string]os.Signal{"kill": syscall.SIGKILL, "interrupt": syscall.SIGINT} {
		for seed := uint64(1); seed <= 3; seed++ {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				a := plain(t, faultShape, fmt.Sprintf("%s %d/", name, seed))
				random := rand.New(rand.NewPCG(seed, 2))
				var proxies []*proxy
				for range 4 {
					at := 1 + random.IntN(total)
					code, p := killedLoad(t, a, url, at, signal)
					proxies = append(proxies, p)
					t.Logf("%v at request %d: exit %d", signal, at, code)
				}
				load(t, a, url, false)
				if signal == syscall.SIGKILL {
					// A server that is busy may still have carried out requests of the killed loads, and made a run
					// that they could not know of any more. The next load sees it.
					for _, p := range proxies {
						p.Close() // waits until all is answered
					}
					load(t, a, url, false)
				}
				mustEqual(t, a, url)
			})
		}
	}
}

// countRequests says how many requests one undisturbed load takes.
func countRequests(t *testing.T, url string) int {
	t.Helper()
	p := newProxy(t, url, func(int, *http.Request) fault { return none })
	a := plain(t, faultShape, "count/")
	load(t, a, p.URL, false)
	total, _ := p.requests()
	return total
}

// killedLoad runs a load and sends the signal when it makes its at-th request. That request is
// forwarded or not, by its number.
func killedLoad(t *testing.T, a archiveDirs, url string, at int, signal os.Signal) (code int, p *proxy) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	var process *os.Process
	ready := make(chan struct{})
	p = newProxy(t, url, func(number int, _ *http.Request) fault {
		if number != at {
			return none
		}
		<-ready
		process.Signal(signal)
		if at%2 == 0 {
			return cutBefore
		}
		return cutAfter
	})
	cmd, out := command(ctx, t, a.loadArgs(p.URL)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	process = cmd.Process
	close(ready)
	cmd.Wait()
	seen, _ := p.requests()
	code = cmd.ProcessState.ExitCode()
	// A load that had less to do than the request's number ends by itself.
	if signal == syscall.SIGINT && seen >= at && code != 130 && code != exitMoved {
		t.Errorf("interrupted at request %d of %d: exit %d, want 130:\n%s", at, seen, code, out)
	}
	return code, p
}

// TestServerRestart crashes the server in the middle of a load and starts it again.
func TestServerRestart(t *testing.T) {
	t.Parallel()
	s := ownServer(t, envMLflow3)
	a := plain(t, faultShape, "restart/")
	restart := make(chan struct{})
	var once sync.Once
	var restarted sync.WaitGroup
	p := newProxy(t, s.URL(), func(number int, _ *http.Request) fault {
		if number == 25 {
			once.Do(func() { close(restart) })
			return cutAfter
		}
		return none
	})
	restarted.Go(func() {
		<-restart
		if err := s.Restart(); err != nil {
			t.Error(err)
		}
	})
	loads := loadUntilMoved(t, a, p.URL)
	once.Do(func() { close(restart) })
	restarted.Wait()
	if total, _ := p.requests(); total < 25 {
		t.Errorf("only %d requests: the server was not restarted during the load", total)
	}
	t.Logf("%d loads", loads)
	mustEqual(t, a, s.URL())
}
