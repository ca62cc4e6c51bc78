package mlflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

// rest is the backend over the REST API. The comments name the endpoints; all are below
// /api/2.0/ and were tried on 2.22.5 and 3.17.2.
type rest struct {
	c *client

	mu    sync.Mutex
	known *traits
	seeks *bool // metrics/get-history can begin anywhere; nil: not known yet

	shared seen

	making  sync.Mutex // of experiments, one after the other
	refusal error      // of the place that the server gave one
}

// traits calls GET /version, and experiments/search to prove credentials and host.
func (r *rest) traits(ctx context.Context) (traits, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known != nil {
		return *r.known, nil
	}
	var version []byte
	err := r.c.do(ctx, call{op: "ask the server's version", method: http.MethodGet, path: "/version", read: func(body io.Reader) (err error) {
		version, err = io.ReadAll(io.LimitReader(body, 100))
		return err
	}})
	if err == nil || errors.Is(err, migrate.ErrNotFound) {
		err = r.findAPI(ctx)
	}
	if err != nil && ctx.Err() == nil { // every other run would wait as long for it
		return traits{}, fmt.Errorf("%w: %w", err, migrate.ErrFatal)
	}
	if err != nil {
		return traits{}, err
	}
	t := traitsOf(string(version))
	r.known = &t
	return t, nil
}

// findAPI looks under the usual path and, if nothing is there, under the one of the web interface.
func (r *rest) findAPI(ctx context.Context) error {
	probe := map[string]any{"max_results": 1}
	err := r.c.postJSON(ctx, "reach MLflow", "mlflow/experiments/search", probe, nil)
	if !errors.Is(err, migrate.ErrNotFound) {
		return err
	}
	r.c.mu.Lock()
	r.c.api = "/ajax-api/2.0"
	r.c.mu.Unlock()
	if r.c.postJSON(ctx, "reach MLflow", "mlflow/experiments/search", probe, nil) != nil {
		return err
	}
	return nil
}

type wireTag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func wireTags(tags []convert.Tag) []wireTag {
	out := make([]wireTag, len(tags))
	for i, t := range tags {
		out[i] = wireTag(t)
	}
	return out
}

type wireExperiment struct {
	ID    string    `json:"experiment_id"`
	Name  string    `json:"name"`
	Root  string    `json:"artifact_location"`
	Stage string    `json:"lifecycle_stage"`
	Tags  []wireTag `json:"tags"`
}

func (w wireExperiment) experiment() experiment {
	return experiment{id: w.ID, name: w.Name, root: w.Root}
}

// experiments calls experiments/search.
func (r *rest) experiments(ctx context.Context, layout string) (found []experiment, err error) {
	query := map[string]any{
		"filter": fmt.Sprintf("tags.`%s` = '%s'", convert.TagLayout, layout), "max_results": 1000,
	}
	for {
		var page struct {
			Experiments []wireExperiment `json:"experiments"`
			Next        string           `json:"next_page_token"`
		}
		if err := r.c.postJSON(ctx, "search experiments", "mlflow/experiments/search", query, &page); err != nil {
			return nil, err
		}
		for _, e := range page.Experiments {
			found = append(found, e.experiment())
		}
		if page.Next == "" {
			return found, nil
		}
		if page.Next == query["page_token"] {
			return nil, errSamePage
		}
		query["page_token"] = page.Next
	}
}

// ensureExperiment calls experiments/create and, for a name that is taken, experiments/get-by-name
// and experiments/set-experiment-tag. Once the server puts one where nothing can be written no other is made.
func (r *rest) ensureExperiment(ctx context.Context, name string, tags []convert.Tag) (experiment, error) {
	r.making.Lock()
	defer r.making.Unlock()
	if r.refusal != nil {
		return experiment{}, r.refusal
	}
	var created struct {
		ID string `json:"experiment_id"`
	}
	err := r.c.postJSON(ctx, "create experiment", "mlflow/experiments/create",
		map[string]any{"name": name, "tags": wireTags(tags)}, &created)
	switch {
	case err == nil:
		exp, err := r.placed(ctx, experiment{id: created.ID, name: name, fresh: true})
		if errors.Is(err, migrate.ErrFatal) {
			r.refusal = err
		}
		return exp, err
	case !hasCode(err, codeExists):
		return experiment{}, err
	}
	exp, lacking, err := r.named(ctx, name, tags)
	if err != nil {
		return experiment{}, err
	}
	for _, tag := range lacking {
		body := map[string]any{"experiment_id": exp.id, "key": tag.Key, "value": tag.Value}
		if err := r.c.postJSON(ctx, "tag experiment", "mlflow/experiments/set-experiment-tag", body, nil); err != nil {
			return experiment{}, err
		}
	}
	return exp, nil
}

// named calls experiments/get-by-name. It gives the experiment if it can be loaded into, and the tags that it lacks:
// one that is there stays, since it may be that of another layout, which finds its runs by it.
func (r *rest) named(ctx context.Context, name string, tags []convert.Tag) (exp experiment, lacking []convert.Tag, err error) {
	var answer struct {
		Experiment wireExperiment `json:"experiment"`
	}
	err = r.c.getJSON(ctx, "find experiment", "mlflow/experiments/get-by-name", url.Values{"experiment_name": {name}}, &answer)
	if err != nil {
		return experiment{}, nil, err
	}
	found := answer.Experiment
	if found.Stage == "deleted" {
		return experiment{}, nil, deletedExperiment(name, found.ID)
	}
	for _, tag := range tags {
		if !slices.ContainsFunc(found.Tags, func(t wireTag) bool { return t.Key == tag.Key }) {
			lacking = append(lacking, tag)
		}
	}
	return found.experiment(), lacking, r.takes(found.experiment())
}

// findExperiment counts the requests of ensureExperiment.
func (r *rest) findExperiment(ctx context.Context, name string, tags []convert.Tag) (experiment, int64, error) {
	exp, lacking, err := r.named(ctx, name, tags)
	if hasCode(err, codeNotFound) {
		return experiment{name: name}, 1, nil
	}
	return exp, int64(len(lacking)), err
}

type wireRun struct {
	Info struct {
		RunID       string          `json:"run_id"`
		Experiment  string          `json:"experiment_id"`
		ArtifactURI string          `json:"artifact_uri"`
		Stage       string          `json:"lifecycle_stage"`
		Status      string          `json:"status"`
		End         json.RawMessage `json:"end_time"`
	} `json:"info"`
	Data struct {
		Params  []wireTag       `json:"params"`
		Tags    []wireTag       `json:"tags"`
		Metrics json.RawMessage `json:"metrics"` // wireLatest, of which searches need none
	} `json:"data"`
	Inputs struct {
		Datasets []json.RawMessage `json:"dataset_inputs"`
		Models   []json.RawMessage `json:"model_inputs"`
	} `json:"inputs"`
	Outputs struct {
		Models []json.RawMessage `json:"model_outputs"`
	} `json:"outputs"`
}

// untouched reports whether a run is as runs/create makes it, as far as it is no data.
func (w *wireRun) untouched() bool {
	return w.Info.Status == "RUNNING" && len(w.Info.End) == 0 &&
		len(w.Inputs.Datasets)+len(w.Inputs.Models)+len(w.Outputs.Models) == 0
}

type wireLatest struct {
	Key string `json:"key"`
	wireMetric
}

func (w wireRun) target() target {
	t := target{runID: w.Info.RunID, experiment: w.Info.Experiment, artifactURI: w.Info.ArtifactURI, tags: map[string]string{}}
	for _, tag := range w.Data.Tags {
		if strings.HasPrefix(tag.Key, tagPrefix) {
			t.tags[tag.Key] = tag.Value
		}
	}
	return t
}

// loaded calls runs/search.
func (r *rest) loaded(ctx context.Context, experimentIDs []string, tag convert.Tag) iter.Seq2[target, error] {
	filter := fmt.Sprintf("tags.`%s` LIKE '%%'", convert.TagID)
	if tag.Key != "" {
		filter = fmt.Sprintf("tags.`%s` = '%s'", tag.Key, tag.Value) // only runs with the other have it
	}
	return func(yield func(target, error) bool) {
		if len(experimentIDs) == 0 {
			return
		}
		query := map[string]any{
			"experiment_ids": experimentIDs, "filter": filter, "max_results": searchPage,
			"run_view_type": "ACTIVE_ONLY", "order_by": []string{"attributes.start_time ASC"},
		}
		for {
			var page struct {
				Runs []wireRun `json:"runs"`
				Next string    `json:"next_page_token"`
			}
			if err := r.c.postJSON(ctx, "search runs", "mlflow/runs/search", query, &page); err != nil {
				yield(target{}, err)
				return
			}
			for _, run := range page.Runs {
				if !yield(run.target(), nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			if page.Next == query["page_token"] {
				yield(target{}, errSamePage)
				return
			}
			query["page_token"] = page.Next
		}
	}
}

// createRun calls runs/create once: repeating it could make a second run. The caller looks for the
// first before trying again.
func (r *rest) createRun(ctx context.Context, exp experiment, run newRun) (target, error) {
	body, err := json.Marshal(map[string]any{
		"experiment_id": exp.id, "user_id": run.user, "run_name": run.name, "start_time": run.start,
		"tags": wireTags(run.tags),
	})
	if err != nil {
		return target{}, fmt.Errorf("create run: %w", err)
	}
	var answer struct {
		Run wireRun `json:"run"`
	}
	req := jsonCall("create run", "mlflow/runs/create", body, &answer)
	req.once = true
	if err := r.c.do(ctx, req); err != nil {
		return target{}, err
	}
	if answer.Run.Info.RunID == "" {
		return target{}, errors.New("create run: the answer has no run ID")
	}
	return answer.Run.target(), nil
}

// deleteRun calls runs/delete, which only marks the run.
func (r *rest) deleteRun(ctx context.Context, runID string) error {
	return r.c.postJSON(ctx, "delete run", "mlflow/runs/delete", map[string]any{"run_id": runID}, nil)
}

// log calls runs/log-batch. Points have the times of the source, so that sending them again
// makes no second ones.
func (r *rest) log(ctx context.Context, runID string, b *batch) (added int64, err error) {
	return b.data(), r.c.do(ctx, jsonCall("log batch", "mlflow/runs/log-batch", b.body(runID), nil))
}

// finish calls runs/update, and runs/log-batch for the tags: it is the last request of a run.
func (r *rest) finish(ctx context.Context, runID, status string, end *int64, tags []convert.Tag) error {
	body := map[string]any{"run_id": runID, "status": status}
	if end != nil {
		body["end_time"] = *end
	}
	if err := r.c.postJSON(ctx, "finish run", "mlflow/runs/update", body, nil); err != nil {
		return err
	}
	_, err := r.log(ctx, runID, &batch{tags: tags})
	return err
}

// stored calls runs/get.
func (r *rest) stored(ctx context.Context, runID string) (stored, error) {
	var answer struct {
		Run wireRun `json:"run"`
	}
	if err := r.c.getJSON(ctx, "read run", "mlflow/runs/get", url.Values{"run_id": {runID}}, &answer); err != nil {
		return stored{}, err
	}
	s := stored{
		params: map[string]string{}, tags: map[string]string{}, metrics: map[string]point{},
		deleted: answer.Run.Info.Stage == "deleted", untouched: answer.Run.untouched(),
	}
	for _, p := range answer.Run.Data.Params {
		s.params[p.Key] = p.Value
	}
	for _, t := range answer.Run.Data.Tags {
		s.tags[t.Key] = t.Value
	}
	var latest []wireLatest
	if raw := answer.Run.Data.Metrics; raw != nil {
		if err := json.Unmarshal(raw, &latest); err != nil {
			return stored{}, fmt.Errorf("read run: latest metrics of %s: %w", runID, err)
		}
	}
	for _, m := range latest {
		s.metrics[m.Key] = m.point()
	}
	return s, nil
}
