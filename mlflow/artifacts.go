package mlflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	migrate "github.com/nexport-go/migrate"
)

// artifacts opens the place that the server chose for a run's artifacts. Only what the server
// or this machine can write is taken; other places need credentials that MLflow leaves to its
// clients.
func (r *rest) artifacts(_ context.Context, to target) (artifactStore, error) {
	u, err := url.Parse(to.artifactURI)
	if err != nil {
		return nil, fmt.Errorf("artifact location %q of run %s: %w", to.artifactURI, to.runID, err)
	}
	switch {
	case u.Scheme == "mlflow-artifacts":
		return r.proxied(to, u), nil
	case u.Scheme == "file" && (u.Host == "" || u.Host == "localhost"):
		return localArtifacts{dir: filepath.FromSlash(u.Path)}, nil
	case u.Scheme == "" && to.artifactURI != "":
		return localArtifacts{dir: filepath.FromSlash(to.artifactURI)}, nil
	}
	return nil, fmt.Errorf("artifacts of this experiment go to %s://, which only clients with credentials of their own can write: "+
		"start the server with --artifacts-destination instead of --default-artifact-root, so that it takes uploads itself, "+
		"and load into a new experiment (--name-prefix): %w", u.Scheme, migrate.ErrFatal)
}

// proxied gives the server's own artifact proxy, or that of the host which the location names.
func (r *rest) proxied(to target, u *url.URL) proxyArtifacts {
	base := ""
	if u.Host != "" && u.Host != r.c.server.Host && u.Host != r.c.server.Hostname() {
		other := *r.c.server
		other.Host = u.Host
		base = other.String()
	}
	return proxyArtifacts{c: r.c, runID: to.runID, base: base + "/api/2.0/mlflow-artifacts/artifacts/" + escape(strings.TrimPrefix(u.Path, "/"))}
}

// escape percent-encodes each segment once.
func escape(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return strings.Join(segments, "/")
}

// proxyArtifacts writes through PUT mlflow-artifacts/artifacts/<path>, which replaces a file as a
// whole, and lists by artifacts/list.
type proxyArtifacts struct {
	c     *client
	runID string
	base  string
}

func (p proxyArtifacts) put(ctx context.Context, name string, size int64, open func() (io.ReadCloser, error)) error {
	return p.c.do(ctx, call{
		op: "upload " + name, method: http.MethodPut, path: p.base + "/" + escape(name), size: size,
		media: "application/octet-stream",
		body: func() (io.ReadCloser, error) {
			body, err := open()
			if err != nil {
				return nil, err
			}
			return &exactly{body, size}, nil
		},
	})
}

// exactly insists on the number of bytes that was announced: a file of another length is an error
// of the source, not a request that the server waits for, and never cut silently.
type exactly struct {
	io.ReadCloser
	left int64
}

func (e *exactly) Read(b []byte) (int, error) {
	n, err := e.ReadCloser.Read(b)
	e.left -= int64(n)
	switch {
	case e.left < 0:
		return n, &sourceError{fmt.Errorf("file is longer than announced: %w", migrate.ErrCorrupt)}
	case err == io.EOF && e.left > 0:
		return n, &sourceError{fmt.Errorf("file ends %d bytes early: %w", e.left, migrate.ErrCorrupt)}
	}
	return n, err
}

func (p proxyArtifacts) list(ctx context.Context) (map[string]int64, error) {
	sizes := map[string]int64{}
	for dirs := []string{""}; len(dirs) > 0; {
		dir := dirs[len(dirs)-1]
		dirs = dirs[:len(dirs)-1]
		below, err := p.listDir(ctx, dir, sizes)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, below...)
	}
	return sizes, nil
}

// listDir enters the files of one directory into sizes and returns its directories.
func (p proxyArtifacts) listDir(ctx context.Context, dir string, sizes map[string]int64) (below []string, err error) {
	query := url.Values{"run_id": {p.runID}}
	if dir != "" {
		query.Set("path", dir)
	}
	for {
		var page struct {
			Files []struct {
				Path string `json:"path"`
				Dir  bool   `json:"is_dir"`
				Size whole  `json:"file_size"`
			} `json:"files"`
			Next string `json:"next_page_token"`
		}
		if err := p.c.getJSON(ctx, "list artifacts", "mlflow/artifacts/list", query, &page); err != nil {
			return nil, err
		}
		for _, f := range page.Files {
			switch {
			case !f.Dir:
				sizes[f.Path] = int64(f.Size)
			case f.Path == dir || !strings.HasPrefix(f.Path, dir): // a server that leads in circles
				return nil, fmt.Errorf("list artifacts: %q is listed below %q", f.Path, dir)
			default:
				below = append(below, f.Path)
			}
		}
		if page.Next == "" {
			return below, nil
		}
		if page.Next == query.Get("page_token") {
			return nil, errSamePage
		}
		query.Set("page_token", page.Next)
	}
}

// localArtifacts writes into a directory that server and client share.
type localArtifacts struct{ dir string }

func (l localArtifacts) root() (*os.Root, error) {
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return nil, err
	}
	return os.OpenRoot(l.dir)
}

// put writes under a temporary name and renames, so that a file is whole or not there.
func (l localArtifacts) put(_ context.Context, name string, size int64, open func() (io.ReadCloser, error)) error {
	root, err := l.root()
	if err != nil {
		return fmt.Errorf("artifact directory of the server (is it on this machine?): %w", err)
	}
	defer root.Close()
	name = filepath.FromSlash(name)
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("artifact %s: %w", name, err)
	}
	if err := writeFile(root, name, size, open); err != nil {
		return fmt.Errorf("artifact %s: %w", name, err)
	}
	return nil
}

const temporarySuffix = ".nexport-part"

func writeFile(root *os.Root, name string, size int64, open func() (io.ReadCloser, error)) (err error) {
	body, err := open()
	if err != nil {
		return err
	}
	defer body.Close()
	f, err := root.Create(name + temporarySuffix)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, &exactly{body, size})
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return errors.Join(err, root.Remove(name+temporarySuffix))
	}
	return root.Rename(name+temporarySuffix, name)
}

func (l localArtifacts) list(context.Context) (map[string]int64, error) {
	sizes := map[string]int64{}
	err := filepath.WalkDir(l.dir, func(p string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && p == l.dir {
			return fs.SkipAll
		}
		if err != nil || !entry.Type().IsRegular() || strings.HasSuffix(p, temporarySuffix) {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(l.dir, p)
		sizes[path.Clean(filepath.ToSlash(rel))] = info.Size()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list artifacts in %s: %w", l.dir, err)
	}
	return sizes, nil
}
