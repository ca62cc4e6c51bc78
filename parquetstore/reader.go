package parquetstore

import (
	"context"
	"fmt"
	"iter"
	"sync"

	migrate "github.com/nexport-go/migrate"
)

// gatherBytes is about how much of a run's values is gathered before it is yielded.
const gatherBytes = 8 << 20

// reader reads one run.
type reader struct {
	store *Store
	run   *run

	mu       sync.Mutex
	problems []migrate.Problem
	seen     map[migrate.Problem]bool

	recordOnce sync.Once
	records    map[string]*ManifestFile    // by path
	bare       map[attrKey][]*ManifestFile // those without bytes
	sets       map[attrKey][]string        // paths of the files of file sets and artifacts
}

func newReader(s *Store, r *run) *reader {
	reader := &reader{store: s, run: r, seen: map[migrate.Problem]bool{}}
	for _, p := range r.notes {
		reader.note(p)
	}
	return reader
}

// Problems returns what the calls so far met.
func (r *reader) Problems() []migrate.Problem {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]migrate.Problem(nil), r.problems...)
}

func (r *reader) note(p migrate.Problem) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.seen[p] {
		r.seen[p] = true
		r.problems = append(r.problems, p)
	}
}

func (r *reader) notef(path string, kind migrate.Kind, code migrate.Code, format string, args ...any) {
	r.note(migrate.Problem{Path: path, Kind: kind, Code: code, Text: fmt.Sprintf(format, args...)})
}

func (r *reader) open(i int) (*openPart, error) {
	p := r.run.parts[i]
	open, err := openFile(r.store.data, p.path)
	if err != nil {
		return nil, fmt.Errorf("part %q: %w", p.path, err)
	}
	return open, nil
}

// Chunks yields attributes without steps in the order of their rows, then series. An attribute
// that has two kinds in one run is yielded as both.
func (r *reader) Chunks(ctx context.Context, want migrate.Want) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) {
		if r.run.bad != nil {
			yield(migrate.Chunk{}, r.run.bad)
			return
		}
		attrs, err := r.index(ctx, want)
		if err != nil {
			yield(migrate.Chunk{}, err)
			return
		}
		pass := newPass(ctx, r, yield)
		defer pass.close()
		if err := pass.all(attrs); err != nil {
			yield(migrate.Chunk{}, err)
		}
	}
}

// pass is one call of Chunks. It keeps one part open.
type pass struct {
	ctx    context.Context
	reader *reader
	yield  func(migrate.Chunk, error) bool
	ended  bool // the receiver has had enough

	open   *openPart
	openAt int32
	cursor *cursor
	group  int32
	counts counts
	keys   map[string]string // attribute by file
	twins  map[string]string // attributes of other runs by file; nil until needed
	bare   map[attrKey]int   // how many files without bytes were yielded
}

// counts are rows that are not data.
type counts struct{ padding, phantom int }

func newPass(ctx context.Context, r *reader, yield func(migrate.Chunk, error) bool) *pass {
	return &pass{ctx: ctx, reader: r, yield: yield, openAt: -1, keys: map[string]string{}, bare: map[attrKey]int{}}
}

func (p *pass) close() {
	if p.open != nil {
		p.open.close()
		p.open = nil
	}
}

// all yields all attributes.
func (p *pass) all(attrs []*attr) error {
	var series []*attr
	for _, a := range attrs {
		if a.kind.Series() {
			series = append(series, a)
			continue
		}
		if err := p.scalar(a); err != nil || p.ended {
			return err
		}
	}
	if err := p.allSeries(adjacent(series)); err != nil || p.ended {
		return err
	}
	p.countNotes()
	return nil
}

// adjacent puts attributes of one path beside each other, at the place of the first.
func adjacent(attrs []*attr) []*attr {
	by := map[string][]*attr{}
	for _, a := range attrs {
		by[a.path] = append(by[a.path], a)
	}
	if len(by) == len(attrs) {
		return attrs
	}
	var sorted []*attr
	for _, a := range attrs {
		sorted = append(sorted, by[a.path]...)
		delete(by, a.path)
	}
	return sorted
}

func (p *pass) countNotes() {
	if n := p.counts.padding; n > 0 {
		p.reader.notef("", "", migrate.CodeSuspect, "%d rows have a step but neither time nor value: padding of an older exporter, passed over", n)
	}
	if n := p.counts.phantom; n > 0 {
		p.reader.notef("", "", migrate.CodeSuspect, "%d rows have no value at all: attributes of other runs, passed over", n)
	}
}

// allSeries gathers small series together, in one go through the rows, and streams large ones.
func (p *pass) allSeries(series []*attr) error {
	for len(series) > 0 {
		n, bytes := 0, int64(0)
		for n < len(series) && bytes+series[n].bytes <= gatherBytes {
			bytes += series[n].bytes
			n++
		}
		var err error
		if n == 0 {
			n = 1
			err = p.large(series[0])
		} else {
			err = p.gather(series[:n])
		}
		if err != nil || p.ended {
			return err
		}
		series = series[n:]
	}
	return nil
}

// send yields a chunk unless it is empty.
func (p *pass) send(c migrate.Chunk) {
	if (c.Len() > 0 || c.Kind == migrate.KindFileSet) && !p.ended && !p.yield(c, nil) {
		p.ended = true
	}
}

// at returns a cursor for a span's row group.
func (p *pass) at(s span) (*cursor, error) {
	if p.openAt != s.part {
		p.close()
		p.openAt, p.cursor = -1, nil
		open, err := p.reader.open(int(s.part))
		if err != nil {
			return nil, err
		}
		p.open, p.openAt = open, s.part
	}
	if p.cursor == nil || p.group != s.group {
		if int(s.group) >= p.open.groups() || int(s.start+s.n) > p.open.rows(int(s.group)) {
			return nil, corrupt("the part changed while it was read")
		}
		p.cursor, p.group = newCursor(p.open, int(s.group)), s.group
	}
	return p.cursor, nil
}

// place says where rows could not be read.
func (p *pass) place(s span, err error) string {
	return groupError(p.reader.run.parts[s.part], int(s.group), err).Error()
}
