package mlflow

import (
	"context"
	"fmt"
	"io"
	"iter"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

// backend is the last step: it holds experiments and runs, and knows nothing of Neptune. REST is
// one; the dry run is another, which counts.
type backend interface {
	// traits asks the server what it is, once.
	traits(ctx context.Context) (traits, error)
	// experiments yields the active experiments with the tag convert.TagLayout of that value.
	experiments(ctx context.Context, layout string) ([]experiment, error)
	// ensureExperiment finds or creates an experiment and sets its tags. One that is deleted, or that takes refuses,
	// is an error, and a name that was free before is free after that.
	ensureExperiment(ctx context.Context, name string, tags []convert.Tag) (experiment, error)
	// findExperiment tells what ensureExperiment would give, as far as that is known without writing, and by how many
	// writes. The ID is empty if there is no such experiment; where a new one would have its artifacts may be unknown.
	findExperiment(ctx context.Context, name string, tags []convert.Tag) (exp experiment, writes int64, err error)
	// takes gives the error that artifacts would give for the runs of an experiment. It asks nobody.
	takes(exp experiment) error
	// loaded yields the runs of the experiments that have the tag convert.TagID, and, unless it is the zero Tag, this one.
	loaded(ctx context.Context, experimentIDs []string, tag convert.Tag) iter.Seq2[target, error]
	createRun(ctx context.Context, exp experiment, run newRun) (target, error)
	deleteRun(ctx context.Context, runID string) error
	// log writes one batch that keeps all limits. Repeating it changes nothing. Added counts the points and params
	// that were not there; a backend that cannot tell counts all.
	log(ctx context.Context, runID string, b *batch) (added int64, err error)
	// finish sets end and status, and after that the tags, the last of them last.
	finish(ctx context.Context, runID, status string, end *int64, tags []convert.Tag) error
	// stored reads back what a run has, of metrics the latest points.
	stored(ctx context.Context, runID string) (stored, error)
	// points yields all points of these metrics, in no order.
	points(ctx context.Context, runID string, keys []string) iter.Seq2[keyedPoint, error]
	// holds reports whether a metric has as many points as want, and the same last one. It is cheap:
	// false means also that the answer would not be.
	holds(ctx context.Context, runID, key string, want series) (bool, error)
	// artifacts opens the place that a run's artifact URI names.
	artifacts(ctx context.Context, to target) (artifactStore, error)
}

// artifactStore keeps the files of one run, by slash-separated paths.
type artifactStore interface {
	put(ctx context.Context, path string, size int64, open func() (io.ReadCloser, error)) error
	// list gives the sizes of all files.
	list(ctx context.Context) (map[string]int64, error)
}

type experiment struct {
	id, name string
	root     string // its artifact location; empty: not known
	fresh    bool   // made by this Sink: no earlier load has left anything in it
}

func deletedExperiment(name, id string) error {
	return fmt.Errorf("experiment %q (ID %s) is deleted: restore it with `mlflow experiments restore -x %s`, or load with another --name-prefix: %w",
		name, id, id, migrate.ErrFatal)
}

// target is a run on the server, as far as looking it up tells.
type target struct {
	runID       string
	experiment  string // its ID
	artifactURI string
	tags        map[string]string // those that begin with tagPrefix
}

const tagPrefix = "nexport."

// ended reports whether a load came to its end with the run.
func (t target) ended() bool {
	state := t.tags[convert.TagState]
	return state == convert.StateComplete || state == convert.StatePartial
}

type newRun struct {
	name, user string
	start      int64 // ms
	tags       []convert.Tag
}

type stored struct {
	params, tags map[string]string
	metrics      map[string]point // by key: the latest, zero where the backend does not look
	deleted      bool             // where the backend looks
	untouched    bool             // as runs/create leaves it: running, without end, datasets and models; false where the backend does not look
}

// point is a metric's point as the server takes it.
type point struct {
	step, time int64 // time in ms
	value      float64
}
