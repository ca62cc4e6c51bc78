//go:build unix

package e2e_test

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib" // the drivers of both databases
	_ "modernc.org/sqlite"
)

// openDatabase opens a database that the command writes to. Only its tables are looked at, never changed
// but where a test says so.
func openDatabase(t testing.TB, uri string) *sql.DB {
	t.Helper()
	driver, name := "pgx", uri
	if path, ok := strings.CutPrefix(uri, "sqlite:///"); ok {
		driver, name = "sqlite", path+"?_pragma=busy_timeout(20000)"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// held is what a database shows of an archive: lines of text by run, and by experiment. IDs and times
// that differ between two equal loads are left out.
type held map[string][]string

// The columns of each kind of line: the experiment, the run, the place of its artifacts, and what is compared.
var heldQueries = []string{
	`SELECT e.name, '', '', 'experiment', e.lifecycle_stage FROM experiments e WHERE %s`,
	`SELECT e.name, '', '', 'tag', t.key, t.value FROM experiments e JOIN experiment_tags t ON t.experiment_id = e.experiment_id
		WHERE t.key != 'nexport.layout' AND %s`,
	`SELECT e.name, r.run_uuid, r.artifact_uri, 'run', r.name, r.source_type, r.source_name, r.entry_point_name, r.source_version, r.user_id, r.status,
		r.start_time, r.end_time, r.deleted_time, r.lifecycle_stage FROM experiments e JOIN runs r ON r.experiment_id = e.experiment_id WHERE %s`,
	heldOf("tags", "key", "value"),
	heldOf("params", "key", "value"),
	heldOf("metrics", "key", "value", "timestamp", "step", "is_nan"),
	heldOf("latest_metrics", "key", "value", "timestamp", "step", "is_nan"),
}

func heldOf(table string, columns ...string) string {
	return fmt.Sprintf(`SELECT e.name, r.run_uuid, r.artifact_uri, '%s', x.%s FROM experiments e JOIN runs r ON r.experiment_id = e.experiment_id
		JOIN %[1]s x ON x.run_uuid = r.run_uuid WHERE %%s`, table, strings.Join(columns, ", x."))
}

// hold reads what a database shows in the experiments with a prefix. artifacts stands for the place that
// the mlflow-artifacts: locations name. All is read at one moment: loads may be under way.
func hold(t testing.TB, uri, artifacts, prefix string) held {
	t.Helper()
	tx, err := openDatabase(t, uri).BeginTx(t.Context(), &sql.TxOptions{Isolation: isolation(uri), ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	places := map[string]string{} // of artifacts, by line
	all := held{}
	for _, query := range heldQueries {
		where := fmt.Sprintf("substr(e.name, 1, %d) = '%s'", len(prefix), prefix)
		for _, row := range texts(t, tx, fmt.Sprintf(query, where)) {
			of := strings.TrimPrefix(row[0], prefix) + "\t" + row[1]
			if row[3] == "run" {
				places[of] = row[2]
			}
			all[of] = append(all[of], strings.Join(row[3:], "\t"))
		}
	}
	for of, location := range places {
		all[of] = append(all[of], files(t, artifactDir(location, artifacts))...)
	}
	ids := identities(t, tx)
	return all.normal(strings.NewReplacer(ids...))
}

func isolation(uri string) sql.IsolationLevel {
	if strings.HasPrefix(uri, "sqlite:") {
		return sql.LevelDefault // one moment already
	}
	return sql.LevelRepeatableRead
}

// identities are pairs: the ID of each run, and what it is of.
func identities(t testing.TB, tx *sql.Tx) (pairs []string) {
	for _, row := range texts(t, tx, `SELECT run_uuid, value FROM tags WHERE key = 'nexport.id'`) {
		pairs = append(pairs, row[0], "run "+row[1])
	}
	return pairs
}

// normal has other names for runs, and its lines in order.
func (h held) normal(names *strings.Replacer) held {
	out := held{}
	for of, lines := range h {
		for i := range lines {
			lines[i] = names.Replace(lines[i])
		}
		slices.Sort(lines)
		out[names.Replace(of)] = lines
	}
	return out
}

// runs counts them.
func (h held) runs() (n int) {
	for of := range h {
		if !strings.HasSuffix(of, "\t") {
			n++
		}
	}
	return n
}

// texts reads all rows as text.
func texts(t testing.TB, db interface {
	Query(query string, args ...any) (*sql.Rows, error)
}, query string,
) (all [][]string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(values))
		for i, v := range values {
			row[i] = fmt.Sprint(v)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// number reads one number.
func number(t testing.TB, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func artifactDir(location, artifacts string) string {
	if path, ok := strings.CutPrefix(location, "mlflow-artifacts:"); ok {
		return filepath.Join(artifacts, path)
	}
	return location
}

// files lists those below a directory, each with its digest.
func files(t testing.TB, dir string) (lines []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		lines = append(lines, fmt.Sprintf("file\t%s\t%x", name, sha256.Sum256(body)))
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return lines
}

// mustShowWholeRuns fails if a run is shown in part or otherwise than it should be.
func mustShowWholeRuns(t *testing.T, whole, now held) {
	t.Helper()
	for of, lines := range now {
		if strings.HasSuffix(of, "\t") {
			continue // an experiment may be without all of its tags for a moment
		}
		if diff := cmp.Diff(whole[of], lines); diff != "" {
			t.Errorf("%s is shown, and not whole (-want +got):\n%.3000s", of, diff)
		}
	}
}

func mustHold(t *testing.T, want, got held) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the database holds something else (-want +got):\n%.3000s", diff)
	}
}

// mustBeSound lets SQLite look for damage.
func mustBeSound(t *testing.T, db *sql.DB, uri string) {
	t.Helper()
	if !strings.HasPrefix(uri, "sqlite:") {
		return
	}
	if got := texts(t, db, "PRAGMA integrity_check"); len(got) != 1 || got[0][0] != "ok" {
		t.Errorf("the database is damaged: %v", got)
	}
	if got := texts(t, db, "PRAGMA foreign_key_check"); len(got) != 0 {
		t.Errorf("the database refers to what is not there: %v", got)
	}
}

// within waits until a condition holds; what a test waits for comes soon or never.
func within(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}
