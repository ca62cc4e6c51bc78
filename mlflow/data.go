package mlflow

import (
	"context"
	"fmt"
	"io"
	"math"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

// mover takes the chunks of one attribute, in order.
type mover interface {
	add(ctx context.Context, chunk migrate.Chunk) error
	// end writes what is left, and the attribute's line of the sidecar.
	end(ctx context.Context) error
	// drop releases what end would have; it may follow end.
	drop()
}

// column is an attribute, or of an artifact either its hash or its files.
type column struct {
	attributeID
	files bool
}

func columnOf(c migrate.Chunk) column {
	_, files := c.Values.(migrate.Files)
	return column{attributeID{c.Path, c.Kind}, files}
}

// moveData sends series, files and long texts.
func (l *load) moveData(ctx context.Context) error {
	tables, err := l.tooLarge(ctx)
	if err != nil {
		return err
	}
	want := func(path string, k migrate.Kind) bool {
		_, long := l.long[attributeID{path, k}]
		return long || !isScalar(path, k) || k == migrate.KindArtifact
	}
	var now column
	var m mover
	defer func() {
		if m != nil {
			m.drop()
		}
	}()
	for chunk, err := range l.source.Chunks(ctx, want) {
		if err != nil {
			return err
		}
		if chunk.Len() == 0 && chunk.Kind != migrate.KindFileSet {
			continue
		}
		if id := columnOf(chunk); m == nil || id != now {
			if m != nil {
				if err := m.end(ctx); err != nil {
					return err
				}
			}
			now = id
			if m, err = l.mover(ctx, chunk, tables); err != nil {
				return err
			}
		}
		if m == nil {
			continue
		}
		if err := m.add(ctx, chunk); err != nil {
			return fmt.Errorf("%s: %w", chunk.Path, err)
		}
	}
	if m != nil {
		if err := m.end(ctx); err != nil {
			return err
		}
	}
	if err := l.flush(ctx); err != nil {
		return err
	}
	l.subtract()
	return nil
}

// mover chooses by what the attribute is; nil for one that is a param already.
func (l *load) mover(ctx context.Context, chunk migrate.Chunk, tables map[string]migrate.Step) (mover, error) {
	switch chunk.Values.(type) {
	case migrate.Files:
		return &filesMover{l: l, line: convert.Attribute{Path: chunk.Path, Kind: chunk.Kind}}, nil
	case migrate.Floats:
		if step, tooLarge := tables[chunk.Path]; tooLarge {
			return l.floatTable(chunk, step)
		}
		return l.newMetric(ctx, chunk)
	case migrate.Histograms:
		return l.histogramTable(chunk)
	}
	if chunk.Kind.Series() {
		return l.textTable(chunk)
	}
	if artifact, long := l.long[attributeID{chunk.Path, chunk.Kind}]; long {
		return &longText{l: l, artifact: artifact}, nil
	}
	return nil, nil
}

// tooLarge finds the float series with steps that the multiplier takes out of an int64. Only
// multipliers above the default can.
func (l *load) tooLarge(ctx context.Context) (map[string]migrate.Step, error) {
	m := l.sink.cfg.StepMultiplier
	_, _, high := m.Step(math.MaxInt64)
	_, _, low := m.Step(math.MinInt64)
	if high && low {
		return nil, nil
	}
	found := map[string]migrate.Step{}
	for chunk, err := range l.source.Chunks(ctx, func(_ string, k migrate.Kind) bool { return k == migrate.KindFloatSeries }) {
		if err != nil {
			return nil, err
		}
		for _, step := range chunk.Steps {
			if _, _, ok := m.Step(step); !ok {
				found[chunk.Path] = step
			}
		}
	}
	return found, nil
}

// tableMover writes a series as lines of one artifact.
type tableMover struct {
	l     *load
	line  convert.Attribute
	spool *spool
	row   func(b []byte, c migrate.Chunk, i int) []byte
	buf   []byte
}

func (l *load) table(chunk migrate.Chunk, artifact string, changed bool, header string, row func([]byte, migrate.Chunk, int) []byte) (*tableMover, error) {
	if changed {
		l.note(convert.Renamed(chunk.Path, chunk.Kind, chunk.Path, artifact))
	}
	file, err := newSpool(l.sink.cfg.TempDir)
	if err != nil {
		return nil, err
	}
	file.write([]byte(header))
	line := convert.Attribute{Path: chunk.Path, Kind: chunk.Kind, Artifacts: []string{artifact}}
	return &tableMover{l: l, line: line, spool: file, row: row}, nil
}

func (l *load) textTable(chunk migrate.Chunk) (mover, error) {
	artifact, changed := l.names.Text(chunk.Path)
	return l.table(chunk, artifact, changed && artifact != chunk.Path+".txt", "", func(b []byte, c migrate.Chunk, i int) []byte {
		return convert.AppendTextLine(b, c.Steps[i], c.Times[i], convert.Param(c.Values, i))
	})
}

func (l *load) histogramTable(chunk migrate.Chunk) (mover, error) {
	artifact, changed := l.names.CSV(chunk.Path)
	return l.table(chunk, artifact, changed, convert.HistogramHeader, func(b []byte, c migrate.Chunk, i int) []byte {
		return convert.AppendHistogramRow(b, c.Steps[i], c.Times[i], c.Values.(migrate.Histograms)[i])
	})
}

func (l *load) floatTable(chunk migrate.Chunk, step migrate.Step) (mover, error) {
	artifact, changed := l.names.CSV(chunk.Path)
	l.note(convert.OutOfRange(chunk.Path, chunk.Kind, step, l.sink.cfg.StepMultiplier, artifact))
	return l.table(chunk, artifact, changed, convert.FloatHeader, func(b []byte, c migrate.Chunk, i int) []byte {
		return convert.AppendFloatCSV(b, c.Steps[i], c.Times[i], c.Values.(migrate.Floats)[i])
	})
}

func (t *tableMover) add(_ context.Context, c migrate.Chunk) error {
	t.buf = t.buf[:0]
	for i := range c.Len() {
		t.buf = t.row(t.buf, c, i)
	}
	t.spool.write(t.buf)
	t.line.Points += int64(c.Len())
	return t.spool.err
}

func (t *tableMover) end(ctx context.Context) error {
	defer t.drop()
	t.l.sidecar.write(convert.AppendAttribute(nil, t.line))
	return t.l.putSpool(ctx, t.line.Artifacts[0], t.spool)
}

func (t *tableMover) drop() { t.spool.close() }

// longText is a scalar whose whole text is an artifact. Its line is in the sidecar already.
type longText struct {
	l        *load
	artifact string
}

func (t *longText) add(ctx context.Context, c migrate.Chunk) error {
	file, err := newSpool(t.l.sink.cfg.TempDir)
	if err != nil {
		return err
	}
	defer file.close()
	file.write([]byte(convert.Param(c.Values, 0)))
	return t.l.putSpool(ctx, t.artifact, file)
}

func (*longText) end(context.Context) error { return nil }
func (*longText) drop()                     {}

// putSpool uploads a temporary file. What the server has under that name is written again: it may
// be from a half-read run and have the same size.
func (l *load) putSpool(ctx context.Context, artifact string, s *spool) error {
	if s.drain(); s.err != nil {
		return s.err
	}
	l.want.artifacts[artifact] = s.size
	if size, there := l.there[artifact]; !there || size != s.size {
		l.added++
	}
	return l.store.put(ctx, artifact, s.size, func() (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(s.f, 0, s.size)), nil
	})
}

func (l *load) putSidecar(ctx context.Context) error {
	return l.putSpool(ctx, convert.SidecarName, l.sidecar)
}
