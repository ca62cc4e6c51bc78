package parquetstore_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/parquetstore"
)

// TestRenew puts a run twice, and asks in between what the archive has of it.
func TestRenew(t *testing.T) {
	later := rich()
	later.Info.Modified = later.Info.Modified.Add(time.Second)
	unknown := rich()
	unknown.Info.Modified = time.Time{}
	some := rich()
	some.Info.Filter = migrate.Filter{Kinds: []migrate.Kind{migrate.KindInt}}
	some.Chunks = some.Chunks[:1]
	lacking := rich()
	lacking.Problems = []migrate.Problem{{Path: "x", Code: migrate.CodeUnreadable, Text: "broken"}}
	for name, test := range map[string]struct {
		first, second migratetest.Run
		stands        parquetstore.Standing
		kept          map[parquetstore.Renew]bool
	}{
		"same":     {rich(), rich(), parquetstore.Finished, map[parquetstore.Renew]bool{parquetstore.RenewChanged: true, parquetstore.RenewNone: true}},
		"unknown":  {rich(), unknown, parquetstore.Finished, map[parquetstore.Renew]bool{parquetstore.RenewChanged: true, parquetstore.RenewNone: true}},
		"modified": {rich(), later, parquetstore.Outdated, map[parquetstore.Renew]bool{parquetstore.RenewNone: true}},
		"narrower": {rich(), some, parquetstore.Finished, map[parquetstore.Renew]bool{parquetstore.RenewChanged: true, parquetstore.RenewNone: true}},
		"wider":    {some, rich(), parquetstore.Unfinished, nil},
		"lacking":  {lacking, rich(), parquetstore.Unfinished, nil},
	} {
		for _, renew := range []parquetstore.Renew{parquetstore.RenewChanged, parquetstore.RenewNone, parquetstore.RenewAll} {
			t.Run(name, func(t *testing.T) {
				var late []migrate.RunRef
				store := createIn(t, t.TempDir(), t.TempDir(), parquetstore.Config{
					Renew: renew, Outdated: func(run migrate.RunRef) { late = append(late, run) },
				})
				stand(t, store, test.first.Info, parquetstore.Absent)
				mustPut(t, store, test.first)
				stand(t, store, test.second.Info, test.stands)
				if got := mustPut(t, store, test.second); got.Existed != test.kept[renew] {
					t.Errorf("renew %d: existed %v", renew, got.Existed)
				}
				if want := test.stands == parquetstore.Outdated && test.kept[renew]; want != slices.Contains(late, ref) {
					t.Errorf("renew %d: told that %v are out of date", renew, late)
				}
				if got, err := store.Run(t.Context(), ref); err != nil || got.RunRef != ref || got.State != migrate.Complete {
					t.Errorf("the archive has %+v, %v", got, err)
				}
				check(t, store, settled(rich())) // what a narrower one leaves out is kept
			})
		}
	}
}

func stand(t *testing.T, store *parquetstore.Store, run migrate.RunInfo, want parquetstore.Standing) {
	t.Helper()
	if got, err := store.Standing(t.Context(), run); err != nil || got != want {
		t.Errorf("standing %d, %v; want %d", got, err, want)
	}
}

// TestWith asks the source for more than before, and for less.
func TestWith(t *testing.T) {
	all, ints, rest := rich(), rich(), rich()
	ints.Info.Filter = migrate.Filter{Kinds: []migrate.Kind{migrate.KindInt}}
	ints.Chunks = ints.Chunks[:1]
	rest.Info.Filter = migrate.Filter{Exclude: []migrate.Kind{migrate.KindInt}}
	rest.Chunks = rest.Chunks[1:]
	type put struct {
		run     migratetest.Run
		with    []string
		existed bool
	}
	a, ab := []string{"a"}, []string{"b", "a"}
	for name, puts := range map[string][]put{
		"less":          {{all, ab, false}, {all, a, true}, {ints, a, true}, {all, nil, true}},
		"more":          {{all, nil, false}, {all, a, false}, {all, ab, false}, {all, ab, true}, {rest, ab, true}},
		"of a part":     {{all, nil, false}, {ints, a, false}, {ints, a, true}, {all, nil, true}, {rest, a, false}, {rest, a, true}, {ints, a, true}, {all, a, false}, {all, a, true}},
		"part by part":  {{ints, nil, false}, {rest, a, false}, {rest, a, true}, {ints, nil, true}, {ints, a, false}, {ints, a, true}, {rest, a, true}, {all, a, false}, {all, a, true}},
		"less of it":    {{ints, ab, false}, {rest, a, false}, {ints, a, true}, {ints, ab, false}, {ints, ab, true}},
		"empty is none": {{all, []string{}, false}, {all, nil, true}, {ints, []string{}, true}},
	} {
		t.Run(name, func(t *testing.T) {
			data, files := t.TempDir(), t.TempDir()
			for n, put := range puts {
				store := createIn(t, data, files, parquetstore.Config{With: put.with, Renew: parquetstore.RenewNone})
				stands, err := store.Standing(t.Context(), put.run.Info, put.with...)
				if err != nil || (stands == parquetstore.Finished) != put.existed {
					t.Errorf("before put %d: standing %d, %v", n, stands, err)
				}
				if got := mustPut(t, store, put.run); got.Existed != put.existed {
					t.Errorf("put %d: existed %v", n, got.Existed)
				}
				if err := store.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if name != "less of it" {
				check(t, open(t, data, files), settled(all))
			}
		})
	}
}

// TestRenewPython writes runs of the Python tool again: what it wrote beyond the selection is kept.
func TestRenewPython(t *testing.T) {
	ints := migrate.Filter{Kinds: []migrate.Kind{migrate.KindInt}}
	for name, test := range map[string]struct {
		renew  parquetstore.Renew
		filter migrate.Filter
		at     time.Time
		stands parquetstore.Standing
		want   map[string]int64 // by path
	}{
		"changed":     {parquetstore.RenewChanged, migrate.Filter{}, time.UnixMilli(2000), parquetstore.Outdated, map[string]int64{"a": 7}},
		"not changed": {parquetstore.RenewChanged, migrate.Filter{}, time.UnixMilli(1000), parquetstore.Finished, map[string]int64{"a": 1, "sys/modification_time": 1000}},
		"none":        {parquetstore.RenewNone, migrate.Filter{}, time.UnixMilli(2000), parquetstore.Outdated, map[string]int64{"a": 1, "sys/modification_time": 1000}},
		"all":         {parquetstore.RenewAll, migrate.Filter{}, time.UnixMilli(1000), parquetstore.Finished, map[string]int64{"a": 7}},
		"some":        {parquetstore.RenewAll, ints, time.UnixMilli(1000), parquetstore.Finished, map[string]int64{"a": 7, "sys/modification_time": 1000}},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			part := filepath.Join(data, parquetstore.DigestedName(ref.Project), parquetstore.DigestedName(ref.ID)+"_part_0.parquet")
			writeParquet(t, part, options{}, row{project: ref.Project, run: ref.ID, path: "a", kind: "int", i: 1},
				row{project: ref.Project, run: ref.ID, path: "sys/modification_time", kind: "datetime", d: 1000})
			store := createIn(t, data, t.TempDir(), parquetstore.Config{Renew: test.renew})
			run := migratetest.Run{
				Info:   migrate.RunInfo{RunRef: ref, Modified: test.at, Filter: test.filter},
				Chunks: []migrate.Chunk{{Path: "a", Kind: migrate.KindInt, Values: migrate.Ints{7}}},
			}
			stand(t, store, run.Info, test.stands)
			mustPut(t, store, run)
			chunks, _ := readRun(t, store, ref)
			got := map[string]int64{}
			for _, c := range chunks {
				switch v := c.Values.(type) {
				case migrate.Ints:
					got[c.Path] = v[0]
				case migrate.Datetimes:
					got[c.Path] = v[0]
				}
			}
			if len(got) != len(test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
			for path, want := range test.want {
				if got[path] != want {
					t.Errorf("%s is %d, want %d", path, got[path], want)
				}
			}
		})
	}
}
