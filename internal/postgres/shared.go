//go:build unix

package postgres

import (
	"os"
	"sync"
	"testing"
)

// Env names the directory of PostgreSQL's programs for tests; scripts/postgres.sh finds it.
const Env = "NEXPORT_TEST_POSTGRES"

// Programs gives the directory of PostgreSQL's programs, or skips the test.
func Programs(t testing.TB) string {
	t.Helper()
	bin := os.Getenv(Env)
	if bin == "" {
		t.Skipf("%s is not set: run this by make e2e", Env)
	}
	return bin
}

// Shared is one server for all tests of a package. It starts at first use; TestMain calls Stop.
type Shared struct {
	mu     sync.Mutex
	server *Server
}

// Database gives the URI of a new empty database, or skips the test where there is no PostgreSQL.
func (s *Shared) Database(t testing.TB) string {
	t.Helper()
	uri, err := s.start(t).Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return uri
}

func (s *Shared) start(t testing.TB) *Server {
	t.Helper()
	bin := Programs(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		server, err := Start(bin, Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.server = server
	}
	return s.server
}

// Stop stops the server if there is one.
func (s *Shared) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		s.server.Stop()
		s.server = nil
	}
}
