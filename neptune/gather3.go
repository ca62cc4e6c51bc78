package neptune

import (
	"context"
	"slices"
	"sync"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/wire3"
)

const (
	// gatherRuns is the most runs that are read by one request, as by neptune's own exporter.
	gatherRuns = 16
	// gatherAttributes is about how many attributes they may have together.
	gatherAttributes = 4_000
	// gatherFloats is the most float series that are asked for at once for several runs.
	gatherFloats = 1_000
	// gatherReady is how many runs may wait for their turn, having been read.
	gatherReady = 4 * gatherRuns
)

// gatherer reads small runs together: the values of one run and of those listed after it by one
// request, and the beginnings of their float series by another. A run of which nothing was gathered,
// for whatever reason, is read alone.
type gatherer struct {
	mu       sync.Mutex
	projects map[string]*queue
}

// queue has the runs of a project.
type queue struct {
	next    []string // short IDs of listed runs that were not begun, in the order of the listing
	ready   map[string]*gathered
	order   []string // the keys of ready, oldest first
	average int      // about the number of attributes of a run; 0: unknown
	points  int      // as average, of points of float series
}

// gathered is what was read of a run before its turn. done is closed when the rest is final.
type gathered struct {
	done       chan struct{}
	types      []string // that were asked for; nil: all
	attributes []wire3.Attribute
	floats     map[string]*floatSeries // by path: those that were begun, and
	limit      int                     // how many points of each were asked for
	ok         bool
}

func newGatherer() *gatherer { return &gatherer{projects: map[string]*queue{}} }

func (g *gatherer) queue(project string) *queue {
	q := g.projects[project]
	if q == nil {
		q = &queue{ready: map[string]*gathered{}}
		g.projects[project] = q
	}
	return q
}

// begin forgets what a listing before this one had.
func (g *gatherer) begin(project string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.queue(project).next = nil
}

// listed says which runs come next.
func (g *gatherer) listed(project string, ids []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.queue(project)
	if len(q.next) > searchPage { // of listings whose runs nobody reads
		q.next = nil
	}
	q.next = append(q.next, ids...)
}

// saw says how many attributes runs have.
func (g *gatherer) saw(project string, attributes, runs int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.queue(project)
	q.average = moving(q.average, attributes/max(runs, 1))
}

// sawPoints says how many points of float series a run has.
func (g *gatherer) sawPoints(project string, points int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.queue(project)
	q.points = moving(q.points, points)
}

// moving is an average that follows growth at once, since too much at once is worse than too little.
func moving(average, now int) int { return max(now, (3*average+now)/4, 1) }

// pointsOf is about how many points of float series a run has, as far as runs were read: 0 if none was.
func (g *gatherer) pointsOf(project string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.queue(project).points
}

// claim returns what was gathered of a run, or is just being gathered, or else the runs to gather
// now, this one in front, each with a place to put it.
func (g *gatherer) claim(project, id string, types []string) (have *gathered, ids []string, places []*gathered) {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.queue(project)
	if have = q.take(id); have != nil {
		return have, nil, nil
	}
	i := slices.Index(q.next, id)
	if i < 0 {
		return nil, nil, nil
	}
	n := 4
	if q.average > 0 {
		n = min(max(gatherAttributes/q.average, 1), gatherRuns)
	}
	ids = slices.Clone(q.next[i:min(i+n, len(q.next))])
	q.next = q.next[i+len(ids):]
	for i, id := range ids {
		places = append(places, &gathered{done: make(chan struct{}), types: types})
		if i > 0 {
			q.put(id, places[i])
		}
	}
	return nil, ids, places
}

func (q *queue) take(id string) *gathered {
	have := q.ready[id]
	if have != nil {
		delete(q.ready, id)
		q.order = slices.DeleteFunc(q.order, func(other string) bool { return other == id })
	}
	return have
}

func (q *queue) put(id string, place *gathered) {
	q.take(id)
	q.ready[id], q.order = place, append(q.order, id)
	for len(q.order) > gatherReady {
		q.take(q.order[0])
	}
}

// gather returns what one request for several runs gave of this one; nil if it is to be read alone.
func (r *reader3) gather(ctx context.Context) (*gathered, error) {
	g, id, types := r.source.gather, r.shortID(), apiTypes(r.run.Filter)
	have, ids, places := g.claim(r.run.Project, id, types)
	if have == nil && len(ids) < 2 {
		return nil, nil
	}
	if have == nil {
		have = places[0]
		if err := r.gatherAll(ctx, ids, places); err != nil && !refusal(err) {
			return nil, err
		}
	}
	select {
	case <-have.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if !have.ok || !slices.Equal(have.types, types) || (have.types == nil) != (types == nil) {
		return nil, nil
	}
	return have, nil
}

// gatherAll fills the places of several runs. If they turn out to be large, it leaves it at that.
func (r *reader3) gatherAll(ctx context.Context, ids []string, places []*gathered) error {
	holders := make([]string, len(ids))
	for i, id := range ids {
		holders[i] = r.run.Project + "/" + id
	}
	err := r.gatherValues(ctx, ids, holders, places)
	var batch []*floatSeries
	var upto int
	if err == nil {
		batch, upto = r.batch(holders, places)
	}
	for _, place := range places[upto:] { // their readers need not wait for the series of others
		close(place.done)
	}
	if upto > 0 {
		r.gatherFloats(ctx, batch, holders[:upto], places[:upto])
	}
	for _, place := range places[:upto] {
		close(place.done)
	}
	return err
}

// gatherValues gets the attributes of several runs.
func (r *reader3) gatherValues(ctx context.Context, ids, holders []string, places []*gathered) error {
	byID := map[string]*gathered{}
	for i, id := range ids {
		byID[id] = places[i]
	}
	sum, whole := 0, true
	err := r.valuePages(ctx, holders, nil, func(entries []wire3.Entry) bool {
		for _, entry := range entries {
			sum += len(entry.Attributes)
			if place := byID[entry.ShortID]; place != nil {
				place.attributes = append(place.attributes, entry.Attributes...)
			}
		}
		whole = sum <= 4*gatherAttributes
		return whole
	})
	if err != nil {
		return err
	}
	r.source.gather.saw(r.run.Project, sum, len(ids))
	for _, place := range places {
		place.ok = whole && len(place.attributes) > 0
	}
	return nil
}

// batch are the float series of as many runs as one request takes; none if each run fills a request of its own.
func (r *reader3) batch(holders []string, places []*gathered) (batch []*floatSeries, upto int) {
	usual, points, names := r.source.gather.pointsOf(r.run.Project), 0, 0
	for i, place := range places {
		if !place.ok { // it has nothing, or all are too large
			upto = i + 1
			continue
		}
		run, expected := floatsOf(holders[i], place.attributes, r.run.Filter)
		if usual > 0 {
			expected = usual
		}
		for _, s := range run {
			names += len(s.path)
		}
		points += expected
		if points > pointsAtOnce || len(batch)+len(run) > gatherFloats || names > maxNames {
			break
		}
		batch, upto = append(batch, run...), i+1
	}
	if upto < 2 || len(batch) == 0 {
		return nil, 0
	}
	return batch, upto
}

// gatherFloats reads the beginnings of the float series of several runs. An error is no harm: they are read again later.
func (r *reader3) gatherFloats(ctx context.Context, batch []*floatSeries, holders []string, places []*gathered) {
	limit := pointsAtOnce / len(batch)
	if err := r.floatPage(ctx, batch, limit); err != nil {
		return
	}
	begun := map[string]map[string]*floatSeries{}
	for _, s := range batch {
		if s.damage != nil {
			continue
		}
		if begun[s.holder] == nil {
			begun[s.holder] = map[string]*floatSeries{}
		}
		begun[s.holder][s.path] = s
	}
	for i, place := range places {
		place.floats, place.limit = begun[holders[i]], limit
	}
}

// floatsOf are the float series among a run's attributes, and how many points they have if each step has one.
func floatsOf(holder string, attributes []wire3.Attribute, f migrate.Filter) (list []*floatSeries, points int) {
	for _, a := range attributes {
		if a.Value != wire3.FloatSeries || !f.Match(a.Name, migrate.KindFloatSeries) {
			continue
		}
		list = append(list, &floatSeries{holder: holder, path: a.Name, exists: a.HasLast})
		if a.Last > 0 { // and is no NaN
			points += int(min(a.Last, pointsAtOnce))
		}
		points++
	}
	return list, points
}
