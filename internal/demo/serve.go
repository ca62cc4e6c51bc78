package demo

import (
	"context"
	"fmt"
	"io"
	"strings"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// Serve starts a Neptune server in this process that has the demo's project. The caller closes it.
func Serve(ctx context.Context) (*neptunetest.Server, error) {
	workspace, name, _ := strings.Cut(Project, "/")
	project := &neptunetest.Project{Workspace: workspace, Name: name, Key: "DEMO"}
	for info, err := range (Source{}).Runs(ctx, migrate.Selection{}) {
		if err != nil {
			return nil, err
		}
		run, err := served(ctx, info)
		if err != nil {
			return nil, fmt.Errorf("run %s of the demo: %w", info.ID, err)
		}
		project.Runs = append(project.Runs, run)
	}
	server, err := neptunetest.Start(neptunetest.Options{Projects: []*neptunetest.Project{project}, NoRecord: true})
	if err != nil {
		return nil, fmt.Errorf("start the demo's server: %w", err)
	}
	return server, nil
}

// served is a run as the server holds it.
func served(ctx context.Context, info migrate.RunInfo) (*neptunetest.Run, error) {
	r, err := Source{}.OpenRun(ctx, info)
	if err != nil {
		return nil, err
	}
	run := &neptunetest.Run{ID: info.SysID, CustomID: info.ID}
	for chunk, err := range r.Chunks(ctx, nil) {
		if err != nil {
			return nil, err
		}
		if chunk.Path == "sys/id" || chunk.Path == "sys/custom_run_id" {
			continue // the server has them by itself
		}
		value, err := valueOf(ctx, r, chunk)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", chunk.Path, err)
		}
		run.Attributes = append(run.Attributes, neptunetest.Attribute{Path: chunk.Path, Value: value})
	}
	return run, nil
}

func valueOf(ctx context.Context, r migrate.RunReader, c migrate.Chunk) (neptunetest.Value, error) {
	switch v := c.Values.(type) {
	case migrate.Ints:
		return neptunetest.Int(v[0]), nil
	case migrate.Bools:
		return neptunetest.Bool(v[0]), nil
	case migrate.Datetimes:
		return neptunetest.Datetime(v[0]), nil
	case migrate.StringSets:
		return neptunetest.StringSet(v[0]), nil
	case migrate.Floats:
		if !c.Kind.Series() {
			return neptunetest.Float(v[0]), nil
		}
		return neptunetest.FloatSeries(points(c, v, func(f float64) float64 { return f })), nil
	case migrate.Strings:
		if !c.Kind.Series() {
			return neptunetest.String(v[0]), nil
		}
		return neptunetest.StringSeries(points(c, v, func(s string) string { return s })), nil
	case migrate.Histograms:
		return neptunetest.HistogramSeries(points(c, v, func(h migrate.Histogram) neptunetest.Histogram {
			return neptunetest.Histogram{Type: h.Type, Edges: h.Edges, Values: h.Values}
		})), nil
	case migrate.Files:
		return filesOf(ctx, r, c, v)
	}
	return nil, fmt.Errorf("the demo's server has no %s", c.Kind)
}

func filesOf(ctx context.Context, r migrate.RunReader, c migrate.Chunk, refs migrate.Files) (neptunetest.Value, error) {
	var files []neptunetest.File
	for _, ref := range refs {
		body, err := r.OpenFile(ctx, ref)
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(body)
		body.Close()
		if err != nil {
			return nil, err
		}
		files = append(files, neptunetest.FileOf(ref.Name, ref.MIME, content))
	}
	if !c.Kind.Series() {
		return files[0], nil
	}
	return neptunetest.FileSeries(points(c, files, func(f neptunetest.File) neptunetest.File { return f })), nil
}

// points gives the points of a series.
func points[V, W any](c migrate.Chunk, values []V, convert func(V) W) []neptunetest.Point[W] {
	all := make([]neptunetest.Point[W], len(values))
	for i, v := range values {
		all[i] = neptunetest.Point[W]{Step: float64(c.Steps[i]) / float64(migrate.StepUnit), TimeMS: c.Times[i], Value: convert(v)}
	}
	return all
}
