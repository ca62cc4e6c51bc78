package main

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/fixture"
	"github.com/nexport-go/migrate/parquetstore"
)

func TestSummaryOfEachProject(t *testing.T) {
	data, files := fixture.Unpack(t, "neptune3-d-small")
	moreData, moreFiles := fixture.Unpack(t, "neptune2-de-warsaw")
	for from, to := range map[string]string{moreData: data, moreFiles: files} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	archive, err := parquetstore.Open(data, files)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := newSurvey(&out, true)
	for _, run := range list(t.Context(), archive, migrate.Selection{}).runs {
		if err := s.look(t.Context(), archive, run); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.finish(); err != nil {
		t.Fatal(err)
	}
	checkProjectLines(t, json.NewDecoder(&out))
}

// checkProjectLines checks that the lines of projects follow their runs, and add up to the last line.
func checkProjectLines(t *testing.T, lines *json.Decoder) {
	t.Helper()
	var order []string
	all := newTotals()
	var last jsonSurvey
	for lines.More() {
		line := struct {
			Type, Project string
			totals
		}{totals: newTotals()}
		if err := lines.Decode(&line); err != nil {
			continue // of a run, whose problems are a list
		}
		switch line.Type {
		case "project":
			order = append(order, line.Project)
			all.Runs += line.Runs
			all.add(line.contents)
		case "summary":
			last.totals = line.totals
		}
	}
	if diff := cmp.Diff([]string{"team-a/small-project", "ws/tz"}, order); diff != "" {
		t.Errorf("projects: %s", diff)
	}
	if diff := cmp.Diff(last.contents, all.contents); diff != "" || all.Runs != last.Runs {
		t.Errorf("%d runs of projects, %d in all: %s", all.Runs, last.Runs, diff)
	}
}
