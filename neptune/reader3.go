package neptune

import (
	"context"
	"iter"
	"strings"
	"sync"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/wire3"
)

// reader3 reads one run.
type reader3 struct {
	notes
	source *source3
	run    migrate.RunInfo
	links  *links

	mu     sync.Mutex
	holder string // what the API calls the run: project and short ID; empty until it is known
	read   bool   // Chunks was called
}

func newReader3(s *source3, run migrate.RunInfo) *reader3 {
	return &reader3{source: s, run: run, links: newLinks(s.api, run.Project)}
}

// resolve finds out the run's holder.
func (r *reader3) resolve(ctx context.Context) error {
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

func (r *reader3) shortID() string { return strings.TrimPrefix(r.holder, r.run.Project+"/") }

// firstTime is true once.
func (r *reader3) firstTime() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := !r.read
	r.read = true
	return first
}

// Chunks yields values and files as the server lists them, then float series, then the other
// series. What comes of series is read a little ahead of the receiver.
func (r *reader3) Chunks(ctx context.Context, want migrate.Want) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) {
		if err := r.resolve(ctx); err != nil {
			yield(migrate.Chunk{}, err)
			return
		}
		p := &pass3{
			reader: r, want: want, yield: yield, forked: r.run.Parent != "",
			first: r.firstTime(), seen: map[attribute]bool{},
		}
		if err := p.values(ctx); err != nil || p.ended {
			if err != nil {
				yield(migrate.Chunk{}, err)
			}
			return
		}
		err := inOrder(ctx, []job[migrate.Chunk]{p.series}, 1, func(c migrate.Chunk) bool {
			p.send(c)
			return !p.ended
		})
		if err != nil && !p.ended {
			yield(migrate.Chunk{}, err)
		}
	}
}

// attribute identifies one of a run.
type attribute struct {
	path string
	kind migrate.Kind
}

// pass3 is one call of Chunks.
type pass3 struct {
	reader *reader3
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
func (p *pass3) take(a wire3.Attribute) {
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
func (p *pass3) addFloats(a wire3.Attribute) {
	s := &floatSeries{holder: p.reader.holder, path: a.Name, exists: a.HasLast}
	if p.begun != nil && p.begun.floats[a.Name] != nil {
		s = p.begun.floats[a.Name]
		p.turn(s, p.begun.limit)
	}
	p.floats = append(p.floats, s)
}

func (p *pass3) send(c migrate.Chunk) {
	if !p.ended && !p.yield(c, nil) {
		p.ended = true
	}
}

// value is the column of one value.
func (p *pass3) value(kind migrate.Kind, a wire3.Attribute) migrate.Values {
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
func (p *pass3) series(ctx context.Context, send func(migrate.Chunk) bool) error {
	if err := p.allFloats(ctx, send); err != nil {
		return err
	}
	return p.allObjects(ctx, send)
}
