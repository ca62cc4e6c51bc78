package main

import (
	"encoding/json"
	"io"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
	"github.com/nexport-go/migrate/mlflow"
)

// jsonLines writes one JSON object a line.
func jsonLines(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}

// jsonRun is a line of `load --json` for one run. The form is fixed in docs/cli-json.md.
type jsonRun struct {
	Type string `json:"type"` // "run"
	jsonRef
	Outcome    string            `json:"outcome"`
	Existed    bool              `json:"existed"`
	Target     string            `json:"target,omitempty"`
	Attributes int64             `json:"attributes"`
	Points     int64             `json:"points"`
	Files      int64             `json:"files"`
	Bytes      int64             `json:"bytes"`
	Problems   []migrate.Problem `json:"problems"`
	Error      string            `json:"error,omitempty"`
}

type jsonRef struct {
	Project string `json:"project"`
	Scope   string `json:"scope"`
	RunID   string `json:"run_id"`
}

func refOf(ref migrate.RunRef) jsonRef {
	return jsonRef{ref.Project, convert.ScopeName(ref.Scope), ref.ID}
}

func runOf(e migrate.Event) jsonRun {
	run := jsonRun{
		Type: "run", jsonRef: refOf(e.Run), Outcome: "moved", Existed: e.Existed, Target: e.Target,
		Attributes: e.Totals.Attributes, Points: e.Totals.Points, Files: e.Totals.Files, Bytes: e.Totals.Bytes,
		Problems: append([]migrate.Problem{}, e.Problems...),
	}
	switch {
	case e.Err != nil:
		run.Outcome, run.Error = "failed", e.Err.Error()
	case e.State == migrate.Partial:
		run.Outcome = "partial"
	case e.Existed:
		run.Outcome = "existed"
	}
	return run
}

// jsonLoad is the last line of `load --json`.
type jsonLoad struct {
	Type        string                 `json:"type"` // "summary"
	TrackingURI string                 `json:"tracking_uri"`
	DryRun      bool                   `json:"dry_run"`
	ExitCode    int                    `json:"exit_code"`
	Seconds     float64                `json:"seconds"`
	Selected    int64                  `json:"selected"`
	Scopes      map[string]int64       `json:"scopes"` // of these
	Moved       migrate.Totals         `json:"moved"`
	Existed     int64                  `json:"existed"`
	Partial     int64                  `json:"partial"`
	Failed      int64                  `json:"failed"`
	Problems    map[migrate.Code]int64 `json:"problems"`
	Unmatched   []string               `json:"unmatched"`
	Plan        *mlflow.Plan           `json:"plan,omitempty"`
	Error       string                 `json:"error,omitempty"`
}
