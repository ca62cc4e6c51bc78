// Command jsonlines shows how to move data to a place of one's own: it writes each run of an archive
// into a directory, as JSON lines, one a value, with the run's files beside them.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/parquetstore"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: jsonlines DATA FILES OUT")
	}
	archive, err := parquetstore.Open(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	report, err := migrate.Run(context.Background(), migrate.Job{Source: archive, Sink: sink{os.Args[3]}})
	for _, run := range report.Runs { // those that failed or lack something
		err = errors.Join(err, fmt.Errorf("%s is not whole: %v %v", run.Run, run.Err, run.Problems))
	}
	fmt.Printf("%d runs written, %d were there\n", report.Moved[migrate.StageLoad].Runs, report.Existed[migrate.StageLoad])
	if err != nil {
		log.Fatal(err)
	}
}

// sink is a migrate.Sink. A run gets a directory with a name that no other run has. It is renamed
// last, so that what was cut off or could not be read does not look complete and is written anew.
type sink struct{ dir string }

func (s sink) PutRun(ctx context.Context, run migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	target := filepath.Join(s.dir, fmt.Sprintf("%x", sha256.Sum256([]byte(run.String()))))
	if _, err := os.Stat(target); err == nil {
		return migrate.Result{Existed: true, Target: target}, nil
	}
	temp := target + ".partial"
	err := errors.Join(os.RemoveAll(temp), os.MkdirAll(temp, 0o755))
	f, e := os.Create(filepath.Join(temp, "run.jsonl"))
	if err = errors.Join(err, e); err != nil {
		return migrate.Result{}, err
	}
	err = errors.Join(write(ctx, f, temp, run, r), f.Close())
	if err != nil || slices.ContainsFunc(r.Problems(), func(p migrate.Problem) bool { return p.Code.Lossy() }) {
		return migrate.Result{Target: temp}, err
	}
	return migrate.Result{Target: target}, os.Rename(temp, target)
}

func write(ctx context.Context, w io.Writer, dir string, run migrate.RunInfo, r migrate.RunReader) error {
	lines, files := json.NewEncoder(w), 0
	err := lines.Encode(map[string]any{"project": run.Project, "run_id": run.ID, "parent": run.Parent})
	for chunk, e := range r.Chunks(ctx, nil) {
		err = errors.Join(err, e)
		for i := 0; err == nil && i < chunk.Len(); i++ {
			line := map[string]any{"path": chunk.Path, "kind": chunk.Kind, "value": reflect.ValueOf(chunk.Values).Index(i).Interface()}
			if chunk.Kind.Series() {
				line["step"], line["time"] = json.Number(chunk.Steps[i].String()), chunk.Times[i]
			}
			switch v := line["value"].(type) {
			case float64, migrate.Histogram: // as text, since JSON has no NaN
				line["value"] = fmt.Sprint(v)
			case migrate.FileRef:
				line["value"] = v.Name
				if files++; v.Key != "" { // the source has its bytes
					line["file"], err = files, save(ctx, filepath.Join(dir, fmt.Sprint(files)), v, r)
				}
			}
			err = errors.Join(err, lines.Encode(line))
		}
	}
	return err
}

func save(ctx context.Context, path string, ref migrate.FileRef, r migrate.RunReader) error {
	body, err := r.OpenFile(ctx, ref)
	if err != nil {
		return err
	}
	defer body.Close()
	f, err := os.Create(path)
	if err == nil {
		_, err = io.Copy(f, body)
		err = errors.Join(err, f.Close())
	}
	return err
}
