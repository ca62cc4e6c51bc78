package mlflow_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/mlflow"
	"github.com/nexport-go/migrate/mlflow/mlflowtest"
)

const gitText = `{"commit":{"commitId":"1a2b","message":"m"},"repositoryDirty":true,"currentBranch":"main","remotes":["https://host/a.git"]}`

// fromNeptune2 is a run with what only Neptune 2 has.
func fromNeptune2() migratetest.Run {
	scalar := func(path string, kind migrate.Kind, values migrate.Values) migrate.Chunk {
		return migrate.Chunk{Path: path, Kind: kind, Values: values}
	}
	list := migrate.FileRef{Key: "list", Name: "files_list.json", Size: 2}
	return migratetest.Run{
		Info: migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/p", ID: "PRJ-1"}, SysID: "PRJ-1"},
		Chunks: []migrate.Chunk{
			scalar("sys/state", migrate.KindRunState, migrate.Strings{`"idle"`}),
			scalar("source_code/git", migrate.KindGitRef, migrate.Strings{gitText}),
			scalar("source_code/notebook", migrate.KindNotebookRef, migrate.Strings{`{"notebookId":"x"}`}),
			scalar("data", migrate.KindArtifact, migrate.Strings{"abcd"}),
			scalar("data", migrate.KindArtifact, migrate.Files{
				list, {Key: "k", Name: "train/a.csv", Size: 5}, {Key: "k", Name: "files_list.json", Size: 5},
			}),
			scalar("hash", migrate.KindArtifact, migrate.Strings{"ef01"}),
			scalar("long", migrate.KindArtifact, migrate.Strings{strings.Repeat("x", 9000)}),
			scalar("long", migrate.KindArtifact, migrate.Files{list}),
			scalar("code", migrate.KindFileSet, migrate.Files{{Key: "k", Name: "a/b.py", Size: 5}, {Key: "k", Name: "a/B.py", Size: 5}}),
			{
				Path: "img", Kind: migrate.KindFileSeries, Steps: []migrate.Step{0, 5 * migrate.StepUnit}, Times: []int64{start, start + 1},
				Values: migrate.Files{{Key: "k", Name: "cat.png", Description: "a cat", Size: 5}, {Key: "k", Name: "dog.png", Size: 5}},
			},
		},
		Files: map[string][]byte{"k": []byte("hello"), "list": []byte("[]")},
	}
}

func TestNeptune2Run(t *testing.T) {
	server := mlflowtest.NewServer(t, mlflowtest.Options{})
	sink := newSink(t, mlflow.Config{TrackingURI: server.URL})
	result := mustPut(t, sink, fromNeptune2())
	for _, p := range result.Problems {
		if p.Code.Lossy() {
			t.Error(p)
		}
	}
	run := server.Runs()[0]
	if run.Status != "FINISHED" {
		t.Errorf("status %s", run.Status)
	}
	for key, want := range map[string]string{
		"data": "abcd", "hash": "ef01", "sys/state": `"idle"`, "source_code/git": gitText, "source_code/notebook": `{"notebookId":"x"}`,
	} {
		if got := run.Params[key]; got != want {
			t.Errorf("param %s is %q, want %q", key, got, want)
		}
	}
	for key, want := range map[string]string{
		convert.TagMLflowCommit: "1a2b", convert.TagMLflowBranch: "main", convert.TagMLflowRemote: "https://host/a.git",
	} {
		if got := run.Tags[key]; got != want {
			t.Errorf("tag %s is %q, want %q", key, got, want)
		}
	}
	names := slices.Sorted(maps.Keys(run.Artifacts))
	second := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, "data/files_list_h") })
	if second < 0 {
		t.Fatalf("artifacts %q", names)
	}
	names = slices.Delete(names, second, second+1)
	code := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, "code/a/B_h") })
	if code < 0 {
		t.Fatalf("artifacts %q", names)
	}
	names = slices.Delete(names, code, code+1)
	want := []string{
		"code/a/b.py", "data/files_list.json", "data/train/a.csv", "img/step_0.png", "img/step_5.png",
		"long.txt", "long/files_list.json", "nexport.jsonl",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("artifacts (-want +got):\n%s", diff)
	}
	if got := len(run.Artifacts["long.txt"]); got != 9000 {
		t.Errorf("the long hash has %d bytes", got)
	}
	if got := string(run.Artifacts["data/files_list.json"]); got != "[]" {
		t.Errorf("the list is %q", got)
	}
	sidecar := string(run.Artifacts["nexport.jsonl"])
	for _, line := range []string{
		`{"path":"data","kind":"artifact","param":"data"}`,
		`"artifacts":["img/step_0.png","img/step_5.png"],"names":["cat.png","dog.png"],"descriptions":["a cat",""]`,
	} {
		if !strings.Contains(sidecar, line) {
			t.Errorf("nexport.jsonl lacks %s:\n%s", line, sidecar)
		}
	}
	verifyAll(t, sink, fromNeptune2())
	if !mustPut(t, sink, fromNeptune2()).Existed {
		t.Error("a second load did not find the run")
	}
}

// verifyAll wants a run to be on the server as it is.
func verifyAll(t *testing.T, sink *mlflow.Sink, run migratetest.Run) {
	t.Helper()
	var m migratetest.Memory
	m.Add(run)
	r, err := m.OpenRun(t.Context(), run.Info)
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := sink.VerifyRun(t.Context(), run.Info, r); err != nil || len(problems) > 0 {
		t.Errorf("verify %s: %v, %v", run.Info.RunRef, problems, err)
	}
}

// registry has runs, a model with two versions of which one is listed before it and not called after it, and
// a version whose model is gone.
func registry() *migratetest.Memory {
	m := &migratetest.Memory{}
	add := func(scope migrate.Scope, id string, chunks ...migrate.Chunk) {
		info := migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/p", ID: id, Scope: scope}, SysID: id, Name: "name of " + id}
		if id == "A-2" {
			info.Parent = "PRJ-MOD"
		}
		m.Add(migratetest.Run{Info: info, Chunks: chunks})
	}
	text := func(path, value string) migrate.Chunk {
		return migrate.Chunk{Path: path, Kind: migrate.KindString, Values: migrate.Strings{value}}
	}
	add(migrate.ScopeRun, "PRJ-1")
	add(migrate.ScopeRun, "PRJ-MOD-1") // no version, though it is called like one
	add(migrate.ScopeModel, "PRJ-MOD", text("sys/name", "detector"))
	add(migrate.ScopeModelVersion, "PRJ-MOD-1", text("sys/model_id", "PRJ-MOD"), text("sys/stage", "production"))
	add(migrate.ScopeModelVersion, "A-2", text("sys/model_id", "PRJ-MOD"), text("sys/stage", "none"))
	add(migrate.ScopeModelVersion, "GONE-1", text("sys/model_id", "GONE"))
	return m
}

func allScopes() migrate.Selection {
	return migrate.Selection{Scopes: []migrate.Scope{migrate.ScopeRun, migrate.ScopeModel, migrate.ScopeModelVersion}}
}

// TestModels: models are in an experiment of their own, their versions below them.
func TestModels(t *testing.T) {
	for name, by := range map[string]string{"by project": mlflow.ByProject, "by name": mlflow.ByName} {
		t.Run(name, func(t *testing.T) {
			server := mlflowtest.NewServer(t, mlflowtest.Options{})
			sink := newSink(t, mlflow.Config{TrackingURI: server.URL, ExperimentBy: by})
			report, err := migrate.Run(t.Context(), migrate.Job{Source: registry(), Sink: sink, Selection: allScopes()})
			if err != nil || !report.Whole() || report.Listed != 6 {
				t.Fatalf("error %v, report %+v", err, report)
			}
			checkModels(t, server.Runs())
			report, err = migrate.Run(t.Context(), migrate.Job{Source: registry(), Sink: sink, Selection: allScopes()})
			if err != nil || report.Existed[migrate.StageLoad] != 6 {
				t.Errorf("second load: %v, %+v", err, report)
			}
		})
	}
}

func checkModels(t *testing.T, runs []mlflowtest.Run) {
	t.Helper()
	by := map[string]mlflowtest.Run{}
	for _, run := range runs {
		by[run.Tags[convert.TagScope]+" "+run.Name] = run
	}
	model := by["model PRJ-MOD"]
	for name, want := range map[string]struct{ parent, stage, orphan, mlflowParent string }{
		"run PRJ-1":               {},
		"run PRJ-MOD-1":           {},
		"model PRJ-MOD":           {},
		"model_version PRJ-MOD-1": {parent: "PRJ-MOD", stage: "production", mlflowParent: model.ID},
		"model_version A-2":       {parent: "PRJ-MOD", stage: "none", mlflowParent: model.ID},
		"model_version GONE-1":    {parent: "GONE", orphan: "true"},
	} {
		tags := by[name].Tags
		got := [...]string{tags[convert.TagParent], tags[convert.TagStage], tags[convert.TagOrphan], tags[convert.TagMLflowParent]}
		if got != [...]string{want.parent, want.stage, want.orphan, want.mlflowParent} {
			t.Errorf("%s has %q, want %+v", name, got, want)
		}
		inModels := by[name].ExperimentID == model.ExperimentID
		if inModels != !strings.HasPrefix(name, "run ") {
			t.Errorf("%s is in experiment %s, the model in %s", name, by[name].ExperimentID, model.ExperimentID)
		}
	}
}
