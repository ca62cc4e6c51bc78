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
	"text/tabwriter"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/parquetstore"
)

type summaryCmd struct {
	archiveFlags
	Scope []string `help:"What to look at: ${enum}, separated by commas (default ${default})." enum:"runs,models,model_versions" default:"runs,models,model_versions" placeholder:"SCOPES"`
	JSON  bool     `name:"json" help:"Write JSON lines: one for each run, one for each project, then one for the whole."`
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

// maxShownID is the longest run ID in a table, which must stay readable; --json has all of it.
const maxShownID = 40

// survey goes through runs and shows each.
type survey struct {
	out     *bufio.Writer
	table   *tabwriter.Writer
	json    *json.Encoder     // nil: table
	brief   bool              // leave out the table
	project jsonProjectTotals // the one that is listed just now
	sum     jsonSurvey
	classes classes

	unverified, selected, failed byScope
}

func newSurvey(w io.Writer, asJSON bool) *survey {
	s := &survey{
		out: bufio.NewWriter(w), unverified: byScope{}, selected: byScope{}, failed: byScope{}, classes: classes{},
		sum: jsonSurvey{Type: "summary", totals: newTotals()},
	}
	if asJSON {
		s.json = jsonLines(s.out)
	}
	s.table = tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	return s
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
		s.failed[run.Scope]++
	}
	line.take(held)
	if err := s.enter(run.Project); err != nil {
		return err
	}
	s.count(run, line)
	if s.json != nil {
		return s.json.Encode(line)
	}
	if s.brief {
		return nil
	}
	s.row(run, line)
	return nil
}

func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// enter ends the project before, if name is another one: runs are listed by project.
func (s *survey) enter(name string) error {
	if s.project.Runs > 0 && s.project.Project == name {
		return nil
	}
	if err := s.leave(); err != nil {
		return err
	}
	s.project = jsonProjectTotals{Type: "project", Project: name, totals: newTotals()}
	s.sum.Projects++
	if s.json == nil && !s.brief {
		fmt.Fprintf(s.out, "%s\n", shown(name))
		fmt.Fprintln(s.table, "  RUN\tSTATE\tPOINTS\tFILES\tFILE SIZE\tPARQUET\tNOTES\tATTRIBUTES")
	}
	return nil
}

// leave shows what the project has in all.
func (s *survey) leave() error {
	switch p := s.project; {
	case p.Runs == 0 || s.brief:
		return nil
	case s.json != nil:
		return s.json.Encode(p)
	case p.Runs > 1: // the total of one run would say the same again
		s.cells("TOTAL "+p.scopes.String(), byName(p.States), p.contents, byName(p.Problems), byName(p.Attributes))
	}
	return s.table.Flush()
}

func (s *survey) count(run migrate.RunInfo, line jsonSurveyed) {
	s.project.count(run.Scope, line)
	s.sum.count(run.Scope, line)
	if line.State == migrate.Unverified {
		s.unverified[run.Scope]++
	}
	if line.State == migrate.Partial && line.Error == "" && !slices.ContainsFunc(line.Problems, func(p migrate.Problem) bool { return p.Code.Lossy() }) {
		s.selected[run.Scope]++
	}
	for _, p := range line.Problems {
		s.classes.add(run.RunRef, p)
	}
}

func (s *survey) row(run migrate.RunInfo, line jsonSurveyed) {
	id := short(shown(run.ID), maxShownID)
	if run.Scope != migrate.ScopeRun {
		id = string(run.Scope) + " " + id
	}
	what := byName(line.Attributes)
	if line.Error != "" {
		what = "cannot be read: " + shown(line.Error)
	}
	s.cells(id, line.State.String(), line.contents, byName(line.codes()), what)
}

// cells writes a row of the table, which keeps it until it is flushed and so has no error.
func (s *survey) cells(who, state string, c contents, notes, what string) {
	fmt.Fprintf(s.table, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", who, state, count(sum(c.Points)),
		count(c.Files), size(c.FileBytes), size(c.Bytes), notes, what)
}

func (s *survey) finish() error {
	if err := s.leave(); err != nil {
		return err
	}
	if s.json != nil {
		if err := s.json.Encode(s.sum); err != nil {
			return err
		}
		return s.out.Flush()
	}
	w := s.out
	fmt.Fprintf(w, "\n%s in %s; on disk %s of Parquet (%s) and %s of %s\n", s.sum.scopes, plural(s.sum.Projects, "project"),
		size(s.sum.Bytes), plural(s.sum.Rows, "row"), size(s.sum.FileBytes), plural(s.sum.Files, "file"))
	fmt.Fprintf(w, "  attributes: %s\n", byName(s.sum.Attributes))
	if len(s.sum.Points) > 0 {
		fmt.Fprintf(w, "  points: %s\n", byName(s.sum.Points))
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
