package mlflow

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	migrate "github.com/nexport-go/migrate"
)

// artifactPlaces finds the directories that stand for artifact locations where there is no server
// to ask.
type artifactPlaces struct {
	dir string // Config.ArtifactsDir
}

// fresh is the root for a new database: that of MLflow's own clients, ./mlruns.
func (a artifactPlaces) fresh() (string, error) {
	dir := cmp.Or(a.dir, "mlruns")
	path, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("directory for artifacts: %w", err)
	}
	return toLocation(filepath.ToSlash(path)), nil
}

// root is where new experiments of a database go that has the given one; "" if it says nothing.
// Proxied roots stay: a server reads them, from the directory that ArtifactsDir names.
func (a artifactPlaces) root(root string) (string, error) {
	if root == "" || !a.keeps(root) {
		return a.fresh()
	}
	return root, nil
}

func (a artifactPlaces) keeps(root string) bool { return a.dir == "" || isProxied(root) }

func isProxied(uri string) bool { return strings.HasPrefix(uri, "mlflow-artifacts:") }

// onDisk gives the directory that a location names on the local disk, if it does: an absolute path, or a file:
// address.
func onDisk(location string) (dir string, ok bool) {
	if filepath.IsAbs(filepath.FromSlash(location)) {
		return fromLocation(location), true
	}
	u, err := url.Parse(location)
	if err == nil && u.Scheme == "file" && (u.Host == "" || u.Host == "localhost") && strings.HasPrefix(u.Path, "/") {
		return fromFilePath(u.Path), true
	}
	return "", false
}

// isRelative reports that a location, or the path of its file: address, begins nowhere.
func isRelative(u *url.URL) bool {
	return u.Scheme == "" || u.Scheme == "file" && u.Host == "" && !strings.HasPrefix(u.Path, "/")
}

// local gives the directory of a location. Only what this machine can write is taken.
func (a artifactPlaces) local(location string) (string, error) {
	if dir, ok := onDisk(location); ok {
		return dir, nil
	}
	u, err := url.Parse(location)
	if err != nil {
		return "", fmt.Errorf("artifact location %q: %w", location, err)
	}
	switch {
	case u.Scheme == "mlflow-artifacts" && a.dir != "":
		return a.below(u.Path)
	case u.Scheme == "mlflow-artifacts":
		return "", fmt.Errorf("artifacts of this experiment are kept by an MLflow server: name the directory of its --artifacts-destination (by default mlartifacts, where it was started) "+
			"with --artifacts-dir, or load over that server: %w", migrate.ErrFatal)
	case isRelative(u):
		return "", fmt.Errorf("artifacts of this experiment go to %q, which depends on the directory that MLflow is started in: "+
			"load into a new experiment (--name-prefix) with --artifacts-dir: %w", location, migrate.ErrFatal)
	}
	return "", fmt.Errorf("artifacts of this experiment go to %s://, which cannot be written from here: "+
		"load over an MLflow server with --artifacts-destination, or into a new experiment (--name-prefix) with --artifacts-dir: %w", u.Scheme, migrate.ErrFatal)
}

// below finds what a server keeps in its --artifacts-destination, and nothing outside of it.
func (a artifactPlaces) below(path string) (string, error) {
	inner := filepath.FromSlash("./" + strings.TrimLeft(path, "/"))
	if !filepath.IsLocal(inner) {
		return "", fmt.Errorf("artifact location mlflow-artifacts:%s leads out of %s: load into a new experiment (--name-prefix): %w", path, a.dir, migrate.ErrFatal)
	}
	return filepath.Join(a.dir, inner), nil
}

// fromLocation gives the directory of a location that is a plain path. MLflow takes escapes in it for
// what they stand for (mlflow/utils/file_utils.py, local_file_uri_to_path), and leaves alone what is none.
func fromLocation(location string) string {
	var path strings.Builder
	for i := 0; i < len(location); i++ {
		if isEscape(location[i:]) {
			b, _ := strconv.ParseUint(location[i+1:i+3], 16, 8)
			path.WriteByte(byte(b))
			i += 2
			continue
		}
		path.WriteByte(location[i])
	}
	return filepath.FromSlash(path.String())
}

// toLocation escapes what fromLocation would change.
func toLocation(path string) string {
	var location strings.Builder
	for i := range len(path) {
		location.WriteByte(path[i])
		if isEscape(path[i:]) {
			location.WriteString("25")
		}
	}
	return location.String()
}

func isEscape(s string) bool {
	if len(s) < 3 || s[0] != '%' {
		return false
	}
	_, err := strconv.ParseUint(s[1:3], 16, 8)
	return err == nil
}

// fromFilePath takes the slash off in front of a drive.
func fromFilePath(path string) string {
	if len(path) > 2 && path[0] == '/' && path[2] == ':' {
		path = path[1:]
	}
	return filepath.FromSlash(path)
}

// hiddenFiles are the artifacts of a run in a database: before one of a run that is seen changes, the run is hidden.
type hiddenFiles struct {
	directory
	d     *database
	runID string
}

func (h hiddenFiles) put(ctx context.Context, name string, size int64, open func() (io.ReadCloser, error)) error {
	unseen, err := h.d.unseen(ctx, h.runID)
	if err != nil {
		return err
	}
	if unseen {
		return h.directory.put(ctx, name, size, open)
	}
	if same, err := h.same(name, size, open); err != nil || same {
		return err
	}
	// Only now: the source may lack the file, each time.
	return h.putAfter(name, size, open, func() error { return h.d.conceal(ctx, h.runID) })
}

// artifacts opens the directory that the run's artifact URI names.
func (d *database) artifacts(_ context.Context, to target) (artifactStore, error) {
	dir, err := d.files.local(to.artifactURI)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", to.runID, err)
	}
	return hiddenFiles{directory{dir}, d, to.runID}, nil
}

// takes goes by the rules of artifacts, before there is a run.
func (d *database) takes(exp experiment) error {
	if exp.root == "" {
		return nil
	}
	return d.accepts(exp.name, exp.root)
}

// accepts takes an empty location for what the database has.
func (d *database) accepts(name, location string) error {
	if _, err := d.files.local(location); err != nil {
		return fmt.Errorf("experiment %q: %w", name, err)
	}
	return nil
}
