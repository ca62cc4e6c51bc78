//go:build unix

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nexport-go/migrate/internal/fixture"
)

// TestLoadArchives loads every archive that the Python tool wrote, and the one that holds what those
// lack, into each target, reads everything back, and loads it once more.
func TestLoadArchives(t *testing.T) {
	t.Parallel()
	for _, target := range targets {
		t.Run(target.name, func(t *testing.T) {
			at := target.open(t)
			t.Parallel()
			archives := archivesFor(t, target)
			for _, a := range archives {
				t.Run("load "+a.name, func(t *testing.T) {
					load(t, a.in(at), at.uri, a.partial)
				})
			}
			url := at.serve(t)
			for _, a := range archives {
				t.Run("check "+a.name, func(t *testing.T) {
					checkTwice(t, a.in(at), at, url, a.partial)
				})
			}
			if at.artifacts != "" { // what a server wrote itself, it can go on with
				t.Run("go on", func(t *testing.T) { goOn(t, target.env, url, archives[0].in(at), at) })
			}
		})
	}
}

// namedArchive is an archive that is loaded into targets.
type namedArchive struct {
	archiveDirs
	name    string
	partial bool // it lacks a file
}

// in is the archive with what the command has to be told for a target.
func (a namedArchive) in(at place) archiveDirs {
	a.artifacts = at.artifacts
	return a.archiveDirs
}

// archivesFor gives all of them, or the two that show where things go: those with odd files.
func archivesFor(t *testing.T, to target) []namedArchive {
	names := []string{"neptune2-de-odd", "neptune3-d-odd"}
	if to.all {
		names = fixture.Names(t)
	}
	archives := []namedArchive{}
	for _, name := range names {
		data, files := fixture.Unpack(t, name)
		archives = append(archives, namedArchive{archiveDirs{data: data, files: files, prefix: name + "/"}, name, false})
	}
	if to.made {
		archives = append(archives, namedArchive{made(t), "made", true})
	}
	return archives
}

// TestMultipliers loads steps that collide, and steps beyond the integers of MLflow.
func TestMultipliers(t *testing.T) {
	url := sharedServer(t, envMLflow3, false)
	t.Parallel()
	for _, m := range []string{"1", "0.5", "1000000000"} {
		t.Run(m, func(t *testing.T) {
			a := made(t)
			a.prefix = "times " + m + "/"
			args := append(a.loadArgs(url), "--step-multiplier", m)
			for _, id := range []string{"steps", "times", "floats"} {
				args = append(args, "-r", id)
			}
			if code, out := run(t, args...); code != exitMoved {
				t.Fatalf("load ended with %d:\n%s", code, out)
			}
			mustEqual(t, a, url, "--multiplier", m, "--only", "steps", "--only", "times", "--only", "floats")
		})
	}
}

// checkTwice reads back what was loaded through the server at url, loads again, and sees that nothing came of it.
func checkTwice(t *testing.T, a archiveDirs, at place, url string, partial bool) {
	mustEqual(t, a, url)
	before := at.state(t, a)
	again := load(t, a, at.uri, partial, "--json")
	if created := createdRuns(t, again); created != 0 {
		t.Errorf("the second load says that it moved %d runs:\n%s", created, again)
	}
	if diff := cmp.Diff(before, at.state(t, a)); diff != "" {
		t.Errorf("the second load changed something (-before +after):\n%.3000s", diff)
	}
}

// createdRuns counts the runs that a load with --json does not say were there.
func createdRuns(t *testing.T, out string) int {
	t.Helper()
	created, seen := 0, 0
	for line := range strings.Lines(out) {
		var run struct {
			Type    string
			Existed bool
		}
		if json.Unmarshal([]byte(line), &run) != nil || run.Type != "run" {
			continue
		}
		seen++
		if !run.Existed {
			created++
		}
	}
	if seen == 0 {
		t.Fatalf("the load with --json names no run:\n%s", out)
	}
	return created
}

// archives are those that make_archive.py wrote, by its arguments; nobody changes them.
var archives = struct {
	sync.Mutex
	byArgs map[string]archiveDirs
}{byArgs: map[string]archiveDirs{}}

// made gives the archive that holds what the fixtures lack.
func made(t *testing.T) archiveDirs {
	t.Helper()
	return makeArchive(t, "made/")
}

// plain gives an archive of usual runs, shaped like "3x4x50": runs, series, points.
func plain(t *testing.T, shape, prefix string) archiveDirs {
	t.Helper()
	return makeArchive(t, prefix, "--plain", shape)
}

// makeArchive writes an archive, once for all tests.
func makeArchive(t *testing.T, prefix string, args ...string) archiveDirs {
	t.Helper()
	python := filepath.Join(venv(t, envMLflow3), "bin", "python")
	archives.Lock()
	defer archives.Unlock()
	a, ok := archives.byArgs[fmt.Sprint(args)]
	if !ok {
		servers.Lock()
		dir := sharedDir(t)
		servers.Unlock()
		out, err := exec.Command(python, append([]string{"-B", "make_archive.py", dir}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("make an archive: %v\n%s", err, out)
		}
		a = archiveDirs{data: filepath.Join(dir, "data"), files: filepath.Join(dir, "files")}
		archives.byArgs[fmt.Sprint(args)] = a
	}
	a.prefix = prefix
	return a
}

// TestCheckerSees changes loaded runs, each in another way that a wrong loader might have, and expects the
// checker to name every one of them.
func TestCheckerSees(t *testing.T) {
	url := sharedServer(t, envMLflow3, false)
	t.Parallel()
	changes := map[string]func(t *testing.T, url string, run loadedRun){
		"another tag": func(t *testing.T, url string, run loadedRun) {
			post(t, url, "runs/set-tag", map[string]any{"run_id": run.ID, "key": "neptune.run_id", "value": "x"})
		},
		"one more tag": func(t *testing.T, url string, run loadedRun) {
			post(t, url, "runs/set-tag", map[string]any{"run_id": run.ID, "key": "extra", "value": "x"})
		},
		"one more point": func(t *testing.T, url string, run loadedRun) {
			post(t, url, "runs/log-metric", map[string]any{"run_id": run.ID, "key": "metrics/series 000", "value": 1.5, "timestamp": 1, "step": 7})
		},
		"one more metric": func(t *testing.T, url string, run loadedRun) {
			post(t, url, "runs/log-metric", map[string]any{"run_id": run.ID, "key": "other", "value": 1.5, "timestamp": 1, "step": 7})
		},
		"one more param": func(t *testing.T, url string, run loadedRun) {
			post(t, url, "runs/log-parameter", map[string]any{"run_id": run.ID, "key": "other", "value": "1"})
		},
		"another end": func(t *testing.T, url string, run loadedRun) {
			post(t, url, "runs/update", map[string]any{"run_id": run.ID, "status": "FINISHED", "end_time": 5})
		},
		"another status": func(t *testing.T, url string, run loadedRun) {
			post(t, url, "runs/update", map[string]any{"run_id": run.ID, "status": "KILLED"})
		},
		"another file": func(t *testing.T, url string, run loadedRun) {
			artifact(t, http.MethodPut, url, run, "model/weights.bin", "other bytes")
		},
		"no file": func(t *testing.T, url string, run loadedRun) {
			artifact(t, http.MethodDelete, url, run, "model/weights.bin", "")
		},
		"one more file": func(t *testing.T, url string, run loadedRun) {
			artifact(t, http.MethodPut, url, run, "other.txt", "x")
		},
		"another text": func(t *testing.T, url string, run loadedRun) {
			artifact(t, http.MethodPut, url, run, "log/out.txt", "0\t\tx\n")
		},
		"no run": func(t *testing.T, url string, run loadedRun) {
			post(t, url, "runs/delete", map[string]any{"run_id": run.ID})
		},
		"the run twice": func(t *testing.T, url string, run loadedRun) {
			post(t, url, "runs/create", map[string]any{"experiment_id": run.Experiment, "start_time": 1, "tags": run.Tags})
		},
	}
	a := plain(t, fmt.Sprintf("%dx2x10", len(changes)), "checker/")
	load(t, a, url, false)
	mustEqual(t, a, url)
	runs := findRuns(t, url, a.prefix+"e2e/plain")
	changed := map[string]string{} // what was done, by run
	for name, change := range changes {
		run := runs[len(changed)]
		changed[run.Name] = name
		change(t, url, run)
	}
	_, out := check(t, a, url)
	for run, name := range changed {
		if !strings.Contains(out, "DIFFERENT e2e/plain/run/"+run+":") {
			t.Errorf("%s: the checker did not see it in %s:\n%s", name, run, out)
		}
	}
}

// loadedRun is what is needed of a run on the server.
type loadedRun struct {
	ID, Experiment string
	Name           string
	Tags           any
}

// findRun finds the only run of an experiment.
func findRun(t *testing.T, url, experiment string) loadedRun {
	t.Helper()
	return findRuns(t, url, experiment)[0]
}

// findRuns finds the runs of an experiment.
func findRuns(t *testing.T, url, experiment string) (found []loadedRun) {
	t.Helper()
	experiments := post(t, url, "experiments/search", map[string]any{"filter": fmt.Sprintf("name = '%s'", experiment), "max_results": 10})
	id := experiments["experiments"].([]any)[0].(map[string]any)["experiment_id"].(string)
	runs := post(t, url, "runs/search", map[string]any{"experiment_ids": []string{id}, "max_results": 100})
	for _, run := range runs["runs"].([]any) {
		info, data := run.(map[string]any)["info"].(map[string]any), run.(map[string]any)["data"].(map[string]any)
		found = append(found, loadedRun{
			ID: info["run_id"].(string), Experiment: id, Name: info["run_name"].(string), Tags: data["tags"],
		})
	}
	return found
}

func post(t *testing.T, url, path string, body any) map[string]any {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(url+"/api/2.0/mlflow/"+path, "application/json", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v %v", path, answer.Status, out, err)
	}
	return out
}

func artifact(t *testing.T, method, url string, run loadedRun, path, body string) {
	t.Helper()
	at := fmt.Sprintf("%s/api/2.0/mlflow-artifacts/artifacts/%s/%s/artifacts/%s", url, run.Experiment, run.ID, path)
	request, err := http.NewRequest(method, at, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode >= 300 {
		t.Fatalf("%s %s: %s", method, path, answer.Status)
	}
}

// TestEnvironmentIsComplete sees that nothing is skipped by accident where a server is promised.
func TestEnvironmentIsComplete(t *testing.T) {
	for _, env := range []string{envMLflow3, envMLflow2, envMLflowNext} {
		if _, err := os.Stat(filepath.Join(venv(t, env), "bin", "mlflow")); err != nil {
			t.Errorf("%s does not name an environment with MLflow: %v", env, err)
		}
	}
}
