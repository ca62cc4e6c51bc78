package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/mlflow"
	"github.com/nexport-go/migrate/parquetstore"
)

type loadCmd struct {
	archiveFlags
	Scope []string `help:"What to load: ${enum}, separated by commas (default ${default})." enum:"runs,models,model_versions" default:"runs,models,model_versions" placeholder:"SCOPES"`

	mlflowFlags
	Loader string `hidden:"" default:"mlflow"` // the Python tool has several

	Jobs   int  `short:"j" help:"Runs loaded at the same time (default ${default})." default:"${jobs}" placeholder:"N"`
	DryRun bool `help:"Say what would be done, as far as can be known without writing anything."`
	JSON   bool `name:"json" help:"Write JSON lines: one for each run, then one for the whole."`
}

// Help follows the short help.
func (loadCmd) Help() string {
	return `Runs that are in MLflow already are left alone, and those of an interrupted load are completed,
so the same command may be given again at any time.

Without an address it does as MLflow does: it loads into the file mlflow.db here, and makes it if need
be; "mlflow server" shows it. Where ./mlruns has experiments of MLflow's old file store, MLflow uses that,
and the address sqlite:///mlflow.db has to be given to both. A database is an order of magnitude faster to
load into than its server, which may run meanwhile. New tables are those of MLflow 3.17; for an older
MLflow let it make them.

Examples:
  nexport load
  nexport load --mlflow-tracking-uri http://localhost:5000
  nexport load -p team/project -r RUN-1 -r RUN-2 --data-path backup/data --files-path backup/files --dry-run

Credentials and TLS come from the MLFLOW_TRACKING_* variables and ~/.mlflow/credentials; those of
PostgreSQL from the address, the PG* variables or ~/.pgpass.

Exit codes: 0 everything was moved, 1 the job or some runs failed, 3 finished but something could not
be moved, 4 the server refused the credentials, 80 wrong usage, 130 interrupted. A dry run ends with the
code of the load that it foresees: with 1 also where MLflow could not be reached, after a plan for an empty one.`
}

// Validate checks what Kong cannot.
func (c *loadCmd) Validate() error {
	if c.Jobs < 1 {
		return errors.New("--jobs must be at least 1")
	}
	if !strings.EqualFold(c.Loader, "mlflow") {
		return fmt.Errorf("--loader %s: only mlflow can be loaded into", c.Loader)
	}
	return c.archiveFlags.Validate()
}

// Run loads the chosen runs and reports.
func (c *loadCmd) Run(ctx context.Context, io *stdio, log *slog.Logger) error {
	cfg, err := c.config(log)
	if err != nil {
		return usage(err)
	}
	cfg.DryRun = c.DryRun
	sink, err := mlflow.New(cfg)
	if err != nil {
		return usage(err)
	}
	defer sink.Close()
	archive, err := openArchive(c.archiveFlags, log)
	if err != nil {
		return err
	}
	sel := c.selection(c.Scope)
	runs := list(ctx, archive, sel)
	if len(runs.runs) == 0 && runs.err == nil {
		return empty(ctx, archive, c.archiveFlags, c.Scope)
	}
	l := &load{cmd: c, io: io, uri: withoutSecrets(cfg.TrackingURI), sink: sink, tally: newTally(runs), json: jsonLines(io.out)}
	if runs.err == nil {
		l.unmatched = runs.unmatched(c.archiveFlags)
	}
	for _, flag := range l.unmatched {
		log.Warn("chose nothing in the archive", "flag", flag)
	}
	verb := "load"
	if c.DryRun {
		verb = "plan"
	}
	stop := showProgress(io.term, l.tally, verb)
	report, err := migrate.Run(ctx, migrate.Job{
		Source: runs, Sink: sink, Selection: sel, Concurrency: c.Jobs, Observe: l.observe, Log: log,
	})
	stop()
	return l.finish(ctx, report, err)
}

func openArchive(f archiveFlags, log *slog.Logger) (*parquetstore.Store, error) {
	if _, err := os.Stat(f.FilesPath); err != nil {
		log.Warn("no files directory; files of runs will be missing unless --files-path names it", "err", err)
	}
	archive, err := parquetstore.Open(f.DataPath, f.FilesPath)
	if err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	return archive, nil
}

// load is one load under way.
type load struct {
	cmd       *loadCmd
	io        *stdio
	uri       string
	sink      *mlflow.Sink
	tally     *tally
	json      *json.Encoder
	jsonErr   error
	unmatched []string
}

func (l *load) observe(e migrate.Event) {
	l.tally.observe(e)
	switch {
	case e.Done && l.cmd.JSON:
		l.jsonErr = errors.Join(l.jsonErr, l.json.Encode(runOf(e)))
	case e.Done && e.Err != nil && !errors.Is(e.Err, migrate.ErrFatal): // which is the command's error
		fmt.Fprintf(l.io.term, "%s failed: %s\n", shown(e.Run.String()), oneLine(e.Err))
	}
}

// finish writes the report and gives the command's error.
func (l *load) finish(ctx context.Context, report *migrate.Report, err error) error {
	result := outcome(report, err)
	if len(l.unmatched) > 0 && (result == nil || errors.Is(result, errPartial)) {
		result = fmt.Errorf("the archive has nothing for %s", strings.Join(l.unmatched, ", "))
	}
	if l.sink.Plan().Unreachable && (result == nil || errors.Is(result, errPartial)) {
		result = fmt.Errorf("%s could not be reached, so nothing was checked; the load would fail now", l.uri)
	}
	if l.cmd.JSON {
		return errors.Join(result, l.jsonErr, l.json.Encode(l.summary(ctx, report, result)))
	}
	return errors.Join(result, l.print(ctx, report, err))
}

func (l *load) summary(ctx context.Context, report *migrate.Report, result error) jsonLoad {
	moved, existed, partial, failed := counts(report)
	sum := jsonLoad{
		Type: "summary", TrackingURI: l.uri, DryRun: l.cmd.DryRun, ExitCode: exitCode(ctx, result),
		Seconds: report.Ended.Sub(report.Started).Seconds(), Selected: l.tally.runs.sum(), Scopes: l.tally.runs.json(),
		Moved: moved, Existed: existed, Partial: partial, Failed: failed,
		Problems: l.tally.classes.counts(), Unmatched: append([]string{}, l.unmatched...),
	}
	if l.cmd.DryRun {
		plan := l.sink.Plan()
		sum.Plan = &plan
	}
	if result != nil {
		sum.Error = exitCoded(ctx, result).Error()
	}
	return sum
}
