package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	migrate "github.com/nexport-go/migrate"
)

// exportOutput writes what an export did: lines for runs while it goes on, and the report.
type exportOutput struct {
	job     *exportJob
	json    *json.Encoder
	jsonErr error
	removed []jsonRemoved
	late    byScope // runs left as they are that were modified since
}

func newExportOutput(j *exportJob) *exportOutput {
	return &exportOutput{job: j, json: jsonLines(j.io.out), late: byScope{}}
}

// jsonExported is a line of `export --json` for one stage of a run. The form is fixed in docs/cli-json.md.
type jsonExported struct {
	jsonRun
	Stage    migrate.Stage `json:"stage"`
	Outdated bool          `json:"outdated,omitempty"`
}

func (o *exportOutput) observe(e migrate.Event) {
	o.job.view.observe(e)
	if !e.Done {
		return
	}
	outdated := e.Stage == migrate.StageExport && e.Existed && o.job.view.takeOutdated(e.Run)
	if outdated {
		o.late[e.Run.Scope]++
	}
	switch {
	case o.job.flags.JSON:
		o.jsonErr = errors.Join(o.jsonErr, o.json.Encode(jsonExported{runOf(e), e.Stage, outdated}))
	case e.Err != nil && !errors.Is(e.Err, migrate.ErrFatal): // which is the command's error
		fmt.Fprintf(o.job.io.term, "%s failed: %s\n", shown(e.Run.String()), oneLine(e.Err))
	}
}

// finish writes the report and gives the command's error.
func (o *exportOutput) finish(ctx context.Context, report *migrate.Report, err error) error {
	result := o.result(report, err)
	if o.job.flags.JSON {
		return errors.Join(result, o.jsonErr, o.json.Encode(o.summary(ctx, report, result)))
	}
	return errors.Join(result, o.print(ctx, report))
}

func (o *exportOutput) result(report *migrate.Report, err error) error {
	if err == nil { // else it may be the same again, and the report has it
		err = o.job.source.err()
	}
	if err != nil {
		return err
	}
	if result := outcome(report, nil); result != nil && !errors.Is(result, errPartial) {
		return result
	} else if chosen := o.job.unmatched(); len(chosen) > 0 {
		return o.job.nothing(chosen)
	} else if result != nil {
		return result
	}
	for _, r := range o.removed {
		if r.Error != "" {
			return errPartial
		}
	}
	return nil
}

// nothing says that flags chose nothing.
func (j *exportJob) nothing(flags []string) error {
	nouns := strings.ReplaceAll(j.source.count().nouns(), " and ", " or ")
	return fmt.Errorf("no %s in Neptune for %s", nouns, strings.Join(flags, ", "))
}

// unmatched gives the flags that chose nothing.
func (j *exportJob) unmatched() (flags []string) {
	for _, id := range j.source.unmatched() {
		flags = append(flags, "the ID "+id)
	}
	if f := j.flags; len(flags) == 0 && j.source.count().sum() == 0 {
		if len(f.Runs) > 0 {
			flags = append(flags, "-r "+f.Runs[0].String())
		}
		if f.RunsQuery != "" {
			flags = append(flags, "--runs-query "+f.RunsQuery)
		}
	}
	return flags
}

// jsonExport is the last line of `export --json` and `migrate --json`.
type jsonExport struct {
	Type        string                 `json:"type"` // "summary"
	Source      string                 `json:"source"`
	Generation  string                 `json:"generation"` // as with --exporter
	DataPath    string                 `json:"data_path"`
	FilesPath   string                 `json:"files_path"`
	TrackingURI string                 `json:"tracking_uri,omitempty"`
	DryRun      bool                   `json:"dry_run"`
	ExitCode    int                    `json:"exit_code"`
	Seconds     float64                `json:"seconds"`
	Projects    []jsonProject          `json:"projects"`
	Selected    int64                  `json:"selected"`
	Scopes      map[string]int64       `json:"scopes"` // of these
	Moved       migrate.Totals         `json:"moved"`
	Existed     int64                  `json:"existed"`
	Outdated    int64                  `json:"outdated"`
	Partial     int64                  `json:"partial"`
	Failed      int64                  `json:"failed"`
	Loaded      *jsonLoaded            `json:"loaded,omitempty"`
	Removed     []jsonRemoved          `json:"removed"`
	Problems    map[migrate.Code]int64 `json:"problems"`
	Unmatched   []string               `json:"unmatched"`
	Plan        *jsonPlan              `json:"plan,omitempty"`
	Error       string                 `json:"error,omitempty"`
}

// jsonProject is what came of the listing of a project.
type jsonProject struct {
	Project       string `json:"project"`
	Runs          int64  `json:"runs"`
	Models        int64  `json:"models,omitempty"`
	ModelVersions int64  `json:"model_versions,omitempty"`
	Error         string `json:"error,omitempty"`
}

// jsonLoaded is what migrate loaded.
type jsonLoaded struct {
	Moved    migrate.Totals         `json:"moved"`
	Existed  int64                  `json:"existed"`
	Partial  int64                  `json:"partial"`
	Failed   int64                  `json:"failed"`
	Problems map[migrate.Code]int64 `json:"problems"`
}

// outcomes counts the runs of one stage. Runs that are partial are among the moved or existing ones too.
type outcomes struct {
	moved                    migrate.Totals
	existed, partial, failed int64
}

func outcomesOf(r *migrate.Report, stage migrate.Stage) outcomes {
	o := outcomes{moved: r.Moved[stage], existed: r.Existed[stage]}
	for _, run := range r.Runs {
		switch {
		case run.Stage != stage:
		case run.Err != nil:
			o.failed++
		default:
			o.partial++
		}
	}
	return o
}

func (o *exportOutput) summary(ctx context.Context, report *migrate.Report, result error) jsonExport {
	sum := o.job.head()
	out := outcomesOf(report, migrate.StageExport)
	sum.ExitCode, sum.Seconds = exitCode(ctx, result), report.Ended.Sub(report.Started).Seconds()
	sum.Moved, sum.Existed, sum.Partial, sum.Failed, sum.Outdated = out.moved, out.existed, out.partial, out.failed, o.late.sum()
	sum.Problems = o.job.view.stages[migrate.StageExport].classes.counts()
	sum.Removed = append(sum.Removed, o.removed...)
	if o.job.target != "" {
		out := outcomesOf(report, migrate.StageLoad)
		sum.TrackingURI = o.job.target
		sum.Loaded = &jsonLoaded{out.moved, out.existed, out.partial, out.failed, o.job.view.stages[migrate.StageLoad].classes.counts()}
	}
	if result != nil {
		sum.Error = exitCoded(ctx, result).Error()
	}
	return sum
}

// head is what a summary says of the job itself.
func (j *exportJob) head() jsonExport {
	chosen := j.source.count()
	sum := jsonExport{
		Type: "summary", Source: j.neptune.address, Generation: exporters[j.neptune.generation], DataPath: j.flags.DataPath, FilesPath: j.flags.FilesPath, DryRun: j.flags.DryRun,
		Selected: chosen.sum(), Scopes: chosen.json(), Projects: []jsonProject{}, Removed: []jsonRemoved{},
		Problems: map[migrate.Code]int64{}, Unmatched: append([]string{}, j.unmatched()...),
	}
	for _, s := range j.source.states {
		p := jsonProject{
			Project: s.name, Runs: s.runs[migrate.ScopeRun],
			Models: s.runs[migrate.ScopeModel], ModelVersions: s.runs[migrate.ScopeModelVersion],
		}
		if err := s.err(); err != nil {
			p.Error = err.Error()
		}
		sum.Projects = append(sum.Projects, p)
	}
	return sum
}

// exportMeanings say what codes mean where a run comes from Neptune.
var exportMeanings = map[migrate.Code]string{
	migrate.CodeMissing:     "Neptune announces it, but does not have it",
	migrate.CodeUnreadable:  "Neptune could not give it; the same command again tries again",
	migrate.CodeUnsupported: "the archive has no place for it",
	migrate.CodeDiffers:     "the archive has another version of it",
	migrate.CodeRenamed:     "the name is no plain path, so it was made one; the note has the original",
	migrate.CodeApproximate: "not final in Neptune; the manifest says which points, and how complete they were",
	migrate.CodeSuspect:     "looks wrong or is ambiguous in Neptune; it is taken as it is",
}

// print writes the report for people.
func (o *exportOutput) print(ctx context.Context, report *migrate.Report) error {
	w := bufio.NewWriter(o.job.io.out)
	exported, loaded := o.job.view.stages[migrate.StageExport], o.job.view.stages[migrate.StageLoad]
	took := report.Ended.Sub(report.Started)
	text := fmt.Sprintf("exported to %s from %s in %s", shown(o.job.flags.DataPath), o.job.neptune.generation, span(took))
	printOutcomes(w, exported, report.Moved[migrate.StageExport], text)
	if moved := report.Moved[migrate.StageExport]; moved.Runs > 0 && moved.Attributes == 0 && o.job.flags.filter().Path != nil {
		fmt.Fprintln(w, "-a chose none of their attributes; -a and -c must both fit: metrics are float series, series those of text and histograms")
	}
	printThings(w, o.late, "of these changed in Neptune since; --update exports them again")
	left := exported.left()
	printThings(w, left, "not reached")
	if o.job.target != "" {
		printOutcomes(w, loaded, report.Moved[migrate.StageLoad], "loaded into "+o.job.target)
	}
	exported.classes.printAs(w, "Could not be exported:", true, exportMeanings)
	exported.classes.printAs(w, "Notes (nothing is lost):", false, exportMeanings)
	if o.job.target != "" {
		loaded.classes.printAs(w, "Could not be loaded:", true, nil)
		loaded.classes.printAs(w, "Notes of the load (nothing is lost):", false, nil)
	}
	printFailures(w, report)
	o.printListings(w)
	o.printRemoved(w)
	if report.Err() != nil || left.sum() > 0 || ctx.Err() != nil {
		fmt.Fprintln(w, "\nThe same command again leaves alone what is complete and moves the rest.")
	}
	return w.Flush()
}

// printOutcomes writes what became of the runs in one stage.
func printOutcomes(w io.Writer, t *tally, moved migrate.Totals, text string) {
	fmt.Fprintf(w, "%s %s: %s, %s, %s (%s)\n", t.moved, text, plural(moved.Attributes, "attribute"),
		plural(moved.Points, "point"), plural(moved.Files, "file"), size(moved.Bytes))
	printThings(w, t.existed, "there already")
	printThings(w, t.partial, "partial: something is missing, see below")
	printThings(w, t.failed, "failed")
}

func (o *exportOutput) printListings(w io.Writer) {
	title := "\nProjects whose " + o.job.source.count().nouns() + " could not all be listed, so that some may be missing:\n"
	for _, s := range o.job.source.states {
		if err := s.err(); err != nil {
			fmt.Fprintf(w, "%s  %s: %s\n", title, shown(s.name), oneLine(err))
			title = ""
		}
	}
}

func (o *exportOutput) printRemoved(w io.Writer) {
	title := "\nNeptune does not have these any more; their copies were set aside:\n"
	for _, r := range o.removed {
		text := shown(r.Path)
		if r.Error != "" {
			text = shown(r.Error)
		}
		fmt.Fprintf(w, "%s  %s: %s\n", title, shown(r.name()), text)
		title = ""
	}
}
