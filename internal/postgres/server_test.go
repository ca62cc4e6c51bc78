//go:build unix

package postgres_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/nexport-go/migrate/internal/postgres"
)

var shared postgres.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	shared.Stop()
	os.Exit(code)
}

func TestDatabasesAreApart(t *testing.T) {
	first, second := shared.Database(t), shared.Database(t)
	for _, uri := range []string{first, second} {
		db, err := pgx.Connect(t.Context(), uri)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close(t.Context())
		if _, err := db.Exec(t.Context(), "CREATE TABLE only_here (i INTEGER)"); err != nil {
			t.Errorf("a new database is not empty: %v", err)
		}
	}
}

func TestRestart(t *testing.T) {
	server, err := postgres.Start(postgres.Programs(t), postgres.Options{Durable: true, Settings: []string{"max_connections=7"}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	uri, err := server.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db, err := pgx.Connect(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), "CREATE TABLE kept (i INTEGER)"); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(t.Context()); err == nil {
		t.Error("a connection outlived the crash of the server")
	}
	if db, err = pgx.Connect(t.Context(), uri); err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	var connections string
	if err := db.QueryRow(t.Context(), "SELECT current_setting('max_connections') FROM (SELECT count(*) FROM kept) n").Scan(&connections); err != nil || connections != "7" {
		t.Errorf("after a restart: max_connections %q, %v", connections, err)
	}
}

func TestPasswordIsAskedFor(t *testing.T) {
	config, err := pgx.ParseConfig(shared.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	config.Password = "wrong"
	if _, err := pgx.ConnectConfig(t.Context(), config); err == nil {
		t.Error("a wrong password is accepted")
	}
}
