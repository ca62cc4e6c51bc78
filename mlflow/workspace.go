package mlflow

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/repeat"
	"github.com/nexport-go/migrate/mlflow/internal/schema"
)

// defaultWorkspace is there in every database that has workspaces: MLflow's migration makes it, and MLflow does
// not delete it.
const defaultWorkspace = "default"

// inWhich is the workspace, by default that of MLflow (mlflow/utils/workspace_utils.py).
func (d *database) inWhich() string { return cmp.Or(d.workspace, defaultWorkspace) }

func (d *database) inDefault() bool { return d.inWhich() == defaultWorkspace }

// checkWorkspace refuses a workspace that is not there. The tables would take its experiments, but a server without
// workspaces does not start on them, and one with workspaces does not find them.
func (d *database) checkWorkspace(ctx context.Context, read *sql.DB, known schema.Traits) error {
	if d.inDefault() {
		return nil
	}
	if !known.Workspaces {
		return d.noWorkspace("the database is of MLflow before 3.10, which has no workspaces")
	}
	_, err := d.workspaceRoot(ctx, read)
	if errors.Is(err, sql.ErrNoRows) {
		return d.noWorkspace("the database does not have it")
	}
	return err
}

func (d *database) noWorkspace(why string) error {
	err := fmt.Errorf("workspace %q: %s: unset MLFLOW_WORKSPACE, or make the workspace first (mlflow.create_workspace, over a server with "+
		"--enable-workspaces); if workspaces are kept elsewhere than in the database, load over the server: %w", d.workspace, why, migrate.ErrFatal)
	return &repeat.Permanent{Err: err}
}

// workspaceRoot gives the place for artifacts that the workspace has of its own, usually none.
func (d *database) workspaceRoot(ctx context.Context, q rower) (string, error) {
	var root sql.NullString
	err := q.QueryRowContext(ctx, d.numbered(`SELECT default_artifact_root FROM workspaces WHERE name = $1`), d.workspace).Scan(&root)
	return root.String, err
}
