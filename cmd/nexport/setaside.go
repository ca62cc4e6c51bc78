package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
	"github.com/nexport-go/migrate/internal/hashed"
	"github.com/nexport-go/migrate/parquetstore"
)

// jsonRemoved is a run that Neptune does not have any more.
type jsonRemoved struct {
	jsonRef
	Path  string `json:"path,omitempty"` // where it is now, below the data directory
	Error string `json:"error,omitempty"`
}

// name is what the run is called in messages.
func (r jsonRemoved) name() string {
	if r.Scope == convert.ScopeName(migrate.ScopeRun) {
		return r.Project + "/" + r.RunID
	}
	return r.Project + "/" + r.Scope + "/" + r.RunID
}

// setsAside reports whether --overwrite makes all of the projects anew, so that what it does not find
// is not in Neptune any more.
func (f *exportFlags) setsAside() bool {
	return f.Overwrite && len(f.Runs) == 0 && f.RunsFile == "" && f.RunsQuery == "" && f.Shard.count == 0
}

// setAside sets aside what the archive has of the projects and Neptune has not.
func (j *exportJob) setAside(ctx context.Context) (removed []jsonRemoved, err error) {
	if !j.flags.setsAside() {
		return nil, nil
	}
	for _, state := range j.source.states {
		for _, scope := range j.source.scopes {
			if state.errs[scope] != nil {
				continue
			}
			gone, err := j.gone(ctx, state.name, scope)
			if err != nil {
				return removed, err
			}
			for _, ref := range gone {
				removed = append(removed, j.setAsideRun(ctx, ref))
			}
		}
	}
	return removed, nil
}

func (j *exportJob) setAsideRun(ctx context.Context, ref migrate.RunRef) jsonRemoved {
	line := jsonRemoved{jsonRef: refOf(ref)}
	name, err := j.archive.SetAside(ctx, ref)
	switch {
	case errors.Is(err, parquetstore.ErrShared):
		line.Error = "stays in the archive: " + parquetstore.ErrShared.Error()
	case errors.Is(err, parquetstore.ErrOtherServer):
		line.Error = "stays in the archive: it came from another server"
	case err != nil:
		line.Error = err.Error()
	}
	line.Path = name
	return line
}

// gone lists the runs of a project, or its other objects of a scope, that only the archive has.
func (j *exportJob) gone(ctx context.Context, project string, scope migrate.Scope) ([]migrate.RunRef, error) {
	sel := migrate.Selection{Projects: []string{project}, Scopes: []migrate.Scope{scope}}
	var gone []migrate.RunRef
	for run, err := range j.archive.Runs(ctx, sel) {
		if err != nil {
			return nil, fmt.Errorf("look for what Neptune does not have any more: %w", err)
		}
		if !j.source.seen.Has(run.RunRef) {
			gone = append(gone, run.RunRef)
		}
	}
	if len(gone) == 0 {
		return nil, nil
	}
	there, err := j.all(ctx, sel)
	if err != nil {
		return nil, err
	}
	if there.Len() == 0 {
		j.log.Warn("Neptune shows no "+noun(scope)+"s at all, so those of the archive stay in it", "project", project)
		return nil, nil
	}
	return slices.DeleteFunc(gone, there.Has), nil
}

// all lists all that sel chooses, archived and trashed too: these are not gone.
func (j *exportJob) all(ctx context.Context, sel migrate.Selection) (*hashed.Set[migrate.RunRef], error) {
	f := j.flags.neptuneFlags
	f.IncludeArchivedRuns = true
	f.Exporter = exporters[j.neptune.generation]
	neptune, err := j.flags.dial()(ctx, f, j.log)
	if err != nil {
		return nil, err
	}
	there := hashed.NewSet[migrate.RunRef]()
	for run, err := range neptune.Runs(ctx, sel) {
		if err != nil {
			return nil, fmt.Errorf("look for what Neptune does not have any more: %w", err)
		}
		there.Add(run.RunRef)
	}
	return there, nil
}
