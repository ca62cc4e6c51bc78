package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
	"github.com/nexport-go/migrate/internal/dburl"
	"github.com/nexport-go/migrate/internal/demo"
	"github.com/nexport-go/migrate/mlflow"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/parquetstore"
)

type demoCmd struct {
	Dir  string `arg:"" optional:"" help:"Directory to write to; new, empty, or of an earlier demo (default ${default})." default:"nexport-demo" placeholder:"DIR"`
	JSON bool   `name:"json" help:"Write JSON lines: those of load, then one for the demo."`
}

// Help follows the short help.
func (demoCmd) Help() string {
	return `Starts a Neptune server within this command that has a small made-up project, exports it into an archive,
loads that into an MLflow database beside it, and says how to look at it. It needs nothing installed, no
account and no network, and writes nowhere else. Given again it completes what is missing. Steps are loaded
as they are, as by load with --step-multiplier 1.

Examples:
  nexport demo
  nexport demo try && nexport summary --data-path try/data --files-path try/files`
}

// Validate checks what Kong cannot.
func (c *demoCmd) Validate() error {
	if strings.Contains(c.Dir, "?") || strings.Contains(c.Dir, ":memory:") {
		return fmt.Errorf("%s: the address of a database cannot have this in it; choose another name", shown(c.Dir))
	}
	return nil
}

// What a demo's directory has in it.
const (
	demoNote      = "README.txt" // tells demos from other directories
	demoData      = "data"
	demoFiles     = "files"
	demoDatabase  = "mlflow.db"
	demoArtifacts = "mlartifacts"
)

// showDemo is given in the demo's directory.
const showDemo = "mlflow server --backend-store-uri sqlite:///" + demoDatabase

const demoNoteText = `Made by "nexport demo"; nothing outside of this directory belongs to it, so it may be deleted.

data, files    what "nexport export" made of a project: "nexport summary" shows it
mlflow.db      what "nexport load" made of it, with mlartifacts

  ` + showDemo + `

shows it, if it is given in this directory. It needs MLflow 3.17 or newer.
`

// Run exports the project, loads it and says how to look at it.
func (c *demoCmd) Run(ctx context.Context, io *stdio, log *slog.Logger) error {
	if err := c.prepare(); err != nil {
		return err
	}
	archive, err := parquetstore.Create(c.path(demoData), c.path(demoFiles), parquetstore.Config{Source: "nexport demo"})
	if err != nil {
		return err
	}
	defer archive.Close()
	exported, err := c.export(ctx, io, log, archive)
	if err != nil {
		return err
	}
	if err := c.load(ctx, io, log, archive); err != nil {
		return err
	}
	if c.JSON {
		return jsonLines(io.out).Encode(c.line(exported))
	}
	_, err = fmt.Fprintf(io.out, "Then open http://127.0.0.1:5000. MLflow has to be 3.17 or newer (pip install mlflow).\n"+
		"All of the demo is in %s, which may be deleted.\n", shown(c.Dir))
	return err
}

func (c *demoCmd) path(name string) string { return filepath.Join(c.Dir, name) }

// uri is the address of the database.
func (c *demoCmd) uri() string { return dburl.SQLite(c.path(demoDatabase)) }

// prepare makes the directory, or makes sure that it is that of an earlier demo.
func (c *demoCmd) prepare() error {
	if err := os.MkdirAll(c.Dir, 0o777); err != nil {
		return fmt.Errorf("make the demo's directory: %w", err)
	}
	dir, err := os.OpenRoot(c.Dir)
	if err != nil {
		return fmt.Errorf("open the demo's directory: %w", err)
	}
	defer dir.Close()
	names, err := fs.ReadDir(dir.FS(), ".")
	if err != nil {
		return fmt.Errorf("read the demo's directory: %w", err)
	}
	for _, name := range names {
		if name.Type()&fs.ModeSymlink != 0 {
			return usage(fmt.Errorf("%s leads out of the demo's directory: name a new or empty directory", shown(c.path(name.Name()))))
		}
	}
	note, err := dir.ReadFile(demoNote)
	if err == nil && string(note) == demoNoteText {
		return nil
	}
	// An interrupted demo may have begun to write its note.
	if len(names) > 1 || len(names) == 1 && (names[0].Name() != demoNote || !strings.HasPrefix(demoNoteText, string(note))) {
		return usage(fmt.Errorf("%s has other things in it: name a new or empty directory", shown(c.Dir)))
	}
	if err := dir.WriteFile(demoNote, []byte(demoNoteText), 0o666); err != nil {
		return fmt.Errorf("write to the demo's directory: %w", err)
	}
	return nil
}

// export fills the archive from a server of its own, and shows what it has.
func (c *demoCmd) export(ctx context.Context, io *stdio, log *slog.Logger, archive *parquetstore.Store) (*migrate.Report, error) {
	server, err := demo.Serve(ctx)
	if err != nil {
		return nil, err
	}
	defer server.Close()
	// No proxy of the environment stands between the command and itself.
	source, err := neptune.New(neptune.Config{APIToken: server.Token(), Projects: []string{demo.Project}, Client: &http.Transport{MaxIdleConnsPerHost: 16}, Log: log})
	if err != nil {
		return nil, err
	}
	runs := list(ctx, source, migrate.Selection{})
	if runs.err != nil {
		return nil, fmt.Errorf("list the demo's runs: %w", runs.err)
	}
	tally := newTally(runs)
	stop := showProgress(io.term, tally, "export")
	report, err := migrate.Run(ctx, migrate.Job{Source: runs, Store: archive, Observe: tally.observe, Log: log})
	stop()
	if err := errors.Join(err, report.Err()); err != nil {
		return nil, fmt.Errorf("export the demo: %w", err)
	}
	if c.JSON {
		return report, nil
	}
	return report, c.summarize(ctx, io, archive, report)
}

// summarize shows the end of what summary shows.
func (c *demoCmd) summarize(ctx context.Context, io *stdio, archive *parquetstore.Store, report *migrate.Report) error {
	if moved := report.Moved[migrate.StageExport]; moved.Runs > 0 {
		fmt.Fprintf(io.out, "%s of %s exported to %s in %s\n", plural(moved.Runs, "run"), demo.Project, shown(c.Dir), span(report.Ended.Sub(report.Started)))
	}
	printCount(io.out, report.Existed[migrate.StageExport], "run", "exported already")
	s := newSurvey(io.out, false)
	s.brief = true
	for _, run := range list(ctx, archive, migrate.Selection{Projects: []string{demo.Project}}).runs {
		if err := s.look(ctx, archive, run); err != nil {
			return fmt.Errorf("summarize %s: %w", run.RunRef, err)
		}
	}
	if err := s.finish(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(io.out)
	return err
}

// load loads the archive into the database, as the load command does.
func (c *demoCmd) load(ctx context.Context, io *stdio, log *slog.Logger, archive *parquetstore.Store) error {
	artifacts, err := filepath.Abs(c.path(demoArtifacts))
	if err != nil {
		return fmt.Errorf("directory for artifacts: %w", err)
	}
	// Steps of the demo are whole numbers; times one they are easy to read in charts.
	one, err := convert.ParseMultiplier("1")
	if err != nil {
		return err
	}
	sink, err := mlflow.New(mlflow.Config{TrackingURI: c.uri(), ArtifactsDir: artifacts, StepMultiplier: one, Log: log})
	if err != nil {
		return err
	}
	defer sink.Close()
	sel := migrate.Selection{Projects: []string{demo.Project}}
	runs := list(ctx, archive, sel)
	l := &load{cmd: &loadCmd{JSON: c.JSON}, io: io, uri: c.uri(), sink: sink, tally: newTally(runs), json: jsonLines(io.out)}
	stop := showProgress(io.term, l.tally, "load")
	report, err := migrate.Run(ctx, migrate.Job{Source: runs, Sink: sink, Selection: sel, Observe: l.observe, Log: log})
	stop()
	return l.finish(ctx, report, err)
}

// jsonDemo is the last line of `demo --json`. The form is fixed in docs/cli-json.md.
type jsonDemo struct {
	Type        string  `json:"type"` // "demo"
	Directory   string  `json:"directory"`
	DataPath    string  `json:"data_path"`
	FilesPath   string  `json:"files_path"`
	TrackingURI string  `json:"tracking_uri"`
	Show        string  `json:"show"` // to be given in Directory
	Exported    int64   `json:"exported"`
	Existed     int64   `json:"existed"`
	Seconds     float64 `json:"seconds"`
}

func (c *demoCmd) line(exported *migrate.Report) jsonDemo {
	return jsonDemo{
		Type: "demo", Directory: c.Dir, DataPath: c.path(demoData), FilesPath: c.path(demoFiles), TrackingURI: c.uri(), Show: showDemo,
		Exported: exported.Moved[migrate.StageExport].Runs, Existed: exported.Existed[migrate.StageExport],
		Seconds: exported.Ended.Sub(exported.Started).Round(time.Millisecond).Seconds(),
	}
}
