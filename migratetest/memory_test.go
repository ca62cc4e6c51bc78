package migratetest_test

import (
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
)

func TestMemory(t *testing.T) {
	migratetest.TestStore(t, func(*testing.T) migrate.Store { return &migratetest.Memory{} })
}
