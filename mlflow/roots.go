package mlflow

import (
	"context"
	"fmt"
	"net/url"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

// What to do about a location that is refused, beside starting the server otherwise: an experiment keeps the one
// that it was made with.
const (
	elsewhere = "load into a new experiment (--name-prefix)"
	onceMore  = "give the same command again"
)

// proxiedRoot parses a location that the server writes to. Other places than that, and this machine's disk, need
// credentials that MLflow leaves to its clients. next ends the advice what to do.
func proxiedRoot(location, next string) (*url.URL, error) {
	u, err := url.Parse(location)
	switch {
	case err != nil:
		return nil, fmt.Errorf("artifact location %q: %w", location, err)
	case u.Scheme == "mlflow-artifacts":
		return u, nil
	case isRelative(u):
		return nil, fmt.Errorf("artifacts of this experiment go to %q, relative to a directory that only the server knows: "+
			"start the server with --artifacts-destination, or with an absolute --default-artifact-root, and %s: %w", location, next, migrate.ErrFatal)
	}
	return nil, fmt.Errorf("artifacts of this experiment go to %s://, which only clients with credentials of their own can write: "+
		"start the server with --artifacts-destination instead of --default-artifact-root, so that it takes uploads itself, "+
		"and %s: %w", u.Scheme, next, migrate.ErrFatal)
}

// takes goes by the rules of artifacts, before there is a run.
func (r *rest) takes(exp experiment) error {
	return r.accepts(exp, elsewhere)
}

func (r *rest) accepts(exp experiment, next string) error {
	if _, ok := onDisk(exp.root); ok || exp.root == "" {
		return nil
	}
	if _, err := proxiedRoot(exp.root, next); err != nil {
		return fmt.Errorf("experiment %q: %w", exp.name, err)
	}
	return nil
}

// placed asks where the server put an experiment that was made just now; the answer to experiments/create does not
// tell. If nothing can be written there the name is freed for the same command, because the server would not put the
// experiment elsewhere after it was started as the error says. It calls experiments/get.
func (r *rest) placed(ctx context.Context, exp experiment) (experiment, error) {
	var found struct {
		Experiment wireExperiment `json:"experiment"`
	}
	if err := r.c.getJSON(ctx, "find experiment", "mlflow/experiments/get", url.Values{"experiment_id": {exp.id}}, &found); err != nil {
		return experiment{}, err
	}
	exp.root = found.Experiment.Root
	refusal := r.accepts(exp, onceMore)
	if refusal == nil {
		return exp, nil
	}
	if err := r.giveBack(ctx, exp); err != nil {
		return experiment{}, fmt.Errorf("%w; the experiment (ID %s), which was made just now, could not be given up: "+
			"rename and delete it, or load with another --name-prefix then: %w", refusal, exp.id, err)
	}
	return experiment{}, fmt.Errorf("the experiment that was made for this is deleted again: %w", refusal)
}

// giveBack frees the name of an experiment without runs: a deleted one would keep its name. It works also when ctx
// has ended. It calls experiments/update and experiments/delete.
func (r *rest) giveBack(ctx context.Context, exp experiment) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	rename := map[string]any{"experiment_id": exp.id, "new_name": refusedName(exp)}
	if err := r.c.postJSON(ctx, "rename experiment", "mlflow/experiments/update", rename, nil); err != nil {
		return err
	}
	return r.c.postJSON(ctx, "delete experiment", "mlflow/experiments/delete", map[string]any{"experiment_id": exp.id}, nil)
}

func refusedName(exp experiment) string {
	why := fmt.Sprintf(" (artifact root refused %s)", exp.id)
	name := []rune(exp.name)
	return string(name[:min(len(name), convert.MaxExperimentName-len(why))]) + why
}
