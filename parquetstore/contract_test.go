package parquetstore_test

import (
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/fixture"
	"github.com/nexport-go/migrate/migratetest"
)

func TestContract(t *testing.T) {
	for _, name := range fixture.Names(t) {
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
