package parquetstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path"
	"strconv"
	"time"
	"unicode/utf8"

	migrate "github.com/nexport-go/migrate"
)

// temporary is behind the name of what is being written.
const temporary = ".tmp"

func (p place) part(n int) string {
	return path.Join(p.dir, p.stem+"_part_"+strconv.Itoa(n)+".parquet")
}

func (p place) manifest() string { return path.Join(p.dir, p.stem+"_manifest.json") }

func checkRef(ref migrate.RunRef) error {
	switch {
	case ref.Project == "" || ref.ID == "":
		return fmt.Errorf("archive run %q of project %q: both must have a name", ref.ID, ref.Project)
	case !utf8.ValidString(ref.Project) || !utf8.ValidString(ref.ID):
		return fmt.Errorf("archive run %q of project %q: names must be valid UTF-8", ref.ID, ref.Project)
	case ref.Scope != migrate.ScopeRun && ref.Scope != migrate.ScopeModel && ref.Scope != migrate.ScopeModelVersion:
		return fmt.Errorf("archive run %s: unknown scope %q", ref, ref.Scope)
	}
	return nil
}

// runWriter writes one run under temporary names.
type runWriter struct {
	store *Store
	at    place
	info  migrate.RunInfo
	old   held
	m     *Manifest

	rows     *rows
	scalars  bool // rows has attributes without steps
	part     *partWriter
	problems []migrate.Problem
	seen     map[migrate.Problem]bool
	last     attrKey
	points   int          // of the current attribute
	artifact *artifactRow // the current attribute, if it is one

	filesMade bool
	fileDirs  map[string]bool // below the project's files
	leftovers bool            // of an earlier attempt were there
	committed bool
}

// newRunWriter removes what an earlier attempt left.
func (s *Store) newRunWriter(at place, info migrate.RunInfo, old held) (*runWriter, error) {
	w := &runWriter{store: s, at: at, info: info, old: old, rows: s.write.takeRows(), seen: map[migrate.Problem]bool{}, fileDirs: map[string]bool{}, m: &Manifest{
		Format: ManifestFormat, Tool: s.write.tool, Source: s.write.cfg.Source, Run: manifestRun(info),
		SourceState: info.State.String(), Selections: selections(selected(info.Filter, s.write.cfg.With)),
		Attributes: ManifestCounts{}, Points: ManifestCounts{}, Parts: []ManifestPart{}, Files: []ManifestFile{},
		FilesDir: old.freeFilesDir(at),
	}}
	if err := s.write.data.mkdirAll(at.dir); err != nil {
		return nil, err
	}
	var err error
	if w.leftovers, err = s.removeTemporary(at); err != nil {
		return nil, err
	}
	return w, w.removeFiles(w.m.FilesDir)
}

// removeTemporary removes what has temporary names, and reports whether there were parts. After a crash some parts may
// have their final names, but there are no gaps.
func (s *Store) removeTemporary(at place) (parts bool, err error) {
	if err := s.write.data.remove(at.manifest() + temporary); err != nil {
		return false, err
	}
	for n := 0; ; n++ {
		there, err := s.thereAs(at.part(n) + temporary)
		if err != nil {
			return parts, err
		}
		parts = parts || there
		if !there && n > 0 {
			if there, err = s.thereAs(at.part(n)); err != nil || !there {
				return parts, err
			}
		}
		if err := s.write.data.remove(at.part(n) + temporary); err != nil {
			return parts, err
		}
	}
}

// removeLeftovers removes what a crash left of the replacement of a run that is whole: the files of the
// older copy, or what there was of the newer one.
func (s *Store) removeLeftovers(at place, old held) error {
	there, err := s.thereAs(at.part(0) + temporary) // is written first
	if there {
		_, err = s.removeTemporary(at)
	}
	if err != nil || old.manifest == nil {
		return err
	}
	return s.removeOldFiles(at, old.manifest)
}

// removeFiles removes a directory of files, given below the project's.
func (w *runWriter) removeFiles(dir string) error {
	return w.store.write.files.removeAll(path.Join(w.at.home, dir))
}

// cleanUp removes what is not needed after an error.
func (w *runWriter) cleanUp() {
	if w.part != nil {
		w.part.abandon()
	}
	w.store.write.giveRows(w.rows)
	w.rows = nil
	if w.committed {
		return
	}
	// If this fails too, the next PutRun of the run tries again.
	_, _ = w.store.removeTemporary(w.at)
	if w.filesMade {
		_ = w.removeFiles(w.m.FilesDir)
	}
}

// copy reads all of the run.
func (w *runWriter) copy(ctx context.Context, r migrate.RunReader) error {
	for c, err := range r.Chunks(ctx, nil) {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := w.chunk(ctx, c, r); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := w.endArtifact(); err != nil {
		return err
	}
	if err := w.keepUnselected(ctx); err != nil {
		return err
	}
	return w.endPart()
}

func (w *runWriter) chunk(ctx context.Context, c migrate.Chunk, r migrate.RunReader) error {
	if err := checkChunk(c); err != nil {
		return fmt.Errorf("attribute %q: %w", c.Path, err)
	}
	if !utf8.ValidString(c.Path) || !utf8.ValidString(string(c.Kind)) {
		w.note(c, "left out: its path is not valid UTF-8")
		return nil
	}
	if c.Len() == 0 && c.Kind != migrate.KindFileSet {
		return nil
	}
	if (attrKey{c.Path, c.Kind}) != w.last {
		if err := w.endArtifact(); err != nil {
			return err
		}
	}
	w.count(c)
	n := c.Len()
	var files []string
	if refs, ok := c.Values.(migrate.Files); ok {
		var err error
		if files, err = w.putFiles(ctx, c, refs, r); err != nil {
			return fmt.Errorf("attribute %q: %w", c.Path, err)
		}
	}
	switch c.Kind {
	case migrate.KindArtifact:
		w.scalars = true
		w.takeArtifact(c, files)
		return nil
	case migrate.KindFileSet:
		// One row names the directory; the manifest has the members.
		if w.points > 0 {
			return nil
		}
		c.Values, files = migrate.Files{{}}, []string{path.Join(w.m.FilesDir, setDir(c.Path))}
	}
	w.points += n
	if c.Kind.Series() && w.scalars {
		if err := w.endGroup(); err != nil {
			return err
		}
	}
	w.scalars = !c.Kind.Series()
	return w.add(c, files)
}

// count enters a chunk in the manifest.
func (w *runWriter) count(c migrate.Chunk) {
	if key := (attrKey{c.Path, c.Kind}); key != w.last {
		w.last, w.points = key, 0
		w.m.Attributes[c.Kind]++
	}
	if c.Kind.Series() {
		w.m.Points[c.Kind] += int64(c.Len())
	}
}

// add adds a chunk to the row group, which is ended whenever it is full.
func (w *runWriter) add(c migrate.Chunk, files []string) error {
	for lo := 0; lo < c.Len(); {
		hi := w.upTo(c, lo)
		if hi > lo {
			if err := w.rows.add(c, files, lo, hi); err != nil {
				return err
			}
		}
		switch {
		case hi < c.Len() && valueSize(c.Values, hi) > maxValue:
			w.refuse(c, hi)
			hi++
		case hi < c.Len() || w.rows.n >= w.store.write.cfg.groupRows:
			if err := w.endGroup(); err != nil {
				return err
			}
		}
		lo = hi
	}
	return nil
}

// upTo is where the values from lo on end that fit into the row group and are not refused.
func (w *runWriter) upTo(c migrate.Chunk, lo int) int {
	cfg := w.store.write.cfg
	if w.rows.n > 0 && w.rows.bytes > cfg.groupBytes { // paths count too
		return lo
	}
	hi, most := lo, min(c.Len(), lo+cfg.groupRows-w.rows.n)
	if numeric(c.Values) {
		return most
	}
	for size := w.rows.bytes; hi < most; hi++ {
		n := valueSize(c.Values, hi)
		if n > maxValue {
			break
		}
		if size += n; size > cfg.groupBytes && hi+w.rows.n > lo {
			break
		}
	}
	return hi
}

func (w *runWriter) refuse(c migrate.Chunk, i int) {
	at := ""
	if c.Steps != nil {
		w.m.Points[c.Kind]--
		at = " at step " + c.Steps[i].String()
	}
	why := fmt.Sprintf("is larger than %d MiB", maxValue>>20)
	if valueSize(c.Values, i) == math.MaxInt {
		why = "is not valid UTF-8"
	}
	w.note(c, "the value%s is left out: it %s", at, why)
}

// note records a loss.
func (w *runWriter) note(c migrate.Chunk, format string, args ...any) {
	w.problem(migrate.Problem{Path: c.Path, Kind: c.Kind, Code: migrate.CodeUnsupported, Text: fmt.Sprintf(format, args...)})
}

func (w *runWriter) problem(p migrate.Problem) {
	if !w.seen[p] {
		w.seen[p] = true
		w.problems = append(w.problems, p)
	}
}

// endGroup writes the row group.
func (w *runWriter) endGroup() error {
	if w.rows.n == 0 {
		return nil
	}
	// Readers that insist on narrow steps then lose no more than the wide group.
	if w.part != nil && w.rows.wide != w.part.wide {
		if err := w.closePart(); err != nil {
			return err
		}
	}
	if err := w.openPart(); err != nil {
		return err
	}
	if err := w.part.group(w.rows); err != nil {
		return fmt.Errorf("write part %d: %w", len(w.m.Parts), err)
	}
	w.rows.reset()
	if w.part.size() >= w.store.write.cfg.partBytes {
		return w.closePart()
	}
	return nil
}

func (w *runWriter) openPart() error {
	if w.part != nil {
		return nil
	}
	f, err := w.store.write.data.create(w.at.part(len(w.m.Parts)) + temporary)
	if err != nil {
		return fmt.Errorf("create part: %w", err)
	}
	w.part, err = newPartWriter(f, rowKeys{w.info.Project, w.info.ID}, w.rows.wide, &w.rows.scratch)
	return err
}

func (w *runWriter) closePart() error {
	part := w.part
	w.part = nil
	m, err := part.close(w.store.data, w.at.part(len(w.m.Parts))+temporary)
	if err != nil {
		return fmt.Errorf("write part %d: %w", len(w.m.Parts), err)
	}
	w.m.Parts = append(w.m.Parts, m)
	return nil
}

// endPart ends the last part. A run without attributes has a part without rows.
func (w *runWriter) endPart() error {
	if err := w.endArtifact(); err != nil {
		return err
	}
	if err := w.endGroup(); err != nil {
		return err
	}
	if w.part == nil && len(w.m.Parts) > 0 {
		return nil
	}
	if err := w.openPart(); err != nil {
		return err
	}
	return w.closePart()
}

// commit puts everything in its place.
func (w *runWriter) commit(read []migrate.Problem) error {
	for _, p := range read {
		if !w.seen[p] {
			w.seen[p] = true
			w.m.Problems = append(w.m.Problems, p)
		}
	}
	w.m.Problems = append(w.m.Problems, w.problems...)
	w.m.Reasons = reasons(w.m)
	w.m.Complete = len(w.m.Reasons) == 0
	if err := w.checkBetter(); err != nil {
		return err
	}
	w.m.Written = time.Now().UTC().Truncate(time.Millisecond)
	if !w.filesMade {
		w.m.FilesDir = ""
	}
	if err := w.writeManifest(); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return w.swap()
}

func (w *runWriter) writeManifest() error {
	f, err := w.store.write.data.create(w.at.manifest() + temporary)
	if err != nil {
		return err
	}
	err = writeManifest(f, w.m)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// reasons says why a copy is not complete.
func reasons(m *Manifest) (why []string) {
	if n := m.losses(); n > 0 {
		why = append(why, strconv.Itoa(n)+" problems are losses")
	}
	if m.SourceState == migrate.Partial.String() {
		why = append(why, "the source's copy is partial")
	}
	if !m.whole() {
		why = append(why, "only some attributes were selected")
	}
	return why
}

// checkChunk refuses what breaks the contract of a RunReader.
func checkChunk(c migrate.Chunk) error {
	if c.Values == nil {
		return errors.New("the source gave no values")
	}
	if c.Kind.Series() && (len(c.Steps) != c.Len() || len(c.Times) != c.Len()) {
		return fmt.Errorf("the source gave %d steps and %d times for %d values", len(c.Steps), len(c.Times), c.Len())
	}
	if hashes, ok := c.Values.(migrate.Strings); ok && c.Kind == migrate.KindArtifact && len(hashes) > 1 {
		return fmt.Errorf("the source gave %d hashes for an artifact", len(hashes))
	}
	if !columnOf(c.Kind, c.Values) {
		return fmt.Errorf("the source gave %T for an attribute of type %q", c.Values, c.Kind)
	}
	return nil
}

func columnOf(k migrate.Kind, v migrate.Values) (ok bool) {
	class := classOf(k)
	switch v.(type) {
	case migrate.Ints:
		return class == classInt
	case migrate.Floats:
		return class == classFloat
	case migrate.Bools:
		return class == classBool
	case migrate.Datetimes:
		return class == classTime
	case migrate.StringSets:
		return class == classSet
	case migrate.Histograms:
		return class == classHist
	case migrate.Files:
		return class == classFile
	}
	return class == classText || k == migrate.KindArtifact
}
