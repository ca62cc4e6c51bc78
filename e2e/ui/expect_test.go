//go:build unix

package ui_test

import (
	"bytes"
	"encoding/json"
	"image"
	_ "image/png" // for what the demo draws
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/demo"
)

// original is a run of the demo as its source has it.
type original struct {
	t      *testing.T
	reader migrate.RunReader
	chunks map[string]migrate.Chunk
}

func originalOf(t *testing.T, id string) original {
	t.Helper()
	r, err := demo.Source{}.OpenRun(t.Context(), migrate.RunInfo{RunRef: migrate.RunRef{Project: demo.Project, ID: id}})
	if err != nil {
		t.Fatal(err)
	}
	o := original{t, r, map[string]migrate.Chunk{}}
	for chunk, err := range r.Chunks(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		o.chunks[chunk.Path] = chunk
	}
	return o
}

// last gives the last step and value of a metric.
func (o original) last(path string) (step string, value float64) {
	o.t.Helper()
	c := o.chunks[path]
	values, ok := c.Values.(migrate.Floats)
	if !ok {
		o.t.Fatalf("the demo has no metric %s", path)
	}
	return c.Steps[len(c.Steps)-1].String(), values[len(values)-1]
}

// picture decodes the last image of an attribute.
func (o original) picture(path string) image.Image {
	o.t.Helper()
	img, _, err := image.Decode(bytes.NewReader(o.bytes(path)))
	if err != nil {
		o.t.Fatal(err)
	}
	return img
}

func (o original) bytes(path string) []byte {
	o.t.Helper()
	files, ok := o.chunks[path].Values.(migrate.Files)
	if !ok {
		o.t.Fatalf("the demo has no file %s", path)
	}
	body, err := o.reader.OpenFile(o.t.Context(), files[len(files)-1])
	if err != nil {
		o.t.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		o.t.Fatal(err)
	}
	return b
}

// lines gives the texts of a string series.
func (o original) lines(path string) []string {
	o.t.Helper()
	lines, ok := o.chunks[path].Values.(migrate.Strings)
	if !ok {
		o.t.Fatalf("the demo has no text %s", path)
	}
	return lines
}

// js writes a number as pages show it.
func js(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// place is where MLflow has a run.
type place struct{ experiment, run string }

func (p place) address() string { return "/#/experiments/" + p.experiment + "/runs/" + p.run }

// places asks the server for all runs, by name.
func places(t *testing.T, url string) map[string]place {
	t.Helper()
	var experiments struct {
		Experiments []struct {
			ID   string `json:"experiment_id"`
			Name string `json:"name"`
		} `json:"experiments"`
	}
	ask(t, url+"/api/2.0/mlflow/experiments/search", map[string]any{"max_results": 100}, &experiments)
	found := map[string]place{}
	for _, e := range experiments.Experiments {
		if e.Name != demo.Project {
			continue
		}
		var runs struct {
			Runs []struct {
				Info struct {
					ID   string `json:"run_id"`
					Name string `json:"run_name"`
				} `json:"info"`
			} `json:"runs"`
		}
		ask(t, url+"/api/2.0/mlflow/runs/search", map[string]any{"experiment_ids": []string{e.ID}, "max_results": 100}, &runs)
		for _, r := range runs.Runs {
			found[r.Info.Name] = place{e.ID, r.Info.ID}
		}
	}
	return found
}

func ask(t *testing.T, url string, question map[string]any, answer any) {
	t.Helper()
	body, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
}
