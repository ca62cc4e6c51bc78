//go:build unix

// Command bench measures whole loads and prints them as ratios of one run, so that the figures of
// two machines can be compared: the time to send 100,000 points to a real MLflow against a bare client
// that replays the same bodies, what the check adds, the peak memory of small and large loads
// against a server that discards everything, exports from a fake Neptune of each generation, and loads straight into
// databases. The arguments choose among memory, export, export2, rest and databases.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nexport-go/migrate/e2e/internal/mlflowserver"
)

const (
	series = 25
	runs   = 20
	rounds = 3
	jobs   = 4
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == serveArg {
		if err := serve(os.Args[2], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "fake Neptune:", err)
			os.Exit(1)
		}
		return
	}
	if err := bench(os.Getenv("NEXPORT_TEST_MLFLOW3"), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bencher holds what all measurements need.
type bencher struct {
	environment, dir, binary string
	exports                  int           // so far
	start                    time.Duration // of the command
}

// bench measures the parts of these names, or all.
func bench(environment string, parts []string) error {
	exportOnly := len(parts) > 0 && !slices.ContainsFunc(parts, func(p string) bool { return !strings.HasPrefix(p, "export") })
	if environment == "" && !exportOnly {
		return errors.New("NEXPORT_TEST_MLFLOW3 does not name a Python environment: run make bench")
	}
	dir, err := os.MkdirTemp("", "nexport-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bencher{environment: environment, dir: dir, binary: filepath.Join(dir, "nexport")}
	if out, err := exec.Command("go", "build", "-o", b.binary, "./cmd/nexport").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	for _, part := range []struct {
		name    string
		measure func() error
	}{{"memory", b.memory}, {"export", b.exports3}, {"export2", b.exports2}, {"rest", b.speed}, {"databases", b.databases}} {
		if len(parts) > 0 && !slices.Contains(parts, part.name) {
			continue
		}
		if err := part.measure(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// archive writes an archive of usual metrics and gives its directory.
func (b *bencher) archive(name string, points int) (string, error) {
	return b.archiveOf(name, runs, series, points)
}

func (b *bencher) archiveOf(name string, runs, series, points int) (string, error) {
	dir := filepath.Join(b.dir, name)
	python := filepath.Join(b.environment, "bin", "python")
	cmd := exec.Command(python, "e2e/bench/points.py", dir, fmt.Sprint(runs), fmt.Sprint(series), fmt.Sprint(points))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("write an archive: %w\n%s", err, out)
	}
	return dir, nil
}

// load runs the command and gives the time it took and its peak memory in bytes.
func (b *bencher) load(archive, url, prefix string, more ...string) (time.Duration, int64, error) {
	args := append([]string{
		"load", "--data-path", filepath.Join(archive, "data"), "--files-path", filepath.Join(archive, "files"),
		"--mlflow-tracking-uri", url, "--name-prefix", prefix, "--jobs", fmt.Sprint(jobs),
	}, more...)
	cmd := exec.Command(b.binary, args...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("load: %w\n%s", err, out)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return time.Since(start), usage.Maxrss * maxrssUnit, nil
}

// speed loads 100,000 points with and without the check, and replays what the load sent. Each time the server
// and its database are new: to read one metric of one run SQLite goes through that metric of all runs.
func (b *bencher) speed() error {
	archive, err := b.archive("small", 200)
	if err != nil {
		return err
	}
	var sent *tape
	if _, err := b.serve("record", nil, func(url string) (_ time.Duration, err error) {
		sent, err = b.record(archive, url)
		return 0, err
	}); err != nil {
		return err
	}
	load := func(more ...string) func(string) (time.Duration, error) {
		return func(url string) (time.Duration, error) {
			took, _, err := b.load(archive, url, "", more...)
			return took, err
		}
	}
	best := [3]time.Duration{}
	for round := range rounds {
		for i, measure := range []func(url string) (time.Duration, error){
			func(url string) (time.Duration, error) { return sent.replay(url, "bare", runs) }, load("--no-check"), load(),
		} {
			took, err := b.serve(fmt.Sprintf("server %d %d", round, i), sent, measure)
			if err != nil {
				return err
			}
			if best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	bare, unchecked, checked := best[0].Seconds(), best[1].Seconds(), best[2].Seconds()
	fmt.Printf("100,000 points into MLflow 3.x on SQLite, %d jobs, best of %d\n", jobs, rounds)
	fmt.Printf("  bare client replaying the same bodies  %6.2f s  1.00\n", bare)
	fmt.Printf("  nexport load --no-check                %6.2f s  %.2f of it (goal <= 1.15)\n", unchecked, unchecked/bare)
	fmt.Printf("  nexport load                           %6.2f s  +%.0f %% for the check (goal <= 25 %%)\n", checked, 100*(checked-unchecked)/unchecked)
	return nil
}

// serve measures against a new server, which has taken a run before if there is something to send: the first
// requests take Python longer.
func (b *bencher) serve(name string, warm *tape, measure func(url string) (time.Duration, error)) (time.Duration, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	server, err := mlflowserver.Start(b.environment, dir, false)
	if err != nil {
		return 0, err
	}
	defer server.Stop()
	if warm != nil {
		if _, err := warm.replay(server.URL(), "warm", 1); err != nil {
			return 0, err
		}
	}
	return measure(server.URL())
}

// memory loads into a server that discards everything, and into a database. A process begins with the peak of
// the one that started it, so this comes before anything large.
func (b *bencher) memory() error {
	url, stop := discard()
	defer stop()
	fmt.Printf("peak memory (goal <= 256 MiB, flat)\n")
	for _, m := range []struct {
		to                   string
		runs, series, points int
	}{
		{"rest", runs, series, 200},
		{"rest", runs, series, 40_000},
		{"sqlite", runs, series, 200},
		{"sqlite", runs, series, 8_000},
		{"sqlite", jobs, 50_000, 4},
	} {
		name := fmt.Sprintf("memory %s %d %d", m.to, m.series, m.points)
		archive, err := b.archiveOf(name, m.runs, m.series, m.points)
		if err != nil {
			return err
		}
		uri, args := url, []string{"--no-check"}
		if m.to == "sqlite" {
			uri, args = "sqlite:///"+filepath.Join(b.dir, name+".db"), []string{"--artifacts-dir", b.dir}
		}
		took, peak, err := b.load(archive, uri, name, args...)
		if err != nil {
			return err
		}
		total := m.runs * m.series * m.points
		fmt.Printf("  %-6s  %10d points in %6d series of %2d runs  %4d MiB  %8.0f points/s\n",
			m.to, total, m.runs*m.series, m.runs, peak>>20, float64(total)/took.Seconds())
		os.RemoveAll(archive)
	}
	return nil
}

func drain(r io.ReadCloser) {
	io.Copy(io.Discard, r)
	r.Close()
}
