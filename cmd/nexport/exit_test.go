package main

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/mlflow"
)

func TestExitCodes(t *testing.T) {
	denied := &mlflow.APIError{Status: http.StatusForbidden, Message: "Permission denied"}
	login := &mlflow.APIError{Status: http.StatusUnauthorized}
	host := &mlflow.APIError{Status: http.StatusForbidden, Message: "Invalid Host header - possible DNS rebinding attack detected"}
	failed := func(errs ...error) (runs []migrate.RunReport) {
		for _, err := range errs {
			runs = append(runs, migrate.RunReport{Stage: migrate.StageLoad, Err: err})
		}
		return runs
	}
	partial := migrate.RunReport{Stage: migrate.StageExport, State: migrate.Partial}
	one := migrate.Totals{Runs: 1}
	for name, test := range map[string]struct {
		report migrate.Report
		err    error
		want   int
	}{
		"all moved":                      {migrate.Report{}, nil, 0},
		"all denied":                     {migrate.Report{Runs: failed(denied, denied)}, nil, exitUnauthorized},
		"exported, loading denied":       {migrate.Report{Runs: append(failed(denied), partial), Moved: map[migrate.Stage]migrate.Totals{migrate.StageExport: one}}, nil, exitUnauthorized},
		"some denied":                    {migrate.Report{Runs: failed(denied), Moved: map[migrate.Stage]migrate.Totals{migrate.StageLoad: one}}, nil, exitFailed},
		"some denied, some there":        {migrate.Report{Runs: failed(denied), Existed: map[migrate.Stage]int64{migrate.StageLoad: 1}}, nil, exitFailed},
		"some denied, some out of order": {migrate.Report{Runs: failed(denied, errors.New("boom"))}, nil, exitFailed},
		"partial":                        {migrate.Report{Runs: []migrate.RunReport{partial}}, nil, exitPartial},
		"login":                          {migrate.Report{}, login, exitUnauthorized},
		"host":                           {migrate.Report{}, fmt.Errorf("load: %w", host), exitFailed},
		"host of every run":              {migrate.Report{Runs: failed(host)}, nil, exitFailed},
	} {
		if got := exitCode(t.Context(), outcome(&test.report, test.err)); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}
