package mlflow

import (
	"cmp"
	"context"
	"math"
	"slices"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

// metricMover sends one float series, but for the points that an earlier load left on the server.
// Those need not be a beginning of the series: a server may have dropped part of a batch.
type metricMover struct {
	l    *load
	line convert.Attribute
	have pointSet // what the server has; nil for nothing

	index    int64 // of the next point in the series
	lastStep migrate.Step
	last     point
	same     map[pointID]struct{} // the points with the step of last, if there are several
	sum      series

	inexact convert.Inexact
	merged  int64
	exact   []convert.ExactPoint
}

func (l *load) newMetric(ctx context.Context, chunk migrate.Chunk) (mover, error) {
	key, changed := l.traits.keys.Key(chunk.Path)
	if changed {
		l.note(convert.Renamed(chunk.Path, chunk.Kind, chunk.Path, key))
	}
	m := &metricMover{
		l: l, line: convert.Attribute{Path: chunk.Path, Kind: chunk.Kind, Metric: key},
		same: map[pointID]struct{}{},
	}
	if _, there := l.was.metrics[key]; !there || l.traits.resend {
		return m, nil
	}
	var err error
	m.have, err = l.pointsOf(ctx, key)
	return m, err
}

func (m *metricMover) add(ctx context.Context, c migrate.Chunk) error {
	for i, value := range c.Values.(migrate.Floats) {
		p, exact := m.convert(c.Steps[i], c.Times[i], value)
		again := m.repeats(p)
		if !exact || again {
			m.exact = append(m.exact, convert.ExactPoint{Index: m.index, Step: c.Steps[i], Time: c.Times[i], Value: value})
		}
		if m.index > 0 && p.step == m.last.step && c.Steps[i] != m.lastStep {
			m.merged++
		}
		m.index++
		m.last, m.lastStep = p, c.Steps[i]
		if again {
			continue
		}
		m.sum.add(p)
		if m.have.has(p) {
			continue
		}
		if err := m.l.add(ctx, func() bool { return m.l.batch.addPoint(m.line.Metric, p) }); err != nil {
			return err
		}
	}
	m.flushExact()
	return nil
}

// convert gives the point as MLflow takes it, and whether it is all of it; if not, it counts why.
func (m *metricMover) convert(step migrate.Step, ms int64, value float64) (point, bool) {
	whole, exactStep, _ := m.l.sink.cfg.StepMultiplier.Step(step)
	time, exactTime := convert.MetricTime(ms, m.l.start, m.index)
	exact := exactStep && exactTime && convert.ExactValue(value)
	if !exact {
		m.inexact.Add(exactStep, exactTime, value)
	}
	return point{whole, time, value}, exact
}

// repeats reports whether the server would take p for a point before it: it keeps equal ones once.
func (m *metricMover) repeats(p point) bool {
	if m.index == 0 || p.step != m.last.step {
		clear(m.same)
		return false
	}
	m.same[m.last.id()] = struct{}{}
	_, again := m.same[p.id()]
	return again
}

func (m *metricMover) flushExact() {
	if len(m.exact) > 0 {
		m.l.sidecar.write(convert.AppendExact(nil, m.line.Path, m.exact))
		m.exact = m.exact[:0]
	}
}

func (m *metricMover) end(context.Context) error {
	m.line.Points = m.index
	m.l.sidecar.write(convert.AppendAttribute(nil, m.line))
	if m.inexact != (convert.Inexact{}) {
		m.l.note(convert.Approximate(m.line.Path, m.line.Kind, m.inexact))
	}
	if m.merged > 0 {
		m.l.note(convert.Merged(m.line.Path, m.line.Kind, m.merged, m.l.sink.cfg.StepMultiplier))
	}
	m.l.want.metrics[m.line.Metric] = m.sum
	return nil
}

func (*metricMover) drop() {}

// pointID tells points apart as the databases behind MLflow do: all NaN are one value, -0 is 0,
// and infinities are the largest numbers.
type pointID struct {
	step, time int64
	bits       uint64
}

func (p point) id() pointID {
	v := p.value
	switch {
	case math.IsNaN(v):
		v = math.NaN()
	case v == 0:
		v = 0
	case math.IsInf(v, 0):
		v = math.Copysign(math.MaxFloat64, v)
	}
	return pointID{p.step, p.time, math.Float64bits(v)}
}

// sum is a digest of distinct points that does not depend on their order.
type sum struct {
	points int64
	digest uint64
}

func (s *sum) add(p point) {
	s.points++
	s.digest += p.hash()
}

func (s *sum) remove(p point) {
	s.points--
	s.digest -= p.hash()
}

// series is the sum of a metric, the last of its points as the server orders them, and the one that it shows as the
// latest.
type series struct {
	sum
	last, latest point
}

func (s *series) add(p point) {
	if s.points == 0 || p.after(s.last) {
		s.last = p
	}
	if s.points == 0 || p.later(s.latest) {
		s.latest = p
	}
	s.sum.add(p)
}

// after compares as metrics/get-history sorts: time, step, value, where NaN is 0.
func (p point) after(o point) bool {
	if c := cmp.Or(cmp.Compare(p.time, o.time), cmp.Compare(p.step, o.step)); c != 0 {
		return c > 0
	}
	return p.order() > o.order()
}

func (p point) order() float64 {
	if math.IsNaN(p.value) {
		return 0
	}
	return p.value
}

// hash is equal for points that are one to the server.
func (p point) hash() uint64 {
	id := p.id()
	return mix(mix(mix(uint64(id.step))^uint64(id.time)) ^ id.bits)
}

// pointSet has the hashes of points, sorted: 8 bytes each.
type pointSet []uint64

func (s pointSet) has(p point) bool {
	if len(s) == 0 {
		return false
	}
	_, found := slices.BinarySearch(s, p.hash())
	return found
}

// pointsOf reads back which points of a metric the server has.
func (l *load) pointsOf(ctx context.Context, key string) (set pointSet, err error) {
	for p, err := range l.sink.to.points(ctx, l.to.runID, []string{key}) {
		if err != nil {
			return nil, err
		}
		set = append(set, p.hash())
	}
	slices.Sort(set)
	return set, nil
}

// mix is the finalizer of SplitMix64: every bit of x changes about half of the result.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
