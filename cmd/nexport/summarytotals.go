package main

import (
	"maps"
	"slices"
	"strings"

	migrate "github.com/nexport-go/migrate"
)

// contents counts what runs hold.
type contents struct {
	Attributes map[migrate.Kind]int64 `json:"attributes"`
	Points     map[migrate.Kind]int64 `json:"points"`
	Files      int64                  `json:"files"`
	FileBytes  int64                  `json:"file_bytes"`
	Rows       int64                  `json:"rows"`
	Bytes      int64                  `json:"bytes"` // of Parquet
	Padding    int64                  `json:"padding_rows"`
	Phantoms   int64                  `json:"phantom_rows"`
}

func newContents() contents {
	return contents{Attributes: map[migrate.Kind]int64{}, Points: map[migrate.Kind]int64{}}
}

func (c *contents) add(o contents) {
	addCounts(c.Attributes, o.Attributes)
	addCounts(c.Points, o.Points)
	c.Files += o.Files
	c.FileBytes += o.FileBytes
	c.Rows += o.Rows
	c.Bytes += o.Bytes
	c.Padding += o.Padding
	c.Phantoms += o.Phantoms
}

// totals adds up runs.
type totals struct {
	Runs     int64                  `json:"runs"`   // models and model versions are among them
	Scopes   map[string]int64       `json:"scopes"` // of these
	States   map[string]int64       `json:"states"`
	Failed   int64                  `json:"failed"`
	Problems map[migrate.Code]int64 `json:"problems"`
	contents
	scopes byScope
}

func newTotals() totals {
	return totals{
		Scopes: map[string]int64{}, States: map[string]int64{}, Problems: map[migrate.Code]int64{},
		contents: newContents(), scopes: byScope{},
	}
}

func (t *totals) count(scope migrate.Scope, line jsonSurveyed) {
	t.Runs++
	t.scopes[scope]++
	t.Scopes = t.scopes.json()
	t.States[line.State.String()]++
	if line.Error != "" {
		t.Failed++
	}
	addCounts(t.Problems, line.codes())
	t.add(line.contents)
}

// codes counts a run's problems.
func (line *jsonSurveyed) codes() map[migrate.Code]int64 {
	counts := map[migrate.Code]int64{}
	for _, p := range line.Problems {
		counts[p.Code]++
	}
	return counts
}

// jsonProjectTotals is a line of `summary --json`, after those of the project's runs.
type jsonProjectTotals struct {
	Type    string `json:"type"` // "project"
	Project string `json:"project"`
	totals
}

// jsonSurvey is the last line of `summary --json`.
type jsonSurvey struct {
	Type     string `json:"type"` // "summary"
	Projects int64  `json:"projects"`
	totals
}

// byName writes counts as "3 float, 12 string".
func byName[K ~string](counts map[K]int64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, count(counts[name])+" "+shown(string(name)))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func sum[K comparable](counts map[K]int64) (n int64) {
	for _, c := range counts {
		n += c
	}
	return n
}

func addCounts[K comparable](to, counts map[K]int64) {
	for k, n := range counts {
		to[k] += n
	}
}
