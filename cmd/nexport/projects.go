package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	migrate "github.com/nexport-go/migrate"
)

// resolve gives the projects that the flags name, each once.
func (f chooseFlags) resolve(ctx context.Context, src service, env string) ([]string, error) {
	projects := slices.Clone(f.ProjectIDs)
	if len(projects) == 0 && len(f.Workspace) == 0 {
		if env == "" {
			return nil, usage(errors.New("name a project with -p workspace/name or NEPTUNE_PROJECT, or all of a workspace with -w"))
		}
		projects = []string{env}
	}
	for _, p := range projects {
		if ws, name, ok := strings.Cut(p, "/"); !ok || ws == "" || name == "" {
			return nil, usage(fmt.Errorf("project %q: write workspace/name", p))
		}
	}
	for _, w := range f.Workspace {
		found, err := f.discover(ctx, src, w)
		if err != nil {
			return nil, err
		}
		projects = append(projects, found...)
	}
	var once []string
	for _, p := range projects {
		if !slices.Contains(once, p) {
			once = append(once, p)
		}
	}
	return once, nil
}

// discover lists the projects of a workspace that the patterns leave.
func (f chooseFlags) discover(ctx context.Context, src service, workspace string) ([]string, error) {
	all, err := src.Projects(ctx, workspace)
	if err != nil {
		return nil, fmt.Errorf("list projects of workspace %s: %w", workspace, err)
	}
	var left []string
	for _, p := range slices.Sorted(slices.Values(all)) {
		_, name, _ := strings.Cut(p, "/")
		if (len(f.ProjectInclude) == 0 || anyFound(f.ProjectInclude, name)) && !anyFound(f.ProjectExclude, name) {
			left = append(left, p)
		}
	}
	if len(left) == 0 {
		return nil, fmt.Errorf("workspace %s has %s, of which none was chosen", workspace, plural(int64(len(all)), "project"))
	}
	return left, nil
}

// projects is a Neptune's chosen projects as one source. It lists the whole of a project before its
// first run is exported, since a list that is read over hours changes meanwhile; and one that
// cannot be listed does not keep the others from being exported.
type projects struct {
	migrate.Source
	names  []string
	ids    []string                               // of a --runs-file; none: all
	listed func(project string, runs, size int64) // told of each listing

	mu     sync.Mutex
	states []projectState
	found  map[string]bool // of ids
}

// projectState is what came of the listing of a project.
type projectState struct {
	name string
	runs []string // their IDs
	err  error
}

// Runs yields the runs of one project after the other. sel must not choose projects.
func (p *projects) Runs(ctx context.Context, sel migrate.Selection) iter.Seq2[migrate.RunInfo, error] {
	return func(yield func(migrate.RunInfo, error) bool) {
		p.begin()
		for _, name := range p.names {
			runs, err := p.list(ctx, name, sel)
			if err != nil && (ctx.Err() != nil || errors.Is(err, migrate.ErrFatal)) {
				yield(migrate.RunInfo{}, err)
				return
			}
			for run := range runs.take() {
				if ctx.Err() != nil || !yield(run, nil) {
					return
				}
			}
		}
	}
}

func (p *projects) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.states, p.found = nil, map[string]bool{}
}

// runList is a list that may be long, in pieces: it is never copied to grow, and what was taken is free.
type runList struct {
	pieces [][]migrate.RunInfo
	count  int64
}

const runPiece = 1024

func (l *runList) add(run migrate.RunInfo) {
	last := len(l.pieces) - 1
	if last < 0 || len(l.pieces[last]) == runPiece {
		l.pieces = append(l.pieces, nil)
		last++
	}
	l.pieces[last] = append(l.pieces[last], run)
	l.count++
}

// take yields the runs once.
func (l *runList) take() iter.Seq[migrate.RunInfo] {
	return func(yield func(migrate.RunInfo) bool) {
		for i, piece := range l.pieces {
			l.pieces[i] = nil
			for _, run := range piece {
				if !yield(run) {
					return
				}
			}
		}
	}
}

// list gives the chosen runs of a project, and notes what it finds.
func (p *projects) list(ctx context.Context, project string, sel migrate.Selection) (*runList, error) {
	sel.Projects = []string{project}
	wanted := map[string]bool{}
	for _, id := range p.ids {
		wanted[id] = true
	}
	state := projectState{name: project}
	runs, size, found := &runList{}, int64(0), []string{}
	for run, err := range p.Source.Runs(ctx, sel) {
		if err != nil {
			state.err = err // names the project
			break
		}
		if len(wanted) > 0 && !wanted[run.ID] && !wanted[run.SysID] {
			continue
		}
		runs.add(run)
		state.runs = append(state.runs, run.ID)
		size += run.Size
		for _, id := range []string{run.ID, run.SysID} {
			if wanted[id] {
				found = append(found, id)
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.states = append(p.states, state)
	for _, id := range found {
		p.found[id] = true
	}
	p.listed(project, runs.count, size)
	return runs, state.err
}

// err joins what kept projects from being listed.
func (p *projects) err() error {
	var errs []error
	for _, s := range p.states {
		errs = append(errs, s.err)
	}
	return errors.Join(errs...)
}

// count is the number of runs that were listed.
func (p *projects) count() (n int64) {
	for _, s := range p.states {
		n += int64(len(s.runs))
	}
	return n
}

// unmatched are the IDs of the file that no project has.
func (p *projects) unmatched() (ids []string) {
	for _, id := range p.ids {
		if !p.found[id] {
			ids = append(ids, id)
		}
	}
	return ids
}
