package mlflow

import (
	"context"
	"errors"
	"fmt"
	"io"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

// filesMover uploads the files of one attribute, straight from the source.
type filesMover struct {
	l    *load
	line convert.Attribute
}

func (m *filesMover) add(ctx context.Context, c migrate.Chunk) error {
	for i, ref := range c.Values.(migrate.Files) {
		artifact, err := m.move(ctx, c, i, ref)
		if err != nil {
			return err
		}
		if c.Kind.Series() {
			m.line.AddFile(artifact, ref, c.Steps[i], c.Times[i])
			m.line.Points++
		} else if c.Kind == migrate.KindFile {
			m.line.Artifacts = append(m.line.Artifacts, artifact)
		} else {
			m.line.AddMember(artifact, ref.Name)
		}
	}
	// A line for each chunk, so that a long series costs no memory.
	m.l.sidecar.write(convert.AppendAttribute(nil, m.line))
	m.line = convert.Attribute{Path: c.Path, Kind: c.Kind}
	return nil
}

// move uploads one file and returns where; "" if the source could not give it, which is noted.
func (m *filesMover) move(ctx context.Context, c migrate.Chunk, i int, ref migrate.FileRef) (string, error) {
	if ref.Key == "" {
		m.l.note(migrate.Problem{Path: c.Path, Kind: c.Kind, Code: migrate.CodeMissing, Text: fmt.Sprintf("the source has no bytes of %q", ref.Name)})
		return "", nil
	}
	artifact, changed := m.name(c, i, ref)
	err := m.l.putFile(ctx, artifact, ref)
	if lost := lossOf(err); lost != "" && ctx.Err() == nil {
		m.l.note(migrate.Problem{Path: c.Path, Kind: c.Kind, Code: lost, Text: err.Error()})
		delete(m.l.want.artifacts, artifact)
		return "", nil
	}
	if changed {
		m.l.note(convert.Renamed(c.Path, c.Kind, c.Path, artifact))
	}
	return artifact, err
}

// lossOf gives the code for a file that the source will never give; "" for other errors, which end
// the run, to be tried again.
func lossOf(err error) migrate.Code {
	switch {
	case !isSource(err), errors.Is(err, migrate.ErrFatal):
		return ""
	case errors.Is(err, migrate.ErrNotFound):
		return migrate.CodeMissing
	case errors.Is(err, migrate.ErrCorrupt), errors.Is(err, migrate.ErrUnauthorized):
		return migrate.CodeUnreadable
	}
	return ""
}

func (m *filesMover) name(c migrate.Chunk, i int, ref migrate.FileRef) (artifact string, changed bool) {
	switch {
	case c.Kind.Series():
		return m.l.names.SeriesFile(c.Path, c.Steps[i], ref.Name)
	case c.Kind == migrate.KindFile:
		return m.l.names.File(c.Path, ref.Name)
	}
	return m.l.names.Member(c.Path, ref.Name)
}

func (*filesMover) end(context.Context) error { return nil }

func (*filesMover) drop() {}

// putFile uploads a file unless the server has one of its size already, from the same version of the run: files
// that change often keep their size, as checkpoints of models do. Of a file without a known size a copy is made
// first, since the server wants to be told.
func (l *load) putFile(ctx context.Context, artifact string, ref migrate.FileRef) error {
	open := func() (io.ReadCloser, error) {
		body, err := l.source.OpenFile(ctx, ref)
		if err != nil {
			return nil, &sourceError{err}
		}
		return sourceBody{body}, nil
	}
	if ref.Size < 0 {
		return l.putCopy(ctx, artifact, open)
	}
	l.want.artifacts[artifact] = ref.Size
	if size, there := l.there[artifact]; there && size == ref.Size && l.same {
		return nil
	}
	if err := l.store.put(ctx, artifact, ref.Size, open); err != nil {
		return err
	}
	l.added++
	return nil
}

func (l *load) putCopy(ctx context.Context, artifact string, open func() (io.ReadCloser, error)) error {
	body, err := open()
	if err != nil {
		return err
	}
	defer body.Close()
	file, err := newSpool(l.sink.cfg.TempDir)
	if err != nil {
		return err
	}
	defer file.close()
	if file.size, err = io.Copy(file.f, body); err != nil {
		return err
	}
	return l.putSpool(ctx, artifact, file)
}

// sourceBody marks the errors of a source's file.
type sourceBody struct{ io.ReadCloser }

func (b sourceBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = &sourceError{err}
	}
	return n, err
}
