package neptune

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"unicode/utf8"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/wire3"
)

// reader reads one run.
type reader struct {
	source *Source
	run    migrate.RunInfo
	links  *links

	mu       sync.Mutex
	holder   string // what the API calls the run: project and short ID; empty until it is known
	read     bool   // Chunks was called
	problems []migrate.Problem
	seen     map[migrate.Problem]bool
}

func newReader(s *Source, run migrate.RunInfo) *reader {
	return &reader{
		source: s, run: run, links: newLinks(s.api, run.Project),
		seen: map[migrate.Problem]bool{},
	}
}

// Problems returns what the calls so far met.
func (r *reader) Problems() []migrate.Problem {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]migrate.Problem(nil), r.problems...)
}

func (r *reader) notef(path string, kind migrate.Kind, code migrate.Code, format string, args ...any) {
	p := migrate.Problem{Path: path, Kind: kind, Code: code, Text: fmt.Sprintf(format, args...)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.seen[p] {
		r.seen[p] = true
		r.problems = append(r.problems, p)
	}
}

// text returns s as it is, unless it is no UTF-8: then it is made so, with a note.
func (r *reader) text(path string, kind migrate.Kind, s string) string {
	if utf8.ValidString(s) {
		return s
	}
	r.notef(path, kind, migrate.CodeSuspect, "text is not valid UTF-8; the bytes that are not became U+FFFD")
	return strings.ToValidUTF8(s, "\uFFFD")
}

// resolve finds out the run's holder.
func (r *reader) resolve(ctx context.Context) error {
	r.mu.Lock()
	known := r.holder != ""
	r.mu.Unlock()
	if known {
		return nil
	}
	id := r.run.SysID
	if id == "" {
		var err error
		if id, err = r.source.find(ctx, r.run.RunRef); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holder = r.run.Project + "/" + id
	return nil
}

func (r *reader) shortID() string { return strings.TrimPrefix(r.holder, r.run.Project+"/") }

// firstTime is true once.
func (r *reader) firstTime() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := !r.read
	r.read = true
	return first
}

// Chunks yields values and files as the server lists them, then float series, then the other
// series. What comes of series is read a little ahead of the receiver.
func (r *reader) Chunks(ctx context.Context, want migrate.Want) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) {
		if err := r.resolve(ctx); err != nil {
			yield(migrate.Chunk{}, err)
			return
		}
		p := &pass{
			reader: r, want: want, yield: yield, forked: r.run.Parent != "",
			first: r.firstTime(), seen: map[attribute]bool{},
		}
		if err := p.values(ctx); err != nil || p.ended {
			if err != nil {
				yield(migrate.Chunk{}, err)
			}
			return
		}
		for c, err := range ahead(ctx, p.series) {
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// attribute identifies one of a run.
type attribute struct {
	path string
	kind migrate.Kind
}

// pass is one call of Chunks.
type pass struct {
	reader *reader
	want   migrate.Want
	yield  func(migrate.Chunk, error) bool
	ended  bool // the receiver has had enough
	any    bool // the server knows the run
	first  bool // no pass over the run came before
	forked bool // series may have points of an ancestor only

	losses int // attributes that could not be read, in a row

	seen    map[attribute]bool
	begun   *gathered // what was read together with other runs
	floats  []*floatSeries
	objects []*objectSeries
}

// take yields an attribute's value, or remembers a series for later.
func (p *pass) take(a wire3.Attribute) {
	kind, r := kindOf(a), p.reader
	a.Name = r.text(a.Name, kind, a.Name)
	if a.Name == attrParent && a.Text != "" {
		p.forked = true
	}
	at := attribute{a.Name, kind}
	if p.seen[at] || p.want != nil && !p.want(a.Name, kind) {
		return
	}
	p.seen[at] = true
	switch {
	case a.Err != nil && !kind.Series():
		r.notef(a.Name, kind, migrate.CodeUnreadable, "the server's answer is damaged: %v", a.Err)
	case a.Value == wire3.None && kind == migrate.KindRunState:
		r.notef(a.Name, kind, migrate.CodeSuspect, "the server names the run's state but gives no value of it")
	case a.Value == wire3.None:
		r.notef(a.Name, kind, migrate.CodeUnreadable, "the server gives no value that this version can read; its type is %q", a.Type)
	case a.Value == wire3.FloatSeries:
		p.addFloats(a)
	case kind.Series():
		p.objects = append(p.objects, &objectSeries{path: a.Name, kind: kind, value: a.Value, exists: a.HasLast})
	default:
		p.send(migrate.Chunk{Path: a.Name, Kind: kind, Values: p.value(kind, a)})
	}
}

// addFloats remembers a float series, with what was gathered of it.
func (p *pass) addFloats(a wire3.Attribute) {
	s := &floatSeries{holder: p.reader.holder, path: a.Name, exists: a.HasLast}
	if p.begun != nil && p.begun.floats[a.Name] != nil {
		s = p.begun.floats[a.Name]
		p.turn(s, p.begun.limit)
	}
	p.floats = append(p.floats, s)
}

func (p *pass) send(c migrate.Chunk) {
	if !p.ended && !p.yield(c, nil) {
		p.ended = true
	}
}

// value is the column of one value.
func (p *pass) value(kind migrate.Kind, a wire3.Attribute) migrate.Values {
	r := p.reader
	switch a.Value {
	case wire3.Int:
		return migrate.Ints{a.Int}
	case wire3.Float:
		return migrate.Floats{a.Float}
	case wire3.Bool:
		return migrate.Bools{a.Bool}
	case wire3.Datetime:
		return migrate.Datetimes{a.Int}
	case wire3.StringSet:
		set := make([]string, len(a.Set))
		for i, s := range a.Set {
			set[i] = r.text(a.Name, kind, s)
		}
		return migrate.StringSets{set}
	case wire3.File:
		return migrate.Files{r.file(a.Name, kind, a.File)}
	default:
		return migrate.Strings{r.text(a.Name, kind, a.Text)}
	}
}

// series reads the series that values found, in another goroutine than want and yield.
func (p *pass) series(ctx context.Context, send func(migrate.Chunk) bool) error {
	if err := p.allFloats(ctx, send); err != nil {
		return err
	}
	return p.allObjects(ctx, send)
}

// errEnough ends a producer whose receiver has had enough.
var errEnough = errors.New("the receiver has had enough")

// chunksAhead is how many chunks may wait for their receiver.
const chunksAhead = 2

// ahead runs produce in a goroutine of its own, which has ended when the sequence has.
func ahead(ctx context.Context, produce func(context.Context, func(migrate.Chunk) bool) error) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		chunks, done := make(chan migrate.Chunk, chunksAhead), make(chan error, 1)
		go func() {
			defer close(chunks)
			done <- produce(ctx, func(c migrate.Chunk) bool {
				select {
				case chunks <- c:
					return true
				case <-ctx.Done():
					return false
				}
			})
		}()
		defer func() {
			cancel(errEnough)
			for range chunks { // until the producer has ended
			}
		}()
		for c := range chunks {
			if !yield(c, nil) {
				return
			}
		}
		if err := <-done; err != nil {
			yield(migrate.Chunk{}, err)
		}
	}
}
