package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"

	migrate "github.com/nexport-go/migrate"
)

// Project is the project of all runs.
const Project = "demo/shapes-and-stories"

// Source is a migrate.Source of the demo's runs, oldest first. It is safe for concurrent use; the zero
// value is ready.
type Source struct{}

var _ migrate.Source = Source{}

// Runs yields the runs, parents first.
func (Source) Runs(ctx context.Context, sel migrate.Selection) iter.Seq2[migrate.RunInfo, error] {
	return func(yield func(migrate.RunInfo, error) bool) {
		for _, s := range specs() {
			if err := ctx.Err(); err != nil {
				yield(migrate.RunInfo{}, err)
				return
			}
			if info := s.info(); sel.Match(info) && !yield(info, nil) {
				return
			}
		}
	}
}

// OpenRun opens a run by its RunRef. The error matches migrate.ErrNotFound if there is none.
func (Source) OpenRun(_ context.Context, info migrate.RunInfo) (migrate.RunReader, error) {
	for _, s := range specs() {
		if s.info().RunRef == info.RunRef {
			return newReader(s), nil
		}
	}
	return nil, fmt.Errorf("the demo has no run %s: %w", info.RunRef, migrate.ErrNotFound)
}

// attribute is one attribute of a run. Its values are made anew for each reading, because chunks
// belong to whoever receives them.
type attribute struct {
	path string
	kind migrate.Kind
	make func() migrate.Chunk // with everything but Path and Kind
}

// file makes the bytes of a file.
type file func() ([]byte, error)

// reader is a migrate.RunReader. All attributes of the demo fit into one chunk each.
type reader struct {
	attributes []attribute // those without steps first
	files      map[string]file
}

func newReader(s *spec) *reader {
	r := &reader{files: map[string]file{}}
	t := train(s)
	r.addSystem(t)
	switch s.task {
	case vision:
		r.addVision(t)
	case language:
		r.addLanguage(t)
	}
	return r
}

// Chunks yields the attributes.
func (r *reader) Chunks(ctx context.Context, want migrate.Want) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) {
		for _, a := range r.attributes {
			if err := ctx.Err(); err != nil {
				yield(migrate.Chunk{}, err)
				return
			}
			if want != nil && !want(a.path, a.kind) {
				continue
			}
			c := a.make()
			c.Path, c.Kind = a.path, a.kind
			if c.Len() > 0 && !yield(c, nil) {
				return
			}
		}
	}
}

// OpenFile makes a file. The error matches migrate.ErrNotFound if no chunk has it.
func (r *reader) OpenFile(_ context.Context, ref migrate.FileRef) (io.ReadCloser, error) {
	draw := r.files[ref.Key]
	if draw == nil {
		return nil, fmt.Errorf("file %q: %w", ref.Key, migrate.ErrNotFound)
	}
	b, err := draw()
	if err != nil {
		return nil, fmt.Errorf("file %q: %w", ref.Key, err)
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// Problems returns nil: the demo always has everything.
func (*reader) Problems() []migrate.Problem { return nil }
