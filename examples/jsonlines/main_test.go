package main

import (
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
)

func TestSink(t *testing.T) {
	migratetest.TestSink(t, func(t *testing.T) migrate.Sink { return sink{t.TempDir()} })
}
