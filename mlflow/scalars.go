package mlflow

import (
	"context"
	"fmt"
	"unicode/utf8"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

// isScalar accepts what becomes params. Artifacts of Neptune 2 have a hash, which does, and files.
func isScalar(_ string, k migrate.Kind) bool {
	return !k.Series() && k != migrate.KindFile && k != migrate.KindFileSet
}

// readScalars collects params and what they say about the run. Long texts are left to moveData,
// when the run they go to is there.
func (l *load) readScalars(ctx context.Context) error {
	kinds := map[string]migrate.Kind{} // of paths that are params
	for chunk, err := range l.source.Chunks(ctx, isScalar) {
		if err != nil {
			return err
		}
		if _, files := chunk.Values.(migrate.Files); files || chunk.Len() == 0 {
			continue
		}
		l.meta.Take(chunk)
		l.addParam(chunk, kinds)
	}
	return nil
}

func (l *load) addParam(chunk migrate.Chunk, kinds map[string]migrate.Kind) {
	key, changed := l.traits.keys.Key(chunk.Path)
	if other, twice := kinds[chunk.Path]; twice && other != chunk.Kind {
		key, changed = l.traits.keys.KeyOfKind(chunk.Path, chunk.Kind), true
	}
	kinds[chunk.Path] = chunk.Kind
	if changed {
		l.note(convert.Renamed(chunk.Path, chunk.Kind, chunk.Path, key))
	}
	line := convert.Attribute{Path: chunk.Path, Kind: chunk.Kind, Param: key}
	line.KeepExact(chunk.Values, 0)
	text, exact := convert.Clean(convert.Param(chunk.Values, 0))
	if !exact {
		l.note(convert.Replaced(chunk.Path, chunk.Kind))
	}
	if utf8.RuneCountInString(text) > l.traits.maxParam {
		artifact, _ := l.names.Text(chunk.Path)
		text, _ = convert.Shorten(text, l.traits.maxParam, artifact)
		line.Artifacts = []string{artifact}
		l.long[attributeID{chunk.Path, chunk.Kind}] = artifact
		l.note(convert.Shortened(chunk.Path, chunk.Kind, artifact))
	}
	l.params = append(l.params, param{key, text})
	l.sidecar.write(convert.AppendAttribute(nil, line))
}

// logParams sends the params that the server lacks. It never changes one: what it has stays.
func (l *load) logParams(ctx context.Context) error {
	l.batch.reset()
	for _, p := range l.params {
		l.want.params[p.key] = p.value
		if was, there := l.was.params[p.key]; there {
			if was != p.value && l.unfinished() {
				return errStale
			}
			if was != p.value {
				delete(l.want.params, p.key)
				l.note(migrate.Problem{Path: p.key, Code: migrate.CodeDiffers, Text: fmt.Sprintf("the server has the param %q and MLflow cannot change params", clip(was))})
			}
			continue
		}
		if err := l.add(ctx, func() bool { return l.batch.addParam(p.key, p.value) }); err != nil {
			return err
		}
	}
	l.params = nil
	for key := range l.was.params {
		if _, wanted := l.want.params[key]; !wanted && l.unfinished() {
			return errStale
		}
	}
	return l.flush(ctx)
}

// clip cuts between characters: what it gives goes into reports, as JSON.
func clip(s string) string {
	if len(s) <= 80 {
		return s
	}
	end := 77
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "..."
}
