//go:build unix

package ui_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/nexport-go/migrate/e2e/internal/mlflowserver"
	"github.com/nexport-go/migrate/internal/demo"
)

// The runs that are looked at.
const (
	bestRun   = "convnext-tiny-lr0.001"
	failedRun = "resnet50-lr0.001-batch1024"
	nanRun    = "vit-small-lr0.03"
	baseRun   = "story-35m-lr0.0006"
	forkedRun = "story-35m-lr0.0006-annealed"
	storyRun  = forkedRun
	demoRuns  = 28
)

// setting gives what the environment says, or skips the test.
func setting(t *testing.T, name, how string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Skipf("%s is not set: %s", name, how)
	}
	return value
}

func TestUI(t *testing.T) {
	environment := setting(t, "NEXPORT_TEST_MLFLOW3", "run this by make e2e, or set it to the directory that scripts/venv.sh made")
	chromium := setting(t, "NEXPORT_TEST_CHROMIUM", "run this by make e2e, or set it to what scripts/chromium.sh prints")
	t.Setenv("MLFLOW_DISABLE_TELEMETRY", "true")
	server, dir := serveDemo(t, environment)
	runs := places(t, server.URL())
	if len(runs) != demoRuns {
		t.Errorf("MLflow has %d runs, want %d", len(runs), demoRuns)
	}
	for _, id := range []string{bestRun, failedRun, nanRun, baseRun, forkedRun} {
		if runs[id].run == "" {
			t.Fatalf("MLflow has no run %s", id)
		}
	}
	b := open(t, chromium, server.URL(), pictures(t))
	b.show("experiments", "/#/experiments", demo.Project)
	b.closeAssistant()
	b.show("runs", "/#/experiments/"+runs[bestRun].experiment+"/runs", fmt.Sprint(demoRuns), "matching runs", baseRun)
	checkOverview(t, b, runs)
	checkFork(t, b, runs)
	checkCharts(t, b, runs[bestRun])
	checkComparison(b, runs[bestRun])
	checkImage(t, b, runs[bestRun], "image", "artifacts/confusion_matrix.png", "artifacts/confusion_matrix")
	step, _ := originalOf(t, bestRun).last("metrics/val/loss")
	checkImage(t, b, runs[bestRun], "samples", "samples/predictions/step_"+step+".png", "samples/predictions")
	checkText(t, b, runs[storyRun])
	checkAll(t, environment, server, dir)
}

// serveDemo runs the demo and starts the MLflow of the environment on what it made, in dir.
func serveDemo(t *testing.T, environment string) (server *mlflowserver.Server, dir string) {
	t.Helper()
	parent := t.TempDir()
	dir = filepath.Join(parent, "nexport-demo")
	command := filepath.Join(parent, "nexport")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", command, "../../cmd/nexport")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the command: %v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), command, "demo")
	run.Dir = parent
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("run the demo: %v\n%s", err, out)
	}
	t.Logf("the demo says:\n%s", out)
	server, err = mlflowserver.StartOn(environment, parent, "sqlite:///"+filepath.Join(dir, "mlflow.db"), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return server, dir
}

// pictures empties the directory for pictures.
func pictures(t *testing.T) string {
	t.Helper()
	if err := os.RemoveAll("out"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("out", 0o777); err != nil {
		t.Fatal(err)
	}
	return "out"
}

// closeAssistant closes the panel for questions, which MLflow opens by itself; it stays closed.
func (b *browser) closeAssistant() {
	b.t.Helper()
	b.do("close the assistant", chromedp.Evaluate[chromedp.Void](
		`document.querySelector('[data-component-id="mlflow.assistant.chat_panel.close"]')?.click()`))
}

func checkOverview(t *testing.T, b *browser, runs map[string]place) {
	best := originalOf(t, bestRun)
	_, loss := best.last("metrics/val/loss")
	_, accuracy := best.last("metrics/val/accuracy")
	b.show("overview", runs[bestRun].address(),
		bestRun, "Finished", "jun", "Best of the sweep.", // name, status, user, description
		"config/optimizer/lr", "0.001", "config/model/parameters", "27827818", "convnext-tiny", `["crop","flip"]`, "2025-02-17T09:30:00.000Z",
		"metrics/val/loss", js(loss), "metrics/val/accuracy", js(accuracy),
		"tag.best", "neptune.sys_id", "DEMO-8", "demo/shapes-and-stories",
	)
	// MLflow leaves metrics whose last value is NaN out of this page; checkAll sees that it has them.
	b.show("diverged", runs[nanRun].address(), nanRun, "Learning rate far too high", "metrics/val/accuracy", "0.1")
	b.show("failed", runs[failedRun].address(), failedRun, "Failed", "Does not fit on one GPU.")
}

// checkFork: the run that another was forked from is its parent.
func checkFork(t *testing.T, b *browser, runs map[string]place) {
	t.Helper()
	b.show("fork", runs[forkedRun].address(), forkedRun, "Parent run", "sys/forking/step", "3600")
	parent := fmt.Sprintf("document.querySelector('a[href$=\"/runs/%s\"]')", runs[baseRun].run)
	b.until("link to the parent", parent)
	b.picture("fork")
	link := run(b, "read the link", chromedp.Evaluate[string](parent+".innerText"))
	if strings.TrimSpace(link) != baseRun {
		t.Errorf("the link to the parent says %q, want %q", link, baseRun)
	}
}

// checkCharts: the curves are drawn, up to the last point with its exact value.
func checkCharts(t *testing.T, b *browser, at place) {
	t.Helper()
	b.show("metrics", at.address()+"/model-metrics", "metrics/train", "metrics/val", "accuracy", "loss")
	best := originalOf(t, bestRun)
	for _, key := range []string{"metrics/train/loss", "metrics/train/accuracy", "metrics/val/loss"} {
		step, value := best.last(key)
		b.until("curve of "+key, fmt.Sprintf(`
			[...document.querySelectorAll(".js-plotly-plot")].some(plot => (plot.data || []).some(curve =>
				curve.metricKey === %q && curve.x.at(-1) === %s && curve.y.at(-1) === %s) && plot.querySelector(".scatterlayer path.js-line"))`,
			key, step, js(value)))
	}
	b.picture("metrics")
}

// checkComparison: a chart of several runs at once.
func checkComparison(b *browser, at place) {
	b.t.Helper()
	b.show("comparison", "/#/experiments/"+at.experiment+"/runs?compareRunsMode=CHART", baseRun, "metrics/train", "metrics/val/loss")
	b.until("curves of ten runs", `
		[...document.querySelectorAll(".js-plotly-plot")].some(plot => plot.querySelectorAll(".scatterlayer path.js-line").length >= 10)`)
	b.picture("comparison")
}

// checkImage: the last picture of an attribute is shown in full size.
func checkImage(t *testing.T, b *browser, at place, name, artifact, attribute string) {
	t.Helper()
	b.show(name, at.address()+"/artifacts/"+artifact, artifact)
	size := originalOf(t, bestRun).picture(attribute).Bounds().Size()
	b.until("picture "+artifact, fmt.Sprintf(
		"[...document.images].some(i => i.complete && i.naturalWidth === %d && i.naturalHeight === %d)", size.X, size.Y))
	b.picture(name)
}

// checkText: every line is on the page.
func checkText(t *testing.T, b *browser, at place) {
	t.Helper()
	lines := originalOf(t, storyRun).lines("samples/text")
	b.show("text", at.address()+"/artifacts/samples/text.txt", append([]string{"samples/text.txt"}, lines...)...)
}

// checkAll compares everything that MLflow has with the archive.
func checkAll(t *testing.T, environment string, server *mlflowserver.Server, dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(environment, "bin", "python"), "-B", "../check.py", "--multiplier", "1",
		"--data", filepath.Join(dir, "data"), "--files", filepath.Join(dir, "files"), "--uri", server.URL())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("MLflow holds something else than the archive: %v\n%s", err, out)
	}
}
