package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
)

// server is as much of an MLflow tracking server, in memory, as a load needs. Package mlflow is
// tested against stricter ones; here it only has to be there.
type server struct {
	mu          sync.Mutex
	experiments []*experiment
	runs        []*run
	files       map[string]int64 // sizes by run ID and path
	writes      int
	failing     string // path of a request that is answered 400
}

type experiment struct {
	ID    string `json:"experiment_id"`
	Name  string `json:"name"`
	Stage string `json:"lifecycle_stage"`
	Tags  []pair `json:"tags"`
}

type pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type point struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
	Time  int64           `json:"timestamp"`
	Step  int64           `json:"step"`
}

type run struct {
	Info struct {
		ID         string `json:"run_id"`
		Experiment string `json:"experiment_id"`
		Artifacts  string `json:"artifact_uri"`
		Status     string `json:"status"`
	} `json:"info"`
	Data struct {
		Params  []pair  `json:"params"`
		Tags    []pair  `json:"tags"`
		Metrics []point `json:"metrics"`
	} `json:"data"`
}

// request has the fields of all requests.
type request struct {
	Name       string   `json:"name"`
	Filter     string   `json:"filter"`
	Experiment string   `json:"experiment_id"`
	Searched   []string `json:"experiment_ids"`
	RunID      string   `json:"run_id"`
	Status     string   `json:"status"`
	Key        string   `json:"key"`
	Value      string   `json:"value"`
	Params     []pair   `json:"params"`
	Tags       []pair   `json:"tags"`
	Metrics    []point  `json:"metrics"`
}

const artifactsPath = "/api/2.0/mlflow-artifacts/artifacts/"

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/version" {
		io.WriteString(w, "3.18.0")
		return
	}
	if name, ok := strings.CutPrefix(r.URL.Path, artifactsPath); ok && r.Method == http.MethodPut {
		s.writes++
		s.files[name], _ = io.Copy(io.Discard, r.Body)
		io.WriteString(w, "{}")
		return
	}
	var req request
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	} else {
		req.RunID, req.Key, req.Name = r.FormValue("run_id"), r.FormValue("metric_key"), r.FormValue("experiment_name")
	}
	op := strings.TrimPrefix(r.URL.Path, "/api/2.0/mlflow/")
	if op == s.failing {
		refusal(w, http.StatusBadRequest, "INVALID_PARAMETER_VALUE")
		return
	}
	answer, ok := s.answer(op, req, r.FormValue("path"))
	if !ok {
		refusal(w, http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST")
		return
	}
	json.NewEncoder(w).Encode(answer)
}

func refusal(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"error_code": code, "message": "the test says so"})
}

func (s *server) answer(op string, req request, dir string) (answer any, ok bool) {
	switch op {
	case "experiments/search":
		return map[string]any{"experiments": s.matching(req.Filter)}, true
	case "runs/search":
		return map[string]any{"runs": s.search(req)}, true
	case "metrics/get-history":
		return map[string]any{"metrics": s.history(req.RunID, req.Key)}, true
	case "artifacts/list":
		return map[string]any{"files": s.list(req.RunID, dir)}, true
	case "runs/get":
		held := s.find(req.RunID)
		return map[string]any{"run": held}, held != nil
	}
	s.writes++
	switch op {
	case "experiments/create":
		s.experiments = append(s.experiments, &experiment{ID: fmt.Sprint(len(s.experiments) + 1), Name: req.Name, Stage: "active", Tags: req.Tags})
		return map[string]string{"experiment_id": fmt.Sprint(len(s.experiments))}, true
	case "runs/create":
		held := &run{}
		held.Info.ID = fmt.Sprintf("%032x", len(s.runs)+1)
		held.Info.Experiment, held.Data.Tags = req.Experiment, req.Tags
		held.Info.Artifacts = "mlflow-artifacts:/" + held.Info.ID
		s.runs = append(s.runs, held)
		return map[string]any{"run": held}, true
	}
	held := s.find(req.RunID)
	if held == nil {
		return nil, false
	}
	switch op {
	case "runs/log-batch":
		held.Data.Params = append(held.Data.Params, req.Params...)
		held.Data.Metrics = append(held.Data.Metrics, req.Metrics...)
		set(&held.Data.Tags, req.Tags...)
	case "runs/set-tag":
		set(&held.Data.Tags, pair{req.Key, req.Value})
	case "runs/update":
		held.Info.Status = req.Status
	default:
		return nil, false
	}
	return struct{}{}, true
}

func set(tags *[]pair, changes ...pair) {
	for _, change := range changes {
		found := false
		for i := range *tags {
			if (*tags)[i].Key == change.Key {
				(*tags)[i], found = change, true
			}
		}
		if !found {
			*tags = append(*tags, change)
		}
	}
}

// matching gives the experiments with a tag whose value the filter has.
func (s *server) matching(filter string) (found []*experiment) {
	for _, e := range s.experiments {
		if hasValue(e.Tags, filter) {
			found = append(found, e)
		}
	}
	return found
}

// search gives all runs of the experiments for a filter by pattern, else those with a tag whose
// value it has.
func (s *server) search(req request) (found []*run) {
	for _, r := range s.runs {
		if slices.Contains(req.Searched, r.Info.Experiment) && (strings.Contains(req.Filter, "LIKE") || hasValue(r.Data.Tags, req.Filter)) {
			found = append(found, r)
		}
	}
	return found
}

func hasValue(tags []pair, filter string) bool {
	for _, tag := range tags {
		if strings.Contains(filter, "'"+tag.Value+"'") {
			return true
		}
	}
	return false
}

func (s *server) find(id string) *run {
	for _, r := range s.runs {
		if r.Info.ID == id {
			return r
		}
	}
	return nil
}

func (s *server) history(id, key string) (points []point) {
	seen := map[string]bool{}
	for _, p := range s.find(id).Data.Metrics {
		if line := fmt.Sprint(p.Step, p.Time, string(p.Value)); p.Key == key && !seen[line] {
			seen[line] = true
			points = append(points, p)
		}
	}
	return points
}

func (s *server) list(id, dir string) (files []map[string]any) {
	seen := map[string]bool{}
	for name, size := range s.files {
		below, ok := strings.CutPrefix(name, path.Join(id, dir)+"/")
		if !ok {
			continue
		}
		first, _, deeper := strings.Cut(below, "/")
		if !deeper {
			files = append(files, map[string]any{"path": path.Join(dir, first), "is_dir": false, "file_size": size})
		} else if !seen[first] {
			seen[first] = true
			files = append(files, map[string]any{"path": path.Join(dir, first), "is_dir": true})
		}
	}
	return files
}
