package mlflow

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"

	migrate "github.com/nexport-go/migrate"
)

// artifacts opens the place that the server chose for a run's artifacts. Only what the server
// or this machine can write is taken; other places need credentials that MLflow leaves to its
// clients.
func (r *rest) artifacts(_ context.Context, to target) (artifactStore, error) {
	if dir, ok := onDisk(to.artifactURI); ok {
		return r.localArtifacts(to, dir), nil
	}
	u, err := proxiedRoot(to.artifactURI, elsewhere)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", to.runID, err)
	}
	return r.proxied(to, u), nil
}

// proxied gives the server's own artifact proxy, or that of the host which the location names.
func (r *rest) proxied(to target, u *url.URL) proxyArtifacts {
	base := "mlflow-artifacts/artifacts/"
	if u.Host != "" && u.Host != r.c.server.Host && u.Host != r.c.server.Hostname() {
		other := *r.c.server
		other.Host = u.Host
		base = other.String() + "/api/2.0/" + base
	}
	return proxyArtifacts{c: r.c, runID: to.runID, base: base + escape(strings.TrimPrefix(u.Path, "/"))}
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

// localArtifacts writes into a directory that server and client share. It lists by the server, which
// shows whether they do.
type localArtifacts struct {
	proxyArtifacts
	directory
	seen *seen
}

// seen remembers that the server saw a file that was written here.
type seen struct {
	mu  sync.Mutex
	yes bool
}

func (r *rest) localArtifacts(to target, dir string) localArtifacts {
	return localArtifacts{proxyArtifacts{c: r.c, runID: to.runID}, directory{dir}, &r.shared}
}

// shares makes sure, once, that the server sees what was written here.
func (l localArtifacts) shares(ctx context.Context, name string, size int64) error {
	l.seen.mu.Lock()
	defer l.seen.mu.Unlock()
	if l.seen.yes {
		return nil
	}
	dir := path.Dir(name)
	if dir == "." {
		dir = ""
	}
	sizes := map[string]int64{}
	if _, err := l.listDir(ctx, dir, sizes); err != nil {
		return err
	}
	have, there := sizes[name]
	if !there || have != size {
		return fmt.Errorf("the server keeps artifacts in %s on its own machine and does not see what is written there on this one: load on the server's machine, "+
			"or start the server with --artifacts-destination instead of --default-artifact-root: %w", l.dir, migrate.ErrFatal)
	}
	l.seen.yes = true
	return nil
}

func (l localArtifacts) put(ctx context.Context, name string, size int64, open func() (io.ReadCloser, error)) error {
	if err := l.directory.put(ctx, name, size, open); err != nil {
		return fmt.Errorf("write where the server keeps artifacts (is it on this machine?): %w", err)
	}
	return l.shares(ctx, name, size)
}

func (l localArtifacts) list(ctx context.Context) (map[string]int64, error) {
	return l.proxyArtifacts.list(ctx)
}
