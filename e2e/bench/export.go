//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// cost is what a command took.
type cost struct {
	time, processor time.Duration
	peak            int64 // bytes
}

// better is the lower of each.
func (c cost) better(o cost) cost {
	if c.time == 0 {
		return o
	}
	return cost{min(c.time, o.time), min(c.processor, o.processor), max(c.peak, o.peak)}
}

// exports measures exports: of points, against a client that only reads the answers, and of many runs.
func (b *bencher) exports() error {
	fmt.Printf("export from a fake Neptune in a process of its own, %d jobs, best of %d, peak memory the worst\n", jobs, rounds)
	for _, from := range []struct {
		name string
		keep bool
	}{{"points made when they are asked for (goal <= 2 times the bare client, <= 256 MiB, flat)", false}, {"answers made beforehand, which cost the server nothing", true}} {
		fmt.Printf("  %s\n", from.name)
		for _, s := range []size{{20, 25, 2_000}, {20, 25, 20_000}, {1, 10, 1_000_000}} {
			if err := b.points(s, from.keep); err != nil {
				return err
			}
		}
	}
	fmt.Printf("  many runs, once; the second export finds all of them finished (goal <= 60 s for 100,000, flat)\n")
	for _, runs := range []int{10_000, 100_000} {
		if err := b.manyRuns(runs); err != nil {
			return err
		}
	}
	return nil
}

// points exports a project a few times.
func (b *bencher) points(s size, keep bool) error {
	n, err := startNeptune(s, keep)
	if err != nil {
		return err
	}
	defer n.stop()
	dir := filepath.Join(b.dir, "exported")
	if _, err := b.export(n, dir); err != nil { // the fake has to count each series once
		return err
	}
	calls, err := n.tape()
	if err != nil {
		return err
	}
	var ours, bare cost
	for range rounds {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		took, err := n.bare(calls, min(jobs, s.runs)) // an export asks for one thing at a time in each run
		if err != nil {
			return err
		}
		exported, err := b.export(n, dir)
		if err != nil {
			return err
		}
		bare, ours = bare.better(cost{time: took}), ours.better(exported)
	}
	fmt.Printf("    %4d runs, %8d points each of %3d series: bare %6.2f s, export %6.2f s, %5.2f of it, %4d MiB, %4.1f M points/s of processor\n",
		s.runs, s.points, s.series, bare.time.Seconds(), ours.time.Seconds(), ours.time.Seconds()/bare.time.Seconds(), ours.peak>>20,
		float64(s.total())/ours.processor.Seconds()/1e6)
	return os.RemoveAll(dir)
}

// manyRuns exports tiny runs twice.
func (b *bencher) manyRuns(runs int) error {
	n, err := startNeptune(size{runs, 1, 10}, false)
	if err != nil {
		return err
	}
	defer n.stop()
	dir := filepath.Join(b.dir, "exported")
	first, err := b.export(n, dir)
	if err != nil {
		return err
	}
	second, err := b.export(n, dir)
	if err != nil {
		return err
	}
	fmt.Printf("    %7d runs: first export %7.1f s, %4d MiB; second %6.2f s, %4d MiB\n",
		runs, first.time.Seconds(), first.peak>>20, second.time.Seconds(), second.peak>>20)
	return os.RemoveAll(dir)
}

// export exports the project of a fake Neptune into a directory.
func (b *bencher) export(n *neptune, dir string) (cost, error) {
	cmd := exec.Command(b.binary, "export", "-p", "bench/"+projectName, "--neptune-url", n.URL, "--jobs", fmt.Sprint(jobs),
		"--data-path", filepath.Join(dir, "data"), "--files-path", filepath.Join(dir, "files"))
	cmd.Env = append(os.Environ(), "NEPTUNE_API_TOKEN="+n.Token)
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return cost{}, fmt.Errorf("export: %w\n%s", err, out)
	}
	took := time.Since(begun)
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return cost{took, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), usage.Maxrss * maxrssUnit}, nil
}
