package mlflow

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

// load puts one run. It is used by one goroutine.
type load struct {
	sink    *Sink
	project *project
	run     migrate.RunInfo
	source  migrate.RunReader
	traits  traits

	to      target
	resumed bool
	was     stored           // what the server had of a resumed run
	there   map[string]int64 // sizes of the artifacts it had
	same    bool             // these are of this version of the source, as far as it tells
	store   artifactStore

	meta     convert.RunMeta
	start    int64
	end      *int64
	names    convert.Artifacts
	sidecar  *spool
	batch    batch
	problems []migrate.Problem
	params   []param
	long     map[attributeID]string // scalars too long for a param: their text artifact

	want    expected
	ends    map[string]bool // metrics that a batch ended in
	added   int64           // params, points and artifacts that were not there
	refused int             // entries that the server did not take
	lacking []keyedPoint    // those of them that are points
}

type attributeID struct {
	path string
	kind migrate.Kind
}

// expected is what the server should have in the end.
type expected struct {
	params, tags map[string]string
	metrics      map[string]series
	artifacts    map[string]int64
}

// do loads. The run calls itself complete in the last request.
func (l *load) do(ctx context.Context) error {
	if err := l.move(ctx); err != nil {
		return err
	}
	if err := l.check(ctx); err != nil {
		return err
	}
	return l.finish(ctx)
}

// move sends all there is of the run, in this order.
func (l *load) move(ctx context.Context) error {
	l.long = map[attributeID]string{}
	l.batch.limits, l.ends = l.traits.batch, map[string]bool{}
	l.want = expected{map[string]string{}, map[string]string{}, map[string]series{}, map[string]int64{}}
	var err error
	if l.sidecar, err = newSpool(l.sink.cfg.TempDir); err != nil {
		return err
	}
	l.sidecar.write(convert.AppendHeader(nil, convert.HeaderOf(l.run, l.sink.cfg.StepMultiplier)))
	for _, step := range []func(context.Context) error{
		l.readScalars, l.readStart, l.open, l.logParams, l.moveData, l.putSidecar,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) close() {
	if l.sidecar != nil {
		l.sidecar.close()
	}
}

// note keeps a problem for the report.
func (l *load) note(p migrate.Problem) { l.problems = append(l.problems, p) }

// errStale: what an earlier load left is of another version of the source, so it cannot be completed.
var errStale = errors.New("an earlier load left the run unfinished, and the source has changed since: load again")

// unfinished reports whether an earlier load left the run hidden and nobody has ever seen it. So it is nobody else's.
func (l *load) unfinished() bool {
	return l.resumed && l.to.tags[tagHidden] != "" && l.to.tags[tagShown] == "" && l.sink.plan == nil
}

// existed reports whether an earlier load ended, though not with all of the run, and this one had nothing to add.
func (l *load) existed() bool {
	return l.resumed && l.added == 0 && l.to.ended()
}

// giveUp leaves what cannot be completed to `mlflow gc`.
func (l *load) giveUp(ctx context.Context) error {
	l.sink.cfg.Log.Info("begins anew: the source has changed since a load was cut off", "run", l.run.String(), "left", l.to.runID)
	l.project.forget(l.run.RunRef)
	return l.sink.to.deleteRun(ctx, l.to.runID)
}

// readStart finds a start time for runs that do not say theirs: that of their first point.
func (l *load) readStart(ctx context.Context) error {
	first := migrate.NoTime
	if l.meta.Start == nil {
		for chunk, err := range l.source.Chunks(ctx, func(_ string, k migrate.Kind) bool { return k.Series() }) {
			if err != nil {
				return err
			}
			if len(chunk.Times) > 0 {
				first = chunk.Times[0]
				break
			}
		}
	}
	l.start, l.end = l.meta.Times(first)
	return nil
}

// open creates the run, or reads back what an earlier load left.
func (l *load) open(ctx context.Context) error {
	tags, problems := l.meta.RunTags(l.run, l.sink.cfg.StepMultiplier, l.traits.keys, l.traits.maxTag)
	l.problems = append(l.problems, problems...)
	parent, more, err := l.family(ctx)
	if err != nil {
		return err
	}
	tags = append(tags, more...)
	for _, tag := range tags {
		l.want.tags[tag.Key] = tag.Value
	}
	if l.resumed {
		return l.reopen(ctx, tags)
	}
	exp, err := l.experiment(ctx, parent)
	if err != nil {
		return err
	}
	// The experiment may be one that another layout made, whose runs were not known before.
	found, there, notes, err := l.sink.earlier(ctx, l.project, l.run.RunRef)
	if err != nil {
		return err
	}
	if there {
		if err := l.sink.sameSteps(l.run, found); err != nil {
			return err
		}
		l.to, l.resumed, l.problems = found, true, append(l.problems, notes...)
		return l.reopen(ctx, tags)
	}
	tags = append(append(tags, l.version()...), convert.Tag{Key: convert.TagState, Value: convert.StateLoading})
	if l.to, err = l.create(ctx, exp, tags); err != nil {
		return err
	}
	if err := l.sink.sameSteps(l.run, l.to); err != nil { // another load made it in this moment
		return err
	}
	l.project.put(l.run.RunRef, l.to)
	l.store, err = l.sink.to.artifacts(ctx, l.to)
	return err
}

// family finds the parent among the runs that are loaded, and gives the tags that say so.
func (l *load) family(ctx context.Context) (parent *target, tags []convert.Tag, err error) {
	ref := l.meta.Parent(l.run)
	if ref.ID == "" {
		return nil, nil, nil
	}
	found, ok, _, err := l.sink.earlier(ctx, l.project, ref)
	if err != nil {
		return nil, nil, err
	}
	why := ""
	switch {
	case ref == l.run.RunRef:
		why = "the run is its own parent"
	case !ok: // of runs that are each other's parents one is loaded first
		why = fmt.Sprintf("parent %s is not there, or is loaded only after this run", ref)
	}
	if why != "" {
		l.note(migrate.Problem{Path: convert.ParentPath(l.run.Scope), Code: migrate.CodeSuspect, Text: why + "; the run stands alone, with tag " + convert.TagOrphan})
		return nil, []convert.Tag{{Key: convert.TagOrphan, Value: "true"}}, nil
	}
	return &found, []convert.Tag{{Key: convert.TagMLflowParent, Value: found.runID}}, nil
}

// experiment gives one whose artifacts can be written: that of the parent, so that MLflow can show the tree, else, or
// where that is not wanted, the run's own.
func (l *load) experiment(ctx context.Context, parent *target) (exp experiment, err error) {
	cfg := l.sink.cfg
	if parent != nil && !cfg.SplitForks {
		exp = l.project.holding(parent)
	} else {
		name := convert.ExperimentName(cfg.NamePrefix, l.run, cfg.ExperimentBy == ByName)
		if exp, err = l.project.experiment(ctx, l.sink.to, name); err != nil {
			return experiment{}, err
		}
	}
	return exp, l.sink.to.takes(exp)
}

// create makes the run. When an answer is lost the run may be there all the same, so it is looked
// for before the next try, and again after it: two that were made are cut back to one.
func (l *load) create(ctx context.Context, exp experiment, tags []convert.Tag) (made target, err error) {
	run := newRun{name: l.meta.RunName(l.run), user: userOf(l.meta.User), start: l.start, tags: tags}
	unclear, found := false, false
	retry := newRetrier(l.sink.cfg)
	err = retry.do(ctx, func() error {
		if unclear {
			made, err = l.find(ctx, exp)
			if found = made.runID != ""; err != nil || found {
				return err
			}
		}
		made, err = l.sink.to.createRun(ctx, exp, run)
		unclear = unclear || err != nil
		return err
	})
	if !l.traits.hides && (unclear || !exp.fresh) {
		l.project.doubt(exp.id)
	}
	if err == nil && unclear && !found {
		if first, err := l.find(ctx, exp); err != nil || first.runID != "" {
			return first, err
		}
	}
	return made, err
}

// userOf fits the column runs.user_id; the tag mlflow.user has all of it.
func userOf(name string) string {
	const width = 256
	text, _ := convert.Clean(name)
	if runes := []rune(text); len(runes) > width {
		return string(runes[:width])
	}
	return text
}

// find looks for this run by its tag.
func (l *load) find(ctx context.Context, exp experiment) (target, error) {
	var copies []target
	for run, err := range l.sink.to.loaded(ctx, []string{exp.id}, convert.Tag{Key: convert.TagID, Value: convert.RunID(l.run.RunRef)}) {
		if err != nil {
			return target{}, err
		}
		copies = append(copies, run)
	}
	if len(copies) < 2 {
		return append(copies, target{})[0], nil
	}
	kept, left, err := l.sink.settle(ctx, l.project, copies)
	l.problems = append(l.problems, copiesLeft(kept, left)...)
	return kept, err
}

// reopen reads what the server has of the run, and sets the tags that it lacks.
func (l *load) reopen(ctx context.Context, tags []convert.Tag) (err error) {
	if l.was, err = l.sink.to.stored(ctx, l.to.runID); err != nil {
		return err
	}
	if l.store, err = l.sink.to.artifacts(ctx, l.to); err != nil {
		return err
	}
	if l.there, err = l.store.list(ctx); err != nil {
		return err
	}
	l.same = !slices.ContainsFunc(l.version(), func(now convert.Tag) bool { return l.was.tags[now.Key] != now.Value })
	if l.was.tags[convert.TagOrphan] != "" && l.want.tags[convert.TagOrphan] == "" {
		tags = append(tags, convert.Tag{Key: convert.TagOrphan, Value: "false"})
	}
	l.batch.reset()
	if !l.traits.hides {
		tags = append(tags, convert.Tag{Key: convert.TagState, Value: convert.StateLoading})
	}
	for _, tag := range tags {
		if l.was.tags[tag.Key] == tag.Value {
			continue
		}
		if err := l.add(ctx, func() bool { return l.batch.addTag(tag) }); err != nil {
			return err
		}
	}
	return l.flush(ctx)
}

// add puts something into the batch, which is sent first if it is full. An empty batch takes anything.
func (l *load) add(ctx context.Context, put func() (ok bool)) error {
	if put() {
		return nil
	}
	if err := l.flush(ctx); err != nil {
		return err
	}
	put()
	return nil
}

// flush sends the batch, if there is anything in it.
func (l *load) flush(ctx context.Context) error {
	defer l.batch.reset()
	if l.batch.len() == 0 {
		return nil
	}
	err := l.send(ctx, &l.batch)
	if isRefusal(err) {
		return l.bisect(ctx, &l.batch, err)
	}
	return err
}

// send writes one batch and remembers the metric at its end, for sums.
func (l *load) send(ctx context.Context, b *batch) error {
	added, err := l.sink.to.log(ctx, l.to.runID, b)
	if err != nil {
		return err
	}
	l.added += added
	if n := len(b.points); n > 0 {
		l.ends[b.points[n-1].key] = true
	}
	return nil
}

// finish sets end and status, and says how far the run can be trusted.
func (l *load) finish(ctx context.Context) error {
	state := convert.StateComplete
	lossy := func(p migrate.Problem) bool { return p.Code.Lossy() }
	if slices.ContainsFunc(l.problems, lossy) || slices.ContainsFunc(l.source.Problems(), lossy) ||
		l.run.State == migrate.Partial || !l.run.Filter.All() {
		state = convert.StatePartial
	}
	marks := append(l.version(), convert.Tag{Key: convert.TagState, Value: state}) // last: nothing after it can be dropped
	done := l.to
	done.tags = map[string]string{convert.TagMultiplier: l.sink.cfg.StepMultiplier.String()}
	for _, tag := range marks {
		done.tags[tag.Key] = tag.Value
	}
	if err := l.sink.to.finish(ctx, l.to.runID, l.meta.Status(), l.end, marks); err != nil {
		return err
	}
	l.project.put(l.run.RunRef, done)
	return nil
}

// version is the tag with which version of the source a run has; none where the source does not tell.
func (l *load) version() []convert.Tag {
	if l.run.Modified.IsZero() {
		return nil
	}
	return []convert.Tag{{Key: convert.TagModified, Value: strconv.FormatInt(l.run.Modified.UnixMilli(), 10)}}
}

// sourceError marks what went wrong while reading the source: asking the server again would not help.
type sourceError struct{ error }

func (e *sourceError) Unwrap() error { return e.error }

func isSource(err error) bool {
	var e *sourceError
	return errors.As(err, &e)
}

// spool is a temporary file. Its first error is kept for put.
type spool struct {
	f    *os.File
	size int64
	buf  []byte
	err  error
}

func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, "nexport-*")
	if err != nil {
		return nil, diskError(err)
	}
	os.Remove(f.Name()) // where the system lets us, nothing stays behind even of a killed process
	return &spool{f: f}, nil
}

// write appends. It buffers, so that a line costs no system call.
func (s *spool) write(p []byte) {
	s.buf = append(s.buf, p...)
	s.size += int64(len(p))
	if len(s.buf) > 256<<10 {
		s.drain()
	}
}

func (s *spool) drain() {
	if s.err == nil {
		if _, err := s.f.Write(s.buf); err != nil {
			s.err = diskError(err)
		}
	}
	s.buf = s.buf[:0]
}

func diskError(err error) error { return fmt.Errorf("temporary file: %w", fullDisk(err)) }

func (s *spool) close() {
	s.f.Close()
	os.Remove(s.f.Name())
}
