package main

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	migrate "github.com/nexport-go/migrate"
)

// listing is an archive whose runs were listed beforehand. So totals are known from the start,
// and a selection that chooses nothing is found before anything is written.
type listing struct {
	migrate.Source
	runs   []migrate.RunInfo
	scopes byScope
	size   int64
	err    error // what ended it early
}

func list(ctx context.Context, src migrate.Source, sel migrate.Selection) *listing {
	l := &listing{Source: src, scopes: byScope{}}
	for run, err := range src.Runs(ctx, sel) {
		if err != nil {
			l.err = err
			break
		}
		l.runs = append(l.runs, run)
		l.scopes[run.Scope]++
		l.size += run.Size
	}
	return l
}

// Runs yields what was listed; sel must be the selection that was listed.
func (l *listing) Runs(ctx context.Context, _ migrate.Selection) iter.Seq2[migrate.RunInfo, error] {
	return func(yield func(migrate.RunInfo, error) bool) {
		for _, run := range l.runs {
			if ctx.Err() != nil || !yield(run, nil) {
				return
			}
		}
		if l.err != nil {
			yield(migrate.RunInfo{}, l.err)
		}
	}
}

// unmatched returns the projects and run IDs asked for that chose nothing.
func (l *listing) unmatched(f archiveFlags) []string {
	known := map[string]bool{}
	for _, run := range l.runs {
		known["-p "+run.Project], known["-r "+run.ID], known["-r "+run.SysID] = true, true, true
	}
	var missing []string
	for _, project := range f.ProjectIDs {
		missing = append(missing, "-p "+project)
	}
	for _, id := range f.Runs {
		missing = append(missing, "-r "+id)
	}
	return slices.DeleteFunc(missing, func(s string) bool { return known[s] })
}

// empty explains why a selection chose no runs: it names what there is instead.
func empty(ctx context.Context, src migrate.Source, f archiveFlags, scopeNames []string) error {
	all := list(ctx, src, archiveFlags{}.selection(scopeNames))
	if all.err != nil {
		return all.err
	}
	if len(all.runs) == 0 {
		return fmt.Errorf("%s holds no %s: --data-path should name the directory that has a folder for each project",
			f.DataPath, listedNouns(scopeNames))
	}
	runs := map[string]byScope{}
	for _, run := range all.runs {
		if runs[run.Project] == nil {
			runs[run.Project] = byScope{}
		}
		runs[run.Project][run.Scope]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "nothing was chosen by %s; the archive holds", strings.Join(all.chosen(f), " "))
	for _, project := range slices.Sorted(maps.Keys(runs)) {
		fmt.Fprintf(&b, "\n  %s (%s)", shown(project), runs[project])
	}
	return fmt.Errorf("%s", b.String())
}

// chosen gives the flags that choose.
func (*listing) chosen(f archiveFlags) []string { return (&listing{}).unmatched(f) }
