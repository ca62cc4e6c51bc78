package parquetstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	migrate "github.com/nexport-go/migrate"
)

// putFiles copies a chunk's files and returns their paths as the rows have them; empty where there
// are no bytes, or not any more.
func (w *runWriter) putFiles(ctx context.Context, c migrate.Chunk, refs migrate.Files, r migrate.RunReader) ([]string, error) {
	if c.Kind == migrate.KindFileSet {
		if err := w.makeDir(setDir(c.Path)); err != nil {
			return nil, err
		}
	}
	paths := make([]string, len(refs))
	for i, ref := range refs {
		file := manifestFile(c, ref)
		if c.Steps != nil {
			file.Step = &c.Steps[i]
		}
		if ref.Key != "" {
			err := w.putFile(ctx, &file, r, ref, w.points+i)
			if code := lossOf(err); code != "" && ctx.Err() == nil {
				w.problem(migrate.Problem{Path: c.Path, Kind: c.Kind, Code: code, Text: err.Error()})
			} else if err != nil {
				return nil, err
			}
		}
		paths[i] = file.Path
		w.m.Files = append(w.m.Files, file)
	}
	return paths, nil
}

// lossOf gives the code for a file that the source will not give next time either; "" for other errors,
// which end the run.
func lossOf(err error) migrate.Code {
	switch {
	case errors.Is(err, migrate.ErrFatal):
		return ""
	case errors.Is(err, migrate.ErrNotFound):
		return migrate.CodeMissing
	case errors.Is(err, migrate.ErrCorrupt), errors.Is(err, migrate.ErrUnauthorized):
		return migrate.CodeUnreadable
	}
	return ""
}

func fileKey(k migrate.Kind, path string) string { return string(k) + "\x00" + path }

// setDir is the directory of a file set below the run's.
func setDir(path string) string { return attributeDir(path, migrate.KindFileSet) }

func attributeDir(path string, k migrate.Kind) string { return fileName(path, fileKey(k, path), "") }

// listName is the name of an artifact's list, which has no digest: no other file in its directory
// is called like that.
const listName = "files_list"

// nameFile is where a file goes below the run's directory; i is its number in its attribute.
func nameFile(f ManifestFile, i int) string {
	key := fileKey(f.Kind, f.Attribute)
	switch {
	case f.Kind == migrate.KindArtifact && i == 0:
		return path.Join(attributeDir(f.Attribute, f.Kind), listName+extension(f.Name))
	case severalFiles(f.Kind):
		return path.Join(attributeDir(f.Attribute, f.Kind), fileName(f.Name, f.Name, f.Name))
	case f.Step != nil:
		step := strings.ReplaceAll(f.Step.String(), ".", "_")
		return path.Join(fileName(f.Attribute, key, ""), "step_"+step+"-"+strconv.Itoa(i)+extension(f.Name))
	case extension(f.Name) == "":
		return fileName(f.Attribute, key, f.Attribute)
	}
	return fileName(f.Attribute, key, f.Name)
}

func (w *runWriter) putFile(ctx context.Context, f *ManifestFile, r migrate.RunReader, ref migrate.FileRef, i int) (err error) {
	body, err := r.OpenFile(ctx, ref)
	if err != nil {
		return fmt.Errorf("file %q: %w", ref.Key, err)
	}
	defer body.Close()
	out, name, err := w.createFile(nameFile(*f, i))
	if err != nil {
		return fmt.Errorf("create a file for %q: %w", ref.Key, err)
	}
	sum := sha256.New()
	f.Size, err = io.Copy(io.MultiWriter(out, sum), &cancelReader{ctx, body})
	if err == nil && f.Size < ref.Size {
		err = fmt.Errorf("its source said %d bytes and gave only %d", ref.Size, f.Size)
	}
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		f.Size = ref.Size
		return errors.Join(fmt.Errorf("copy file %q: %w", ref.Key, err),
			w.store.write.files.remove(path.Join(w.at.home, w.m.FilesDir, name))) // half of it is of no use
	}
	f.Path, f.SHA256 = path.Join(w.m.FilesDir, name), hex.EncodeToString(sum.Sum(nil))
	return nil
}

// cancelReader ends with the context.
type cancelReader struct {
	ctx context.Context
	io.Reader
}

func (r *cancelReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}

// makeDir makes a directory below the run's.
func (w *runWriter) makeDir(name string) error {
	w.filesMade = true
	for dir := path.Join(w.m.FilesDir, name); dir != "."; dir = path.Dir(dir) {
		w.fileDirs[dir] = true
	}
	return w.store.write.files.mkdirAll(path.Join(w.at.home, w.m.FilesDir, name))
}

// createFile creates a file below the run's directory. Should the name be taken, for digests can
// collide if somebody wants them to, it gets a number.
func (w *runWriter) createFile(name string) (*diskFile, string, error) {
	root, dir := w.store.write.files, path.Join(w.at.home, w.m.FilesDir)
	if err := w.makeDir(path.Dir(name)); err != nil {
		return nil, "", err
	}
	ext := path.Ext(name)
	for n := 1; ; n++ {
		try := name
		if n > 1 {
			try = strings.TrimSuffix(name, ext) + "-" + strconv.Itoa(n) + ext
		}
		f, err := root.create(path.Join(dir, try))
		if !errors.Is(err, fs.ErrExist) {
			return f, try, err
		}
	}
}
