package mlflow

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
	"github.com/nexport-go/migrate/mlflow/internal/schema"
)

// experiments finds them by their tag.
func (d *database) experiments(ctx context.Context, layout string) (found []experiment, err error) {
	read, err := d.reader(ctx)
	if err != nil || read == nil {
		return nil, err
	}
	query := `SELECT e.experiment_id, e.name, COALESCE(e.artifact_location, '') FROM experiments e JOIN experiment_tags t ON t.experiment_id = e.experiment_id
		WHERE t.key = $1 AND t.value = $2 AND e.lifecycle_stage = 'active'` + d.inWorkspace("$3") + ` ORDER BY e.experiment_id`
	err = d.again(ctx, "search experiments", func() error {
		found = nil
		return d.query(ctx, read, query, func(rows *sql.Rows) error {
			var id int64
			var e experiment
			if err := rows.Scan(&id, &e.name, &e.root); err != nil {
				return err
			}
			e.id = strconv.FormatInt(id, 10)
			found = append(found, e)
			return nil
		}, d.withWorkspace(convert.TagLayout, layout)...)
	})
	return found, err
}

// inWorkspace limits a query to the workspace where the database has them.
func (d *database) inWorkspace(parameter string) string {
	if !d.known.Workspaces {
		return ""
	}
	return " AND workspace = " + parameter
}

func (d *database) withWorkspace(args ...any) []any {
	if d.known.Workspaces {
		args = append(args, d.inWhich())
	}
	return args
}

// query calls each for every row.
func (d *database) query(ctx context.Context, q interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, query string, each func(*sql.Rows) error, args ...any,
) error {
	rows, err := q.QueryContext(ctx, d.numbered(query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// ensureExperiment finds the experiment by its name or makes it, with what it lacks of tags.
func (d *database) ensureExperiment(ctx context.Context, name string, tags []convert.Tag) (exp experiment, err error) {
	err = d.tx(ctx, "create experiment", func(conn *sql.Conn) (err error) {
		if exp, err = d.experimentNamed(ctx, conn, name); err != nil {
			return err
		}
		if exp.id == "" {
			if err := d.insertDefault(ctx, conn); err != nil {
				return err
			}
			if exp, err = d.insertExperiment(ctx, conn, name); err != nil {
				return err
			}
		}
		return d.tagExperiment(ctx, conn, exp.id, tags)
	})
	return exp, err
}

// tagExperiment sets the tags that are not there.
func (d *database) tagExperiment(ctx context.Context, conn *sql.Conn, experimentID string, tags []convert.Tag) error {
	id, err := strconv.ParseInt(experimentID, 10, 64)
	if err != nil {
		return fmt.Errorf("experiment ID %q: %w", experimentID, err)
	}
	for _, tag := range tags {
		err := d.exec(ctx, conn, `INSERT INTO experiment_tags (key, value, experiment_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, tag.Key, tag.Value, id)
		if err != nil {
			return err
		}
	}
	return nil
}

// findExperiment counts the transaction of ensureExperiment.
func (d *database) findExperiment(ctx context.Context, name string, _ []convert.Tag) (exp experiment, writes int64, err error) {
	exp.name = name
	read, err := d.reader(ctx)
	if err != nil {
		return exp, 1, err
	}
	if read == nil {
		exp.root, err = d.files.fresh()
		return exp, 1, err
	}
	err = d.again(ctx, "create experiment", func() (err error) { // so that errors are the same
		if exp, err = d.experimentNamed(ctx, read, name); err != nil || exp.id != "" {
			return err
		}
		if exp.root, err = d.artifactRoot(ctx, read); err != nil {
			return err
		}
		return d.takes(exp)
	})
	return exp, 1, err
}

// insertDefault makes experiment 0 in a database without any: MLflow's clients expect it, and MLflow makes
// it only if there is no other (SqlAlchemyStore._create_default_experiment).
func (d *database) insertDefault(ctx context.Context, conn *sql.Conn) error {
	root, err := d.files.fresh()
	if err != nil {
		return err
	}
	return d.exec(ctx, conn, `INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time)
		SELECT 0, 'Default', CAST($1 AS VARCHAR(256)), 'active', CAST($2 AS BIGINT), CAST($2 AS BIGINT) WHERE NOT EXISTS (SELECT 1 FROM experiments)`,
		root+"/0", time.Now().UnixMilli())
}

// rower is a database or a connection.
type rower interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// experimentNamed gives an experiment that can be loaded into; its ID is empty if there is none of that name.
func (d *database) experimentNamed(ctx context.Context, q rower, name string) (experiment, error) {
	exp, stage := experiment{name: name}, ""
	query := `SELECT CAST(experiment_id AS VARCHAR(20)), COALESCE(artifact_location, ''), lifecycle_stage FROM experiments WHERE name = $1` + d.inWorkspace("$2")
	err := q.QueryRowContext(ctx, d.numbered(query), d.withWorkspace(name)...).Scan(&exp.id, &exp.root, &stage)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return exp, nil
	case err != nil:
		return exp, err
	case stage == "deleted":
		return exp, deletedExperiment(name, exp.id)
	}
	return exp, d.accepts(name, exp.root)
}

// insertExperiment leaves the ID to the database, which the artifact location then contains.
func (d *database) insertExperiment(ctx context.Context, conn *sql.Conn, name string) (exp experiment, err error) {
	columns, values := "", ""
	if d.known.Workspaces {
		columns, values = ", workspace", ", $3"
	}
	now := time.Now().UnixMilli()
	query := `INSERT INTO experiments (name, lifecycle_stage, creation_time, last_update_time` + columns + `)
		VALUES ($1, 'active', $2, $2` + values + `) RETURNING experiment_id`
	var id int64
	if err := conn.QueryRowContext(ctx, d.numbered(query), d.withWorkspace(name, now)...).Scan(&id); err != nil {
		return exp, err
	}
	root, err := d.artifactRoot(ctx, conn)
	if err != nil {
		return exp, err
	}
	exp = experiment{id: strconv.FormatInt(id, 10), name: name, root: fmt.Sprintf("%s/%d", root, id), fresh: true}
	if err := d.takes(exp); err != nil { // before anything is left behind
		return exp, err
	}
	return exp, d.exec(ctx, conn, `UPDATE experiments SET artifact_location = $1 WHERE experiment_id = $2`, exp.root, id)
}

// artifactRoot is where MLflow would put an experiment: where the workspace says, else where it put the experiment 0.
func (d *database) artifactRoot(ctx context.Context, q rower) (string, error) {
	if !d.inDefault() {
		root, err := d.workspaceRoot(ctx, q)
		if err != nil || root != "" && d.files.keeps(root) {
			return strings.TrimSuffix(root, "/"), err
		}
	}
	var location sql.NullString
	err := q.QueryRowContext(ctx, `SELECT artifact_location FROM experiments WHERE experiment_id = 0`).Scan(&location)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	root, _ := strings.CutSuffix(location.String, "/0")
	if root == location.String {
		root = "" // experiment 0 was given a place of its own
	}
	root, err = d.files.root(root)
	if err == nil && !d.inDefault() {
		root += "/workspaces/" + d.inWhich()
	}
	return root, err
}

// loaded finds runs by the tag convert.TagID: those that are seen, and hidden ones to be completed.
func (d *database) loaded(ctx context.Context, experimentIDs []string, tag convert.Tag) iter.Seq2[target, error] {
	return func(yield func(target, error) bool) {
		read, err := d.reader(ctx)
		if err != nil {
			yield(target{}, err)
			return
		}
		if read == nil {
			return
		}
		for ids := range slices.Chunk(experimentIDs, 500) {
			var found []target
			err := d.again(ctx, "search runs", func() (err error) {
				found, err = d.loadedIn(ctx, read, ids, tag)
				return err
			})
			if err != nil {
				yield(target{}, err)
				return
			}
			for _, run := range found {
				if !yield(run, nil) {
					return
				}
			}
		}
	}
}

const loadedRuns = `SELECT r.run_uuid, CAST(r.experiment_id AS VARCHAR(20)), h.value, r.artifact_uri, t.key, t.value
	FROM runs r
	JOIN tags i ON i.run_uuid = r.run_uuid AND i.key = $1
	JOIN tags t ON t.run_uuid = r.run_uuid AND t.key LIKE 'nexport.%'
	LEFT JOIN tags h ON h.run_uuid = r.run_uuid AND h.key = $2
	LEFT JOIN tags s ON s.run_uuid = r.run_uuid AND s.key = $3
	WHERE (s.key IS NULL OR r.deleted_time IS NULL) AND (r.lifecycle_stage = 'active' AND r.experiment_id IN (`

func (d *database) loadedIn(ctx context.Context, read *sql.DB, experimentIDs []string, tag convert.Tag) (found []target, err error) {
	quoted := make([]string, len(experimentIDs))
	for i, e := range experimentIDs {
		n, err := strconv.ParseInt(e, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("experiment ID %q: %w", e, err)
		}
		quoted[i] = strconv.FormatInt(n, 10)
	}
	query := loadedRuns + strings.Join(quoted, ",") + `) OR r.experiment_id IS NULL AND h.value IN ('` + strings.Join(quoted, "','") + `'))`
	args := []any{convert.TagID, tagHidden, tagShown}
	if tag.Key != "" {
		query += ` AND EXISTS (SELECT 1 FROM tags f WHERE f.run_uuid = r.run_uuid AND f.key = $4 AND f.value = $5)`
		args = append(args, tag.Key, tag.Value)
	}
	query += ` ORDER BY r.start_time, r.run_uuid`
	err = d.query(ctx, read, query, func(rows *sql.Rows) error {
		var run target
		var in, hidden, artifacts sql.NullString
		var key string
		var value sql.NullString
		if err := rows.Scan(&run.runID, &in, &hidden, &artifacts, &key, &value); err != nil {
			return err
		}
		if len(found) == 0 || found[len(found)-1].runID != run.runID {
			run.experiment, run.artifactURI, run.tags = cmp.Or(in.String, hidden.String), artifacts.String, map[string]string{}
			found = append(found, run)
		}
		found[len(found)-1].tags[key] = value.String
		return nil
	}, args...)
	return found, err
}

// runUUID depends on the experiment and the identity of the run alone, so that a second load writes the
// same run. n counts the runs of that identity that somebody deleted.
func runUUID(experimentID, identity string, n int) string {
	digest := sha256.Sum256(fmt.Appendf(nil, "nexport run\x00%s\x00%s\x00%d", experimentID, identity, n))
	return hex.EncodeToString(digest[:16])
}

// createRun makes a hidden run. If another load has just made it, that is the one.
func (d *database) createRun(ctx context.Context, exp experiment, run newRun) (made target, err error) {
	identity := ""
	for _, tag := range run.tags {
		if tag.Key == convert.TagID {
			identity = tag.Value
		}
	}
	err = d.tx(ctx, "create run", func(conn *sql.Conn) error {
		location, err := d.experimentLocation(ctx, conn, exp.id)
		if err != nil {
			return err
		}
		made = target{experiment: exp.id, tags: map[string]string{}}
		there := false
		for n := 0; ; n++ {
			made.runID = runUUID(exp.id, identity, n)
			state, err := d.runState(ctx, conn, made.runID)
			if err != nil {
				return err
			}
			if there = state.there; !state.deleted() {
				break
			}
		}
		made.artifactURI = location + "/" + made.runID + "/artifacts"
		if !there {
			if err := d.insertRun(ctx, conn, made, run); err != nil {
				return err
			}
		}
		made.tags, err = d.ownTags(ctx, conn, made.runID)
		return err
	})
	if err != nil {
		return target{}, err
	}
	delete(made.tags, tagHidden)
	return made, nil
}

// ownTags reads the tags nexport.*, which are those of another load if that made the run.
func (d *database) ownTags(ctx context.Context, conn *sql.Conn, runID string) (map[string]string, error) {
	tags := map[string]string{}
	err := d.query(ctx, conn, `SELECT key, value FROM tags WHERE run_uuid = $1 AND key LIKE 'nexport.%'`, func(rows *sql.Rows) error {
		var key string
		var value sql.NullString
		err := rows.Scan(&key, &value)
		tags[key] = value.String
		return err
	}, runID)
	return tags, err
}

func (d *database) experimentLocation(ctx context.Context, conn *sql.Conn, id string) (string, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return "", fmt.Errorf("experiment ID %q: %w", id, err)
	}
	var location sql.NullString
	var stage string
	err = conn.QueryRowContext(ctx, d.numbered(`SELECT artifact_location, lifecycle_stage FROM experiments WHERE experiment_id = $1`), n).Scan(&location, &stage)
	if err != nil {
		return "", fmt.Errorf("experiment %s: %w", id, err)
	}
	if stage != "active" {
		return "", fmt.Errorf("experiment %s was deleted while it was loaded into: restore it with `mlflow experiments restore -x %s`: %w", id, id, migrate.ErrFatal)
	}
	return strings.TrimSuffix(location.String, "/"), d.accepts(id, location.String)
}

// maxArtifactURI is the width of runs.artifact_uri; SQLite does not insist on it, and MLflow works there with
// longer ones.
const maxArtifactURI = 200

func (d *database) insertRun(ctx context.Context, conn *sql.Conn, to target, run newRun) error {
	if d.dialect() != schema.SQLite && utf8.RuneCountInString(to.artifactURI) > maxArtifactURI {
		return fmt.Errorf("artifacts would be in %s, which is longer than the %d characters that the database keeps: choose a shorter --artifacts-dir: %w",
			to.artifactURI, maxArtifactURI, migrate.ErrFatal)
	}
	made, err := conn.ExecContext(ctx, d.numbered(`INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, source_version,
		user_id, status, start_time, lifecycle_stage, deleted_time, artifact_uri)
		VALUES ($1, $2, 'UNKNOWN', '', '', '', $3, 'RUNNING', $4, 'deleted', $5, $6) ON CONFLICT DO NOTHING`),
		to.runID, run.name, run.user, run.start, time.Now().UnixMilli(), to.artifactURI)
	if err != nil {
		return err
	}
	if n, err := made.RowsAffected(); err != nil || n == 0 { // another load made it in this moment
		return err
	}
	tags := append(slices.Clone(run.tags), convert.Tag{Key: tagRunName, Value: run.name}, convert.Tag{Key: tagHidden, Value: to.experiment})
	return d.putTags(ctx, conn, to.runID, tags)
}

// tagRunName is always equal to runs.name.
const tagRunName = "mlflow.runName"
