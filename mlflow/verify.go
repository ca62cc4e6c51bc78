package mlflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

// check compares what the server has with what it should have. It answers 200 also when it
// drops half of a batch, so only this makes a run complete.
func (l *load) check(ctx context.Context) error {
	if l.sink.cfg.NoCheck || l.sink.plan != nil {
		return nil
	}
	problems, err := l.compare(ctx)
	if err != nil || len(problems) == 0 {
		return err
	}
	if l.unfinished() && slices.ContainsFunc(problems, func(p migrate.Problem) bool { return p.Code != migrate.CodeMissing }) {
		return errStale
	}
	errs := []error{fmt.Errorf("MLflow run %s is not what was sent (%d differences); %s", l.to.runID, len(problems), l.mend(problems))}
	for _, p := range problems[:min(len(problems), 5)] {
		errs = append(errs, errors.New(p.String()))
	}
	return errors.Join(errs...)
}

// mend says what to do. Points that are wrong cannot be taken back, so the run must go.
func (l *load) mend(problems []migrate.Problem) string {
	if slices.ContainsFunc(problems, func(p migrate.Problem) bool { return p.Code == migrate.CodeDiffers }) {
		return fmt.Sprintf("it has what was not sent: delete it (mlflow runs delete --run-id %s) and load again", l.to.runID)
	}
	return "loading again sends what is missing"
}

// compare returns what differs: params, tags, points by number or digest, artifacts by size.
func (l *load) compare(ctx context.Context) (problems []migrate.Problem, err error) {
	is, err := l.sink.to.stored(ctx, l.to.runID)
	if err != nil {
		return nil, err
	}
	problems = append(problems, compareText("param", l.want.params, is.params)...)
	problems = append(problems, compareText("tag", l.want.tags, is.tags)...)
	sums, err := l.sums(ctx, is.metrics)
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(l.want.metrics)) {
		if want, got := l.want.metrics[key].sum, sums[key]; got != want {
			problems = append(problems, comparePoints(key, got, want))
		}
	}
	sizes, err := l.store.list(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(l.want.artifacts)) {
		size, found := sizes[name]
		if want := l.want.artifacts[name]; !found || size != want {
			problems = append(problems, differs(name, fmt.Sprintf("artifact has %d bytes, not %d", size, want), !found))
		}
	}
	return problems, nil
}

// sums gives what the server has of the metrics, whose latest points are there. Of a run that was new to it, numbers
// of points are proof: it keeps equal points once and all others.
//
// Asking for the number of one metric's points costs a server as much as storing 50 points. But what MLflow drops of a
// batch is always its end (its parser stops at what it does not understand, and all that was parsed goes into one
// transaction), so the number of the metric that a batch ended in stands for those of the others in it. Of these the
// latest points are compared, which come with the run. Servers that do not say that they are an MLflow are asked for
// each metric.
func (l *load) sums(ctx context.Context, there map[string]point) (map[string]sum, error) {
	sums := map[string]sum{}
	var doubtful []string
	for _, key := range slices.Sorted(maps.Keys(l.want.metrics)) {
		latest, found := there[key]
		if !found {
			continue
		}
		want := l.want.metrics[key]
		if !l.resumed && l.traits.prefixes && !l.ends[key] && latest.id() == want.latest.id() {
			sums[key] = want.sum
			continue
		}
		if !l.resumed {
			sure, err := l.sink.to.holds(ctx, l.to.runID, key, want)
			if err != nil {
				return nil, err
			}
			if sure {
				sums[key] = want.sum
				continue
			}
		}
		doubtful = append(doubtful, key)
	}
	for p, err := range l.sink.to.points(ctx, l.to.runID, doubtful) {
		if err != nil {
			return nil, err
		}
		s := sums[p.key]
		s.add(p.point)
		sums[p.key] = s
	}
	return sums, nil
}

func comparePoints(key string, got, want sum) migrate.Problem {
	if got.points == want.points {
		return differs(key, fmt.Sprintf("metric has other points than those sent (%d each)", want.points), false)
	}
	return differs(key, fmt.Sprintf("metric has %d points, not the %d sent", got.points, want.points), got.points < want.points)
}

func compareText(what string, want, is map[string]string) (problems []migrate.Problem) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		got, found := is[key]
		if !found {
			problems = append(problems, differs(key, what+" is not there", true))
		} else if got != want[key] {
			problems = append(problems, differs(key, fmt.Sprintf("%s is %q, not %q", what, clip(got), clip(want[key])), false))
		}
	}
	return problems
}

func differs(path, text string, missing bool) migrate.Problem {
	code := migrate.CodeDiffers
	if missing {
		code = migrate.CodeMissing
	}
	return migrate.Problem{Path: path, Code: code, Text: text}
}

// VerifyRun compares params, tags, every point and the sizes of artifacts of a loaded run with r.
// The problems are named by keys and paths of MLflow. It sends nothing.
func (s *Sink) VerifyRun(ctx context.Context, run migrate.RunInfo, r migrate.RunReader) ([]migrate.Problem, error) {
	known, err := s.to.traits(ctx)
	if err != nil {
		return nil, err
	}
	p, err := s.project(ctx, run.Project)
	if err != nil {
		return nil, err
	}
	plan := newPlanner(s.to)
	reading := &Sink{cfg: s.cfg, to: plan, plan: plan} // compares as a load would, and sends nothing
	before, found, copies, err := reading.earlier(ctx, p, run.RunRef)
	if err != nil {
		return nil, err
	}
	if !found {
		return []migrate.Problem{{Code: migrate.CodeMissing, Text: "run is not on the server"}}, nil
	}
	if err := s.sameSteps(run, before); err != nil {
		return nil, err
	}
	l := &load{sink: reading, project: p, run: run, source: r, traits: known, to: before, resumed: true}
	defer l.close()
	problems, err := l.verify(ctx)
	for _, c := range copies {
		problems = append(problems, differs("", c.Text, false))
	}
	return problems, err
}

func (l *load) verify(ctx context.Context) ([]migrate.Problem, error) {
	if err := l.move(ctx); err != nil {
		return nil, err
	}
	problems, err := l.compare(ctx)
	for _, p := range l.problems {
		if p.Code.Lossy() {
			problems = append(problems, p)
		}
	}
	if !l.to.ended() {
		problems = append(problems, migrate.Problem{Code: migrate.CodeMissing, Text: "load was cut off: it is " + l.to.tags[convert.TagState]})
	}
	return problems, err
}
