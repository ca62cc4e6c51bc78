//go:build unix

package e2e_test

import (
	"path/filepath"
	"testing"

	"github.com/nexport-go/migrate/e2e/internal/mlflowserver"
)

// target is something that the suite loads into.
type target struct {
	name string
	env  string // the MLflow that reads everything back
	all  bool   // all archives that the Python tool wrote, or a few
	made bool   // the made one too, which has a run of ten thousand attributes and takes long to read back
	open func(t *testing.T) place
}

// place is a target that was made.
type place struct {
	uri       string // for the command
	artifacts string // for its --artifacts-dir, if it needs one
	// serve gives the URL of a server that shows it. For a database it may start only now.
	serve func(t *testing.T) string
	// state gives all that is there of an archive, to be compared with a state of another moment.
	state func(t *testing.T, a archiveDirs) held
}

var targets = []target{
	{"mlflow3", envMLflow3, true, true, overREST(envMLflow3, false)},
	{"mlflow2", envMLflow2, true, true, overREST(envMLflow2, false)},
	{"mlflow3 local artifacts", envMLflow3, false, false, overREST(envMLflow3, true)},
	{"new sqlite", envMLflow3, true, false, newSQLite}, // TestSameAsREST has the made one in such a database
	{"new postgres", envMLflow3, true, true, newPostgres},
	{"new sqlite of a newer mlflow", envMLflowNext, false, false, newSQLiteOf(envMLflowNext)},
	{"sqlite of mlflow2", envMLflow2, false, false, sqliteOf(envMLflow2)},
	{"sqlite of mlflow3", envMLflow3, false, false, sqliteOf(envMLflow3)},
}

// overREST loads over a server that all tests share.
func overREST(env string, local bool) func(*testing.T) place {
	return func(t *testing.T) place {
		s := shared(t, env, local)
		return place{
			uri: s.URL(), serve: func(*testing.T) string { return s.URL() },
			state: func(t *testing.T, a archiveDirs) held {
				return hold(t, s.Store(), mlflowserver.ArtifactsDestination(s.Dir()), a.prefix)
			},
		}
	}
}

// newSQLite leaves it to the command to make the database.
func newSQLite(t *testing.T) place { return newSQLiteOf(envMLflow3)(t) }

// newSQLiteOf does, and reads it back with the MLflow of an environment, which may upgrade it first.
func newSQLiteOf(env string) func(*testing.T) place {
	return func(t *testing.T) place {
		venv(t, env)
		dir := t.TempDir()
		return database(env, dir, sqliteURI(dir), filepath.Join(dir, "runs"))
	}
}

// newPostgres has an empty database, for the command to make the tables.
func newPostgres(t *testing.T) place {
	venv(t, envMLflow3)
	dir := t.TempDir()
	return database(envMLflow3, dir, postgresServer.Database(t), filepath.Join(dir, "runs"))
}

// sqliteOf has a database that a server made; its artifacts are where that server will look for them.
func sqliteOf(env string) func(*testing.T) place {
	return func(t *testing.T) place {
		dir := t.TempDir()
		uri := sqliteURI(dir)
		s, err := mlflowserver.StartOn(venv(t, env), dir, uri, false)
		if err != nil {
			t.Fatal(err)
		}
		s.Stop()
		return database(env, dir, uri, mlflowserver.ArtifactsDestination(dir))
	}
}

func database(env, dir, uri, artifacts string) place {
	return place{
		uri: uri, artifacts: artifacts, serve: func(t *testing.T) string { return serverOn(t, env, dir, uri).URL() },
		state: func(t *testing.T, a archiveDirs) held { return hold(t, uri, artifacts, a.prefix) },
	}
}

func sqliteURI(dir string) string { return "sqlite:///" + sqliteFile(dir) }

func sqliteFile(dir string) string { return filepath.Join(dir, "mlflow.db") }
