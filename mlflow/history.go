package mlflow

import (
	"context"
	"encoding/base64"
	"fmt"
	"iter"
	"math"
	"net/url"
	"strconv"
	"strings"
)

// points calls metrics/get-history for each key, by pages where the server has them. There is no
// endpoint for several keys of a run.
func (r *rest) points(ctx context.Context, runID string, keys []string) iter.Seq2[keyedPoint, error] {
	return func(yield func(keyedPoint, error) bool) {
		known, err := r.traits(ctx)
		if err != nil {
			yield(keyedPoint{}, err)
			return
		}
		pageSize := 0
		if known.paging {
			pageSize = historyPage
		}
		for _, key := range keys {
			if !r.history(ctx, runID, key, pageSize, yield) {
				return
			}
		}
	}
}

// history yields the points of one metric; it returns false if that is to end.
func (r *rest) history(ctx context.Context, runID, key string, pageSize int, yield func(keyedPoint, error) bool) bool {
	for token := ""; ; {
		page, err := r.historyPage(ctx, runID, key, pageSize, token)
		if err == nil && page.Next != "" && page.Next == token {
			err = errSamePage
		}
		if err != nil {
			return yield(keyedPoint{}, err) && false
		}
		for _, m := range page.Metrics {
			if !yield(keyedPoint{key, m.point()}, nil) {
				return false
			}
		}
		if page.Next == "" {
			return true
		}
		token = page.Next
	}
}

func (r *rest) historyPage(ctx context.Context, runID, key string, size int, token string) (page wireHistory, err error) {
	query := url.Values{"run_id": {runID}, "metric_key": {key}}
	if size > 0 {
		query.Set("max_results", strconv.Itoa(size))
	}
	if token != "" {
		query.Set("page_token", token)
	}
	return page, r.c.getJSON(ctx, "read metric", "mlflow/metrics/get-history", query, &page)
}

// holds asks for the last point alone: a third of the server's work for 200 points.
func (r *rest) holds(ctx context.Context, runID, key string, want series) (bool, error) {
	if want.points < 2 {
		return false, nil
	}
	if ok, err := r.canSeek(ctx, runID, key); err != nil || !ok {
		return false, err
	}
	page, err := r.historyPage(ctx, runID, key, 2, offsetToken(want.points-1))
	if err != nil || len(page.Metrics) != 1 || page.Next != "" {
		return false, err
	}
	return page.Metrics[0].point().id() == want.last.id(), nil
}

// canSeek tries once whether the server understands a page token that it did not make: far behind
// the last point there must be nothing. MLflow promises nothing about its tokens, but all
// databases behind its servers have had the same since 3.1.1.
func (r *rest) canSeek(ctx context.Context, runID, key string) (bool, error) {
	known, err := r.traits(ctx)
	if err != nil || !known.paging {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seeks == nil {
		page, err := r.historyPage(ctx, runID, key, 1, offsetToken(math.MaxInt32))
		if err != nil && !isRefusal(err) {
			return false, err
		}
		ok := err == nil && len(page.Metrics) == 0 && page.Next == ""
		r.seeks = &ok
	}
	return *r.seeks, nil
}

// offsetToken is the page token that begins at the n-th result (mlflow/utils/search_utils.py).
func offsetToken(n int64) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"offset": %d}`, n))
}

type wireHistory struct {
	Metrics []wireMetric `json:"metrics"`
	Next    string       `json:"next_page_token"`
}

type wireMetric struct {
	Value number `json:"value"`
	Time  whole  `json:"timestamp"`
	Step  whole  `json:"step"`
}

func (m wireMetric) point() point { return point{int64(m.Step), int64(m.Time), float64(m.Value)} }

// number is a double, or one of the names that JSON has no number for.
type number float64

func (n *number) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	*n = number(f)
	return err
}

// whole is an int64 as a number or, as protobuf's JSON has it, as a string.
type whole int64

func (w *whole) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseInt(strings.Trim(string(b), `"`), 10, 64)
	*w = whole(n)
	return err
}
