package main

import (
	"context"
	"log/slog"
)

// exportModelsCmd is export of models and model versions, which the Python tool has as a command of its own.
type exportModelsCmd struct {
	exportFlags
}

// Help follows the short help.
func (exportModelsCmd) Help() string {
	return `The same as "nexport export --scope models,model_versions", which is what the Python tool has this command
for; "nexport export" exports runs, models and model versions together. Only Neptune 2.x has models.

Examples:
  nexport export-models -p team/project
  nexport export-models -p team/project --scope models -r '^PRJ-CLF' --exclude files

The API token is that of NEPTUNE_API_TOKEN. Exit codes are those of "nexport export".`
}

// Run exports the chosen models and reports.
func (c *exportModelsCmd) Run(ctx context.Context, io *stdio, log *slog.Logger) error {
	if len(c.Scope) == 0 {
		c.Scope = []string{"models", "model_versions"}
	}
	return (&exportCmd{c.exportFlags}).Run(ctx, io, log)
}
