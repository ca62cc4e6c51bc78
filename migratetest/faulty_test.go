package migratetest_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
)

// faults are stores that break the contract in one way each, with a part of what the contract
// tests must say about it.
var faults = map[string]struct {
	store func() migrate.Store
	want  string
}{
	"puts twice":        {func() migrate.Store { return &again{} }, "a run that is complete was read"},
	"takes half a run":  {func() migrate.Store { return &hasty{} }, "the run looked complete"},
	"mixes up projects": {func() migrate.Store { return &mixed{} }, "one_ID_in_two_projects"},
	"mixes up scopes":   {func() migrate.Store { return &scopeless{} }, "one_ID_in_two_scopes"},
	"loses hashes": {lossy(func(c migrate.Chunk) bool {
		_, hash := c.Values.(migrate.Strings)
		return !hash || c.Kind != migrate.KindArtifact
	}), "f/data: attribute is not there"},
	"loses descriptions":   {reading(func(r *reader) { r.change = terse }), "f/images: values differ"},
	"loses an attribute":   {lossy(func(c migrate.Chunk) bool { return c.Path != "p/empty" }), "attribute is not there"},
	"ignores want":         {reading(func(r *reader) { r.all = true }), "only "},
	"shares its chunks":    {reading(func(r *reader) { r.share = true }), "second reading"},
	"yields files first":   {reading(func(r *reader) { r.change = filesFirst }), "comes before the files"},
	"yields series first":  {reading(func(r *reader) { r.change = slices.Reverse[[]migrate.Chunk] }), "comes after the series"},
	"ends files early":     {reading(func(r *reader) { r.short = true }), "bytes and"},
	"lists a run twice":    {func() migrate.Store { return &twice{} }, "is listed twice"},
	"lists without a care": {func() migrate.Store { return &deaf{} }, "want context.Canceled"},
}

// TestFaults runs the contract tests on each faulty store in a process of its own, since they must fail.
func TestFaults(t *testing.T) {
	if name := os.Getenv("MIGRATETEST_FAULT"); name != "" {
		migratetest.TestStore(t, func(*testing.T) migrate.Store { return faults[name].store() })
		return
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestFaults$")
			cmd.Env = append(os.Environ(), "MIGRATETEST_FAULT="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), fault.want) {
				t.Errorf("the contract tests end with %v and do not say %q:\n%s", err, fault.want, out)
			}
		})
	}
}

// again forgets what it has.
type again struct{ migratetest.Memory }

func (s *again) PutRun(ctx context.Context, run migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	var fresh migratetest.Memory
	result, err := fresh.PutRun(ctx, run, r)
	if held, ok := fresh.Get(run.RunRef); ok {
		s.Add(held)
	}
	return result, err
}

// hasty calls a run complete whose reading broke off.
type hasty struct{ migratetest.Memory }

func (s *hasty) PutRun(ctx context.Context, run migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	result, err := s.Memory.PutRun(ctx, run, r)
	if err != nil {
		run.State = migrate.Complete
		s.Add(migratetest.Run{Info: run})
	}
	return result, err
}

// mixed knows runs by their ID alone.
type mixed struct{ migratetest.Memory }

func (s *mixed) PutRun(ctx context.Context, run migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	run.Project = "ws/p"
	return s.Memory.PutRun(ctx, run, r)
}

// scopeless knows no models.
type scopeless struct{ migratetest.Memory }

func (s *scopeless) PutRun(ctx context.Context, run migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	run.Scope = migrate.ScopeRun
	return s.Memory.PutRun(ctx, run, r)
}

// reader is a RunReader with faults.
type reader struct {
	migrate.RunReader
	keep              func(migrate.Chunk) bool
	change            func([]migrate.Chunk)
	all, share, short bool
	held              []migrate.Chunk
}

func (r *reader) Chunks(ctx context.Context, want migrate.Want) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) {
		if r.held == nil {
			for c := range r.RunReader.Chunks(ctx, nil) {
				if r.keep == nil || r.keep(c) {
					r.held = append(r.held, c)
				}
			}
			if r.change != nil {
				r.change(r.held)
			}
		}
		chunks := r.held
		if !r.share {
			r.held = nil
		}
		for _, c := range chunks {
			if (r.all || want == nil || want(c.Path, c.Kind)) && !yield(c, nil) {
				return
			}
		}
	}
}

// terse takes the descriptions away.
func terse(chunks []migrate.Chunk) {
	for _, c := range chunks {
		files, _ := c.Values.(migrate.Files)
		for i := range files {
			files[i].Description = ""
		}
	}
}

// filesFirst puts the files of an artifact before its hash.
func filesFirst(chunks []migrate.Chunk) {
	for i := range chunks[:max(len(chunks)-1, 0)] {
		if chunks[i].Kind == migrate.KindArtifact && chunks[i].Path == chunks[i+1].Path {
			chunks[i], chunks[i+1] = chunks[i+1], chunks[i]
			return
		}
	}
}

func (r *reader) OpenFile(ctx context.Context, ref migrate.FileRef) (io.ReadCloser, error) {
	body, err := r.RunReader.OpenFile(ctx, ref)
	if r.short && err == nil {
		_, err = io.ReadFull(body, make([]byte, min(1, ref.Size)))
	}
	return body, err
}

// lossy is a store that keeps only some attributes.
func lossy(keep func(migrate.Chunk) bool) func() migrate.Store {
	return func() migrate.Store { return &losing{keep: keep} }
}

type losing struct {
	migratetest.Memory
	keep func(migrate.Chunk) bool
}

func (s *losing) PutRun(ctx context.Context, run migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	var probe error
	for _, err := range r.Chunks(ctx, nil) {
		probe = errors.Join(probe, err)
	}
	if probe != nil {
		return migrate.Result{}, probe
	}
	return s.Memory.PutRun(ctx, run, &reader{RunReader: r, keep: s.keep})
}

// reading is a store whose readers have a fault.
func reading(fault func(*reader)) func() migrate.Store {
	return func() migrate.Store { return &misread{fault: fault} }
}

type misread struct {
	migratetest.Memory
	fault func(*reader)
}

func (s *misread) OpenRun(ctx context.Context, run migrate.RunInfo) (migrate.RunReader, error) {
	r, err := s.Memory.OpenRun(ctx, run)
	if err != nil {
		return nil, err
	}
	faulty := &reader{RunReader: r}
	s.fault(faulty)
	return faulty, nil
}

// twice lists every run twice.
type twice struct{ migratetest.Memory }

func (s *twice) Runs(ctx context.Context, sel migrate.Selection) iter.Seq2[migrate.RunInfo, error] {
	return func(yield func(migrate.RunInfo, error) bool) {
		for run, err := range s.Memory.Runs(ctx, sel) {
			for range 2 {
				if !yield(run, err) {
					return
				}
			}
		}
	}
}

// deaf does not listen to its context.
type deaf struct{ migratetest.Memory }

func (s *deaf) Runs(_ context.Context, sel migrate.Selection) iter.Seq2[migrate.RunInfo, error] {
	return s.Memory.Runs(context.Background(), sel)
}
