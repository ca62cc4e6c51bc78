package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/parquetstore"
)

type summaryCmd struct {
	archiveFlags
	Scope []string `help:"What to look at: ${enum}, separated by commas (default ${default})." enum:"runs,models,model_versions" default:"runs,models,model_versions" placeholder:"SCOPES"`
	JSON  bool     `name:"json" help:"Write JSON lines: one for each run, then one for the whole."`
}

// Help follows the short help.
func (summaryCmd) Help() string {
	return `"unverified" is a copy without a completion record: archives of the Python tool have none, so nothing
proves that they are complete.

Examples:
  nexport summary
  nexport summary --data-path backup/data --files-path backup/files -p team/project --json`
}

// Run shows the chosen runs.
func (c *summaryCmd) Run(ctx context.Context, io *stdio, log *slog.Logger) error {
	archive, err := openArchive(c.archiveFlags, log)
	if err != nil {
		return err
	}
	runs := list(ctx, archive, c.selection(c.Scope))
	if len(runs.runs) == 0 && runs.err == nil {
		return empty(ctx, archive, c.archiveFlags, c.Scope)
	}
	s := newSurvey(io.out, c.JSON)
	for _, run := range runs.runs {
		if err := s.look(ctx, archive, run); err != nil {
			return fmt.Errorf("summarize %s: %w", run.RunRef, err)
		}
	}
	if err := s.finish(); err != nil {
		return err
	}
	return runs.err
}

// jsonSurveyed is a line of `summary --json` for one run. The form is fixed in docs/cli-json.md.
type jsonSurveyed struct {
	Type string `json:"type"` // "run"
	jsonRef
	SysID    string        `json:"sys_id,omitempty"`
	Name     string        `json:"name,omitempty"`
	Parent   string        `json:"parent,omitempty"`
	Created  *time.Time    `json:"created,omitempty"`
	Modified *time.Time    `json:"modified,omitempty"`
	State    migrate.State `json:"state"`
	contents
	Problems []migrate.Problem `json:"problems"`
	Error    string            `json:"error,omitempty"`
}

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

// jsonSurvey is the last line of `summary --json`.
type jsonSurvey struct {
	Type     string                 `json:"type"` // "summary"
	Projects int64                  `json:"projects"`
	Runs     int64                  `json:"runs"`   // models and model versions are among them
	Scopes   map[string]int64       `json:"scopes"` // of these
	States   map[string]int64       `json:"states"`
	Failed   int64                  `json:"failed"`
	Problems map[migrate.Code]int64 `json:"problems"`
	contents
}

// maxShownID is the longest run ID in a table, which must stay readable; --json has all of it.
const maxShownID = 40

// survey goes through runs and shows each.
type survey struct {
	out     *bufio.Writer
	table   *tabwriter.Writer
	json    *json.Encoder // nil: table
	brief   bool          // leave out the table
	project string
	sum     jsonSurvey
	classes classes

	scopes, unverified, selected, failed byScope
}

func newSurvey(w io.Writer, asJSON bool) *survey {
	s := &survey{out: bufio.NewWriter(w), scopes: byScope{}, unverified: byScope{}, selected: byScope{}, failed: byScope{}, classes: classes{}, sum: jsonSurvey{
		Type: "summary", States: map[string]int64{}, contents: newContents(),
	}}
	if asJSON {
		s.json = jsonLines(s.out)
	}
	s.table = tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	return s
}

func newContents() contents {
	return contents{Attributes: map[migrate.Kind]int64{}, Points: map[migrate.Kind]int64{}}
}

// look shows one run. A run that cannot be read is shown as such; only ctx and the output end it.
func (s *survey) look(ctx context.Context, archive *parquetstore.Store, run migrate.RunInfo) error {
	line := jsonSurveyed{
		Type: "run", jsonRef: refOf(run.RunRef), SysID: run.SysID, Name: run.Name, Parent: run.Parent,
		Created: timeOf(run.Created), Modified: timeOf(run.Modified), State: run.State, contents: newContents(),
	}
	held, err := archive.Summarize(ctx, run)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		line.Error = err.Error()
		s.sum.Failed++
		s.failed[run.Scope]++
	}
	line.take(held)
	s.count(run, line)
	if s.json != nil {
		return s.json.Encode(line)
	}
	if s.brief {
		return nil
	}
	return s.row(run, line)
}

func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (s *survey) count(run migrate.RunInfo, line jsonSurveyed) {
	if s.sum.Runs++; run.Project != s.project {
		s.sum.Projects++ // runs are listed by project
	}
	s.scopes[run.Scope]++
	if line.State == migrate.Unverified {
		s.unverified[run.Scope]++
	}
	if line.State == migrate.Partial && line.Error == "" && !slices.ContainsFunc(line.Problems, func(p migrate.Problem) bool { return p.Code.Lossy() }) {
		s.selected[run.Scope]++
	}
	s.sum.States[line.State.String()]++
	for kind, n := range line.Attributes {
		s.sum.Attributes[kind] += n
	}
	for kind, n := range line.Points {
		s.sum.Points[kind] += n
	}
	s.sum.Files += line.Files
	s.sum.FileBytes += line.FileBytes
	s.sum.Rows += line.Rows
	s.sum.Bytes += line.Bytes
	s.sum.Padding += line.Padding
	s.sum.Phantoms += line.Phantoms
	for _, p := range line.Problems {
		s.classes.add(run.RunRef, p)
	}
	if s.json != nil || s.brief {
		s.project = run.Project
	}
}

func (s *survey) row(run migrate.RunInfo, line jsonSurveyed) error {
	if run.Project != s.project {
		s.project = run.Project
		if err := s.table.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s\n", shown(run.Project))
		fmt.Fprintln(s.table, "  RUN\tSTATE\tPOINTS\tFILES\tFILE SIZE\tPARQUET\tNOTES\tATTRIBUTES")
	}
	id := short(shown(run.ID), maxShownID)
	if run.Scope != migrate.ScopeRun {
		id = string(run.Scope) + " " + id
	}
	what := byKind(line.Attributes)
	if line.Error != "" {
		what = "cannot be read: " + shown(line.Error)
	}
	_, err := fmt.Fprintf(s.table, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", id, line.State, count(sum(line.Points)),
		count(line.Files), size(line.FileBytes), size(line.Bytes), count(int64(len(line.Problems))), what)
	return err
}

func (s *survey) finish() error {
	s.sum.Problems, s.sum.Scopes = s.classes.counts(), s.scopes.json()
	if s.json != nil {
		if err := s.json.Encode(s.sum); err != nil {
			return err
		}
		return s.out.Flush()
	}
	if err := s.table.Flush(); err != nil {
		return err
	}
	w := s.out
	fmt.Fprintf(w, "\n%s in %s; on disk %s of Parquet (%s) and %s of %s\n", s.scopes, plural(s.sum.Projects, "project"),
		size(s.sum.Bytes), plural(s.sum.Rows, "row"), size(s.sum.FileBytes), plural(s.sum.Files, "file"))
	fmt.Fprintf(w, "  attributes: %s\n", byKind(s.sum.Attributes))
	if len(s.sum.Points) > 0 {
		fmt.Fprintf(w, "  points: %s\n", byKind(s.sum.Points))
	}
	printThings(w, s.unverified, "unverified: the archive has no record that proves them complete")
	printThings(w, s.selected, "partial: only some attributes were exported; an export without -a, -c and --exclude completes them")
	printCount(w, s.sum.Padding, "padding row", "without time and value: passed over, they are no data")
	printCount(w, s.sum.Phantoms, "phantom row", "without any value: attributes of other runs, passed over")
	printThings(w, s.failed, "cannot be read")
	s.classes.print(w, "Damaged or missing:", true)
	s.classes.print(w, "Notes:", false)
	return w.Flush()
}

// byKind writes counts as "3 float, 12 string".
func byKind(counts map[migrate.Kind]int64) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, count(counts[kind])+" "+shown(string(kind)))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func sum(counts map[migrate.Kind]int64) (n int64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// take copies what the archive says of a run.
func (line *jsonSurveyed) take(held parquetstore.Summary) {
	maps.Copy(line.Attributes, held.Attributes)
	maps.Copy(line.Points, held.Points)
	line.Files, line.FileBytes, line.Rows, line.Bytes = held.Files, held.FileBytes, held.Rows, held.Bytes
	line.Padding, line.Phantoms = held.Padding, held.Phantoms
	if line.Error == "" {
		line.State = held.State
	}
	line.Problems = append([]migrate.Problem{}, held.Problems...)
}
