package neptunetest_test

import (
	"testing"

	"github.com/nexport-go/migrate/internal/fixture"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

func readWorld(t testing.TB, name string) *neptunetest.Project {
	t.Helper()
	p, err := neptunetest.World{}.ReadWorld(fixture.World(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestReadWorlds(t *testing.T) {
	for name, runs := range map[string]int{"neptune3-d-small": 6, "neptune3-d-odd": 29, "neptune3-d-multipart": 2} {
		t.Run(name, func(t *testing.T) {
			p := readWorld(t, name)
			if len(p.Runs) != runs {
				t.Errorf("%d runs, want %d", len(p.Runs), runs)
			}
			neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
		})
	}
}
