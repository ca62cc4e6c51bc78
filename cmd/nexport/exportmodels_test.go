package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
)

// TestExportListingScopes exports runs where models cannot be listed, and the other way round.
func TestExportListingScopes(t *testing.T) {
	c := newCommands2(t)
	c.neptune.broken = map[string]error{"ws/a model": errors.New("no models today")}
	c.want(1, "3 runs, 1 model and 2 model versions exported\nProjects whose runs, models and model versions could not all be listed\nws/a: no models today", "export", "-p", "ws/a")
	c = newCommands2(t)
	c.neptune.broken = map[string]error{"ws/a ": errors.New("no runs today")}
	c.want(0, "1 model and 2 model versions exported", "export", "-p", "ws/a", "--scope", "models,model_versions")
	c.want(1, "3 runs exported\n1 model and 2 model versions there already\nws/a: no runs today", "export", "-p", "ws/a")
}

// TestExportModels exports runs, models and model versions, together and each.
func TestExportModels(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ids")
	if err := os.WriteFile(file, []byte("S-A-MOD\nRUN-3\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"export -p ws/a":                         "3 runs, 1 model and 2 model versions exported to",
		"export -p ws/a --scope runs":            "3 runs exported to",
		"export -p ws/a --scope model_versions":  "2 model versions exported to",
		"export -p ws/a --scope models,runs":     "3 runs and 1 model exported to",
		"export -p ws/a -r MOD":                  "1 model and 2 model versions exported to",
		"export -p ws/a --runs-file " + file:     "1 run and 1 model exported to",
		"export -p ws/a --include-archived-runs": "4 runs, 1 model and 3 model versions exported to",
		"export-models -p ws/a":                  "1 model and 2 model versions exported to",
		"export-models -p ws/a --scope models":   "1 model exported to",
		"export-models -p ws/b":                  "0 models exported to",
	} {
		c := newCommands2(t)
		c.want(0, want+"\nfrom Neptune 2.x in", strings.Fields(args)...)
		c.want(0, `"moved":{"runs":0,`, append(strings.Fields(args), "--json")...)
	}
	c := newCommands2(t)
	c.want(0, `"generation":"neptune2"`+"\n"+`"projects":[{"project":"ws/a","runs":3,"models":1,"model_versions":2}],"selected":6,"scopes":{"model":1,"model_version":2,"run":3}`,
		"export", "-p", "ws/a", "--json")
	c.holds("ws/a/model/A-MOD ws/a/model_version/A-MOD-1 ws/a/model_version/A-MOD-2 ws/a/RUN-1 ws/a/RUN-2 ws/a/RUN-3")
	c.want(0, "0 runs exported\n3 runs, 1 model and 2 model versions there already", "export", "-p", "ws/a")
	c.want(1, "no models or model versions in Neptune for -r RUN", "export-models", "-p", "ws/a", "-r", "RUN")
	c.generation = neptune.Neptune3
	c.want(exitUsage, "Neptune 3.x has no models", "export-models", "-p", "ws/a")
}

// TestExportWith completes runs that were exported without something that is asked for now.
func TestExportWith(t *testing.T) {
	c := newCommands(t)
	c.want(0, "1 run exported", "export", "-p", "ws/b")
	c.want(0, "1 run there in part, to be completed", "export", "-p", "ws/b", "--include-metric-previews", "--dry-run")
	c.want(0, "1 run exported", "export", "-p", "ws/b", "--include-metric-previews")
	c.want(0, "1 run there already", "export", "-p", "ws/b", "--include-metric-previews")
	c.want(0, "1 run there already", "export", "-p", "ws/b", "--no-artifact-contents")
	c = newCommands2(t)
	c.want(0, "1 run exported", "export", "-p", "ws/b", "--no-artifact-contents", "-c", "metrics")
	c.want(0, "1 run exported", "export", "-p", "ws/b", "--no-artifact-contents")
	c.want(0, "1 run there already", "export", "-p", "ws/b", "--no-artifact-contents", "--include-metric-previews")
	c.want(0, "1 run exported", "export", "-p", "ws/b")
	c.want(0, "1 run there already", "export", "-p", "ws/b")
	c.want(0, "1 run there already", "export", "-p", "ws/b", "--no-artifact-contents")
}

// TestExportModelShards checks that each model is in one shard.
func TestExportModelShards(t *testing.T) {
	c := newCommands2(t)
	for _, s := range []string{"1/2", "2/2"} {
		c.want(0, "exported", "export", "-p", "ws/a", "--shard", s)
	}
	c.holds("ws/a/model/A-MOD ws/a/model_version/A-MOD-1 ws/a/model_version/A-MOD-2 ws/a/RUN-1 ws/a/RUN-2 ws/a/RUN-3")
}

// TestExportModelsOverwrite sets aside models that are gone, but not where none are shown at all.
func TestExportModelsOverwrite(t *testing.T) {
	c := newCommands2(t)
	c.want(0, "", "export", "-p", "ws/a", "--include-archived-runs")
	next := world()
	next.addTo(migrate.ScopeModelVersion, "ws/a", "A-MOD-1", 2000)
	next.addTo(migrate.ScopeModelVersion, "ws/a", "A-MOD-archived", 2000)
	c.neptune = next
	c.want(0, "3 runs exported\nNeptune shows no models at all", "export", "-p", "ws/a", "--overwrite", "--scope", "runs,models")
	c.holds("ws/a/model/A-MOD ws/a/model_version/A-MOD-1 ws/a/model_version/A-MOD-2 ws/a/model_version/A-MOD-archived ws/a/RUN-1 ws/a/RUN-2 ws/a/RUN-3 ws/a/RUN-archived")
	c.want(0, "set aside:\nws/a/model_version/A-MOD-2: ", "export", "-p", "ws/a", "--overwrite")
	c.holds("ws/a/model/A-MOD ws/a/model_version/A-MOD-1 ws/a/model_version/A-MOD-archived ws/a/RUN-1 ws/a/RUN-2 ws/a/RUN-3 ws/a/RUN-archived")
}
