package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/hashed"
	"github.com/nexport-go/migrate/neptune"
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
// cannot be listed does not keep the others from being exported, nor its models its runs.
type projects struct {
	migrate.Source
	names  []string
	scopes []migrate.Scope
	ids    []string                                       // of a --runs-file; none: all
	seen   *hashed.Set[migrate.RunRef]                    // told of each run that was listed; nil: not wanted
	listed func(project string, runs byScope, size int64) // told of each project

	mu     sync.Mutex
	states []projectState
	found  map[string]bool // of ids: whether there is such a run
}

// projectState is what came of the listing of a project.
type projectState struct {
	name string
	runs byScope
	errs map[migrate.Scope]error // what kept it from being listed whole
}

// err joins what kept the project from being listed whole.
func (s projectState) err() error {
	var errs []error
	for _, scope := range allScopes {
		if err := s.errs[scope]; !slices.Contains(errs, err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Runs yields the runs of one project after the other. sel must choose neither projects nor scopes.
func (p *projects) Runs(ctx context.Context, sel migrate.Selection) iter.Seq2[migrate.RunInfo, error] {
	return func(yield func(migrate.RunInfo, error) bool) {
		p.begin()
		for _, name := range p.names {
			runs, err := p.list(ctx, name, sel)
			if err != nil {
				yield(migrate.RunInfo{}, err)
				return
			}
			for run, err := range runs.take() {
				if ctx.Err() != nil || !yield(run, err) || err != nil {
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
	for _, id := range p.ids {
		p.found[id] = false
	}
}

// list gives the chosen runs of a project, and notes what it finds. The error is one that other projects
// would meet too; what keeps just this one from being listed is noted.
func (p *projects) list(ctx context.Context, project string, sel migrate.Selection) (*runList, error) {
	state := projectState{name: project, runs: byScope{}, errs: map[migrate.Scope]error{}}
	runs, size := newRunList(project), int64(0)
	var last error
	for _, scope := range p.scopes {
		runs.runs[scope] = 0
		if last == nil || !ofProject(last) {
			var n int64
			n, last = p.listScope(ctx, project, scope, sel, runs)
			size += n
		}
		state.errs[scope] = last
	}
	state.runs = maps.Clone(runs.runs)
	p.mu.Lock()
	p.states = append(p.states, state)
	p.mu.Unlock()
	p.listed(project, state.runs, size)
	if last != nil && (ctx.Err() != nil || ofAll(last)) {
		return runs, last
	}
	return runs, nil
}

// ofAll reports an error that every other project would meet too.
func ofAll(err error) bool {
	return errors.Is(err, migrate.ErrFatal) || errors.Is(err, neptune.ErrGeneration)
}

// ofProject reports an error that the other scopes of the project would meet too.
func ofProject(err error) bool {
	return ofAll(err) || errors.Is(err, migrate.ErrNotFound) || errors.Is(err, migrate.ErrUnauthorized) || errors.Is(err, context.Canceled)
}

// listScope adds the chosen runs of one scope to a list, and returns their size.
func (p *projects) listScope(ctx context.Context, project string, scope migrate.Scope, sel migrate.Selection, to *runList) (size int64, err error) {
	sel.Projects, sel.Scopes = []string{project}, []migrate.Scope{scope}
	sel.Runs = slices.Clone(sel.Runs)
	for i := range sel.Runs {
		sel.Runs[i].Scope = scope
	}
	for run, err := range p.Source.Runs(ctx, sel) {
		if err != nil {
			return size, err // names the project
		}
		if !p.wants(run) {
			continue
		}
		if err := to.add(run); err != nil {
			return size, err
		}
		if p.seen != nil {
			p.seen.Add(run.RunRef)
		}
		size += run.Size
	}
	return size, nil
}

// wants reports whether the file of IDs has the run, and notes which of them there are.
func (p *projects) wants(run migrate.RunInfo) bool {
	if len(p.ids) == 0 {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	wanted := false
	for _, id := range []string{run.ID, run.SysID} {
		if _, ok := p.found[id]; ok {
			p.found[id], wanted = true, true
		}
	}
	return wanted
}

// err joins what kept projects from being listed.
func (p *projects) err() error {
	var errs []error
	for _, s := range p.states {
		errs = append(errs, s.err())
	}
	return errors.Join(errs...)
}

// count counts the runs that were listed.
func (p *projects) count() byScope {
	all := byScope{}
	for _, s := range p.states {
		all.add(s.runs)
	}
	return all
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
