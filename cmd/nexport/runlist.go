package main

import (
	"bytes"
	"compress/flate"
	"encoding/gob"
	"fmt"
	"iter"
	"time"

	migrate "github.com/nexport-go/migrate"
)

// runList is a project's listing, which may be long: it is kept packed, in some ten bytes a run.
type runList struct {
	project string
	runs    byScope
	packed  bytes.Buffer
	zip     *flate.Writer
	out     *gob.Encoder
}

// packedRun is what a runList keeps of a run.
type packedRun struct {
	Scope                   migrate.Scope
	ID, SysID, Name, Parent string
	Created, Modified       time.Time
	Size                    int64
	State                   migrate.State
}

func newRunList(project string) *runList {
	l := &runList{project: project, runs: byScope{}}
	l.zip, _ = flate.NewWriter(&l.packed, flate.BestSpeed) // the level is a valid one
	l.out = gob.NewEncoder(l.zip)
	return l
}

// add takes a run of the project. Its Filter is not kept.
func (l *runList) add(run migrate.RunInfo) error {
	err := l.out.Encode(packedRun{
		run.Scope, run.ID, run.SysID, run.Name, run.Parent, run.Created, run.Modified, run.Size, run.State,
	})
	if err != nil {
		return fmt.Errorf("keep the listing of %s: %w", l.project, err)
	}
	l.runs[run.Scope]++
	return nil
}

// take yields the runs once; nothing can be added any more.
func (l *runList) take() iter.Seq2[migrate.RunInfo, error] {
	return func(yield func(migrate.RunInfo, error) bool) {
		if err := l.zip.Close(); err != nil {
			yield(migrate.RunInfo{}, fmt.Errorf("keep the listing of %s: %w", l.project, err))
			return
		}
		l.zip, l.out = nil, nil // they are larger than most lists
		in := gob.NewDecoder(flate.NewReader(&l.packed))
		for range l.runs.sum() {
			var r packedRun
			if err := in.Decode(&r); err != nil {
				yield(migrate.RunInfo{}, fmt.Errorf("read the listing of %s: %w", l.project, err))
				return
			}
			if !yield(l.unpack(r), nil) {
				return
			}
		}
	}
}

func (l *runList) unpack(r packedRun) migrate.RunInfo {
	return migrate.RunInfo{
		RunRef: migrate.RunRef{Project: l.project, ID: r.ID, Scope: r.Scope},
		SysID:  r.SysID, Name: r.Name, Parent: r.Parent,
		Created: r.Created, Modified: r.Modified, Size: r.Size, State: r.State,
	}
}
