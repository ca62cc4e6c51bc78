package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/parquetstore"
)

// jsonRemoved is a run that Neptune does not have any more.
type jsonRemoved struct {
	Project string `json:"project"`
	RunID   string `json:"run_id"`
	Path    string `json:"path,omitempty"` // where it is now, below the data directory
	Error   string `json:"error,omitempty"`
}

// setAside sets aside what the archive has of the projects and Neptune has not, if --overwrite
// made all of them anew.
func (j *exportJob) setAside(ctx context.Context) (removed []jsonRemoved, err error) {
	f := j.flags
	if !f.Overwrite || len(f.Runs) > 0 || f.RunsFile != "" || f.RunsQuery != "" || f.Shard.count > 0 {
		return nil, nil
	}
	for _, state := range j.source.states {
		if state.err != nil {
			continue
		}
		gone, err := j.gone(ctx, state)
		if err != nil {
			return removed, err
		}
		for _, ref := range gone {
			removed = append(removed, j.setAsideRun(ctx, ref))
		}
	}
	return removed, nil
}

func (j *exportJob) setAsideRun(ctx context.Context, ref migrate.RunRef) jsonRemoved {
	line := jsonRemoved{Project: ref.Project, RunID: ref.ID}
	name, err := j.archive.SetAside(ctx, ref)
	switch {
	case errors.Is(err, parquetstore.ErrShared):
		line.Error = "stays in the archive: " + parquetstore.ErrShared.Error()
	case err != nil:
		line.Error = err.Error()
	}
	line.Path = name
	return line
}

// gone lists the runs of a project that only the archive has.
func (j *exportJob) gone(ctx context.Context, state projectState) ([]migrate.RunRef, error) {
	here := map[string]bool{}
	for _, id := range state.runs {
		here[id] = true
	}
	var gone []migrate.RunRef
	for run, err := range j.archive.Runs(ctx, migrate.Selection{Projects: []string{state.name}}) {
		if err != nil {
			return nil, fmt.Errorf("look for runs that Neptune does not have any more: %w", err)
		}
		if !here[run.ID] {
			gone = append(gone, run.RunRef)
		}
	}
	if len(gone) == 0 {
		return nil, nil
	}
	there, err := j.all(ctx, state.name)
	if err != nil {
		return nil, err
	}
	if len(there) == 0 {
		j.log.Warn("Neptune shows no runs at all, so those of the archive stay in it", "project", state.name)
		return nil, nil
	}
	return slices.DeleteFunc(gone, func(ref migrate.RunRef) bool { return there[ref.ID] }), nil
}

// all lists the IDs of all runs of a project, archived and trashed ones too: they are not gone.
func (j *exportJob) all(ctx context.Context, project string) (map[string]bool, error) {
	f := j.flags.neptuneFlags
	f.IncludeArchivedRuns = true
	neptune, err := j.flags.dial()(f, j.log)
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for run, err := range neptune.Runs(ctx, migrate.Selection{Projects: []string{project}}) {
		if err != nil {
			return nil, fmt.Errorf("look for runs that Neptune does not have any more: %w", err)
		}
		ids[run.ID] = true
	}
	return ids, nil
}
