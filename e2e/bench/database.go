//go:build unix

package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite"

	"github.com/nexport-go/migrate/e2e/internal/mlflowserver"
	"github.com/nexport-go/migrate/internal/postgres"
)

// row is a row of MLflow's table metrics.
type row struct {
	key        string
	value      float64
	time, step int64
	run        string
}

const columns = "key, value, timestamp, step, is_nan, run_uuid"

// databases loads a million points straight into databases, against loops that do nothing else, and
// over REST into a server on such a database.
func (b *bencher) databases() error {
	const points = 2000
	archive, err := b.archive("large", points)
	if err != nil {
		return err
	}
	defer os.RemoveAll(archive)
	fmt.Printf("%d points straight into MLflow's database, best of %d\n", runs*series*points, rounds)
	rows, direct, err := b.sqlite(archive)
	if err != nil {
		return err
	}
	if err := b.postgres(archive, rows); err != nil {
		return err
	}
	return b.overREST(archive, direct)
}

// sqlite gives the rows of metrics as they were written, and the time of the load.
func (b *bencher) sqlite(archive string) (rows []row, direct time.Duration, err error) {
	best := [3]time.Duration{}
	for round := range rounds {
		file := filepath.Join(b.dir, fmt.Sprintf("direct%d.db", round))
		unchecked, _, err := b.load(archive, "sqlite:///"+file+"x", "", "--artifacts-dir", b.dir, "--no-check")
		if err != nil {
			return nil, 0, err
		}
		checked, _, err := b.load(archive, "sqlite:///"+file, "", "--artifacts-dir", b.dir)
		if err != nil {
			return nil, 0, err
		}
		if rows == nil {
			if rows, err = rowsOf(file); err != nil {
				return nil, 0, err
			}
		}
		bare, err := bareSQLite(file, rows)
		if err != nil {
			return nil, 0, err
		}
		for i, took := range []time.Duration{bare, unchecked, checked} {
			if best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
		os.Remove(file)
		os.Remove(file + "x")
	}
	report("SQLite", "a loop of INSERT with the same driver", best, 1.2)
	return rows, best[2], nil
}

func report(database, loop string, best [3]time.Duration, goal float64) {
	bare, unchecked, checked := best[0].Seconds(), best[1].Seconds(), best[2].Seconds()
	fmt.Printf("  %-10s  %-38s %6.2f s  1.00\n", database, loop, bare)
	fmt.Printf("  %-10s  %-38s %6.2f s  %.2f of it (goal <= %.1f)\n", "", "nexport load --no-check", unchecked, unchecked/bare, goal)
	fmt.Printf("  %-10s  %-38s %6.2f s  +%.0f %% for the check\n", "", "nexport load", checked, 100*(checked-unchecked)/unchecked)
}

// rowsOf reads the rows in the order in which they were written.
func rowsOf(file string) (rows []row, err error) {
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	found, err := db.Query("SELECT key, value, timestamp, step, run_uuid FROM metrics ORDER BY rowid")
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		var r row
		if err := found.Scan(&r.key, &r.value, &r.time, &r.step, &r.run); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, found.Err()
}

// bareSQLite empties the table metrics of a loaded database and fills it again, in transactions of the
// size of a run.
func bareSQLite(file string, rows []row) (time.Duration, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=cache_size(-65536)")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range []string{"DELETE FROM metrics", "VACUUM"} {
		if _, err := db.Exec(statement); err != nil {
			return 0, err
		}
	}
	const many = 100
	text := "INSERT INTO metrics (" + columns + ") VALUES " + strings.TrimSuffix(strings.Repeat("(?,?,?,?,?,?),", many), ",")
	begun := time.Now()
	insert, err := db.Prepare(text)
	if err != nil {
		return 0, err
	}
	defer insert.Close()
	args := make([]any, 0, many*6)
	size := len(rows) / runs
	for from := 0; from < len(rows); from += size {
		tx, err := db.Begin()
		if err != nil {
			return 0, err
		}
		do := tx.Stmt(insert)
		for at := from; at < from+size; at += many {
			args = args[:0]
			for _, r := range rows[at : at+many] {
				args = append(args, r.key, r.value, r.time, r.step, false, r.run)
			}
			if _, err := do.Exec(args...); err != nil {
				return 0, err
			}
		}
		if err := tx.Commit(); err != nil {
			return 0, err
		}
	}
	return time.Since(begun), nil
}

// postgres does the same there, with COPY.
func (b *bencher) postgres(archive string, rows []row) error {
	bin := os.Getenv(postgres.Env)
	if bin == "" {
		fmt.Printf("  PostgreSQL: %s does not name its programs\n", postgres.Env)
		return nil
	}
	server, err := postgres.Start(bin, postgres.Options{Durable: true})
	if err != nil {
		return err
	}
	defer server.Stop()
	best := [3]time.Duration{}
	for range rounds {
		uri, err := server.Database(context.Background())
		if err != nil {
			return err
		}
		unchecked, _, err := b.load(archive, uri, "", "--artifacts-dir", b.dir, "--no-check")
		if err != nil {
			return err
		}
		if uri, err = server.Database(context.Background()); err != nil {
			return err
		}
		checked, _, err := b.load(archive, uri, "", "--artifacts-dir", b.dir)
		if err != nil {
			return err
		}
		bare, err := bareCopy(uri, rows)
		if err != nil {
			return err
		}
		for i, took := range []time.Duration{bare, unchecked, checked} {
			if best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	report("PostgreSQL", fmt.Sprintf("COPY by %d connections", jobs), best, 1.3)
	return nil
}

// bareCopy fills the emptied table again, a run at a time, with as many connections as a load.
func bareCopy(uri string, rows []row) (time.Duration, error) {
	ctx := context.Background()
	empty, err := pgx.Connect(ctx, uri)
	if err != nil {
		return 0, err
	}
	defer empty.Close(ctx)
	runIDs := map[string]string{} // the loaded database may have made others
	found, err := empty.Query(ctx, "SELECT DISTINCT run_uuid FROM metrics")
	if err != nil {
		return 0, err
	}
	ids, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		return 0, err
	}
	if _, err := empty.Exec(ctx, "TRUNCATE metrics"); err != nil {
		return 0, err
	}
	size := len(rows) / runs
	work, errs := make(chan []row, runs), make(chan error, jobs)
	for from := 0; from < len(rows); from += size {
		work <- rows[from : from+size]
	}
	close(work)
	for i, r := range rows {
		if _, ok := runIDs[r.run]; !ok {
			runIDs[r.run] = ids[len(runIDs)]
		}
		rows[i].run = runIDs[r.run]
	}
	begun := time.Now()
	for range jobs {
		go func() { errs <- copyRuns(ctx, uri, work) }()
	}
	for range jobs {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return time.Since(begun), err
}

func copyRuns(ctx context.Context, uri string, work <-chan []row) error {
	db, err := pgx.Connect(ctx, uri)
	if err != nil {
		return err
	}
	defer db.Close(ctx)
	for rows := range work {
		_, err := db.CopyFrom(ctx, pgx.Identifier{"metrics"}, strings.Split(columns, ", "), pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
			r := rows[i]
			return []any{r.key, r.value, r.time, r.step, false, r.run}, nil
		}))
		if err != nil {
			return err
		}
	}
	return nil
}

// overREST loads the same through a server, once: it takes minutes.
func (b *bencher) overREST(archive string, direct time.Duration) error {
	dir := filepath.Join(b.dir, "server of databases")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	server, err := mlflowserver.Start(b.environment, dir, false)
	if err != nil {
		return err
	}
	defer server.Stop()
	took, _, err := b.load(archive, server.URL(), "large/")
	if err != nil {
		return err
	}
	fmt.Printf("  SQLite      the same over REST                     %6.2f s  %.1f times as long as straight into it (goal >= 10)\n", took.Seconds(), took.Seconds()/direct.Seconds())
	return nil
}
