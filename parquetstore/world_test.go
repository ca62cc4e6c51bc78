package parquetstore_test

import (
	"context"
	"sort"
	"testing"

	"github.com/google/go-cmp/cmp"
	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/fixture"
	"github.com/nexport-go/migrate/parquetstore"
)

// knownLosses are the numbers of attributes that the tool lost or changed, as the worlds tell.
var knownLosses = map[string]map[string]int{
	"neptune2-b-odd": {
		"differs file_series":  4,
		"extra int":            3,
		"info":                 4,
		"missing bool":         2,
		"missing datetime":     3,
		"missing file":         16,
		"missing float":        3,
		"missing float_series": 15,
		"missing git_ref":      2,
		"missing int":          5,
		"missing notebook_ref": 1,
		"missing run":          14,
		"missing run_state":    17,
		"missing string":       5,
		"missing string_set":   3,
		"problem suspect":      1,
	},
	"neptune2-b-ordinary": {
		"differs file_series": 5,
		"missing git_ref":     5,
		"missing run":         9,
		"missing run_state":   5,
	},
	"neptune2-de-odd": {
		"differs file_series":  4,
		"extra int":            3,
		"info":                 4,
		"missing bool":         2,
		"missing datetime":     3,
		"missing file":         2,
		"missing float":        3,
		"missing float_series": 3,
		"missing git_ref":      2,
		"missing int":          5,
		"missing notebook_ref": 1,
		"missing run":          6,
		"missing run_state":    25,
		"missing string":       5,
		"missing string_set":   27,
		"problem suspect":      2,
	},
	"neptune2-de-ordinary": {
		"differs file_series": 5,
		"missing git_ref":     5,
		"missing run_state":   14,
		"missing string_set":  14,
	},
	"neptune2-de-warsaw": {
		"differs file_series":   2,
		"differs float_series":  9,
		"differs string_series": 3,
		"missing git_ref":       2,
		"missing run_state":     6,
		"missing string_set":    6,
	},
	"neptune3-b-multipart": {},
	"neptune3-b-odd": {
		"differs file":             3,
		"missing experiment_state": 1,
		"missing file_series":      3,
		"missing float":            1,
		"missing float_series":     11,
		"missing histogram_series": 1,
		"missing run":              1,
		"missing string_series":    2,
		"problem suspect":          5,
	},
	"neptune3-b-small": {
		"problem suspect": 4,
	},
	"neptune3-c-odd": {
		"differs file":             2,
		"missing experiment_state": 1,
		"missing file_series":      3,
		"missing float":            1,
		"missing float_series":     11,
		"missing histogram_series": 1,
		"missing run":              2,
		"missing string_series":    2,
		"problem suspect":          3,
	},
	"neptune3-c-small": {
		"problem suspect": 4,
	},
	"neptune3-d-multipart": {},
	"neptune3-d-odd": {
		"differs file":             3,
		"differs file_series":      1,
		"differs int":              3,
		"missing experiment_state": 1,
		"missing float":            1,
		"missing run":              2,
		"problem suspect":          210,
	},
	"neptune3-d-small": {
		"problem suspect": 12,
	},
}

// TestWorlds reads every archive and compares it with what it was exported from.
func TestWorlds(t *testing.T) {
	for _, name := range fixture.Names(t) {
		t.Run(name, func(t *testing.T) {
			w := decode[world](t, fixture.World(t, name))
			data, files := fixture.Unpack(t, name)
			store, err := parquetstore.Open(data, files)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			found := compareWorld(t, store, w)
			counts := map[string]int{}
			for what, where := range found {
				counts[what] = len(where)
				sort.Strings(where)
				t.Logf("%s: %q", what, where)
			}
			if diff := cmp.Diff(knownLosses[name], counts); diff != "" {
				t.Errorf("losses (-want +got):\n%s", diff)
			}
		})
	}
}

func compareWorld(t *testing.T, store *parquetstore.Store, w world) map[string][]string {
	t.Helper()
	scopes := []migrate.Scope{migrate.ScopeRun, migrate.ScopeModel, migrate.ScopeModelVersion}
	got := map[migrate.RunRef]migrate.RunInfo{}
	for info, err := range store.Runs(context.Background(), migrate.Selection{Scopes: scopes}) {
		if err != nil {
			t.Fatal(err)
		}
		got[info.RunRef] = info
	}
	found := map[string][]string{}
	for i, list := range [][]worldRun{w.Runs, w.Models, w.ModelVersions} {
		for _, run := range list {
			ref := migrate.RunRef{Project: w.Project, ID: run.id(w.Generation), Scope: scopes[i]}
			info, there := got[ref]
			if !there {
				found["missing run"] = append(found["missing run"], ref.ID)
				continue
			}
			delete(got, ref)
			compareRun(t, store, info, run, found)
		}
	}
	for ref := range got {
		found["extra run"] = append(found["extra run"], ref.String())
	}
	return found
}

func compareRun(t *testing.T, store *parquetstore.Store, info migrate.RunInfo, run worldRun, found map[string][]string) {
	t.Helper()
	r, err := store.OpenRun(context.Background(), info)
	if err != nil {
		t.Fatal(err)
	}
	differences(texts(t, r), worldTexts(t, run), found, info.ID)
	for _, p := range r.Problems() {
		found["problem "+string(p.Code)] = append(found["problem "+string(p.Code)], info.ID+" "+p.String())
	}
	for _, a := range run.Attributes {
		switch {
		case a.Path == "sys/creation_time" && info.Created.UnixMilli() != int64(worldFloat(t, a.Value)),
			a.Path == "sys/modification_time" && info.Modified.UnixMilli() != int64(worldFloat(t, a.Value)),
			a.Path == "sys/name" && info.Name != decode[string](t, a.Value),
			a.Path == "sys/id" && info.SysID != decode[string](t, a.Value),
			a.Path == "sys/forking/parent" && info.Parent != decode[string](t, a.Value):
			found["info"] = append(found["info"], info.ID+" "+a.Path)
		}
	}
}
