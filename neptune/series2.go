package neptune

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/wire2"
)

const (
	// seriesPage is how many points are asked for at once, as by the Python client.
	seriesPage = 1_000
	// floatPagesAhead and stringPagesAhead are how many pages of one series are read at the same time.
	floatPagesAhead  = 8
	stringPagesAhead = 3
	// pagesAtOnce is of how many pages the reading is planned.
	pagesAtOnce = 512
	// maxGrowths is how often a series that grows is followed to its new end.
	maxGrowths = 100
)

// paging is how a server's pages of series are asked for.
type paging struct {
	bySteps atomic.Bool // it does not know offsets
}

// errNoOffset says that the server gives the first page whatever the offset.
var errNoOffset = errors.New("the server does not know offsets")

// series2 is a series that is read.
type series2 struct {
	pass   *pass2
	attr   wire2.Attribute
	kind   migrate.Kind
	path   string // of the endpoint
	ahead  int
	decode func([]byte) (wire2.Points, error)
	total  atomic.Int64 // the most points that an answer counted; -1: none did
	first  wire2.Points // the first page

	// What was sent, in the order of sending.
	send sender
	next int64          // the offset of the points that were not asked for
	got  int64          // points, those left out too
	last []migrate.Step // the step of the last one that was sent, if one was
	far  float64        // the largest step
}

// floats reads a float series: GET /api/leaderboard/v1/attributes/series/float, as the Python client 1.14 does.
func (p *pass2) floats(ctx context.Context, a wire2.Attribute, send sender) error {
	if a.Config != "" {
		p.reader.notef(a.Name, migrate.KindFloatSeries, migrate.CodeDetail, "configured as %s", a.Config)
	}
	s := &series2{
		pass: p, attr: a, kind: migrate.KindFloatSeries, path: "/api/leaderboard/v1/attributes/series/float",
		ahead: floatPagesAhead, decode: wire2.FloatPage, send: send,
	}
	return s.readAll(ctx)
}

// strings reads a string series: GET /api/leaderboard/v1/attributes/series/string, as the Python client 1.14 does.
func (p *pass2) strings(ctx context.Context, a wire2.Attribute, send sender) error {
	s := &series2{
		pass: p, attr: a, kind: migrate.KindStringSeries, path: "/api/leaderboard/v1/attributes/series/string",
		ahead: stringPagesAhead, decode: wire2.StringPage, send: send,
	}
	return s.readAll(ctx)
}

func (s *series2) readAll(ctx context.Context) error {
	s.total.Store(-1)
	if err := s.read(ctx); err != nil {
		if s.got > 0 {
			return fmt.Errorf("after %d points: %w", s.got, err)
		}
		return err
	}
	s.finish()
	return nil
}

// page gets up to limit points from an offset on, in a page that is not sorted into the others yet.
func (s *series2) page(ctx context.Context, where url.Values, limit int64) (p wire2.Points, err error) {
	query := url.Values{"experimentId": {s.pass.id}, "attribute": {s.attr.Name}, "limit": {strconv.FormatInt(limit, 10)}}
	for key, values := range where {
		query[key] = values
	}
	err = s.pass.reader.source.get(ctx, fmt.Sprintf("read series %q of %s", s.attr.Name, s.pass.reader.run), s.path, query,
		func(b []byte) (err error) {
			p, err = s.decode(b)
			return err
		})
	for before := s.total.Load(); err == nil && p.Total > before && !s.total.CompareAndSwap(before, p.Total); {
		before = s.total.Load()
	}
	return p, err
}

func offset(n int64) url.Values { return url.Values{"offset": {strconv.FormatInt(n, 10)}} }

// read reads the first page, and then the others side by side, as far as the server counts. What is logged
// meanwhile is read too.
func (s *series2) read(ctx context.Context) (err error) {
	steps := &s.pass.reader.source.paging.bySteps
	if s.first, err = s.page(ctx, offset(0), seriesPage); err != nil {
		return err
	}
	if s.next = int64(s.first.Count); !s.take(s.first) {
		return errEnough
	}
	for growths, known := 0, int64(0); growths < maxGrowths; {
		switch {
		case s.counted() && s.next == s.total.Load(), s.first.Count == 0 && s.total.Load() <= 0:
			return nil
		case steps.Load():
			return s.readBySteps(ctx)
		}
		if total := s.total.Load(); s.counted() && total != known {
			known = total
			growths++
		}
		before := s.got
		err := s.readOffsets(ctx)
		if s.got == int64(s.first.Count) && s.got > 0 && noOffset(err) {
			if bySteps := s.readBySteps(ctx); bySteps == nil || !refusal(bySteps) {
				// A server that passes over what it does not know gives its first page again: that proves nothing.
				if bySteps == nil && s.got > before {
					steps.Store(true)
				}
				return bySteps
			}
		}
		if err != nil || s.got == before {
			return err
		}
	}
	return nil
}

// counted reports that the server counts points, and no fewer than it gave.
func (s *series2) counted() bool { return s.total.Load() >= s.next }

// noOffset reports that a server may not take offsets. The API of 2024 has steps in their place.
func noOffset(err error) bool {
	var api *APIError
	return errors.Is(err, errNoOffset) ||
		errors.As(err, &api) && (api.Status == http.StatusBadRequest || api.Status == http.StatusUnprocessableEntity)
}

// readOffsets reads from where the last page ended, to where the series ends by the count of now, but no more than
// pagesAtOnce: a count can be any number. Without a count it reads a few pages.
func (s *series2) readOffsets(ctx context.Context) error {
	end := s.next + int64(s.ahead)*seriesPage
	if s.counted() {
		end = min(s.total.Load(), s.next+pagesAtOnce*seriesPage)
	}
	var jobs []job[wire2.Points]
	for lo := s.next; lo < end; lo += seriesPage {
		hi := min(lo+seriesPage, end)
		jobs = append(jobs, func(ctx context.Context, send func(wire2.Points) bool) error { return s.span(ctx, lo, hi, send) })
	}
	s.next = end
	return inOrder(ctx, jobs, s.ahead, s.take)
}

// span reads the points from lo up to hi. A page that is shorter than asked for is not the end.
func (s *series2) span(ctx context.Context, lo, hi int64, send func(wire2.Points) bool) error {
	for empty := 0; lo < hi && empty < 2; {
		p, err := s.page(ctx, offset(lo), hi-lo)
		if err != nil {
			return err
		}
		if p.Count == 0 {
			empty++
			continue
		}
		if s.isFirst(p) {
			return errNoOffset
		}
		p.Keep(int(hi - lo))
		lo += int64(p.Count)
		if !send(p) {
			return errEnough
		}
	}
	return nil
}

// isFirst reports that a page that should be another one is the first again.
func (s *series2) isFirst(p wire2.Points) bool {
	return len(p.Steps) > 0 && len(s.first.Steps) > 0 && p.Steps[0] == s.first.Steps[0] && p.Times[0] == s.first.Times[0]
}

// readBySteps reads on from the last step, one page after the other, until there is nothing new: with skipToStep, as
// the API description of October 2024 has it.
func (s *series2) readBySteps(ctx context.Context) error {
	for {
		from := url.Values{"skipToStep": {strconv.FormatFloat(s.far, 'f', -1, 64)}}
		p, err := s.page(ctx, from, seriesPage)
		if err != nil {
			return err
		}
		if len(s.last) > 0 {
			p.After(s.last[0])
		}
		if len(p.Steps) == 0 {
			return nil
		}
		if !s.take(p) {
			return errEnough
		}
	}
}

// take sends the points of a page, in chunks that are not too large.
func (s *series2) take(p wire2.Points) bool {
	r := s.pass.reader
	s.got += int64(p.Count)
	if p.Count > 0 {
		s.far = p.Last
	}
	if p.Odd > 0 {
		r.notef(s.attr.Name, s.kind, migrate.CodeUnreadable,
			"%d points have no value, or steps that are no numbers or too large for the archive", p.Odd)
	}
	if len(p.Steps) == 0 {
		return true
	}
	if len(s.last) > 0 && p.Steps[0] < s.last[0] {
		r.notef(s.attr.Name, s.kind, migrate.CodeSuspect, "the server does not give the points in the order of their steps")
	}
	s.last = p.Steps[len(p.Steps)-1:]
	for lo := 0; lo < len(p.Steps); {
		hi := s.upTo(p, lo)
		if !s.send(s.chunk(p, lo, hi)) {
			return false
		}
		lo = hi
	}
	return true
}

// upTo is where a chunk ends that begins at lo.
func (s *series2) upTo(p wire2.Points, lo int) int {
	if p.Texts == nil {
		return min(lo+migrate.MaxChunkPoints, len(p.Steps))
	}
	hi, size := lo, 0
	for hi < len(p.Steps) && hi-lo < migrate.MaxChunkPoints && (hi == lo || size < migrate.MaxChunkBytes) {
		size += 32 + len(p.Texts[hi])
		hi++
	}
	return hi
}

func (s *series2) chunk(p wire2.Points, lo, hi int) migrate.Chunk {
	c := migrate.Chunk{Path: s.attr.Name, Kind: s.kind, Steps: p.Steps[lo:hi:hi], Times: p.Times[lo:hi:hi]}
	if p.Texts != nil {
		c.Values = migrate.Strings(p.Texts[lo:hi:hi])
	} else {
		c.Values = migrate.Floats(p.Floats[lo:hi:hi])
	}
	return c
}

// finish notes what is to be said of the series as a whole.
func (s *series2) finish() {
	r, total := s.pass.reader, s.total.Load()
	switch {
	case s.counted() && total > s.got:
		r.notef(s.attr.Name, s.kind, migrate.CodeMissing, "the server counts %d points and gave %d", total, s.got)
	case s.got == 0 && s.attr.HasLast:
		r.notef(s.attr.Name, s.kind, migrate.CodeMissing, "the server says that it has points but gives none")
	case s.got == 0:
		r.notef(s.attr.Name, s.kind, migrate.CodeDetail, "a series without points")
	}
}
