package neptune

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/wire3"
)

const (
	// pointsAtOnce is about how many points of float series one answer has: some 4 MB.
	pointsAtOnce = 1 << 17
	// pointsAllowed is what neptune-query has as the product of series and points in a request.
	pointsAllowed = 1_000_000
	// floatsAtOnce is how many float series are asked for at once.
	floatsAtOnce = 128
)

type (
	seriesBody struct {
		Requests []seriesRequest `json:"requests"`
		Limit    int             `json:"perSeriesPointsLimit,omitempty"`
		Order    string          `json:"order"`
	}
	seriesRequest struct {
		ID          string       `json:"requestId"`
		Series      seriesOf     `json:"series"`
		AfterStep   *float64     `json:"afterStep,omitempty"`
		SearchAfter *searchAfter `json:"searchAfter,omitempty"`
	}
	seriesOf struct {
		Holder     holder `json:"holder"`
		Attribute  string `json:"attribute"`
		Lineage    string `json:"lineage"`
		EntityType string `json:"lineageEntityType"`
		Previews   bool   `json:"includePreview,omitempty"`
	}
	holder struct {
		ID   string `json:"identifier"`
		Type string `json:"type"`
	}
	searchAfter struct {
		Finished bool   `json:"finished"`
		Token    string `json:"token"`
	}
)

// seriesIn asks for a run's own points: those of a fork's ancestors are read with the ancestors.
func seriesIn(run, path string) seriesOf {
	return seriesOf{Holder: holder{run, "experiment"}, Attribute: path, Lineage: "NONE", EntityType: "RUN"}
}

// floatSeries is one that is read page by page.
type floatSeries struct {
	holder string // the run, as the API calls it
	path   string
	exists bool // the server says that it has points
	points wire3.Floats
	got    int64   // points of the answers, but for those that came twice
	from   float64 // step after which the last page was to begin
	begun  bool
	full   bool // the last page had as many points as it could
	early  bool // more than its first page was read before its turn
	alone  bool // it was asked for once more, alone
	done   bool
	failed bool
	damage error // of the last answer
	notes  previewNotes

	previews bool // wanted whatever the Config says
}

// expected is about how many points are still to come.
func (s *floatSeries) expected() int {
	switch left := s.points.Total - s.got; {
	case !s.begun:
		return pointsAtOnce / floatsAtOnce
	case left > 0:
		return int(min(left, pointsAtOnce))
	case s.full:
		return pointsAtOnce
	}
	return 0
}

// allFloats sends the float series one after the other. Several are asked for at once.
func (p *pass3) allFloats(ctx context.Context, send func(migrate.Chunk) bool) error {
	sum := int64(0)
	for i, s := range p.floats {
		if err := p.toEnd(ctx, p.floats[i:], send); err != nil {
			return err
		}
		if p.lacking(s) {
			if err := p.toEnd(ctx, p.floats[i:i+1], send); err != nil {
				return err
			}
		}
		p.endFloats(ctx, s)
		sum += s.got
		p.floats[i] = nil
	}
	if len(p.floats) > 0 {
		p.reader.source.gather.sawPoints(p.reader.run.Project, int(sum))
	}
	return nil
}

// toEnd reads and sends the first series to its end, and reads what fits beside it of the rest.
func (p *pass3) toEnd(ctx context.Context, rest []*floatSeries, send func(migrate.Chunk) bool) error {
	for s := rest[0]; ; {
		if !s.flush(send) {
			return context.Cause(ctx)
		}
		if s.done {
			return nil
		}
		if err := p.fill(ctx, rest); err != nil {
			return err
		}
	}
}

// fill gets the next page of the first series, and of as many of the following as fit beside it and
// beside what is held of them already.
func (p *pass3) fill(ctx context.Context, rest []*floatSeries) error {
	first := rest[0]
	batch, sum, held, most, names := []*floatSeries{first}, first.expected(), 0, first.expected(), len(first.path)
	room := min(floatsAtOnce, max(1, pointsAllowed/(most+1)))
	for _, s := range rest[1:] {
		held += len(s.points.Steps)
		if len(batch) >= room || held+sum > 2*pointsAtOnce {
			break
		}
		if s.done || s.early {
			continue
		}
		sum, names = sum+s.expected(), names+len(s.path)
		if sum > pointsAtOnce || names > maxNames || pointsAllowed/(s.expected()+1) <= len(batch) {
			break
		}
		s.early = s.begun
		most = max(most, s.expected())
		batch = append(batch, s)
	}
	limit := min(max(pointsAtOnce/len(batch), most+1), pointsAllowed/len(batch))
	return p.floatPages(ctx, batch, limit)
}

// floatPages gets one page for each of a batch.
func (p *pass3) floatPages(ctx context.Context, batch []*floatSeries, limit int) error {
	return inParts(ctx, p, batch, func(ctx context.Context, batch []*floatSeries) error {
		return p.reader.floatPage(ctx, batch, limit)
	}, func(s *floatSeries, alone bool, err error) (again bool) {
		if err == nil {
			err = s.damage
		}
		switch {
		case err == nil:
			p.turn(s, limit)
		case alone:
			p.broken(s, err)
		}
		return err != nil && !alone
	})
}

func (p *pass3) broken(s *floatSeries, err error) {
	s.done, s.failed = true, true
	p.losses++
	where := ""
	if s.got > 0 {
		where = fmt.Sprintf("beyond step %s, after %d points: ", strconv.FormatFloat(s.points.Last, 'f', -1, 64), s.got)
	}
	p.reader.notef(s.path, migrate.KindFloatSeries, migrate.CodeUnreadable, "%s%v", where, err)
}

// floatPage sends one request: POST /api/leaderboard/v1/proto/attributes/series/float, as
// neptune-query 1.11.0 does.
func (r *reader3) floatPage(ctx context.Context, batch []*floatSeries, limit int) error {
	body := seriesBody{Limit: limit, Order: "ascending"}
	for i, s := range batch {
		request := seriesRequest{ID: strconv.Itoa(i), Series: seriesIn(s.holder, s.path)}
		request.Series.Previews = r.source.cfg.IncludePreviews || s.previews
		if s.begun && s.got > 0 {
			after := s.points.Last
			request.AfterStep = &after
		}
		body.Requests = append(body.Requests, request)
	}
	before := make([]wire3.Floats, len(batch))
	for i, s := range batch {
		s.from = s.points.Last
		before[i] = s.points
		before[i].Fresh()
	}
	return r.source.api.post(ctx, fmt.Sprintf("read %d float series of %s", len(batch), r.run),
		"/api/leaderboard/v1/proto/attributes/series/float", nil, body, func(b []byte) error {
			for i, s := range batch { // also of an attempt before, whose answer was damaged
				s.points, s.damage = before[i], nil
			}
			at := func(id string) *floatSeries {
				if i, err := strconv.Atoi(id); err == nil && i >= 0 && i < len(batch) {
					return batch[i]
				}
				return nil
			}
			return wire3.FloatPage(b, func(id string) *wire3.Floats {
				if s := at(id); s != nil {
					return &s.points
				}
				return nil
			}, func(id string, err error) { at(id).damage = err })
		})
}

// turn notes what a page brought. A page that is not full may still not be the last one, whatever
// the limit: then the next one is empty.
func (p *pass3) turn(s *floatSeries, limit int) {
	page := &s.points.Points
	fresh, first := page.Count-page.Old, s.got == 0
	s.begun, s.full = true, page.Count >= limit
	s.got += int64(fresh)
	s.notes.add(page.Previews)
	if page.Odd > 0 {
		p.reader.notef(s.path, migrate.KindFloatSeries, migrate.CodeUnreadable,
			"%d points have steps that are no numbers, or too large for the archive", page.Odd)
	}
	switch {
	case page.Count == 0, fresh == 0 && page.Total > 0 && s.got >= page.Total:
		s.done = true
	case fresh == 0, !first && page.Last == s.from:
		p.broken(s, errSamePage)
	case !s.full && page.Total > 0 && s.got >= page.Total:
		s.done = true
	}
}

// lacking reports that the server gave nothing of a series that it says has points, for the first
// time. A fork lists its ancestors' series, and may have no points of its own.
func (p *pass3) lacking(s *floatSeries) bool {
	if s.got > 0 || !s.exists || s.failed || s.alone || p.forked {
		return false
	}
	s.alone, s.done = true, false
	return true
}

// flush sends what has been read.
func (s *floatSeries) flush(send func(migrate.Chunk) bool) bool {
	steps, times, values := s.points.Steps, s.points.Times, s.points.Values
	s.points.Steps, s.points.Times, s.points.Values = nil, nil, nil
	for len(steps) > 0 {
		n := min(len(steps), migrate.MaxChunkPoints)
		if !send(migrate.Chunk{
			Path: s.path, Kind: migrate.KindFloatSeries,
			Steps: steps[:n:n], Times: times[:n:n], Values: migrate.Floats(values[:n:n]),
		}) {
			return false
		}
		steps, times, values = steps[n:], times[n:], values[n:]
	}
	return true
}

// endFloats notes what is to be said of a series as a whole.
func (p *pass3) endFloats(ctx context.Context, s *floatSeries) {
	r, kind := p.reader, migrate.KindFloatSeries
	if text := s.notes.text(); text != "" {
		r.notef(s.path, kind, migrate.CodeApproximate, "%s", text)
	}
	switch {
	case s.failed || p.forked:
	case s.got == 0 && s.exists:
		r.notef(s.path, kind, migrate.CodeMissing, "the server says that it has points but gives none")
	case s.points.Total > s.got && !p.previewsOnly(ctx, s):
		r.notef(s.path, kind, migrate.CodeMissing, "the server counts %d points and gave %d", s.points.Total, s.got)
	}
}

// previewsOnly reports whether all points that a series is short of by the server's count are previews, which were not asked for.
func (p *pass3) previewsOnly(ctx context.Context, s *floatSeries) bool {
	short := s.points.Total - s.got
	if p.reader.source.cfg.IncludePreviews || short > pointsAtOnce {
		return false
	}
	rest := &floatSeries{holder: s.holder, path: s.path, got: s.got, begun: true, previews: true}
	rest.points.Last = s.points.Last
	err := p.reader.floatPage(p.tries(ctx), []*floatSeries{rest}, int(short))
	return err == nil && rest.damage == nil && int64(len(rest.points.Previews)) >= short
}

// maxPreviewNotes is how many previews of a series are named one by one.
const maxPreviewNotes = 100

// previewNotes says what previews a series has: the archive has no column for it.
type previewNotes struct {
	count int
	list  []string
}

func (n *previewNotes) add(previews []wire3.Preview) {
	n.count += len(previews)
	for _, p := range previews[:min(len(previews), maxPreviewNotes-len(n.list))] {
		n.list = append(n.list, p.Step.String()+" ("+strconv.FormatFloat(float64(p.Completion), 'g', -1, 32)+")")
	}
}

func (n *previewNotes) text() string {
	if n.count == 0 {
		return ""
	}
	more := ""
	if n.count > len(n.list) {
		more = ", ..."
	}
	return fmt.Sprintf("%d points are previews, not final; step (completion): %s%s", n.count, strings.Join(n.list, ", "), more)
}
