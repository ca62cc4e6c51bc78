package parquetstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	migrate "github.com/nexport-go/migrate"
)

// swapping is behind the name of a manifest whose parts are replacing older ones. From the moment
// that it exists the new copy counts, and all that is left to do is removing and renaming.
const swapping = ".swap"

// held is what an archive has of a run.
type held struct {
	parts    int       // files that are there, counted from part 0
	manifest *Manifest // nil if there is none that can be read
	damaged  bool      // the manifest cannot be read, or parts are not as it says
}

// held looks at a run's files, without opening its parts.
func (s *Store) held(at place) (h held, err error) {
	if h.parts, err = s.countParts(at, 0); err != nil {
		return h, err
	}
	m, err := readManifest(s.data, at.manifest())
	if errors.Is(err, migrate.ErrCorrupt) {
		h.damaged = true
		return h, nil
	}
	if err != nil {
		return h, ifThere(err)
	}
	if got := m.info().RunRef; got != at.ref {
		return h, corrupt("%q belongs to run %s; move it away", at.manifest(), got)
	}
	swap, err := s.thereAs(at.manifest() + swapping) // one that finishSwap could not read
	h.manifest, h.damaged = m, swap || !s.whole(at, m)
	return h, err
}

// countParts returns the number of the first part from n on that is not there.
func (s *Store) countParts(at place, n int) (int, error) {
	for ; ; n++ {
		if _, err := s.data.Stat(at.part(n)); err != nil {
			return n, ifThere(err)
		}
	}
}

// whole reports whether the parts are there as the manifest says, by their sizes.
func (s *Store) whole(at place, m *Manifest) bool {
	for n, part := range m.Parts {
		info, err := s.data.Stat(at.part(n))
		if err != nil || info.Size() != part.Size {
			return false
		}
	}
	return len(m.Parts) > 0
}

// sound reports whether nothing is missing of what was selected.
func (h held) sound() bool {
	return h.manifest != nil && !h.damaged && h.manifest.SourceState != migrate.Partial.String() && h.manifest.losses() == 0
}

func (m *Manifest) losses() (n int) {
	for _, p := range m.Problems {
		if p.Code.Lossy() {
			n++
		}
	}
	return n
}

// freeFilesDir is a directory for the run's files that the present copy does not use.
func (h held) freeFilesDir(at place) string {
	used := ""
	if h.manifest != nil {
		used = h.manifest.FilesDir
	} else if h.parts > 0 {
		used = at.filesDir("")
	}
	if used == at.filesDir("") {
		return at.filesDir("_2")
	}
	return at.filesDir("")
}

// swap puts the new copy, which is on disk as a whole, in the place of the old one.
func (w *runWriter) swap() error {
	root, at := w.store.write.data, w.at
	replaces := w.old.parts > 0 || w.old.manifest != nil || w.old.damaged
	// Later, finish makes the names last. Until then the parts' must not get lost where there are several, where an
	// older copy no longer counts, or where a part of an earlier attempt had the same name.
	if err := w.syncDirs(replaces || len(w.m.Parts) > 1 || w.leftovers); err != nil {
		return err
	}
	w.committed = true
	name := at.manifest() + temporary
	if replaces {
		if err := root.rename(name, at.manifest()+swapping); err != nil {
			return err
		}
		if err := root.syncDir(at.dir); err != nil {
			return err
		}
		name = at.manifest() + swapping
	}
	if err := w.store.finish(at, w.m, name); err != nil {
		return err
	}
	return w.store.removeOldFiles(at, w.m)
}

// syncDirs makes the directories that have been created so far last, with names the run's parts, and its files.
func (w *runWriter) syncDirs(names bool) error {
	data, at := w.store.write.data, w.at
	if err := data.settle(".", at.home, at.dir); err != nil {
		return err
	}
	if names {
		if err := data.syncDir(at.dir); err != nil {
			return err
		}
	}
	if !w.filesMade {
		return nil
	}
	files := w.store.write.files
	if err := files.settle(".", at.home); err != nil {
		return err
	}
	dirs := []string{at.home}
	for dir := range w.fileDirs {
		dirs = append(dirs, path.Join(at.home, dir))
	}
	for _, dir := range dirs {
		if err := files.syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// removeOldFiles removes the files of a copy that was replaced.
func (s *Store) removeOldFiles(at place, m *Manifest) error {
	for _, suffix := range []string{"", "_2"} {
		if dir := at.filesDir(suffix); dir != m.FilesDir {
			if err := s.write.files.removeAll(path.Join(at.home, dir)); err != nil {
				return fmt.Errorf("remove the files of the older copy: %w", err)
			}
		}
	}
	return nil
}

// finish gives the final names: part 0, by which every reader knows a whole run, goes first and
// comes last. It can be done again after a crash.
func (s *Store) finish(at place, m *Manifest, manifest string) error {
	fresh, err := s.thereAs(at.part(0) + temporary)
	if err != nil {
		return err
	}
	if fresh {
		if err := s.write.data.remove(at.part(0)); err != nil {
			return err
		}
	}
	end, err := s.countParts(at, len(m.Parts))
	if err != nil {
		return err
	}
	for n := end - 1; n >= len(m.Parts); n-- {
		if err := s.write.data.remove(at.part(n)); err != nil {
			return err
		}
	}
	for n := 1; n < len(m.Parts); n++ { // upwards, so that a crash leaves no gap
		if err := ifThere(s.write.data.rename(at.part(n)+temporary, at.part(n))); err != nil {
			return err
		}
	}
	if manifest != at.manifest() {
		if err := s.write.data.rename(manifest, at.manifest()); err != nil {
			return err
		}
	}
	if err := s.write.data.syncDir(at.dir); err != nil {
		return err
	}
	if err := ifThere(s.write.data.rename(at.part(0)+temporary, at.part(0))); err != nil {
		return err
	}
	return s.write.data.syncDir(at.dir)
}

func (s *Store) thereAs(name string) (bool, error) {
	_, err := s.data.Stat(name)
	return err == nil, ifThere(err)
}

// finishSwap completes what a crash in swap left: a manifest that is swapping, or one whose part 0
// only lacks its name.
func (s *Store) finishSwap(at place) error {
	name := at.manifest() + swapping
	m, err := readManifest(s.data, name)
	if errors.Is(err, fs.ErrNotExist) {
		name = at.manifest()
		if there, err := s.thereAs(at.part(0)); err != nil || there {
			return err
		}
		m, err = readManifest(s.data, name)
	}
	if err != nil {
		if errors.Is(err, migrate.ErrCorrupt) {
			return nil // the run is written anew
		}
		return ifThere(err)
	}
	if len(m.Parts) == 0 || m.info().RunRef != at.ref {
		return nil
	}
	if name == at.manifest() {
		info, err := s.data.Stat(at.part(0) + temporary)
		if err != nil || info.Size() != m.Parts[0].Size {
			return ifThere(err)
		}
	}
	if err := s.finish(at, m, name); err != nil {
		return fmt.Errorf("finish what was interrupted: %w", err)
	}
	return nil
}

// scanPlace lists the runs of one place, none if they are being replaced.
func (s *Store) scanPlace(ctx context.Context, at place) ([]*run, error) {
	n, err := s.countParts(at, 0)
	if err != nil || n == 0 {
		return nil, err
	}
	if swap, err := s.thereAs(at.manifest() + swapping); swap || err != nil {
		return nil, err
	}
	from := &series{dir: at.dir, home: at.home, stem: at.stem, scope: at.ref.Scope, layout: digestParts}
	for i := range n {
		info, err := s.data.Stat(at.part(i))
		if err != nil {
			return nil, err
		}
		from.parts = append(from.parts, &part{path: at.part(i), num: i, size: info.Size()})
	}
	return s.scanSeries(ctx, from)
}
