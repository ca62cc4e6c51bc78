package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/hashed"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/parquetstore"
)

// exportFlags are those of export and migrate.
type exportFlags struct {
	chooseFlags
	neptuneFlags
	DataPath  string   `short:"d" help:"Directory to write the archive's Parquet files to (default ${default})." default:"./exports/data" placeholder:"DIR"`
	FilesPath string   `short:"f" help:"Directory to write the runs' files to (default ${default})." default:"./exports/files" placeholder:"DIR"`
	Overwrite bool     `help:"Export finished runs again too. The copy in the archive stays until the new one is whole; what Neptune does not have any more is set aside."`
	Update    bool     `help:"Export finished runs again that were modified in Neptune since."`
	MovedFrom []string `help:"Address that the server had before (repeatable): what the archive has from there is its own." placeholder:"URL"`
	Jobs      int      `short:"j" help:"Runs exported at the same time (default ${default})." default:"${jobs}" placeholder:"N"`
	DryRun    bool     `help:"Say what would be exported, with an estimate of requests and bytes, and write nothing."`
	JSON      bool     `name:"json" help:"Write JSON lines: one for each run, then one for the whole."`

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
runs that have changed since are exported again, with --overwrite all are. What is said of runs holds for
the models and model versions of Neptune 2.x as well; they are exported too, unless --scope says otherwise.

The files of an artifact lie outside of Neptune. Those that this machine reaches are exported if they are
the ones that Neptune has on record: local files, and objects in S3 with the credentials that AWS's own
tools would use.

The archive can be read by the Python tool neptune-exporter, and by anything that reads Parquet;
"nexport summary" shows it, "nexport load" loads it into MLflow.

Examples:
  nexport export -p team/project
  nexport export -p team/project -r '^RUN-1' -c parameters -c metrics -a '^train/' -a lr
  nexport export -w team --project-exclude '^test' --exclude files --data-path backup/data --files-path backup/files
  nexport export -p team/project --scope runs --exporter neptune2
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
	if f.ErrorFile != "" {
		log.Warn("--error-report-file is not written: the report names what could not be exported, and --json all of it")
	}
	f.temp = filepath.Join(f.FilesPath, tempName)
	server, err := f.dial()(ctx, f.neptuneFlags, log)
	if err != nil {
		return nil, err
	}
	log.Info("connected", "to", server.address, "generation", exporters[server.generation])
	scopes, err := f.scopesOf(server.generation)
	if err != nil {
		return nil, usage(err)
	}
	names, err := f.resolve(ctx, server, os.Getenv("NEPTUNE_PROJECT"))
	if err != nil {
		return nil, err
	}
	view := newExportView(server.generation.String(), len(names))
	j := &exportJob{flags: f, io: io, log: log, neptune: server, sel: f.selection(ids), view: view}
	j.source = &projects{Source: server, names: names, scopes: scopes, ids: ids, listed: j.view.listed}
	if f.setsAside() {
		j.source.seen = hashed.NewSet[migrate.RunRef]()
	}
	j.source.begin()
	return j, nil
}

// scopesOf are the scopes to export from a Neptune of a generation.
func (f *exportFlags) scopesOf(g neptune.Generation) ([]migrate.Scope, error) {
	chosen := scopesNamed(f.Scope)
	onlyRuns := []migrate.Scope{migrate.ScopeRun}
	switch {
	case g != neptune.Neptune2 && len(chosen) > 0 && !slices.Equal(chosen, onlyRuns):
		return nil, errors.New("--scope: Neptune 3.x has no models and model versions: export its runs, with --scope runs or without --scope")
	case len(chosen) > 0:
		return chosen, nil
	case g == neptune.Neptune2 && f.RunsQuery == "": // which is of runs
		return allScopes, nil
	default:
		return onlyRuns, nil
	}
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
		Source: j.neptune.origin(), MovedFrom: j.flags.MovedFrom, Renew: renew, With: j.flags.with(j.neptune.generation), Outdated: j.view.outdated,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.archive.Close()) }()
	removeTemp, err := makeTemp(j.flags.temp)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeTemp()) }()
	out := newExportOutput(j)
	stages := []migrate.Stage{migrate.StageExport}
	if sink != nil {
		stages = append(stages, migrate.StageLoad)
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
