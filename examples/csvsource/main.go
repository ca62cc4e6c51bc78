// Command csvsource shows how to move data from a place of one's own: it loads a directory of CSV
// files into MLflow. Each file is a run; its first column is the step, every other one a metric.
package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log"
	"os"
	"strconv"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/mlflow"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: csvsource DIR MLFLOW")
	}
	server, err := mlflow.New(mlflow.Config{TrackingURI: os.Args[2]})
	if err != nil {
		log.Fatal(err)
	}
	report, err := migrate.Run(context.Background(), migrate.Job{Source: source{os.DirFS(os.Args[1])}, Sink: server})
	for _, run := range report.Runs { // those that failed or lack something
		err = errors.Join(err, fmt.Errorf("%s is not whole: %v %v", run.Run, run.Err, run.Problems))
	}
	fmt.Printf("%d runs loaded, %d were there\n", report.Moved[migrate.StageLoad].Runs, report.Existed[migrate.StageLoad])
	if err != nil {
		log.Fatal(err)
	}
}

type source struct{ files fs.FS } // a migrate.Source

func (s source) Runs(ctx context.Context, sel migrate.Selection) iter.Seq2[migrate.RunInfo, error] {
	return func(yield func(migrate.RunInfo, error) bool) {
		names, err := fs.Glob(s.files, "*.csv")
		for _, name := range names {
			run := migrate.RunInfo{RunRef: migrate.RunRef{Project: "csv/metrics", ID: name[:len(name)-len(".csv")]}}
			if err = ctx.Err(); err != nil || sel.Match(run) && !yield(run, nil) {
				break
			}
		}
		if err != nil {
			yield(migrate.RunInfo{}, err)
		}
	}
}

func (s source) OpenRun(_ context.Context, run migrate.RunInfo) (migrate.RunReader, error) {
	f, err := s.files.Open(run.ID + ".csv")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", run.RunRef, errors.Join(migrate.ErrNotFound, err))
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll() // a source of large runs would read them piece by piece
	return reader(rows), err
}

type reader [][]string // a migrate.RunReader over the rows of a file, which are in the order of their steps

func (r reader) Chunks(ctx context.Context, want migrate.Want) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) {
		for column := 1; len(r) > 1 && column < len(r[0]); column++ {
			for first := 1; first < len(r) && (want == nil || want(r[0][column], migrate.KindFloatSeries)); first += migrate.MaxChunkPoints {
				chunk, err := r.chunk(column, r[first:min(first+migrate.MaxChunkPoints, len(r))])
				if err = errors.Join(err, ctx.Err()); !yield(chunk, err) || err != nil {
					return
				}
			}
		}
	}
}

func (r reader) chunk(column int, rows [][]string) (migrate.Chunk, error) {
	chunk, values := migrate.Chunk{Path: r[0][column], Kind: migrate.KindFloatSeries}, migrate.Floats{}
	for _, row := range rows {
		step, err1 := strconv.ParseFloat(row[0], 64)
		value, err2 := strconv.ParseFloat(row[column], 64)
		s, ok := migrate.StepOf(step)
		if err := errors.Join(err1, err2); err != nil || !ok {
			return chunk, fmt.Errorf("%s at step %q: not a number", chunk.Path, row[0])
		}
		chunk.Steps, chunk.Times, values = append(chunk.Steps, s), append(chunk.Times, migrate.NoTime), append(values, value)
	}
	chunk.Values = values
	return chunk, nil
}

func (reader) OpenFile(context.Context, migrate.FileRef) (io.ReadCloser, error) {
	return nil, migrate.ErrNotFound
}
func (reader) Problems() []migrate.Problem { return nil }
