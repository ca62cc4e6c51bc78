package neptune

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	migrate "github.com/nexport-go/migrate"
)

const (
	// linksAtOnce is how many files are signed in one request; neptune-query has up to 200.
	linksAtOnce = 32
	// linkAge is how long a link is used that has waited for its turn.
	linkAge = 3 * time.Minute
	// maxWaiting bounds the files that wait to be signed with others.
	maxWaiting = 100_000
)

// links signs the links to a run's files, those that come next together.
type links struct {
	api     *client
	project string

	mu      sync.Mutex
	waiting []string // paths of files that are being yielded, and were not opened yet
	ready   map[string]link
}

type link struct {
	url    string
	signed time.Time
}

func newLinks(api *client, project string) *links {
	return &links{api: api, project: project, ready: map[string]link{}}
}

// announce says that files will probably be opened soon, in this order.
func (l *links) announce(paths []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, paths[:min(len(paths), maxWaiting-len(l.waiting))]...)
}

// get returns a link to a file; anew: one that was not there before. A link is handed out once.
func (l *links) get(ctx context.Context, path string, anew bool) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	have, ok := l.ready[path]
	delete(l.ready, path)
	if ok && !anew && time.Since(have.signed) < linkAge {
		return have.url, nil
	}
	batch := []string{path}
	if i := slices.Index(l.waiting, path); i >= 0 && !anew {
		for _, next := range l.waiting[i+1 : min(i+linksAtOnce, len(l.waiting))] {
			if !slices.Contains(batch, next) {
				batch = append(batch, next)
			}
		}
		l.waiting = l.waiting[i+1:]
	}
	signed, err := l.sign(ctx, batch)
	if err != nil && len(batch) > 1 && refusal(err) {
		signed, err = l.sign(ctx, batch[:1]) // one of the others may be to blame
	}
	if err != nil {
		return "", err
	}
	address, ok := signed[path]
	if !ok {
		return "", fmt.Errorf("file %q: the server gives no link to it: %w", path, migrate.ErrNotFound)
	}
	if len(l.ready) > 4*linksAtOnce {
		clear(l.ready)
	}
	for _, next := range batch[1:] {
		if address, ok := signed[next]; ok {
			l.ready[next] = link{address, time.Now()}
		}
	}
	return address, nil
}

type signedFile struct {
	Path       string `json:"path"`
	Permission string `json:"permission,omitempty"`
	Project    string `json:"project_identifier"`
	URL        string `json:"url,omitempty"`
}

// sign gets links: POST /api/storagebridge/v1/signedUrl, as neptune-query 1.11.0 does. Answers are
// told apart by their paths, whatever their order.
func (l *links) sign(ctx context.Context, paths []string) (map[string]string, error) {
	var in, out struct {
		Files []signedFile `json:"files"`
	}
	for _, path := range paths {
		in.Files = append(in.Files, signedFile{Path: path, Permission: "read", Project: l.project})
	}
	err := l.api.post(ctx, fmt.Sprintf("sign links to %d files of %s", len(paths), l.project),
		"/api/storagebridge/v1/signedUrl", nil, in, into(&out))
	if err != nil {
		return nil, err
	}
	signed := map[string]string{}
	for _, f := range out.Files {
		if u, err := url.Parse(f.URL); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
			signed[f.Path] = f.URL
		}
	}
	return signed, nil
}
