package parquetstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/parquetstore"
)

// breaker lets the changes on disk before one fail.
type breaker struct {
	at     int  // number of the change that fails, from 1
	kill   bool // all after it fail too, as if the process had died
	seen   int
	writes int
	fired  bool
	err    error
}

func (b *breaker) fault(op, name string) error {
	if op == "write" && !(b.kill && b.fired) {
		// There are many small ones in each file.
		if b.writes++; b.writes%10 != 0 {
			return nil
		}
	}
	b.seen++
	if b.at > 0 && (b.seen == b.at || b.kill && b.seen > b.at) {
		b.fired = true
		return fmt.Errorf("%s %s: %w", op, name, b.err)
	}
	return nil
}

var errBroken = errors.New("disk broke")

// TestFaults breaks the writing of a run at every change on disk, once so that the writer can clean
// up and once so that it cannot. What is there afterwards is nothing, or whole; a run that is replaced is
// there all the time; and the next put makes it what it should be.
func TestFaults(t *testing.T) {
	notShort(t)
	older := rich()
	older.Info.Modified = older.Info.Modified.Add(-time.Hour)
	older.Chunks = older.Chunks[5:]
	for _, kill := range []bool{false, true} {
		for name, before := range map[string]*migratetest.Run{"new": nil, "replaced": &older} {
			t.Run(fmt.Sprintf("%s kill=%v", name, kill), func(t *testing.T) {
				t.Parallel()
				for at := 1; ; at++ {
					if !breakAt(t, before, breaker{at: at, kill: kill, err: errBroken}) {
						if at < 20 {
							t.Errorf("only %d changes", at)
						}
						return
					}
					if t.Failed() {
						t.Fatalf("at change %d", at)
					}
				}
			})
		}
	}
}

// breakAt reports whether there was a change that could be broken.
func breakAt(t *testing.T, before *migratetest.Run, b breaker) bool {
	data, files := t.TempDir(), t.TempDir()
	small := parquetstore.Config{}.Limits(4000, 12, 1<<20)
	store, err := parquetstore.Create(data, files, small)
	if err != nil {
		t.Fatal(err)
	}
	if before != nil {
		mustPut(t, store, *before)
	}
	store.Close()
	store, err = parquetstore.Create(data, files, small.Fault(b.fault))
	if err != nil {
		t.Fatal(err)
	}
	_, err = put(t, store, rich())
	store.Close()
	if !b.fired {
		if err != nil {
			t.Fatal(err)
		}
		return false
	}
	// A failure of the very last change may leave a run that is whole.
	if err != nil && !errors.Is(err, errBroken) {
		t.Errorf("error %v", err)
	}
	wholeOrNot(t, data, files, before)
	store, err = parquetstore.Create(data, files, small)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	mustPut(t, store, rich())
	check(t, store, settled(rich()))
	clean(t, data, files, mustTarget(t, store))
	return true
}

func mustTarget(t *testing.T, store *parquetstore.Store) string {
	result := mustPut(t, store, rich())
	if !result.Existed {
		t.Error("the run is not complete after it was put again")
	}
	return result.Target
}

// wholeOrNot checks that what calls itself complete is the old copy or the new one.
func wholeOrNot(t *testing.T, data, files string, before *migratetest.Run) {
	reader := open(t, data, files)
	runs := list(t, reader)
	if before != nil && (len(runs) != 1 || runs[0].State != migrate.Complete) {
		t.Errorf("neither the old copy nor the new one is there: %+v", runs)
	}
	for _, info := range runs {
		if info.State != migrate.Complete {
			continue
		}
		want := settled(rich())
		if before != nil && info.Modified.Equal(before.Info.Modified) {
			want = settled(*before)
		}
		check(t, reader, want)
	}
}

// clean checks that nothing is left of what was interrupted.
func clean(t *testing.T, data, files, run string) {
	t.Helper()
	var left []string
	walk := func(root string, odd func(name string) bool) {
		err := filepath.WalkDir(root, func(name string, e os.DirEntry, err error) error {
			if err == nil && !e.IsDir() && odd(name) {
				left = append(left, name)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	walk(data, func(name string) bool {
		return strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".swap")
	})
	var sets int
	walk(files, func(name string) bool {
		if filepath.Base(name) != ".nexport.archive" {
			sets++
		}
		return false
	})
	if len(left) > 0 || sets != 9 {
		t.Errorf("left over from %s: %q; %d files", run, left, sets)
	}
}

func TestDiskFull(t *testing.T) {
	b := breaker{at: 12, kill: true, err: syscall.ENOSPC}
	store := createIn(t, t.TempDir(), t.TempDir(), parquetstore.Config{}.Fault(b.fault))
	if _, err := put(t, store, rich()); !errors.Is(err, migrate.ErrFatal) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v", err)
	}
}

// TestInterrupted ends reading in the middle.
func TestInterrupted(t *testing.T) {
	for name, wrap := range map[string]func(r migrate.RunReader, cancel func()) migrate.RunReader{
		"reader":  func(r migrate.RunReader, _ func()) migrate.RunReader { return &stopping{RunReader: r, err: errBroken} },
		"context": func(r migrate.RunReader, c func()) migrate.RunReader { return &stopping{RunReader: r, cancel: c} },
		"file": func(r migrate.RunReader, _ func()) migrate.RunReader {
			return &stopping{RunReader: r, fileErr: errBroken}
		},
	} {
		t.Run(name, func(t *testing.T) {
			data, files := t.TempDir(), t.TempDir()
			store := createIn(t, data, files, parquetstore.Config{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var m migratetest.Memory
			m.Add(rich())
			r, err := m.OpenRun(ctx, rich().Info)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := store.PutRun(ctx, rich().Info, wrap(r, cancel)); err == nil {
				t.Fatal("no error")
			}
			if runs := list(t, store); len(runs) > 0 {
				t.Errorf("lists %v", runs)
			}
			mustPut(t, store, rich())
			check(t, store, settled(rich()))
		})
	}
}

type stopping struct {
	migrate.RunReader
	cancel  func()
	err     error
	fileErr error
}

func (s *stopping) Chunks(ctx context.Context, want migrate.Want) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) {
		for c, err := range s.RunReader.Chunks(ctx, want) {
			if c.Path == "hist" && s.cancel != nil {
				s.cancel()
			}
			if c.Path == "hist" && s.err != nil {
				yield(migrate.Chunk{}, s.err)
				return
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

func (s *stopping) OpenFile(ctx context.Context, ref migrate.FileRef) (io.ReadCloser, error) {
	if s.fileErr != nil {
		return nil, s.fileErr
	}
	return s.RunReader.OpenFile(ctx, ref)
}
