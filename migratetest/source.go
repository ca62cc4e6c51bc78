package migratetest

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"testing"

	migrate "github.com/nexport-go/migrate"
)

// TestSource checks the contract of migrate.Source. The source must have at least one run of
// each scope that sel selects; what it should hold exactly is for the caller's own tests.
func TestSource(t *testing.T, source migrate.Source, sel migrate.Selection) {
	runs := list(t, source, sel)
	if len(runs) == 0 {
		t.Fatal("the source lists no runs")
	}
	t.Run("lists each run once, and again", func(t *testing.T) {
		seen := map[migrate.RunRef]bool{}
		for _, run := range runs {
			if seen[run.RunRef] {
				t.Errorf("%s is listed twice", run.RunRef)
			}
			seen[run.RunRef] = true
			if !sel.Match(run) {
				t.Errorf("%s was not selected", run.RunRef)
			}
		}
		if again := list(t, source, sel); len(again) != len(runs) {
			t.Errorf("%d runs the second time, %d the first", len(again), len(runs))
		}
	})
	t.Run("stops listing when it is told to", func(t *testing.T) { leave(t, "Runs", source.Runs(t.Context(), sel)) })
	t.Run("selects one run", func(t *testing.T) {
		one := sel
		one.Runs = []migrate.RunRef{runs[len(runs)-1].RunRef}
		if got := list(t, source, one); len(got) != 1 || got[0].RunRef != one.Runs[0] {
			t.Errorf("got %v, want %v", got, one.Runs)
		}
	})
	testSelection(t, source, sel, runs)
	t.Run("a run that is not there", func(t *testing.T) {
		gone := migrate.RunInfo{RunRef: migrate.RunRef{Project: "no/such", ID: "run"}}
		r, err := source.OpenRun(t.Context(), gone)
		if err == nil {
			_, err = read(t, r, nil)
		}
		if !errors.Is(err, migrate.ErrNotFound) {
			t.Errorf("error %v, want ErrNotFound", err)
		}
	})
	t.Run("a cancelled context ends a listing", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var last error
		for _, err := range source.Runs(ctx, sel) {
			last = err
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", last)
		}
	})
	t.Run("is safe for concurrent use", func(t *testing.T) {
		var group sync.WaitGroup
		for _, run := range runs[:min(8, len(runs))] {
			group.Go(func() {
				r, err := source.OpenRun(t.Context(), run)
				if err != nil {
					t.Errorf("open %s: %v", run.RunRef, err)
					return
				}
				for _, err := range r.Chunks(t.Context(), nil) {
					if err != nil {
						t.Errorf("read %s: %v", run.RunRef, err)
					}
				}
			})
		}
		group.Wait()
	})
	for _, run := range runs {
		t.Run("reads "+run.String(), func(t *testing.T) { testReader(t, source, run) })
	}
}

func list(t *testing.T, source migrate.Source, sel migrate.Selection) (runs []migrate.RunInfo) {
	t.Helper()
	for run, err := range source.Runs(t.Context(), sel) {
		if err != nil {
			t.Fatalf("listing: %v", err)
		}
		runs = append(runs, run)
	}
	return runs
}

func testReader(t *testing.T, source migrate.Source, run migrate.RunInfo) {
	r, err := source.OpenRun(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	leave(t, "Chunks", r.Chunks(t.Context(), nil))
	chunks, err := read(t, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkOrder(t, chunks)
	kept := make([]migrate.Chunk, len(chunks))
	for i, c := range chunks {
		kept[i] = clone(c, 0, c.Len())
		scribble(c)
	}
	chunks = kept
	problems := len(r.Problems())
	again, err := read(t, r, nil)
	if err != nil || len(again) != len(chunks) {
		t.Fatalf("second reading: %d chunks and %v, first: %d", len(again), err, len(chunks))
	}
	for i := range chunks {
		if !equal(chunks[i], again[i]) {
			t.Fatalf("second reading of %s differs", chunks[i].Path)
		}
	}
	if got := len(r.Problems()); got != problems {
		t.Errorf("%d problems after the second reading, %d after the first", got, problems)
	}
	checkWant(t, r, chunks)
	checkFiles(t, r)
	checkNoFile(t, r)
	checkCancel(t, r, chunks)
	if got := len(r.Problems()); got != problems {
		t.Errorf("%d problems after asking for too much and too little, %d before", got, problems)
	}
}

// scribble overwrites a chunk, which belongs to its receiver.
func scribble(c migrate.Chunk) {
	clear(c.Steps)
	clear(c.Times)
	switch v := c.Values.(type) {
	case migrate.Ints:
		clear(v)
	case migrate.Floats:
		clear(v)
	case migrate.Strings:
		clear(v)
	case migrate.Bools:
		clear(v)
	case migrate.Datetimes:
		clear(v)
	case migrate.StringSets:
		clear(v)
	case migrate.Histograms:
		clear(v)
	case migrate.Files:
		clear(v)
	}
}

func read(t *testing.T, r migrate.RunReader, want migrate.Want) (chunks []migrate.Chunk, err error) {
	t.Helper()
	for chunk, err := range r.Chunks(t.Context(), want) {
		if err != nil {
			return chunks, err
		}
		chunks = append(chunks, chunk)
	}
	return chunks, nil
}

func checkOrder(t *testing.T, chunks []migrate.Chunk) {
	t.Helper()
	type attribute struct {
		path string
		kind migrate.Kind
	}
	ended := map[attribute]bool{}
	var last migrate.Chunk
	for i, c := range chunks {
		now := attribute{c.Path, c.Kind}
		if c.Len() == 0 && c.Kind != migrate.KindFileSet || c.Len() > migrate.MaxChunkPoints {
			t.Errorf("%s: chunk of %d values", c.Path, c.Len())
		}
		if c.Kind.Series() != (c.Steps != nil) || c.Steps != nil && (len(c.Steps) != c.Len() || len(c.Times) != c.Len()) {
			t.Fatalf("%s: %d steps and %d times for %d values of a %s", c.Path, len(c.Steps), len(c.Times), c.Len(), c.Kind)
		}
		if i > 0 && now != (attribute{last.Path, last.Kind}) {
			ended[attribute{last.Path, last.Kind}] = true
			if last.Kind.Series() && !c.Kind.Series() {
				t.Errorf("%s without steps comes after the series %s", c.Path, last.Path)
			}
		} else if i > 0 && c.Kind.Series() && c.Steps[0] < last.Steps[len(last.Steps)-1] {
			t.Errorf("%s: chunks are not in step order", c.Path)
		}
		if ended[now] {
			t.Errorf("%s: chunks are not adjacent", c.Path)
		}
		if _, hash := c.Values.(migrate.Strings); hash && c.Kind == migrate.KindArtifact && (c.Len() != 1 || i > 0 && now == (attribute{last.Path, last.Kind})) {
			t.Errorf("%s: an artifact has one hash, and it comes before the files", c.Path)
		}
		for j := 1; j < len(c.Steps); j++ {
			if c.Steps[j] < c.Steps[j-1] {
				t.Fatalf("%s: steps %s and %s are out of order", c.Path, c.Steps[j-1], c.Steps[j])
			}
		}
		last = c
	}
}

// checkWant reads only the attributes of the middle chunk's path.
func checkWant(t *testing.T, r migrate.RunReader, chunks []migrate.Chunk) {
	t.Helper()
	if len(chunks) == 0 {
		return
	}
	path := chunks[len(chunks)/2].Path
	got, err := read(t, r, func(p string, _ migrate.Kind) bool { return p == path })
	if err != nil || len(got) == 0 {
		t.Fatalf("only %s: %d chunks, %v", path, len(got), err)
	}
	for _, c := range got {
		if c.Path != path {
			t.Errorf("only %s: got %s", path, c.Path)
		}
	}
}

// checkFiles opens files while the chunks are being ranged over, as sinks do.
func checkFiles(t *testing.T, r migrate.RunReader) {
	t.Helper()
	for c, err := range r.Chunks(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		files, _ := c.Values.(migrate.Files)
		for _, ref := range files {
			if ref.Key == "" { // there are no bytes
				continue
			}
			body, err := r.OpenFile(t.Context(), ref)
			if err != nil {
				t.Errorf("file %q of %s: %v", ref.Key, c.Path, err)
				continue
			}
			n, err := io.Copy(io.Discard, body)
			body.Close()
			if err != nil || ref.Size >= 0 && n != ref.Size {
				t.Errorf("file %q of %s: %d bytes and %v, want %d", ref.Key, c.Path, n, err, ref.Size)
			}
		}
	}
}

// checkNoFile opens a file that Chunks did not yield. Bytes, even none of them, would be taken for those of a file.
func checkNoFile(t *testing.T, r migrate.RunReader) {
	t.Helper()
	body, err := r.OpenFile(t.Context(), migrate.FileRef{Key: "no/such/file", Name: "file", Size: -1})
	if err != nil {
		return
	}
	defer body.Close()
	if n, err := io.Copy(io.Discard, body); err == nil {
		t.Errorf("a file that is not there has %d bytes; want an error", n)
	}
}

// checkCancel cancels when the first of the chunks has been read. A reader may hold scalars and the next points
// already, but not many series.
func checkCancel(t *testing.T, r migrate.RunReader, chunks []migrate.Chunk) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range r.Chunks(ctx, nil) {
		last = err
		cancel()
	}
	series := 0
	for _, c := range chunks {
		if c.Kind.Series() {
			series++
		}
	}
	if series > 2 && !errors.Is(last, context.Canceled) {
		t.Errorf("Chunks ends with %v, although its context was cancelled at the first of %d chunks; want context.Canceled", last, len(chunks))
	}
}

// leave takes the first pair of a sequence and wants no other. It calls the sequence as a function, since a range
// would answer a second pair with a panic.
func leave[T any](t *testing.T, name string, seq iter.Seq2[T, error]) {
	t.Helper()
	n := 0
	seq(func(T, error) bool {
		n++
		return false
	})
	if n > 1 {
		t.Fatalf("%s went on after yield had returned false: %d more pairs", name, n-1)
	}
}
