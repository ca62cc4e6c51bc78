//go:build unix

package e2e_test

import (
	"path/filepath"
	"testing"

	"github.com/nexport-go/migrate/internal/fixture"
)

// heads are the newest revisions of the releases of MLflow that a load was promised for.
var heads = map[string]string{"2.22": "0584bdc529eb", "3.1": "bda7b8c39065", "3.7": "bf29a5ff90ea", "3.13": "da6fb0208061"}

// TestOlderHeads loads into databases of older releases of MLflow: they hold what the newest does, also after MLflow
// brought them to its own revision.
func TestOlderHeads(t *testing.T) {
	venv(t, envMLflow3)
	data, files := fixture.Unpack(t, "neptune2-de-odd")
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			in := func(uri, artifacts string) held {
				a := archiveDirs{data: data, files: files, prefix: "heads/", artifacts: artifacts}
				load(t, a, uri, false)
				return hold(t, uri, artifacts, a.prefix)
			}
			newest := kind.open(t)
			want := in(newest.uri, newest.artifacts)
			older := map[string]place{} // by release
			var made, upgrades []string
			for release, revision := range heads {
				dir := t.TempDir()
				at := place{uri: sqliteURI(dir), artifacts: filepath.Join(dir, "artifacts")}
				if kind.name == "postgres" {
					at.uri = postgresServer.Database(t)
				}
				older[release] = at
				made, upgrades = append(made, revision+"="+at.uri), append(upgrades, "head="+at.uri)
			}
			python(t, envMLflow3, "heads.py", made...)
			for release, at := range older {
				t.Log(release)
				mustHold(t, want, in(at.uri, at.artifacts))
			}
			python(t, envMLflow3, "heads.py", upgrades...)
			for release, at := range older {
				t.Log(release, "upgraded")
				mustHold(t, want, hold(t, at.uri, at.artifacts, "heads/"))
				mustBeSound(t, openDatabase(t, at.uri), at.uri)
			}
		})
	}
}
