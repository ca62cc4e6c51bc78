package parquetstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	migrate "github.com/nexport-go/migrate"
)

// sendFiles yields an attribute's files. A row of a file set may name a directory, which then is
// the set: usually with one zip in it.
func (p *pass) sendFiles(a *attr, paths []string) {
	c := migrate.Chunk{Path: a.path, Kind: a.kind}
	var members []string
	var dirs []string
	if recorded := p.reader.members(a); recorded != nil {
		paths = recorded
	} else if a.kind == migrate.KindFileSet && p.reader.sets != nil { // there is a manifest, and it has no files of this set
		c.Values = migrate.Files{}
		p.send(c)
		return
	} else if a.kind == migrate.KindFileSet {
		for _, path := range paths {
			found, err := p.reader.listFiles(path)
			if err != nil {
				found = []string{path} // a file, or missing
			} else {
				dirs = append(dirs, path+"/")
			}
			members = append(members, found...)
		}
		paths = members
		if len(paths) == 0 {
			p.reader.notef(a.path, a.kind, migrate.CodeSuspect, "the archive has a directory without files: the set is empty, or its files were not downloaded")
		}
	}
	p.fileChunk(&c, paths)
	files, _ := c.Values.(migrate.Files)
	for i := range files {
		for _, dir := range dirs {
			if name, below := strings.CutPrefix(files[i].Key, dir); below {
				files[i].Name = name
			}
		}
	}
	p.sendSome(c, files)
}

// sendSome yields the files of an attribute without steps in pieces.
func (p *pass) sendSome(c migrate.Chunk, files []migrate.FileRef) {
	for len(files) > 0 {
		c.Values = migrate.Files(cut(&files, min(len(files), migrate.MaxChunkPoints)))
		p.send(c)
	}
}

// listFiles returns the regular files below a directory, sorted. It follows no links.
func (r *reader) listFiles(key string) (keys []string, err error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	for _, dir := range r.fileDirs() {
		if keys, err = listBelow(r.store.files, dir, key); err == nil {
			return keys, nil
		}
	}
	return nil, err
}

func listBelow(root *os.Root, dir, key string) (keys []string, err error) {
	if root == nil {
		return nil, fs.ErrNotExist
	}
	below, err := openDir(root, dir)
	if err != nil {
		return nil, err
	}
	defer below.Close()
	set, err := openDir(below, key)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	err = fs.WalkDir(set.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			keys = append(keys, key+"/"+name)
		}
		return err
	})
	return keys, err
}

// fileChunk enters the files that exist in c, and leaves the points of others out of it.
func (p *pass) fileChunk(c *migrate.Chunk, paths []string) {
	var files migrate.Files
	kept := 0
	for i, key := range paths {
		ref, ok := p.fileRef(*c, i, key)
		if !ok && c.Kind == migrate.KindArtifact && len(paths) > 1 && i == 0 {
			// The list keeps its place, so that no other file is taken for it.
			ref, ok = migrate.FileRef{Name: path.Base(key), Size: -1}, true
		}
		if !ok {
			continue
		}
		files = append(files, ref)
		if c.Steps != nil {
			c.Steps[kept], c.Times[kept] = c.Steps[i], c.Times[i]
		}
		kept++
	}
	c.Values = files
	if c.Steps != nil {
		c.Steps, c.Times = c.Steps[:kept], c.Times[:kept]
	}
}

// fileRef describes a file; ok is false if it is not there.
func (p *pass) fileRef(c migrate.Chunk, i int, key string) (ref migrate.FileRef, ok bool) {
	if key == "" {
		if ref, ok = p.pathless(c.Path, c.Kind); !ok {
			p.reader.noteFile(c, i, key, errNameless)
		}
		return ref, ok
	}
	size, err := p.reader.stat(key)
	if err != nil {
		p.reader.noteFile(c, i, key, err)
		return ref, false
	}
	p.noteShared(c, key)
	return p.reader.fileRef(c, key, size), true
}

var errNameless = fmt.Errorf("the archive names no file: %w", migrate.ErrNotFound)

func (r *reader) noteFile(c migrate.Chunk, i int, key string, err error) {
	code, at := migrate.CodeUnreadable, ""
	if errors.Is(err, migrate.ErrNotFound) {
		code = migrate.CodeMissing
	}
	if c.Steps != nil {
		at = "step " + c.Steps[i].String() + ": "
	}
	r.notef(c.Path, c.Kind, code, "%s%v", at, err)
}

// noteShared flags attributes of this run whose files got one name, so that one has the bytes of
// the other.
func (p *pass) noteShared(c migrate.Chunk, key string) {
	p.addTwins()
	if twin := p.twins[key]; twin != "" {
		p.reader.notef(c.Path, c.Kind, migrate.CodeSuspect, "shares its file %q with %s, so one of them has the other's bytes", key, twin)
	}
	other, known := p.keys[key]
	if !known {
		p.keys[key] = c.Path
	} else if other != c.Path {
		p.reader.notef(c.Path, c.Kind, migrate.CodeSuspect, "shares its file %q with %q, so one of them has the other's bytes", key, other)
	}
}

// stat returns a file's size.
func (r *reader) stat(key string) (int64, error) {
	f, err := r.openKey(key)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("file %q: %w", key, err)
	}
	return info.Size(), nil
}

// OpenFile opens a file below the files directory of the run's project.
func (r *reader) OpenFile(ctx context.Context, ref migrate.FileRef) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	f, err := r.openKey(ref.Key)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// openKey opens a regular file. Nothing outside of the files directory is opened: not by a path
// that climbs, not by an absolute one, not by a link.
func (r *reader) openKey(key string) (*os.File, error) {
	if r.store.files == nil {
		return nil, fmt.Errorf("file %q: open the archive's files directory: %w", key, notFound(r.store.filesErr))
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	var err error
	for _, dir := range r.fileDirs() {
		var f *os.File
		if f, err = openBelow(r.store.files, dir, key); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return nil, fmt.Errorf("file %q is missing from the files directory: %w", key, migrate.ErrNotFound)
}

func checkKey(key string) error {
	if key == "" || strings.ContainsRune(key, 0) || path.IsAbs(key) || strings.HasPrefix(key, `\`) {
		return fmt.Errorf("file %q: refused, it is not a path below the project's files", key)
	}
	return nil
}

func notFound(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w (%w)", err, migrate.ErrNotFound)
	}
	return err
}

// fileDirs are the directories that may have a run's files, likeliest first. A copy may have lost
// or gained the digest.
func (r *reader) fileDirs() []string {
	home := r.run.from.home
	if home == "." {
		return []string{strings.Replace(r.run.info.Project, "/", "_", 1), "."}
	}
	if strings.Contains(home, "/") { // the slash was replaced there before it was in the data directory
		return []string{strings.ReplaceAll(home, "/", "_"), home}
	}
	if bare := withoutDigest(home); bare != home {
		return []string{home, bare}
	}
	return []string{home}
}

// openBelow opens a regular file below dir, which is below root.
func openBelow(root *os.Root, dir, key string) (*os.File, error) {
	below, err := openDir(root, dir)
	if err != nil {
		return nil, fmt.Errorf("file %q: %w", key, err)
	}
	defer below.Close()
	f, err := openRegular(below, key)
	if err != nil {
		return nil, fmt.Errorf("file %q: %w", key, err)
	}
	return f, nil
}

// openRegular opens a regular file. It looks before it opens: to open a named pipe is to wait for
// somebody who writes to it.
func openRegular(root *os.Root, name string) (*os.File, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is refused: it is not a regular file", name)
	}
	return root.Open(name)
}

// openDir opens a directory, and nothing else, for the same reason.
func openDir(root *os.Root, name string) (*os.Root, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%q is refused: it is not a directory", name)
	}
	return root.OpenRoot(name)
}

// addTwins collects the files of the runs whose files may have the same names.
func (p *pass) addTwins() {
	if p.twins != nil {
		return
	}
	p.twins = map[string]string{}
	for _, twin := range p.reader.run.twins {
		if twin == p.reader.run || twin.bad != nil {
			continue
		}
		for key, attr := range fileKeys(p.ctx, newReader(p.reader.store, twin)) {
			p.twins[key] = fmt.Sprintf("%q of run %q", attr, twin.info.ID)
		}
	}
}

// fileKeys returns a run's attributes by their file. What cannot be read is told when that run is.
func fileKeys(ctx context.Context, r *reader) map[string]string {
	keys := map[string]string{}
	attrs, err := r.index(ctx, func(_ string, k migrate.Kind) bool { return classOf(k) == classFile })
	if err != nil {
		return keys
	}
	p := newPass(ctx, r, nil)
	defer p.close()
	for _, a := range attrs {
		for _, s := range a.spans {
			texts, states := make([]string, s.n), make([]byte, s.n)
			err := guard(func() error {
				cur, err := p.at(s)
				if err != nil {
					return err
				}
				return cur.strings(colFile, int(s.start), texts, states)
			})
			if err != nil {
				continue
			}
			for _, key := range texts {
				if key != "" {
					keys[key] = a.path
				}
			}
		}
	}
	return keys
}
