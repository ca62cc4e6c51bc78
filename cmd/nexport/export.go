package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/parquetstore"
)

// exportFlags are those of export and migrate.
type exportFlags struct {
	chooseFlags
	neptuneFlags
	DataPath  string `short:"d" help:"Directory to write the archive's Parquet files to (default ${default})." default:"./exports/data" placeholder:"DIR"`
	FilesPath string `short:"f" help:"Directory to write the runs' files to (default ${default})." default:"./exports/files" placeholder:"DIR"`
	Overwrite bool   `help:"Export finished runs again too. The copy in the archive stays until the new one is whole; runs that Neptune does not have any more are set aside."`
	Update    bool   `help:"Export finished runs again that were modified in Neptune since."`
	Jobs      int    `short:"j" help:"Runs exported at the same time (default ${default})." default:"${jobs}" placeholder:"N"`
	DryRun    bool   `help:"Say what would be exported, with an estimate of requests and bytes, and write nothing."`
	JSON      bool   `name:"json" help:"Write JSON lines: one for each run, then one for the whole."`

	connect connector // nil: connect
}

// Validate checks what Kong cannot.
func (f *exportFlags) Validate() error {
	if f.Jobs < 1 {
		return errors.New("--jobs must be at least 1")
	}
	return errors.Join(f.chooseFlags.Validate(), f.neptuneFlags.Validate())
}

type exportCmd struct {
	exportFlags
}

// Help follows the short help.
func (exportCmd) Help() string {
	return `Runs that are finished in the archive are left alone, and those of an interrupted export, or exported
with fewer attributes, are completed: the same command may be given again at any time. With --update
runs that have changed since are exported again, with --overwrite all are.

The archive can be read by the Python tool neptune-exporter, and by anything that reads Parquet;
"nexport summary" shows it, "nexport load" loads it into MLflow.

Examples:
  nexport export -p team/project
  nexport export -p team/project -r '^RUN-1' -c parameters -c metrics -a '^train/' -a lr
  nexport export -w team --project-exclude '^test' --exclude files --data-path backup/data --files-path backup/files
  nexport export -p team/project --neptune-url https://neptune.example.com --ca-bundle ca.pem --dry-run

The API token is that of NEPTUNE_API_TOKEN. HTTPS_PROXY and NO_PROXY are heeded.

Exit codes: 0 everything was exported, 1 the job or some runs failed, 3 finished but something could not
be exported, 4 Neptune refused the credentials, 80 wrong usage, 130 interrupted.`
}

// Run exports the chosen runs and reports.
func (c *exportCmd) Run(ctx context.Context, io *stdio, log *slog.Logger) error {
	j, err := c.begin(ctx, io, log)
	if err != nil {
		return err
	}
	if c.DryRun {
		return j.plan(ctx)
	}
	return j.export(ctx, nil, "")
}

// exportJob is one export under way.
type exportJob struct {
	flags   *exportFlags
	io      *stdio
	log     *slog.Logger
	neptune connection
	source  *projects
	sel     migrate.Selection
	view    *exportView
	archive *parquetstore.Store
	target  string // where runs are loaded to, without secrets; empty if they are not
}

// begin connects to Neptune and finds the projects.
func (f *exportFlags) begin(ctx context.Context, io *stdio, log *slog.Logger) (*exportJob, error) {
	ids, err := f.runIDs(os.Stdin)
	if err != nil {
		return nil, usage(err)
	}
	if f.APIToken != "" {
		log.Warn("others can see --api-token while the command runs; better set NEPTUNE_API_TOKEN")
	}
	neptune, err := f.dial()(f.neptuneFlags, log)
	if err != nil {
		return nil, err
	}
	names, err := f.resolve(ctx, neptune, os.Getenv("NEPTUNE_PROJECT"))
	if err != nil {
		return nil, err
	}
	j := &exportJob{flags: f, io: io, log: log, neptune: neptune, sel: f.selection(ids), view: newExportView(len(names))}
	j.source = &projects{Source: neptune, names: names, ids: ids, listed: j.view.listed}
	j.source.begin()
	return j, nil
}

// dial gives what connects to Neptune.
func (f *exportFlags) dial() connector {
	if f.connect != nil {
		return f.connect
	}
	return connect
}

// export exports, and loads into sink if there is one.
func (j *exportJob) export(ctx context.Context, sink migrate.Sink, target string) (err error) {
	renew := parquetstore.RenewNone
	switch {
	case j.flags.Overwrite:
		renew = parquetstore.RenewAll
	case j.flags.Update:
		renew = parquetstore.RenewChanged
	}
	j.target = target
	j.archive, err = parquetstore.Create(j.flags.DataPath, j.flags.FilesPath, parquetstore.Config{
		Source: j.neptune.address, Renew: renew, Outdated: j.view.outdated,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.archive.Close()) }()
	out := newExportOutput(j)
	stages := []migrate.Stage{migrate.StageExport}
	if sink != nil {
		stages = append(stages, migrate.StageLoad)
		sink = &archivedSink{sink, j.archive}
	}
	stop := j.view.show(j.io.term, stages, j.flags.Jobs)
	report, err := migrate.Run(ctx, migrate.Job{
		Source: j.source, Store: &watchedStore{Store: j.archive, view: j.view}, Sink: sink, Selection: j.sel,
		Concurrency: j.flags.Jobs, Observe: out.observe, Log: j.log,
	})
	stop()
	if err == nil {
		out.removed, err = j.setAside(ctx)
	}
	return out.finish(ctx, report, err)
}

// watchedStore is the archive, and tells the view what is being read.
type watchedStore struct {
	*parquetstore.Store
	view *exportView
}

// PutRun puts a run into the archive.
func (s *watchedStore) PutRun(ctx context.Context, run migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	return s.Store.PutRun(ctx, run, s.view.watch(run.RunRef, r))
}

// archivedSink receives runs with what the archive knows of them: Neptune may know a run as modified later,
// and the target must not take an older copy for that.
type archivedSink struct {
	migrate.Sink
	archive *parquetstore.Store
}

// PutRun puts a run into the target.
func (s *archivedSink) PutRun(ctx context.Context, run migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	archived, err := s.archive.Run(ctx, run.RunRef)
	if err != nil {
		return migrate.Result{}, err
	}
	archived.Filter = run.Filter
	return s.Sink.PutRun(ctx, archived, r)
}
