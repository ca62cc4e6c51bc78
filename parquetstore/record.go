package parquetstore

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	migrate "github.com/nexport-go/migrate"
)

// recorded lists a run by its manifest, without opening its parts. It returns nil if there is no
// manifest, and notes in from if there is one that cannot be read.
func (s *Store) recorded(from *series) *run {
	if from.stem == "" || from.layout == projectParts {
		return nil
	}
	name := path.Join(from.dir, from.stem+"_manifest.json")
	m, swapErr := readManifest(s.data, name+swapping)
	var err error
	if swapErr == nil {
		name += swapping // from the moment that it is there the new copy counts
	} else {
		m, err = readManifest(s.data, name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		from.notes = append(from.notes, migrate.Problem{Code: migrate.CodeSuspect, Text: err.Error() + "; the parts are read without it"})
		return nil
	}
	r := &run{info: m.info(), keys: rowKeys{m.Run.Project, m.Run.ID}, from: from, manifest: name, recorded: true}
	if m.Run.Project == "" || m.Run.ID == "" || m.Run.Scope != from.scope {
		from.notes = append(from.notes, migrate.Problem{Code: migrate.CodeSuspect, Text: fmt.Sprintf("manifest %q does not name a run of its directory; the parts are read without it", name)})
		return nil
	}
	r.info.Size = 0
	for _, p := range from.parts {
		if p.num < len(m.Parts) {
			r.parts = append(r.parts, p)
			r.info.Size += p.size
		}
	}
	for _, p := range m.Parts {
		r.rows += p.Rows
	}
	r.notes = append(append(r.notes, from.notes...), m.Problems...)
	r.noteParts(m)
	if swapErr != nil && !errors.Is(swapErr, fs.ErrNotExist) {
		r.lack(migrate.CodeUnreadable, "replacing this run by a newer copy was interrupted (%v); put the run again", swapErr)
	}
	return r
}

// noteParts compares the parts with what the manifest says of them.
func (r *run) noteParts(m *Manifest) {
	there := map[int]*part{}
	for _, p := range r.from.parts {
		there[p.num] = p
		if p.num >= len(m.Parts) {
			r.notes = append(r.notes, migrate.Problem{Code: migrate.CodeSuspect, Text: fmt.Sprintf("part %q is not in the manifest and is not read", p.path)})
		}
	}
	for n, want := range m.Parts {
		p := there[n]
		switch {
		case p == nil:
			r.lack(migrate.CodeMissing, "part %d of %d is missing", n, len(m.Parts))
		case p.err != nil:
			r.lack(migrate.CodeUnreadable, "part %q: %v", p.path, p.err)
		case p.size != want.Size:
			r.lack(migrate.CodeUnreadable, "part %q has %d bytes, not %d as its manifest says; rows of this run may be missing", p.path, p.size, want.Size)
		}
	}
}

// lack notes a loss.
func (r *run) lack(code migrate.Code, format string, args ...any) {
	r.info.State = migrate.Partial
	r.notes = append(r.notes, migrate.Problem{Code: code, Text: fmt.Sprintf(format, args...)})
}

// checkRows notes rows that the manifest counts and the parts do not have.
func (r *reader) checkRows(found int64) {
	if r.run.recorded && found != r.run.rows {
		r.notef("", "", migrate.CodeUnreadable, "the parts have %d rows of this run, not %d as its manifest says", found, r.run.rows)
	}
}

// record returns what the manifest says of a file; nil if it says nothing.
func (r *reader) record(key string) *ManifestFile {
	r.readRecords()
	return r.records[key]
}

// mayBePathless reports whether an attribute has files of which the source holds no bytes.
func (r *reader) mayBePathless(path string, k migrate.Kind) bool {
	if classOf(k) != classFile {
		return false
	}
	r.readRecords()
	return len(r.bare[attrKey{path, k}]) > 0
}

// severalFiles reports whether an attribute of this kind has one row and several files.
func severalFiles(k migrate.Kind) bool {
	return k == migrate.KindFileSet || k == migrate.KindArtifact
}

// members returns the paths of the files of a file set or an artifact, empty for those without bytes;
// nil if the manifest does not have it.
func (r *reader) members(a *attr) []string {
	if !severalFiles(a.kind) {
		return nil
	}
	r.readRecords()
	return r.sets[attrKey{a.path, a.kind}]
}

// pathless returns an attribute's next file without bytes.
func (p *pass) pathless(path string, k migrate.Kind) (migrate.FileRef, bool) {
	p.reader.readRecords()
	key := attrKey{path, k}
	all, n := p.reader.bare[key], p.bare[key]
	if n >= len(all) {
		return migrate.FileRef{}, false
	}
	p.bare[key]++
	return all[n].ref(), true
}

// readRecords reads the manifest's files when they are first needed: there may be many.
func (r *reader) readRecords() {
	r.recordOnce.Do(func() {
		if r.run.manifest == "" {
			return
		}
		m, err := readManifest(r.store.data, r.run.manifest)
		if err != nil {
			r.notef("", "", migrate.CodeSuspect, "%v; names of files are not known", err)
			return
		}
		r.records, r.bare = map[string]*ManifestFile{}, map[attrKey][]*ManifestFile{}
		r.sets = map[attrKey][]string{}
		for i := range m.Files {
			f := &m.Files[i]
			key := attrKey{f.Attribute, f.Kind}
			if f.Path == "" {
				r.bare[key] = append(r.bare[key], f)
			}
			r.records[f.Path] = f
			if severalFiles(f.Kind) {
				r.sets[key] = append(r.sets[key], f.Path)
			}
		}
	})
}

// fileRef describes a file that is there.
func (r *reader) fileRef(c migrate.Chunk, key string, size int64) migrate.FileRef {
	ref := migrate.FileRef{Key: key, Name: path.Base(key), Size: size}
	if f := r.record(key); f != nil {
		ref = f.ref()
		ref.Key, ref.Size = key, size
		if f.Size != size {
			r.notef(c.Path, c.Kind, migrate.CodeDiffers, "file %q has %d bytes, not %d as the manifest says", key, size, f.Size)
		}
	}
	return ref
}
