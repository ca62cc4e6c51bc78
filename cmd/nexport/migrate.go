package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/nexport-go/migrate/mlflow"
)

type migrateCmd struct {
	exportFlags
	mlflowFlags
}

// Help follows the short help.
func (migrateCmd) Help() string {
	return `Does what export and load do, in one go: each run is loaded from the archive as soon as it is whole there.
Given again it leaves alone what is finished in the archive and in MLflow, and completes the rest.

Examples:
  nexport migrate -p team/project --mlflow-tracking-uri http://localhost:5000
  nexport migrate -w team --exclude files --data-path backup/data --files-path backup/files

Neptune's API token is that of NEPTUNE_API_TOKEN; for MLflow see "nexport load --help".

Exit codes: 0 everything was moved, 1 the job or some runs failed, 3 finished but something could not
be moved, 4 a server refused the credentials, 80 wrong usage, 130 interrupted.`
}

// Validate checks what Kong cannot.
func (c *migrateCmd) Validate() error { return c.exportFlags.Validate() }

// Run exports and loads the chosen runs and reports.
func (c *migrateCmd) Run(ctx context.Context, io *stdio, log *slog.Logger) (err error) {
	cfg, err := c.mlflowFlags.config(log)
	if err != nil {
		return usage(err)
	}
	cfg.DryRun = c.DryRun
	sink, err := mlflow.New(cfg)
	if err != nil {
		return usage(err)
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	j, err := c.begin(ctx, io, log)
	if err != nil {
		return err
	}
	j.target = withoutSecrets(cfg.TrackingURI)
	if c.DryRun {
		return j.plan(ctx)
	}
	return j.export(ctx, sink, j.target)
}
