package mlflow

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"math"
	"strings"

	"github.com/nexport-go/migrate/convert"
)

// log writes a batch in one transaction, which also hides the run if it is seen and the batch changes something.
// What is there already stays, so it may be repeated.
func (d *database) log(ctx context.Context, runID string, b *batch) (added int64, err error) {
	err = d.tx(ctx, "log batch", func(conn *sql.Conn) error {
		if added, err = d.putBatch(ctx, conn, runID, b); err != nil {
			return err
		}
		if added == 0 && len(b.tags) == 0 {
			return nil
		}
		return d.hide(ctx, conn, runID)
	})
	return added, err
}

// putBatch gives the number of rows that were not there, which SQLite and PostgreSQL count. Tags are not counted: a
// load sends those only that are not there.
func (d *database) putBatch(ctx context.Context, conn *sql.Conn, runID string, b *batch) (added int64, err error) {
	if added, err = d.putParams(ctx, conn, runID, b.params); err != nil {
		return 0, fmt.Errorf("params: %w", err)
	}
	if len(b.points) > 0 {
		points, err := d.insertPoints(ctx, conn, runID, b.points)
		if err != nil {
			return 0, fmt.Errorf("metrics: %w", err)
		}
		added += points
		if err := d.putLatest(ctx, conn, runID, b.points); err != nil {
			return 0, fmt.Errorf("latest metrics: %w", err)
		}
	}
	return added, d.putTags(ctx, conn, runID, b.tags)
}

// rowsAtOnce is the number of rows in one INSERT: more are not faster.
const rowsAtOnce = 100

// insert runs INSERT statements of many rows. head ends before the list of rows, tail follows it; add appends
// the values of row i.
func (d *database) insert(ctx context.Context, conn *sql.Conn, head, tail string, rows, width int, add func(args []any, i int) []any) (added int64, err error) {
	return insertRows(ctx, conn, d.engine, head, tail, rows, width, add)
}

func insertRows(ctx context.Context, conn *sql.Conn, e engine, head, tail string, rows, width int, add func(args []any, i int) []any) (added int64, err error) {
	if rows == 0 {
		return 0, nil
	}
	full, err := conn.PrepareContext(ctx, insertText(e, head, tail, min(rows, rowsAtOnce), width))
	if err != nil {
		return 0, err
	}
	defer full.Close()
	args := make([]any, 0, rowsAtOnce*width)
	for from := 0; from < rows; from += rowsAtOnce {
		to := min(from+rowsAtOnce, rows)
		args = args[:0]
		for i := from; i < to; i++ {
			args = add(args, i)
		}
		var result sql.Result
		if to-from == min(rows, rowsAtOnce) {
			result, err = full.ExecContext(ctx, args...)
		} else {
			result, err = conn.ExecContext(ctx, insertText(e, head, tail, to-from, width), args...)
		}
		if err != nil {
			return added, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return added, err
		}
		added += n
	}
	return added, nil
}

func insertText(e engine, head, tail string, rows, width int) string {
	var text strings.Builder
	text.WriteString(head)
	for i := range rows {
		text.WriteString([]string{" (", ",("}[min(i, 1)])
		for j := range width {
			if j > 0 {
				text.WriteByte(',')
			}
			text.WriteString(e.parameter(i*width + j + 1))
		}
		text.WriteByte(')')
	}
	text.WriteByte(' ')
	text.WriteString(tail)
	return text.String()
}

// putParams leaves what is there: MLflow cannot change params either, and the check compares them.
func (d *database) putParams(ctx context.Context, conn *sql.Conn, runID string, params []param) (added int64, err error) {
	return d.insert(ctx, conn, `INSERT INTO params (key, value, run_uuid) VALUES`, `ON CONFLICT DO NOTHING`, len(params), 3,
		func(args []any, i int) []any { return append(args, params[i].key, params[i].value, runID) })
}

// putTags sets tags; of two with one key the last counts.
func (d *database) putTags(ctx context.Context, conn *sql.Conn, runID string, tags []convert.Tag) error {
	last := map[string]int{}
	for i, tag := range tags {
		last[tag.Key] = i
	}
	var each []convert.Tag
	for i, tag := range tags {
		if last[tag.Key] == i {
			each = append(each, tag)
		}
	}
	_, err := d.insert(ctx, conn, `INSERT INTO tags (key, value, run_uuid) VALUES`,
		`ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value`, len(each), 3,
		func(args []any, i int) []any { return append(args, each[i].Key, each[i].Value, runID) })
	return err
}

// putLatest keeps latest_metrics: for each key the point with the greatest step, time and value. The run
// table, search and charts of MLflow show only metrics that have a row there.
func (d *database) putLatest(ctx context.Context, conn *sql.Conn, runID string, points []keyedPoint) error {
	var latest []keyedPoint
	at := map[string]int{}
	for _, p := range points {
		i, there := at[p.key]
		if !there {
			at[p.key] = len(latest)
			latest = append(latest, p)
		} else if p.later(latest[i].point) {
			latest[i] = p
		}
	}
	_, err := d.insert(ctx, conn, `INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES`,
		`ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value, timestamp = excluded.timestamp, step = excluded.step, is_nan = excluded.is_nan
		WHERE (excluded.step, excluded.timestamp, excluded.value) > (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value)`, len(latest), 6,
		func(args []any, i int) []any {
			value, isNaN := latest[i].column()
			return append(args, latest[i].key, value, latest[i].time, latest[i].step, isNaN, runID)
		})
	return err
}

// later compares as SqlAlchemyStore._update_latest_metrics_if_necessary does.
func (p point) later(o point) bool {
	if p.step != o.step {
		return p.step > o.step
	}
	if p.time != o.time {
		return p.time > o.time
	}
	a, _ := p.column()
	b, _ := o.column()
	return a > b
}

// column gives the value as the database has it: NaN is 0 with a flag, infinities are the largest
// numbers (SqlAlchemyStore.sanitize_metric_value).
func (p point) column() (value float64, isNaN bool) {
	switch {
	case math.IsNaN(p.value):
		return 0, true
	case math.IsInf(p.value, 0):
		return math.Copysign(math.MaxFloat64, p.value), false
	}
	return p.value, false
}

// stored reads params, tags and the keys of metrics.
func (d *database) stored(ctx context.Context, runID string) (s stored, err error) {
	read, err := d.reader(ctx)
	if err != nil {
		return stored{}, err
	}
	err = d.again(ctx, "read run", func() (err error) {
		s, err = d.readStored(ctx, read, runID)
		return err
	})
	return s, err
}

func (d *database) readStored(ctx context.Context, read *sql.DB, runID string) (stored, error) {
	s := stored{params: map[string]string{}, tags: map[string]string{}, metrics: map[string]point{}}
	for query, into := range map[string]map[string]string{
		`SELECT key, value FROM params WHERE run_uuid = $1`: s.params,
		`SELECT key, value FROM tags WHERE run_uuid = $1`:   s.tags,
	} {
		err := d.query(ctx, read, query, func(rows *sql.Rows) error {
			var key string
			var value sql.NullString
			err := rows.Scan(&key, &value)
			into[key] = value.String
			return err
		}, runID)
		if err != nil {
			return stored{}, err
		}
	}
	err := d.query(ctx, read, `SELECT key FROM latest_metrics WHERE run_uuid = $1`, func(rows *sql.Rows) error {
		var key string
		err := rows.Scan(&key)
		s.metrics[key] = point{}
		return err
	}, runID)
	return s, err
}

// holds is not cheaper than reading all.
func (d *database) holds(context.Context, string, string, series) (bool, error) { return false, nil }

// points reads all metrics of the run in one pass.
func (d *database) points(ctx context.Context, runID string, keys []string) iter.Seq2[keyedPoint, error] {
	wanted := make(map[string]string, len(keys)) // one copy of each key, not one for each point
	for _, key := range keys {
		wanted[key] = key
	}
	return func(yield func(keyedPoint, error) bool) {
		if len(keys) == 0 {
			return
		}
		read, err := d.reader(ctx)
		if err != nil {
			yield(keyedPoint{}, err)
			return
		}
		for after, more := int64(-1), true; more; {
			if after, more, err = d.pointsAfter(ctx, read, runID, after, wanted, yield); err != nil {
				yield(keyedPoint{}, err)
				return
			}
		}
	}
}

// pointsAfter yields a page of rows. more is false after the last page, and when yield wants no more.
func (d *database) pointsAfter(ctx context.Context, read *sql.DB, runID string, after int64, wanted map[string]string, yield func(keyedPoint, error) bool) (last int64, more bool, err error) {
	var rows *sql.Rows
	var most int
	err = d.again(ctx, "read metrics", func() (err error) {
		rows, most, err = d.reading(ctx, read, runID, after)
		return err
	})
	if err != nil {
		return 0, false, err
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var key sql.RawBytes
		var p point
		var isNaN bool
		if err := rows.Scan(&last, &key, &p.step, &p.time, &p.value, &isNaN); err != nil {
			return 0, false, d.failed("read metrics", err)
		}
		if isNaN {
			p.value = math.NaN()
		}
		if known, ok := wanted[string(key)]; ok && !yield(keyedPoint{known, p}, nil) {
			return 0, false, nil
		}
	}
	return last, n == most, d.failed("read metrics", rows.Err())
}
