package mlflow

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nexport-go/migrate/convert"
	"github.com/nexport-go/migrate/mlflow/internal/schema"
)

const (
	// tagHidden has the ID of the experiment that a hidden run will be in.
	tagHidden = "nexport.hidden"
	// tagShown is on a hidden run that was seen before. It is not ours alone, so no load gives it up, and it has no
	// time of deletion, so that `mlflow gc` leaves it; if it has one, somebody deleted it.
	tagShown = "nexport.shown"
)

// runState is where a run is.
type runState struct {
	there         bool
	stage         string
	in            sql.NullInt64 // its experiment
	deletedTime   sql.NullInt64
	hidden, shown sql.NullString // the tags
}

// deleted: by somebody, or given up by a load.
func (s runState) deleted() bool {
	switch {
	case s.in.Valid:
		return s.stage == "deleted"
	case s.shown.Valid:
		return s.deletedTime.Valid
	}
	return s.there && !s.hidden.Valid
}

var (
	// errGone: rows of a run refer to it, so the database refuses them without it.
	errGone = errors.New("the run is gone: somebody removed it while it was loaded, for instance by `mlflow gc`; load again")

	errDeleted = errors.New("the run was deleted while it was loaded, by somebody or by a load of another version of it; load again")
)

// runState reads the state; that of a run that is not there is zero.
func (d *database) runState(ctx context.Context, q rower, runID string) (s runState, err error) {
	err = q.QueryRowContext(ctx, d.numbered(`SELECT r.lifecycle_stage, r.experiment_id, r.deleted_time, h.value, s.value FROM runs r
		LEFT JOIN tags h ON h.run_uuid = r.run_uuid AND h.key = $1
		LEFT JOIN tags s ON s.run_uuid = r.run_uuid AND s.key = $2 WHERE r.run_uuid = $3`), tagHidden, tagShown, runID).
		Scan(&s.stage, &s.in, &s.deletedTime, &s.hidden, &s.shown)
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	s.there = err == nil
	return s, err
}

// openState gives the state of a run that may still be loaded into.
func (d *database) openState(ctx context.Context, q rower, runID string) (runState, error) {
	state, err := d.runState(ctx, q, runID)
	switch {
	case err != nil:
		return state, err
	case !state.there:
		return state, errGone
	case state.deleted():
		return state, errDeleted
	}
	return state, nil
}

// hide takes a run out of its experiment before something is added to it that cannot be added at once. A run
// that is hidden stays so.
func (d *database) hide(ctx context.Context, conn *sql.Conn, runID string) error {
	state, err := d.openState(ctx, conn, runID)
	if err != nil || !state.in.Valid {
		return err
	}
	if d.dialect() == schema.PostgreSQL { // others may be deleting or hiding it
		if err := d.exec(ctx, conn, `SELECT 1 FROM runs WHERE run_uuid = $1 FOR NO KEY UPDATE`, runID); err != nil {
			return err
		}
		if state, err = d.openState(ctx, conn, runID); err != nil || !state.in.Valid {
			return err
		}
	}
	d.retry.log.Info("hides a run while more of it is loaded", "target", runID)
	err = d.exec(ctx, conn, `UPDATE runs SET experiment_id = NULL, lifecycle_stage = 'deleted', deleted_time = NULL WHERE run_uuid = $1`, runID)
	if err != nil {
		return err
	}
	return d.putTags(ctx, conn, runID, []convert.Tag{
		{Key: tagHidden, Value: strconv.FormatInt(state.in.Int64, 10)},
		{Key: tagShown, Value: "true"},
		{Key: convert.TagState, Value: convert.StateLoading},
	})
}

// finish shows the run, with its end and its last tags, in one transaction.
func (d *database) finish(ctx context.Context, runID, status string, end *int64, tags []convert.Tag) error {
	return d.tx(ctx, "finish run", func(conn *sql.Conn) error {
		// This keeps others from changing the run until it is shown.
		if err := d.exec(ctx, conn, `UPDATE runs SET status = $1, end_time = $2 WHERE run_uuid = $3`, status, end, runID); err != nil {
			return err
		}
		if err := d.show(ctx, conn, runID); err != nil {
			return err
		}
		return d.putTags(ctx, conn, runID, tags)
	})
}

// show puts a hidden run into its experiment.
func (d *database) show(ctx context.Context, conn *sql.Conn, runID string) error {
	state, err := d.openState(ctx, conn, runID)
	if err != nil || state.in.Valid {
		return err
	}
	if _, err := d.experimentLocation(ctx, conn, state.hidden.String); err != nil {
		return err
	}
	n, err := strconv.ParseInt(state.hidden.String, 10, 64)
	if err != nil {
		return fmt.Errorf("tag %s of run %s: %w", tagHidden, runID, err)
	}
	err = d.exec(ctx, conn, `UPDATE runs SET experiment_id = $1, lifecycle_stage = 'active', deleted_time = NULL WHERE run_uuid = $2`, n, runID)
	if err != nil {
		return err
	}
	return d.exec(ctx, conn, `DELETE FROM tags WHERE key IN ($1, $2) AND run_uuid = $3`, tagHidden, tagShown, runID)
}

// deleteRun gives up a hidden run: no load completes it, and `mlflow gc` removes it. One that somebody saw stays.
func (d *database) deleteRun(ctx context.Context, runID string) error {
	return d.tx(ctx, "delete run", func(conn *sql.Conn) error {
		done, err := conn.ExecContext(ctx, d.numbered(`UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = $1 WHERE run_uuid = $2
			AND experiment_id IS NULL AND NOT EXISTS (SELECT 1 FROM tags WHERE run_uuid = $2 AND key = $3)`), time.Now().UnixMilli(), runID, tagShown)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errors.New("another load has completed the run meanwhile; load again"))
		}
		return d.exec(ctx, conn, `DELETE FROM tags WHERE key = $1 AND run_uuid = $2`, tagHidden, runID)
	})
}

// unseen reports whether a run is hidden.
func (d *database) unseen(ctx context.Context, runID string) (bool, error) {
	read, err := d.reader(ctx)
	if err != nil {
		return false, err
	}
	var state runState
	err = d.again(ctx, "read run", func() (err error) {
		state, err = d.openState(ctx, read, runID)
		return err
	})
	return !state.in.Valid, err
}

// conceal hides a run in a transaction of its own.
func (d *database) conceal(ctx context.Context, runID string) error {
	return d.tx(ctx, "hide run", func(conn *sql.Conn) error { return d.hide(ctx, conn, runID) })
}
