package neptune

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/wire3"
)

const (
	// objectsAtOnce is how many series of strings, histograms and files are asked for at once. The
	// server took 2,000 with long names and refused 2,001.
	objectsAtOnce = 100
	// heldAtOnce bounds the bytes that are held of series whose turn has not come.
	heldAtOnce = 8 << 20
)

// objectSeries is a series of strings, histograms or files that is read page by page.
type objectSeries struct {
	path   string
	kind   migrate.Kind
	value  wire3.Value
	exists bool // the server says that it has points
	points wire3.Objects
	token  string // where the next page begins; empty: at the start
	got    int
	empty  int            // pages without a point that lead to another, in a row
	sent   []migrate.Step // of the last point that was sent, if one was
	begun  bool           // something of it has come
	alone  bool           // it was asked for alone
	done   bool
	failed bool
	damage error // of the last answer
	notes  previewNotes
}

// allObjects sends the series one after the other. Several are asked for at once; how much of each
// comes is the server's choice.
func (p *pass3) allObjects(ctx context.Context, send func(migrate.Chunk) bool) error {
	for i, s := range p.objects {
		for !s.done {
			if err := p.fillObjects(ctx, p.objects[i:]); err != nil {
				return err
			}
			if !p.flushObjects(s, send) {
				return context.Cause(ctx)
			}
		}
		if !p.flushObjects(s, send) {
			return context.Cause(ctx)
		}
		p.endObjects(s)
		p.objects[i] = nil
	}
	return nil
}

// fillObjects gets the next page of the first series, and the first pages of following ones.
func (p *pass3) fillObjects(ctx context.Context, rest []*objectSeries) error {
	batch, held, names := []*objectSeries{rest[0]}, 0, len(rest[0].path)
	for _, s := range rest[1:] {
		held, names = held+s.points.Bytes, names+len(s.path)
		if len(batch) == objectsAtOnce || held > heldAtOnce || names > maxNames || rest[0].alone {
			break
		}
		if !s.done && !s.begun {
			batch = append(batch, s)
		}
	}
	return p.objectPages(ctx, batch)
}

// objectPages gets one page for a batch.
func (p *pass3) objectPages(ctx context.Context, batch []*objectSeries) error {
	first := batch[0]
	return inParts(ctx, p, batch, p.objectPage, func(s *objectSeries, alone bool, err error) (again bool) {
		if err == nil {
			err = s.damage
		}
		switch {
		case err == nil:
			p.turnObjects(s, s == first, alone)
		case alone:
			p.brokenObjects(s, err)
		}
		return err != nil && !alone
	})
}

func (p *pass3) brokenObjects(s *objectSeries, err error) {
	s.done, s.failed = true, true
	p.losses++
	where := ""
	if s.got > 0 {
		where = fmt.Sprintf("after %d points: ", s.got)
	}
	p.reader.notef(s.path, s.kind, migrate.CodeUnreadable, "%s%v", where, err)
}

// objectPage sends one request: POST /api/leaderboard/v1/proto/attributes/series, as neptune-query
// 1.11.0 does.
func (p *pass3) objectPage(ctx context.Context, batch []*objectSeries) error {
	r := p.reader
	body := seriesBody{Order: "ascending"}
	before := make([]wire3.Objects, len(batch))
	for i, s := range batch {
		request := seriesRequest{ID: strconv.Itoa(i), Series: seriesIn(r.holder, s.path)}
		if s.token != "" {
			request.SearchAfter = &searchAfter{Token: s.token}
		}
		body.Requests = append(body.Requests, request)
		before[i] = s.points
		before[i].Fresh()
		before[i].Foreign, before[i].Cursor = 0, false
	}
	return r.source.api.post(ctx, fmt.Sprintf("read %d series of %s", len(batch), r.run),
		"/api/leaderboard/v1/proto/attributes/series", url.Values{"useDeprecatedStringFields": {"false"}}, body,
		func(b []byte) error {
			for i, s := range batch { // also of an attempt before, whose answer was damaged
				s.points, s.damage = before[i], nil
			}
			at := func(id string) *objectSeries {
				if i, err := strconv.Atoi(id); err == nil && i >= 0 && i < len(batch) {
					return batch[i]
				}
				return nil
			}
			return wire3.SeriesPage(b, func(id string) (*wire3.Objects, wire3.Value) {
				if s := at(id); s != nil {
					return &s.points, s.value
				}
				return nil, wire3.None
			}, func(id string, err error) { at(id).damage = err })
		})
}

// turnObjects notes what a page brought. The answer says of each series whether it has ended. A
// series of which an answer has nothing is asked for again alone before it counts as empty.
func (p *pass3) turnObjects(s *objectSeries, first, alone bool) {
	page := &s.points
	s.got += page.Count
	switch { // an answer without a cursor had no room for the series
	case page.Count > 0:
		s.empty = 0
	case page.Cursor:
		s.empty++
	}
	s.notes.add(page.Previews)
	if page.Odd > 0 {
		p.reader.notef(s.path, s.kind, migrate.CodeUnreadable,
			"%d points have steps that are no numbers, or too large for the archive", page.Odd)
	}
	if page.Foreign > 0 {
		p.reader.notef(s.path, s.kind, migrate.CodeUnreadable, "%d points have values of another type", page.Foreign)
	}
	switch {
	case page.Finished && page.Cursor:
		s.done = true
	case s.empty > maxEmptyPages:
		p.brokenObjects(s, errSamePage)
	case page.Cursor && page.Token != "" && page.Token != s.token:
		s.token, s.begun, s.alone = page.Token, true, false
	case page.Cursor && page.Token == s.token && s.token != "":
		p.brokenObjects(s, errSamePage)
	case page.Count > 0:
		s.done = true
		p.reader.notef(s.path, s.kind, migrate.CodeUnreadable,
			"the server does not say where the points after the first %d are", s.got)
	case alone:
		s.done = true
	default:
		s.alone = s.alone || first
	}
}

// flushObjects sends what has been read, in chunks that are not too large.
func (p *pass3) flushObjects(s *objectSeries, send func(migrate.Chunk) bool) bool {
	o := s.points
	s.points = wire3.Objects{Points: o.Points, Cursor: o.Cursor, Token: o.Token, Finished: o.Finished}
	for lo := 0; lo < len(o.Steps); {
		hi, bytes := lo, 0
		for hi < len(o.Steps) && hi-lo < migrate.MaxChunkPoints && (hi == lo || bytes < migrate.MaxChunkBytes) {
			bytes += sizeOf(&o, hi)
			hi++
		}
		if len(s.sent) > 0 && s.sent[0] > o.Steps[lo] {
			p.reader.notef(s.path, s.kind, migrate.CodeSuspect, "the server does not give the points in the order of their steps")
		}
		s.sent = []migrate.Step{o.Steps[hi-1]}
		if !send(migrate.Chunk{
			Path: s.path, Kind: s.kind, Steps: o.Steps[lo:hi:hi], Times: o.Times[lo:hi:hi], Values: p.column(s, &o, lo, hi),
		}) {
			return false
		}
		lo = hi
	}
	return true
}

func sizeOf(o *wire3.Objects, i int) int {
	switch {
	case o.Texts != nil:
		return 32 + len(o.Texts[i])
	case o.Histograms != nil:
		return 80 + 8*(len(o.Histograms[i].Edges)+len(o.Histograms[i].Values))
	default:
		return 80 + len(o.Files[i].Path)
	}
}

// column is the column of the points from lo up to hi.
func (p *pass3) column(s *objectSeries, o *wire3.Objects, lo, hi int) migrate.Values {
	switch s.value {
	case wire3.HistogramSeries:
		return migrate.Histograms(o.Histograms[lo:hi:hi])
	case wire3.FileSeries:
		refs, paths := make(migrate.Files, 0, hi-lo), make([]string, 0, hi-lo)
		for _, f := range o.Files[lo:hi] {
			refs = append(refs, p.reader.file(s.path, s.kind, f))
			if f.Path != "" {
				paths = append(paths, f.Path)
			}
		}
		p.reader.links.announce(paths)
		return refs
	default:
		texts := migrate.Strings(o.Texts[lo:hi:hi])
		for i, text := range texts {
			texts[i] = p.reader.text(s.path, s.kind, text)
		}
		return texts
	}
}

// endObjects notes what is to be said of a series as a whole.
func (p *pass3) endObjects(s *objectSeries) {
	if text := s.notes.text(); text != "" {
		p.reader.notef(s.path, s.kind, migrate.CodeApproximate, "%s", text)
	}
	if s.got == 0 && s.exists && !s.failed && !p.forked {
		p.reader.notef(s.path, s.kind, migrate.CodeMissing, "the server says that it has points but gives none")
	}
}
