package neptune

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"sync"
	"sync/atomic"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/wire2"
)

// jobsAtOnce2 is how many attributes of one run are read at the same time.
const jobsAtOnce2 = 16

// reader2 reads one run, model or model version.
type reader2 struct {
	notes
	source *source2
	run    migrate.RunInfo
	handed handed

	mu sync.Mutex
	id string // UUID; empty until it is known
}

func newReader2(s *source2, run migrate.RunInfo) *reader2 { return &reader2{source: s, run: run} }

// experiment gives the run's UUID, what the API calls experimentId.
func (r *reader2) experiment(ctx context.Context) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.id != "" {
		return r.id, nil
	}
	id, err := r.source.find(ctx, r.run.RunRef)
	if err != nil {
		return "", err
	}
	r.id = id
	return id, nil
}

// of is the query that names an attribute of the run.
func (r *reader2) of(ctx context.Context, attr string) (url.Values, error) {
	id, err := r.experiment(ctx)
	if err != nil {
		return nil, err
	}
	return url.Values{"experimentId": {id}, "attribute": {attr}}, nil
}

// Chunks yields values and files as the server lists them, then file sets and artifacts, then series. What needs
// further requests is read ahead of the receiver, several attributes at once.
func (r *reader2) Chunks(ctx context.Context, want migrate.Want) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) {
		id, err := r.experiment(ctx)
		if err != nil {
			yield(migrate.Chunk{}, err)
			return
		}
		p := &pass2{reader: r, id: id, want: want, seen: map[attribute]bool{}}
		ended := false
		defer r.handed.clear()
		send := func(c migrate.Chunk) bool {
			ended = ended || !yield(c, nil)
			r.handed.consumed(c)
			return !ended
		}
		err = p.values(ctx, send)
		if err == nil && !ended {
			err = inOrder(ctx, append(p.files, p.series...), jobsAtOnce2, send)
		}
		if err != nil && !ended {
			yield(migrate.Chunk{}, err)
		}
	}
}

// sender takes chunks; it is false if the receiver has had enough.
type sender = func(migrate.Chunk) bool

// pass2 is one call of Chunks. Its methods that are jobs run at the same time.
type pass2 struct {
	reader *reader2
	id     string // the run's UUID
	want   migrate.Want
	seen   map[attribute]bool
	files  []job[migrate.Chunk] // of attributes without steps
	series []job[migrate.Chunk]
	losses atomic.Int32 // attributes that could not be read, in a row
}

// values sends what the listing has the values of, and prepares jobs for the rest.
func (p *pass2) values(ctx context.Context, send sender) error {
	attributes, err := p.reader.attributes(ctx, p.id)
	if err != nil {
		return err
	}
	for _, a := range attributes {
		if !p.take(a, send) {
			return nil
		}
	}
	return nil
}

// take sends an attribute's value or prepares a job; it is false if the receiver has had enough.
func (p *pass2) take(a wire2.Attribute, send sender) bool {
	kind, r := kindOf2(a), p.reader
	a.Name = r.text(a.Name, kind, a.Name)
	at := attribute{a.Name, kind}
	if p.seen[at] || p.want != nil && !p.want(a.Name, kind) {
		return true
	}
	p.seen[at] = true
	if a.Err != nil {
		r.notef(a.Name, kind, migrate.CodeUnreadable, "the server's answer is damaged: %v", a.Err)
		return true
	}
	if later := p.job(a); later != nil {
		if kind.Series() {
			p.series = append(p.series, later)
		} else {
			p.files = append(p.files, later)
		}
		return true
	}
	if a.Type == wire2.TypeFile {
		return p.file(a, send)
	}
	values := r.value(kind, a)
	if values == nil {
		r.notef(a.Name, kind, migrate.CodeUnreadable, "its type %q is not one that this version can read%s", a.Type, small(a.Raw))
		return true
	}
	return send(migrate.Chunk{Path: a.Name, Kind: kind, Values: values})
}

// small is the raw value of an attribute for a note, if it is not too long.
func small(raw []byte) string {
	const most = 2_000
	if len(raw) == 0 || len(raw) > most {
		return ""
	}
	return fmt.Sprintf("; the server says of it: %s", raw)
}

// job is what reads an attribute that needs further requests; nil if it needs none.
func (p *pass2) job(a wire2.Attribute) job[migrate.Chunk] {
	var read func(context.Context, wire2.Attribute, sender) error
	switch a.Type {
	case wire2.TypeFloatSeries:
		read = p.floats
	case wire2.TypeStringSeries:
		read = p.strings
	case wire2.TypeImageSeries:
		read = p.images
	case wire2.TypeFileSet:
		read = p.fileSet
	case wire2.TypeArtifact:
		read = p.artifact
	default:
		return nil
	}
	return func(ctx context.Context, send sender) error {
		return p.lost(a.Name, kindOf2(a), read(p.tries(ctx), a, send))
	}
}

// tries is the context for one attribute: where many could not be read, the next is not asked for often.
func (p *pass2) tries(ctx context.Context) context.Context {
	if p.losses.Load() < maxLosses {
		return ctx
	}
	return withTries(ctx, 1)
}

// lost makes a note of what the server refuses to give of one attribute, and returns what ends the run.
func (p *pass2) lost(path string, kind migrate.Kind, err error) error {
	switch {
	case err == nil:
		p.losses.Store(0)
		return nil
	case errors.Is(err, migrate.ErrNotFound):
		p.reader.notef(path, kind, migrate.CodeMissing, "%v", err)
	case refusal(err) || errors.Is(err, errSamePage):
		p.losses.Add(1)
		p.reader.notef(path, kind, migrate.CodeUnreadable, "%v", err)
	default:
		return err
	}
	return nil
}
