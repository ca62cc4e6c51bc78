package migrate_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
)

// sinkFunc is a Sink of one function.
type sinkFunc func(context.Context, migrate.RunInfo, migrate.RunReader) (migrate.Result, error)

func (f sinkFunc) PutRun(ctx context.Context, run migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	return f(ctx, run, r)
}

// counted loads one run by put and returns what the report says was moved.
func counted(t *testing.T, run migratetest.Run, put func(migrate.RunReader) error) migrate.Totals {
	t.Helper()
	store := &migratetest.Memory{}
	store.Add(run)
	report, err := migrate.Run(t.Context(), migrate.Job{
		Store: store,
		Sink: sinkFunc(func(_ context.Context, _ migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
			return migrate.Result{}, put(r)
		}),
	})
	if err := errors.Join(err, report.Err()); err != nil {
		t.Fatal(err)
	}
	return report.Moved[migrate.StageLoad]
}

func readAll(t *testing.T, r migrate.RunReader, want migrate.Want) {
	t.Helper()
	for _, err := range r.Chunks(t.Context(), want) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// twoKinds has a float and a string series under one path, as old archives do.
func twoKinds() migratetest.Run {
	text := series("s", 1, 2)
	text.Kind, text.Values = migrate.KindStringSeries, migrate.Strings{"a", "b"}
	return migratetest.Run{
		Info:   migrate.RunInfo{RunRef: ref("a")},
		Chunks: []migrate.Chunk{ints("i", 1), series("s", 1, 2, 3), text},
	}
}

func TestCountsEachAttributeOnce(t *testing.T) {
	want := migrate.Totals{Runs: 1, Attributes: 3, Points: 5}
	only := func(kind migrate.Kind) migrate.Want { return func(_ string, k migrate.Kind) bool { return k == kind } }
	for name, put := range map[string]func(migrate.RunReader) error{
		"one pass": func(r migrate.RunReader) error { readAll(t, r, nil); return nil },
		"two passes": func(r migrate.RunReader) error {
			readAll(t, r, nil)
			readAll(t, r, nil)
			return nil
		},
		"a pass for each kind, the shortest first": func(r migrate.RunReader) error {
			readAll(t, r, only(migrate.KindStringSeries))
			readAll(t, r, only(migrate.KindFloatSeries))
			readAll(t, r, only(migrate.KindInt))
			return nil
		},
		"a pass broken off": func(r migrate.RunReader) error {
			for range r.Chunks(t.Context(), nil) {
				break
			}
			readAll(t, r, nil)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, counted(t, twoKinds(), put)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCountsFileBytesOnce(t *testing.T) {
	run := migratetest.Run{
		Info: migrate.RunInfo{RunRef: ref("a")},
		Files: map[string][]byte{
			"k": []byte("hello"), "empty": {},
		},
	}
	got := counted(t, run, func(r migrate.RunReader) error {
		for _, n := range []int64{2, 5, 5} { // cut off, then again, and once more
			body, err := r.OpenFile(t.Context(), migrate.FileRef{Key: "k"})
			if err != nil {
				return err
			}
			if _, err := io.CopyN(io.Discard, body, n); err != nil {
				return err
			}
			body.Close()
		}
		body, err := r.OpenFile(t.Context(), migrate.FileRef{Key: "empty"})
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, body)
		return err
	})
	if diff := cmp.Diff(migrate.Totals{Runs: 1, Files: 2, Bytes: 5}, got); diff != "" {
		t.Error(diff)
	}
}

// TestCountsSharedFiles: attributes can share a file, and one that is empty need not be read, only opened.
func TestCountsSharedFiles(t *testing.T) {
	file := func(path, key string) migrate.Chunk {
		return migrate.Chunk{Path: path, Kind: migrate.KindFile, Values: migrate.Files{{Key: key, Size: -1}}}
	}
	run := migratetest.Run{
		Info:   migrate.RunInfo{RunRef: ref("a")},
		Chunks: []migrate.Chunk{file("a", "k"), file("b", "k"), file("c", "empty")},
		Files:  map[string][]byte{"k": []byte("hello"), "empty": {}},
	}
	got := counted(t, run, func(r migrate.RunReader) error {
		for range 2 { // in two passes
			for chunk, err := range r.Chunks(t.Context(), nil) {
				if err != nil {
					return err
				}
				body, err := r.OpenFile(t.Context(), chunk.Values.(migrate.Files)[0])
				if err != nil {
					return err
				}
				if chunk.Path != "c" {
					if _, err := io.Copy(io.Discard, body); err != nil {
						return err
					}
				}
				body.Close()
			}
		}
		return nil
	})
	if diff := cmp.Diff(migrate.Totals{Runs: 1, Attributes: 3, Files: 3, Bytes: 10}, got); diff != "" {
		t.Error(diff)
	}
}

func TestEventsOfOneRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, attributes := &migratetest.Memory{}, 100
		run := migratetest.Run{Info: migrate.RunInfo{RunRef: ref("a"), Size: 7}}
		for i := range attributes {
			run.Chunks = append(run.Chunks, ints(string(rune('a'+i)), 1))
		}
		store.Add(run)
		slow := sinkFunc(func(ctx context.Context, _ migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
			for range r.Chunks(ctx, nil) {
				time.Sleep(10 * time.Millisecond) // the bubble's clock
			}
			return migrate.Result{Target: "there"}, nil
		})
		var events []migrate.Event
		_, err := migrate.Run(t.Context(), migrate.Job{
			Store: store, Sink: slow, Observe: func(e migrate.Event) { events = append(events, e) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(events); n < 5 || n > 12 {
			t.Errorf("%d events in one second, want a start, an end and at most ten between", n)
		}
		for i, e := range events {
			last := i == len(events)-1
			if e.Run != run.Info.RunRef || e.Size != 7 || e.Done != last || (e.Target != "") != last {
				t.Errorf("event %d: %+v", i, e)
			}
			if i > 0 && e.Totals.Attributes < events[i-1].Totals.Attributes {
				t.Errorf("event %d goes back from %d to %d attributes", i, events[i-1].Totals.Attributes, e.Totals.Attributes)
			}
		}
		if end := events[len(events)-1]; end.Totals.Attributes != 100 || end.Listed != 1 || !end.All {
			t.Errorf("last event %+v", end)
		}
	})
}
