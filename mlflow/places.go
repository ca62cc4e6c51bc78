package mlflow

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
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
	dir := or(a.dir, "mlruns")
	path, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("directory for artifacts: %w", err)
	}
	return filepath.ToSlash(path), nil
}

// root is where new experiments of a database go that has the given one; "" if it says nothing.
// Proxied roots stay: a server reads them, from the directory that ArtifactsDir names.
func (a artifactPlaces) root(root string) (string, error) {
	if root == "" || a.dir != "" && !isProxied(root) {
		return a.fresh()
	}
	return root, nil
}

func isProxied(uri string) bool { return strings.HasPrefix(uri, "mlflow-artifacts:") }

// local gives the directory of a location. Only what this machine can write is taken.
func (a artifactPlaces) local(location string) (string, error) {
	u, err := url.Parse(location)
	if err != nil && !filepath.IsAbs(location) {
		return "", fmt.Errorf("artifact location %q: %w", location, err)
	}
	switch {
	case filepath.IsAbs(filepath.FromSlash(location)):
		return filepath.FromSlash(location), nil
	case u.Scheme == "file" && (u.Host == "" || u.Host == "localhost"):
		return fromFilePath(u.Path), nil
	case u.Scheme == "mlflow-artifacts" && a.dir != "":
		return filepath.Join(a.dir, filepath.FromSlash(u.Path)), nil
	case u.Scheme == "mlflow-artifacts":
		return "", fmt.Errorf("artifacts of this experiment are kept by an MLflow server: name the directory of its --artifacts-destination (by default mlartifacts, where it was started) "+
			"with --artifacts-dir, or load over that server: %w", migrate.ErrFatal)
	case u.Scheme == "":
		return "", fmt.Errorf("artifacts of this experiment go to %q, which depends on the directory that MLflow is started in: "+
			"load into a new experiment (--name-prefix) with --artifacts-dir: %w", location, migrate.ErrFatal)
	}
	return "", fmt.Errorf("artifacts of this experiment go to %s://, which cannot be written from here: "+
		"load over an MLflow server with --artifacts-destination, or into a new experiment (--name-prefix) with --artifacts-dir: %w", u.Scheme, migrate.ErrFatal)
}

// fromFilePath takes the slash off in front of a drive.
func fromFilePath(path string) string {
	if len(path) > 2 && path[0] == '/' && path[2] == ':' {
		path = path[1:]
	}
	return filepath.FromSlash(path)
}

// artifacts opens the directory that the run's artifact URI names.
func (d *database) artifacts(_ context.Context, to target) (artifactStore, error) {
	dir, err := d.files.local(to.artifactURI)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", to.runID, err)
	}
	return directory{dir}, nil
}
