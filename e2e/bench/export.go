//go:build unix

package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// cost is what a command took.
type cost struct {
	time, processor time.Duration
	peak            int64 // bytes
}

// round is one export, and the bare client right before it.
type round struct {
	bare time.Duration
	ours cost
}

func (r round) ratio() float64 { return r.ours.time.Seconds() / r.bare.Seconds() }

// middle is the round whose ratio is the median, with the worst peak of all: a machine that is busy for a while slows down
// both sides of a round, and the best times of many rounds come from different ones.
func middle(rounds []round) round {
	slices.SortFunc(rounds, func(a, b round) int { return cmp.Compare(a.ratio(), b.ratio()) })
	m := rounds[len(rounds)/2]
	for _, r := range rounds {
		m.ours.peak = max(m.ours.peak, r.ours.peak)
	}
	return m
}

// measureStart times a command that does nothing, which the bare client has no equal of: it is a function of a process that runs.
func (b *bencher) measureStart() error {
	for range 10 {
		begun := time.Now()
		if err := exec.Command(b.binary, "version").Run(); err != nil {
			return err
		}
		if took := time.Since(begun); b.start == 0 || took < b.start {
			b.start = took
		}
	}
	fmt.Printf("the command takes %.3f s to start\n", b.start.Seconds())
	return nil
}

// exports3 measures exports from Neptune 3.x: of points, and of many runs.
func (b *bencher) exports3() error {
	if err := b.measureStart(); err != nil {
		return err
	}
	fmt.Printf("export from a fake Neptune 3.x in a process of its own, %d jobs, the median of %d rounds or more, peak memory the worst\n", jobs, rounds)
	for _, from := range []struct {
		name string
		keep bool
	}{{"points made when they are asked for (goal <= 2 times the bare client, <= 256 MiB, flat)", false}, {"answers made beforehand, which cost the server nothing", true}} {
		fmt.Printf("  %s\n", from.name)
		for _, s := range []spec{
			{Runs: 20, Series: 25, Points: 2_000}, {Runs: 20, Series: 25, Points: 20_000}, {Runs: 1, Series: 10, Points: 1_000_000},
		} {
			s.Generation, s.Keep = 3, from.keep
			if err := b.points(s, min(jobs, s.Runs)); err != nil { // it asks for one thing at a time in each run
				return err
			}
		}
	}
	fmt.Printf("  many runs, once; the second export finds all of them finished (goal <= 60 s for 100,000, flat)\n")
	for _, runs := range []int{10_000, 100_000} {
		if err := b.manyRuns(spec{Generation: 3, Runs: runs, Series: 1, Points: 10}); err != nil {
			return err
		}
	}
	return nil
}

// roundsTime is how long exports are measured again: the quick ones differ most from round to round.
const roundsTime = 5 * time.Second

// bareAtOnce is how many requests the bare client of 2.x has under way.
const bareAtOnce = 16

// exports2 is exports3 for Neptune 2.x, where each series is at least a request.
func (b *bencher) exports2() error {
	if err := b.measureStart(); err != nil {
		return err
	}
	fmt.Printf("export from a fake Neptune 2.x in a process of its own, %d jobs, the median of %d rounds or more, peak memory the worst\n", jobs, rounds)
	for _, from := range []struct {
		name string
		spec spec
	}{
		{"answers at once (goal <= 2 times the bare client)", spec{Runs: 20, Series: 20, Points: 1_000}},
		{"answers after 20 ms (goal <= 1.3 times)", spec{Runs: 20, Series: 20, Points: 1_000, Delay: 20 * time.Millisecond}},
		{"answers made beforehand, which cost the server nothing", spec{Runs: 20, Series: 20, Points: 1_000, Keep: true}},
		{"one long series (goal: flat)", spec{Runs: 1, Series: 1, Points: 2_000_000}},
	} {
		fmt.Printf("  %s\n", from.name)
		from.spec.Generation = 2
		if err := b.points(from.spec, bareAtOnce); err != nil {
			return err
		}
	}
	return b.manyRuns(spec{Generation: 2, Runs: 10_000, Series: 1, Points: 10})
}

// points exports a project a few times, and has a client that only reads the answers send the same requests, so many at once.
func (b *bencher) points(s spec, atOnce int) error {
	n, err := startNeptune(s)
	if err != nil {
		return err
	}
	defer n.stop()
	if _, err := b.export(n, s, b.exported()); err != nil { // the fake has to count each series once
		return err
	}
	calls, err := n.tape()
	if err != nil {
		return err
	}
	var all []round
	for begun := time.Now(); len(all) < rounds || time.Since(begun) < roundsTime; {
		bare, err := n.bare(calls, atOnce)
		if err != nil {
			return err
		}
		ours, err := b.export(n, s, b.exported())
		if err != nil {
			return err
		}
		all = append(all, round{bare, ours})
	}
	m := middle(all)
	fmt.Printf("    %4d runs, %8d points each of %3d series, %5d requests: bare %.3f s, export %.3f s, %.2f of it (%.2f to %.2f; %.2f without the start), %d MiB, %.1f M points/s of processor\n",
		s.Runs, s.Points, s.Series, len(calls), m.bare.Seconds(), m.ours.time.Seconds(), m.ratio(), all[0].ratio(), all[len(all)-1].ratio(),
		(m.ours.time-b.start).Seconds()/m.bare.Seconds(), m.ours.peak>>20, float64(s.total())/m.ours.processor.Seconds()/1e6)
	return nil
}

// manyRuns exports tiny runs twice.
func (b *bencher) manyRuns(s spec) error {
	n, err := startNeptune(s)
	if err != nil {
		return err
	}
	defer n.stop()
	dir := b.exported()
	first, err := b.export(n, s, dir)
	if err != nil {
		return err
	}
	second, err := b.export(n, s, dir)
	if err != nil {
		return err
	}
	fmt.Printf("    %7d runs: first export %7.1f s, %4d MiB; second %6.2f s, %4d MiB\n",
		s.Runs, first.time.Seconds(), first.peak>>20, second.time.Seconds(), second.peak>>20)
	return nil
}

// exported is a directory that is not there yet. Those of earlier exports stay to the end: a file system that has just
// removed thousands of files takes longer to make new ones.
func (b *bencher) exported() string {
	b.exports++
	return filepath.Join(b.dir, fmt.Sprint("exported", b.exports))
}

// export exports the project of a fake Neptune into a directory.
func (b *bencher) export(n *neptune, s spec, dir string) (cost, error) {
	cmd := exec.Command(b.binary, "export", "-p", "bench/"+projectName, "--neptune-url", n.URL,
		"--exporter", fmt.Sprint("neptune", s.Generation), "--jobs", fmt.Sprint(jobs),
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
