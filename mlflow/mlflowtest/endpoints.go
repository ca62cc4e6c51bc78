package mlflowtest

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

type pair struct {
	Key   *string `json:"key"`
	Value *string `json:"value"`
}

// tags checks and enters tags; the answer is a refusal, if there is one.
func (s *Server) tags(into map[string]string, pairs []pair, limit int) *answer {
	for _, p := range pairs {
		if p.Key == nil || p.Value == nil {
			s.t.Errorf("a tag without key or value")
			return refusal("missing value for a tag")
		}
		if text := s.checkKey(*p.Key); text != "" {
			return refusal(text)
		}
		s.checkText("tag", *p.Key, *p.Value, limit)
	}
	for _, p := range pairs {
		into[*p.Key] = *p.Value
	}
	return nil
}

func refusal(text string) *answer {
	a := invalid("%s", text)
	return &a
}

func (s *Server) createExperiment(c call) answer {
	var in struct {
		Name *string `json:"name"`
		Tags []pair  `json:"tags"`
	}
	if !c.read(&in) || in.Name == nil || strings.TrimSpace(*in.Name) == "" {
		return invalid("missing name")
	}
	s.checkText("experiment", *in.Name, *in.Name, 256)
	for _, e := range s.experiments {
		if e.Name == *in.Name {
			return fail(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "Experiment(name=%s) already exists.", e.Name)
		}
	}
	tags := map[string]string{}
	if a := s.tags(tags, in.Tags, 5000); a != nil {
		return *a
	}
	e := s.addExperiment(*in.Name)
	e.Tags = tags
	return ok(map[string]string{"experiment_id": e.ID})
}

func experimentJSON(e *Experiment) map[string]any {
	stage := "active"
	if e.Deleted {
		stage = "deleted"
	}
	return map[string]any{
		"experiment_id": e.ID, "name": e.Name, "artifact_location": e.Root, "lifecycle_stage": stage, "tags": pairsJSON(e.Tags),
	}
}

func pairsJSON(m map[string]string) (list []map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		list = append(list, map[string]string{"key": key, "value": m[key]})
	}
	return list
}

func (s *Server) searchExperiments(c call) answer {
	var in struct {
		Max      int64    `json:"max_results"`
		Token    string   `json:"page_token"`
		Filter   string   `json:"filter"`
		ViewType string   `json:"view_type"`
		OrderBy  []string `json:"order_by"`
	}
	if !c.read(&in) {
		return invalid("bad body")
	}
	var found []any
	for _, e := range s.experiments {
		match, a := s.match(in.Filter, e.Tags)
		if a != nil {
			return *a
		}
		if match && !e.Deleted {
			found = append(found, experimentJSON(e))
		}
	}
	return page("experiments", found, int(in.Max), in.Token)
}

// match reads the one form of filter that is needed: tags.`key` = 'value' or LIKE '%'.
func (s *Server) match(filter string, tags map[string]string) (bool, *answer) {
	if filter == "" {
		return true, nil
	}
	rest, isTag := strings.CutPrefix(filter, "tags.`")
	key, rest, quoted := strings.Cut(rest, "` ")
	op, value, compared := strings.Cut(rest, " '")
	value, ended := strings.CutSuffix(value, "'")
	if !isTag || !quoted || !compared || !ended || strings.ContainsAny(value, `'"`) || op != "=" && op != "LIKE" {
		s.t.Errorf("filter %q is not understood", filter)
		return false, refusal("invalid filter")
	}
	have, there := tags[key]
	if op == "LIKE" {
		return there && value == "%", nil
	}
	return there && have == value, nil
}

// page gives one page of a list; the token is the index it begins with.
func page(name string, list []any, limit int, token string) answer {
	from := 0
	if token != "" {
		var err error
		if from, err = offset(token); err != nil {
			return invalid("invalid page token")
		}
		from = min(from, len(list))
	}
	if limit <= 0 {
		limit = 1000
	}
	out := map[string]any{}
	to := min(from+limit, len(list))
	if to > from {
		out[name] = list[from:to]
	}
	if to < len(list) {
		out["next_page_token"] = base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"offset": %d}`, to))
	}
	return ok(out)
}

// offset reads a page token of MLflow's databases.
func offset(token string) (int, error) {
	text, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return 0, err
	}
	var at struct{ Offset int }
	err = json.Unmarshal(text, &at)
	return max(at.Offset, 0), err
}

func (s *Server) experimentByName(c call) answer {
	for _, e := range s.experiments {
		if e.Name == c.get("experiment_name") {
			return ok(map[string]any{"experiment": experimentJSON(e)})
		}
	}
	return fail(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "no experiment of that name")
}

func (s *Server) getExperiment(c call) answer {
	e := s.experiment(c.get("experiment_id"))
	if e == nil {
		return fail(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "no experiment %s", c.get("experiment_id"))
	}
	return ok(map[string]any{"experiment": experimentJSON(e)})
}

func (s *Server) updateExperiment(c call) answer {
	var in struct {
		ID   *string `json:"experiment_id"`
		Name *string `json:"new_name"`
	}
	if !c.read(&in) || in.ID == nil || in.Name == nil {
		return invalid("missing experiment_id or new_name")
	}
	s.checkText("experiment", *in.Name, *in.Name, 256)
	e := s.experiment(*in.ID)
	if e == nil {
		return fail(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "no experiment %s", *in.ID)
	}
	if e.Deleted {
		return fail(http.StatusInternalServerError, "INVALID_STATE", "Cannot rename a non-active experiment.")
	}
	e.Name = *in.Name
	return ok(struct{}{})
}

func (s *Server) deleteExperiment(c call) answer {
	var in struct {
		ID *string `json:"experiment_id"`
	}
	if !c.read(&in) || in.ID == nil {
		return invalid("missing experiment_id")
	}
	e := s.experiment(*in.ID)
	if e == nil || e.Deleted {
		return fail(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "no active experiment %s", *in.ID)
	}
	e.Deleted = true
	return ok(struct{}{})
}

func (s *Server) setExperimentTag(c call) answer {
	var in struct {
		ID *string `json:"experiment_id"`
		pair
	}
	if !c.read(&in) || in.ID == nil {
		return invalid("missing experiment_id")
	}
	e := s.experiment(*in.ID)
	if e == nil {
		return fail(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "no experiment %s", *in.ID)
	}
	if a := s.tags(e.Tags, []pair{in.pair}, 5000); a != nil {
		return *a
	}
	return ok(struct{}{})
}

func (s *Server) createRun(c call) answer {
	var in struct {
		Experiment *string `json:"experiment_id"`
		User       string  `json:"user_id"`
		Name       string  `json:"run_name"`
		Start      *int64  `json:"start_time"`
		Tags       []pair  `json:"tags"`
	}
	if !c.read(&in) || in.Experiment == nil {
		return invalid("missing experiment_id")
	}
	if in.Start == nil || in.Name == "" {
		s.t.Errorf("run without start time or name: the server would make them up")
		return invalid("missing start_time")
	}
	e := s.experiment(*in.Experiment)
	switch {
	case e == nil:
		return fail(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "no experiment %s", *in.Experiment)
	case e.Deleted:
		return invalid("The experiment %s must be in the 'active' state.", e.ID)
	case s.opts.Forbid != nil && s.opts.Forbid(e.Name):
		return answer{status: http.StatusForbidden, body: "Permission denied"}
	}
	s.checkText("run name", in.Name, in.Name, 250)
	s.checkText("user", in.User, in.User, 256)
	run := &Run{
		ID: fmt.Sprintf("%032x", len(s.runs)+1), ExperimentID: e.ID, Name: in.Name, User: in.User, Status: "RUNNING",
		Start: *in.Start, Params: map[string]string{}, Tags: map[string]string{}, Metrics: map[string][]Point{},
		Artifacts: map[string][]byte{},
	}
	if a := s.tags(run.Tags, in.Tags, s.maxTag()); a != nil {
		return *a
	}
	run.Tags["mlflow.runName"] = run.Name
	s.runs = append(s.runs, run)
	return ok(map[string]any{"run": s.runJSON(run)})
}

func (s *Server) runJSON(run *Run) map[string]any {
	stage := "active"
	if run.Deleted {
		stage = "deleted"
	}
	info := map[string]any{
		"run_id": run.ID, "run_uuid": run.ID, "run_name": run.Name, "experiment_id": run.ExperimentID, "user_id": run.User,
		"status": run.Status, "start_time": run.Start, "lifecycle_stage": stage,
		"artifact_uri": s.experiment(run.ExperimentID).Root + "/" + run.ID + "/artifacts",
	}
	if run.End != nil {
		info["end_time"] = *run.End
	}
	var metrics []any
	for _, key := range slices.Sorted(maps.Keys(run.Metrics)) {
		points := run.Metrics[key]
		metrics = append(metrics, pointJSON(key, points[len(points)-1]))
	}
	data := map[string]any{"params": pairsJSON(run.Params), "tags": pairsJSON(run.Tags), "metrics": metrics}
	inputs := map[string]any{}
	if len(run.Datasets) > 0 {
		inputs["dataset_inputs"] = run.Datasets
	}
	return map[string]any{"info": info, "data": data, "inputs": inputs, "outputs": map[string]any{}}
}

func pointJSON(key string, p Point) map[string]any {
	value := any(p.Value)
	if p.Value != p.Value {
		value = "NaN"
	}
	return map[string]any{"key": key, "value": value, "timestamp": p.Time, "step": p.Step}
}

func (s *Server) searchRuns(c call) answer {
	var in struct {
		Experiments []string `json:"experiment_ids"`
		Filter      string   `json:"filter"`
		ViewType    string   `json:"run_view_type"`
		Max         int32    `json:"max_results"`
		OrderBy     []string `json:"order_by"`
		Token       string   `json:"page_token"`
	}
	if !c.read(&in) || len(in.Experiments) == 0 || in.Max > 50000 {
		s.t.Errorf("runs/search without experiments, or with more than 50,000 results")
		return invalid("bad search")
	}
	var found []any
	for _, run := range s.runs {
		match, a := s.match(in.Filter, run.Tags)
		if a != nil {
			return *a
		}
		if match && !run.Deleted && slices.Contains(in.Experiments, run.ExperimentID) {
			found = append(found, s.runJSON(run))
		}
	}
	limit := int(in.Max)
	if s.opts.SearchPage > 0 {
		limit = min(limit, s.opts.SearchPage)
	}
	return page("runs", found, limit, in.Token)
}

// active finds a run that may be written.
func (s *Server) active(id *string) (*Run, *answer) {
	if id == nil {
		return nil, refusal("missing run_id")
	}
	run := s.run(*id)
	if run == nil {
		a := fail(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Run with id=%s not found", *id)
		return nil, &a
	}
	if run.Deleted {
		return nil, refusal("The run " + *id + " must be in the 'active' state. Current state is deleted.")
	}
	return run, nil
}

func (s *Server) updateRun(c call) answer {
	var in struct {
		ID     *string `json:"run_id"`
		Status string  `json:"status"`
		End    *int64  `json:"end_time"`
	}
	if !c.read(&in) {
		return invalid("bad body")
	}
	run, a := s.active(in.ID)
	if a != nil {
		return *a
	}
	if !slices.Contains([]string{"RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"}, in.Status) {
		s.t.Errorf("status %q", in.Status)
	}
	run.Status = in.Status
	if in.End != nil {
		run.End = in.End
	}
	return ok(map[string]any{"run_info": s.runJSON(run)["info"]})
}

func (s *Server) deleteRun(c call) answer {
	var in struct {
		ID *string `json:"run_id"`
	}
	if !c.read(&in) {
		return invalid("bad body")
	}
	if in.ID == nil || s.run(*in.ID) == nil {
		return fail(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "no such run")
	}
	s.run(*in.ID).Deleted = true // deleting again is no error
	return ok(struct{}{})
}

func (s *Server) setTag(c call) answer {
	var in struct {
		ID *string `json:"run_id"`
		pair
	}
	if !c.read(&in) {
		return invalid("bad body")
	}
	run, a := s.active(in.ID)
	if a == nil {
		a = s.tags(run.Tags, []pair{in.pair}, s.maxTag())
	}
	if a != nil {
		return *a
	}
	return ok(struct{}{})
}

func (s *Server) getRun(c call) answer {
	run := s.run(c.get("run_id"))
	if run == nil {
		return fail(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Run with id=%s not found", c.get("run_id"))
	}
	return ok(map[string]any{"run": s.runJSON(run)})
}

func (s *Server) history(c call) answer {
	run := s.run(c.get("run_id"))
	var found []any
	if run != nil {
		for _, p := range slices.SortedFunc(slices.Values(run.Metrics[c.get("metric_key")]), byTime) {
			found = append(found, pointJSON(c.get("metric_key"), p))
		}
	}
	limit := len(found) + 1
	if text := c.get("max_results"); text != "" {
		if !s.atLeast(3, 1, 1) {
			return invalid("The SQLAlchemyStore backend does not support pagination")
		}
		asked, err := strconv.Atoi(text)
		if err != nil || asked <= 0 || asked > 25000 {
			return invalid("invalid max_results %q", text)
		}
		limit = min(asked, 25000)
		if s.opts.HistoryPage > 0 {
			limit = min(limit, s.opts.HistoryPage)
		}
	}
	return page("metrics", found, limit, c.get("page_token"))
}

// byTime sorts as metrics/get-history does: time, step, value, where NaN is 0.
func byTime(a, b Point) int {
	value := func(p Point) float64 {
		if p.Value != p.Value {
			return 0
		}
		return p.Value
	}
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Step, b.Step), cmp.Compare(value(a), value(b)))
}

// double is a metric's value: a number, or a name in quotes for what JSON has no number for.
type double float64

// UnmarshalJSON takes exactly what MLflow's parser takes.
func (d *double) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case `"NaN"`:
		*d = double(math.NaN())
		return nil
	case `"Infinity"`:
		*d = math.MaxFloat64
		return nil
	case `"-Infinity"`:
		*d = -math.MaxFloat64
		return nil
	}
	var f float64
	err := json.Unmarshal(b, &f)
	*d = double(f + 0) // -0.0 becomes 0.0
	return err
}
