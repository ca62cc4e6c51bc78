package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/parquetstore"
)

// jsonPlan is what a dry run found.
type jsonPlan struct {
	Export   int64 `json:"export"`   // runs that the archive has nothing of
	Complete int64 `json:"complete"` // that it has in part
	Renew    int64 `json:"renew"`    // that are finished and would be exported again
	Keep     int64 `json:"keep"`     // that are finished and would be left alone

	Sampled    int64                  `json:"sampled"`    // runs of which the attributes were looked at
	Attributes map[migrate.Kind]int64 `json:"attributes"` // estimated from these
	Requests   int64                  `json:"requests"`   // estimated, at least
	Bytes      int64                  `json:"bytes"`      // as Neptune counts them; 0 if it does not say
}

// plan is a jsonPlan with its runs counted by scope.
type plan struct {
	jsonPlan
	export, complete, renew, keep byScope
}

// json fills in the counts.
func (p plan) json() *jsonPlan {
	p.Export, p.Complete, p.Renew, p.Keep = p.export.sum(), p.complete.sum(), p.renew.sum(), p.keep.sum()
	return &p.jsonPlan
}

// perSample is of how many runs of a project the attributes are looked at.
const perSample = 50

// plan says what an export would do.
func (j *exportJob) plan(ctx context.Context) error {
	archive, err := openIfThere(j.flags.DataPath, j.flags.FilesPath)
	if err != nil {
		return err
	}
	if archive != nil {
		defer archive.Close()
	}
	p := plan{jsonPlan{Attributes: map[migrate.Kind]int64{}}, byScope{}, byScope{}, byScope{}, byScope{}}
	for _, name := range j.source.names {
		runs, err := j.source.list(ctx, name, j.sel)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			break // and it is noted
		}
		if err := j.planRuns(ctx, archive, runs, &p); err != nil {
			return err
		}
	}
	return j.printPlan(ctx, p)
}

// openIfThere opens an archive for reading, or returns nil if there is none.
func openIfThere(data, files string) (*parquetstore.Store, error) {
	if _, err := os.Stat(data); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	archive, err := parquetstore.Open(data, files)
	if err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	return archive, nil
}

// planRuns adds the runs of one project.
func (j *exportJob) planRuns(ctx context.Context, archive *parquetstore.Store, runs *runList, p *plan) error {
	var todo spread
	for run, err := range runs.take() {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		run.Filter = j.sel.Filter
		keep, err := j.planRun(ctx, archive, run, p)
		if err != nil {
			return err
		}
		if !keep {
			todo.add(run)
			p.Bytes += run.Size
		}
	}
	return j.sample(ctx, todo, p)
}

func (j *exportJob) planRun(ctx context.Context, archive *parquetstore.Store, run migrate.RunInfo, p *plan) (keep bool, err error) {
	stands := parquetstore.Absent
	if archive != nil {
		if stands, err = archive.Standing(ctx, run, j.flags.with(j.neptune.generation)...); err != nil {
			return false, err
		}
	}
	switch {
	case stands == parquetstore.Absent:
		p.export[run.Scope]++
	case stands == parquetstore.Unfinished:
		p.complete[run.Scope]++
	case j.flags.Overwrite, j.flags.Update && stands == parquetstore.Outdated:
		p.renew[run.Scope]++
	default:
		p.keep[run.Scope]++
		return true, nil
	}
	return false, nil
}

// spread keeps some of many runs, at equal distances.
type spread struct {
	kept []migrate.RunInfo // at most perSample
	all  int64
	step int64 // every so many is kept; 0 is 1
}

func (s *spread) add(run migrate.RunInfo) {
	s.step = max(s.step, 1)
	if s.all%s.step == 0 && len(s.kept) == perSample {
		s.step *= 2
		for i := range perSample / 2 {
			s.kept[i] = s.kept[2*i]
		}
		s.kept = s.kept[:perSample/2]
	}
	if s.all%s.step == 0 {
		s.kept = append(s.kept, run)
	}
	s.all++
}

// sample looks at the attributes of some runs and infers those of all.
func (j *exportJob) sample(ctx context.Context, runs spread, p *plan) error {
	looked := int64(len(runs.kept))
	if looked == 0 {
		return nil
	}
	sum := map[migrate.Kind]int64{}
	for _, run := range runs.kept {
		if err := j.countAttributes(ctx, run, sum); err != nil {
			return fmt.Errorf("look at the attributes of %s: %w", run.RunRef, err)
		}
	}
	p.Sampled += looked
	for kind, n := range sum {
		sum[kind] = n * runs.all / looked
		p.Attributes[kind] += sum[kind]
	}
	p.Requests += requestsFor(j.neptune.generation, runs.all, sum)
	return nil
}

// countAttributes asks for no attribute of a run, and so learns of all without reading them.
func (j *exportJob) countAttributes(ctx context.Context, run migrate.RunInfo, sum map[migrate.Kind]int64) error {
	r, err := j.source.OpenRun(ctx, run)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, err := range r.Chunks(ctx, func(path string, k migrate.Kind) bool {
		if key := string(k) + "\x00" + path; !seen[key] && run.Filter.Match(path, k) {
			seen[key] = true
			sum[k]++
		}
		return false
	}) {
		if err != nil {
			return err
		}
	}
	return nil
}

// What one request to Neptune 3 can have, at most.
const (
	runsAtOnce   = 16    // values of small runs
	valuesAtOnce = 4_000 // attributes of these
	floatsAtOnce = 1_000 // float series that are short
	seriesAtOnce = 100   // other series of one run
	linksAtOnce  = 32    // links to files of one run
)

// requestsFor is about the fewest requests that so many runs with so many attributes of each kind take. Long
// series take more.
func requestsFor(g neptune.Generation, runs int64, kinds map[migrate.Kind]int64) int64 {
	if g == neptune.Neptune2 {
		return requestsFor2(runs, kinds)
	}
	classes := map[string]int64{}
	for kind, n := range kinds {
		classes[classOf(kind)] += n
	}
	return requestsFor3(runs, classes)
}

// requestsFor2 counts one request for the attributes of each run, one for each series of up to a page, and
// what files need: a file its bytes, a set of files its preparation and its bytes, a series of images
// its length, what is said of them, and one of them, and an artifact its list.
func requestsFor2(runs int64, kinds map[migrate.Kind]int64) int64 {
	sum := runs
	for kind, n := range kinds {
		switch kind {
		case migrate.KindFloatSeries, migrate.KindStringSeries, migrate.KindFile, migrate.KindArtifact:
			sum += n
		case migrate.KindFileSet:
			sum += 2 * n
		case migrate.KindFileSeries:
			sum += 3 * n
		}
	}
	return sum
}

func requestsFor3(runs int64, classes map[string]int64) int64 {
	sum := classes["files"] // one each for the bytes
	var all int64
	for _, n := range classes {
		all += n
	}
	sum += max(over(runs, runsAtOnce), over(all, valuesAtOnce)) + over(classes["metrics"], floatsAtOnce)
	for class, most := range map[string]int64{"series": seriesAtOnce, "files": linksAtOnce} {
		n := classes[class]
		sum += min(n, runs*over(over(n, runs), most))
	}
	return sum
}

// over divides and rounds up.
func over(n, by int64) int64 { return (n + by - 1) / by }

func (j *exportJob) printPlan(ctx context.Context, p plan) error {
	result := j.source.err()
	if chosen := j.unmatched(); result == nil && len(chosen) > 0 {
		result = j.nothing(chosen[:1])
	}
	if j.flags.JSON {
		sum := j.head()
		sum.Plan, sum.ExitCode = p.json(), exitCode(ctx, result)
		if result != nil {
			sum.Error = exitCoded(ctx, result).Error()
		}
		return errors.Join(result, jsonLines(j.io.out).Encode(sum))
	}
	w := bufio.NewWriter(j.io.out)
	j.writePlan(w, p)
	return errors.Join(result, w.Flush())
}

func (j *exportJob) writePlan(w io.Writer, p plan) {
	fmt.Fprintf(w, "Dry run: nothing was written. From %s at %s to %s\n", j.neptune.generation, j.neptune.address, shown(j.flags.DataPath))
	for _, s := range j.source.states {
		fmt.Fprintf(w, "  %s: %s\n", shown(s.name), s.runs)
	}
	printThings(w, p.export, "to be exported")
	printThings(w, p.complete, "there in part, to be completed")
	printThings(w, p.renew, "to be exported again")
	printThings(w, p.keep, "there already")
	todo := p.export.sum() + p.complete.sum() + p.renew.sum()
	if todo == 0 {
		return
	}
	about := ""
	if p.Sampled < todo {
		about = fmt.Sprintf(" (inferred from %s)", plural(p.Sampled, "run"))
	}
	fmt.Fprintf(w, "attributes%s: %s\n", about, byName(p.Attributes))
	bytes := "Neptune does not say how many bytes"
	if p.Bytes > 0 {
		bytes = "about " + size(p.Bytes) + " in Neptune"
	}
	fmt.Fprintf(w, "at least %s; %s\n", plural(p.Requests, "request"), bytes)
}
