package neptune

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/setzip"
	"github.com/nexport-go/migrate/neptune/internal/wire2"
)

const (
	// zipTries is how often a zip is made and got if what comes is no whole zip.
	zipTries = 2
	// zipDeadline is how long the server may take to make a zip.
	zipDeadline = 10 * time.Minute
	// firstZipWait is between the first questions whether it is ready; later ones are further apart.
	firstZipWait, lastZipWait = 100 * time.Millisecond, 5 * time.Second
)

// errLate is about a zip that does not become ready.
var errLate = fmt.Errorf("the zip is not ready after %s; %w", zipDeadline, migrate.ErrCorrupt)

// fileSet sends the files of a set: out of the zip that the server makes of it, and those that are not in there as
// they are asked for alone. If there is no zip, the set is listed.
func (p *pass2) fileSet(ctx context.Context, a wire2.Attribute, send sender) error {
	r := p.reader
	z, broken, err := r.zip(ctx, a)
	switch {
	case err == nil:
		r.handed.put(a.Name, z)
		defer r.handed.sent(a.Name, z)
		r.noteMembers(a, z.Set)
		missing, err := r.missing(ctx, a, z.Set, broken)
		if err != nil {
			return err
		}
		n := len(z.Members)
		return sendFiles(a.Name, migrate.KindFileSet, n+len(missing), func(i int) migrate.FileRef {
			if i >= n {
				return missing[i-n]
			}
			return member(a.Name, z.Members[i], broken[i])
		}, func() { r.handed.sends(z) }, send)
	case !passes(err):
		return err
	}
	r.source.cfg.Log.Warn("no zip of a file set, its files are read one by one", "run", r.run.RunRef, "path", a.Name, "err", err)
	listed, listErr := r.list(ctx, a)
	if listErr != nil {
		if !passes(listErr) {
			return listErr
		}
		r.notef(a.Name, migrate.KindFileSet, migrate.CodeUnreadable, "there is no zip of it: %v; and no list of its files: %v", err, listErr)
		return nil
	}
	r.compareSize(a, listed)
	names := newNames(&r.notes, a.Name, migrate.KindFileSet)
	defer names.end()
	return sendFiles(a.Name, migrate.KindFileSet, len(listed), func(i int) migrate.FileRef {
		return single(a.Name, names.take(listed[i].path), listed[i])
	}, func() {}, send)
}

// compareSize looks whether what is listed is as much as the server says of the set.
func (r *reader2) compareSize(a wire2.Attribute, listed []listedFile) {
	var sum int64
	for _, f := range listed {
		if f.size < 0 {
			return
		}
		sum += min(f.size, math.MaxInt64-sum)
	}
	if sum < a.Size {
		r.notef(a.Name, migrate.KindFileSet, migrate.CodeMissing, "there is no zip of it, its listed files have %d bytes, the server says %d", sum, a.Size)
	}
}

func single(attr, name string, f listedFile) migrate.FileRef {
	return migrate.FileRef{Key: joinKey(keySingle, attr, f.path), Name: name, MIME: mimeOf(name), Size: f.size}
}

// member is a file of a zip; one that cannot be unpacked is asked for alone.
func member(attr string, m setzip.Member, broken bool) migrate.FileRef {
	ref := migrate.FileRef{Key: joinKey(keyMember, attr, m.Name), Name: m.Name, MIME: mimeOf(m.Name), Size: m.Size}
	if broken {
		ref.Key = joinKey(keySingle, attr, m.Raw())
	}
	return ref
}

func (r *reader2) noteMembers(a wire2.Attribute, set *setzip.Set) {
	renamed := some{notes: &r.notes, path: a.Name, kind: migrate.KindFileSet, code: migrate.CodeRenamed}
	lost := some{notes: &r.notes, path: a.Name, kind: migrate.KindFileSet, code: migrate.CodeUnsupported}
	for _, note := range set.Notes {
		if note.Lost {
			lost.add(note.Text)
		} else {
			renamed.add(note.Text)
		}
	}
	renamed.end()
	lost.end()
}

// missing finds files of a set that its zip lacks; members that are shorter than the server lists them become broken. A zip that has as many bytes as the server says lacks none, so
// that the set need not be listed, directory by directory.
func (r *reader2) missing(ctx context.Context, a wire2.Attribute, set *setzip.Set, broken map[int]bool) (migrate.Files, error) {
	if a.Size == set.Size {
		return nil, nil
	}
	listed, err := r.list(ctx, a)
	if err != nil {
		if passes(err) && a.Size >= 0 {
			r.notef(a.Name, migrate.KindFileSet, tooFew(set.Size, a.Size),
				"its files have %d bytes, the server says %d, and does not list them: %v", set.Size, a.Size, err)
		}
		if passes(err) {
			err = nil
		}
		return nil, err
	}
	var refs migrate.Files
	size := set.Size
	names := newNames(&r.notes, a.Name, migrate.KindFileSet)
	for _, f := range listed {
		i, there := set.Find(setzip.Clean(f.path))
		switch {
		case !there:
			refs = append(refs, single(a.Name, names.take(f.path), f))
		case set.Members[i].Size < f.size:
			size += f.size - set.Members[i].Size
			set.Members[i].Size, broken[i] = f.size, true
		}
	}
	names.end()
	switch {
	case len(refs) > 0 && len(refs) == len(listed) && len(refs) == len(set.Members) && set.Size >= a.Size:
		// As many, and none of them: the zip has them under other names.
		r.notef(a.Name, migrate.KindFileSet, migrate.CodeSuspect, "the zip has other names than the list of its files, such as %q and %q",
			set.Members[0].Name, listed[0].path)
		return nil, nil
	case len(refs) > 0:
		r.source.cfg.Log.Warn("files are not in the zip of their set", "run", r.run.RunRef, "path", a.Name, "files", len(refs))
	case a.Size >= 0 && size != a.Size:
		r.notef(a.Name, migrate.KindFileSet, tooFew(size, a.Size), "its files have %d bytes, the server says %d", size, a.Size)
	}
	return refs, nil
}

// tooFew is what it means that a set has another number of bytes than the server says.
func tooFew(have, said int64) migrate.Code {
	if have < said {
		return migrate.CodeMissing
	}
	return migrate.CodeSuspect
}

// zip gets the zip of a set and looks whether it can be unpacked. broken are the members that cannot.
func (r *reader2) zip(ctx context.Context, a wire2.Attribute) (z *unpacked, broken map[int]bool, err error) {
	for try := 1; ; try++ {
		z, err = r.getZip(ctx, a.Name, a.Size)
		again := err != nil && passes(err) && !errors.Is(err, setzip.ErrRefused) && !errors.Is(err, errLate)
		if err == nil {
			var which []int
			which, reason, ctxErr := z.Check(ctx)
			if ctxErr != nil {
				z.close()
				return nil, nil, ctxErr
			}
			if len(which) == 0 || try == zipTries {
				return z, setOf(which), nil
			}
			again, err = true, reason
			z.close()
		}
		if !again || try == zipTries {
			return nil, nil, err
		}
		r.source.cfg.Log.Warn("zip of a file set repeated", "run", r.run.RunRef, "path", a.Name, "err", err)
	}
}

func setOf(numbers []int) map[int]bool {
	set := map[int]bool{}
	for _, n := range numbers {
		set[n] = true
	}
	return set
}

// errNoZip is about what came in the place of a zip.
var errNoZip = fmt.Errorf("what came is no whole zip; %w", migrate.ErrCorrupt)

// getZip has a zip made and writes it to a temporary file.
func (r *reader2) getZip(ctx context.Context, attr string, size int64) (*unpacked, error) {
	address, err := r.prepareZip(ctx, attr)
	if err != nil {
		return nil, err
	}
	body, err := r.fetch(ctx, "zip of "+attr, address, nil, -1, "application/zip")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	z, err := r.tempFile()
	if err != nil {
		return nil, err
	}
	most := setzip.MaxBytes(size)
	n, err := io.Copy(tempWriter{z.file}, io.LimitReader(body, most+1))
	if err == nil && n > most {
		err = fmt.Errorf("its zip has more than %d bytes, the server says %d of its files: %w", most, size, setzip.ErrRefused)
	}
	if err == nil {
		if z.Set, err = setzip.Open(z.file, n, size); err != nil && !errors.Is(err, setzip.ErrRefused) {
			err = fmt.Errorf("%w: %w", err, errNoZip)
		}
	}
	if err != nil {
		z.close()
		return nil, fmt.Errorf("file set %q: %w", attr, err)
	}
	return z, nil
}

// tempFile makes a file without a name that is seen, where the system can do that. It is never called as
// the server says.
func (r *reader2) tempFile() (*unpacked, error) {
	f, err := os.CreateTemp(r.source.cfg.TempDir, "nexport-*.zip")
	if err != nil {
		return nil, fmt.Errorf("make a temporary file for a zip: %w; %w", err, migrate.ErrFatal)
	}
	z := &unpacked{file: f}
	if err := os.Remove(f.Name()); err != nil {
		z.name = f.Name()
	}
	return z, nil
}

// tempWriter tells errors of the disk, which end the job, from those of the transfer.
type tempWriter struct{ file *os.File }

func (w tempWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	if err != nil {
		err = fmt.Errorf("write a zip to a temporary file: %w; %w", err, migrate.ErrFatal)
	}
	return n, err
}

// prepareZip has a zip made and waits for it: POST /api/leaderboard/v1/attributes/downloadFileSetZipRequest
// and GET /api/leaderboard/v1/download/downloadRequest, as the Python client 1.14 does. It gives the zip's URL.
func (r *reader2) prepareZip(ctx context.Context, attr string) (string, error) {
	query, err := r.of(ctx, attr)
	if err != nil {
		return "", err
	}
	op := fmt.Sprintf("prepare the zip of %q of %s", attr, r.run)
	var made wire2.Prepared
	read := func(b []byte) (err error) {
		made, err = wire2.PrepareAnswer(b)
		return err
	}
	err = r.source.do(ctx, call{
		op: op, method: http.MethodPost, url: "/api/leaderboard/v1/attributes/downloadFileSetZipRequest", query: query, read: read,
	})
	if err != nil {
		return "", err
	}
	id := made.ID
	for spent, wait := time.Duration(0), firstZipWait; ; wait = min(2*wait, lastZipWait) {
		err := r.source.get(ctx, op, "/api/leaderboard/v1/download/downloadRequest", url.Values{"id": {id}}, read)
		switch {
		case err != nil:
			return "", err
		case made.URL != "":
			return r.zipAddress(op, made.URL)
		case spent >= zipDeadline:
			return "", fmt.Errorf("%s: %w", op, errLate)
		case !r.source.cfg.sleep(ctx, wait):
			return "", context.Cause(ctx)
		}
		spent += wait
	}
}

// zipAddress makes a URL of what the server gives. Behind a proxy it may know itself by another name than the
// one it was reached by: what is a path of its API is asked for where the API is.
func (r *reader2) zipAddress(op, address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" && u.Scheme != "" || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%s: the server gives an address that is no URL of the web; %w", op, migrate.ErrCorrupt)
	}
	if at := strings.Index(u.EscapedPath(), "/api/leaderboard/"); at >= 0 {
		return r.source.api.base.String() + u.EscapedPath()[at:] + "?" + u.RawQuery, nil
	}
	return r.source.api.base.ResolveReference(u).String(), nil
}

// openMember opens a file of a set out of the zip, which is got again if it is not there any more.
func (r *reader2) openMember(ctx context.Context, parts []string, _ migrate.FileRef) (io.ReadCloser, error) {
	z, done, ok := r.handed.borrow(parts[0])
	if !ok {
		var err error
		if z, err = r.getZip(ctx, parts[0], math.MaxInt64/4); err != nil { // of whatever size: one file of it is unpacked
			return nil, err
		}
		done = z.close
	}
	i, ok := z.Find(parts[1])
	if !ok {
		done()
		return nil, fmt.Errorf("file set %q has no file %q any more: %w", parts[0], parts[1], migrate.ErrNotFound)
	}
	body, err := z.Open(i)
	if err != nil {
		done()
		return nil, fmt.Errorf("file set %q: %w; %w", parts[0], err, migrate.ErrCorrupt)
	}
	return &memberReader{ReadCloser: body, set: parts[0], done: done}, nil
}

// memberReader reads a file of a zip and lets go of the zip.
type memberReader struct {
	io.ReadCloser
	set  string
	done func()
}

func (m *memberReader) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("file set %q: %w; %w", m.set, err, migrate.ErrCorrupt)
	}
	return n, err
}

func (m *memberReader) Close() error {
	err := m.ReadCloser.Close()
	m.done()
	return err
}
