package parquetstore_test

import (
	"strings"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/fixture"
	"github.com/nexport-go/migrate/migratetest"
)

func TestContract(t *testing.T) {
	for _, name := range fixture.Names(t) {
		if testing.Short() && strings.HasPrefix(name, "neptune3-b") { // a run straddles files, so each is read many times
			continue
		}
		t.Run(name, func(t *testing.T) {
			data, files := fixture.Unpack(t, name)
			scopes := []migrate.Scope{migrate.ScopeRun}
			if name == "neptune2-de-odd" {
				scopes = append(scopes, migrate.ScopeModel, migrate.ScopeModelVersion)
			}
			migratetest.TestSource(t, open(t, data, files), migrate.Selection{Scopes: scopes})
		})
	}
}
