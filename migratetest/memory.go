package migratetest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"

	migrate "github.com/nexport-go/migrate"
)

// Memory is a Store and Verifier in memory. The zero value is empty and ready. It keeps copies,
// so what it was given may be changed afterwards, and what it yields belongs to the receiver.
type Memory struct {
	mu   sync.Mutex
	runs map[migrate.RunRef]*Run
}

var (
	_ migrate.Store    = (*Memory)(nil)
	_ migrate.Finder   = (*Memory)(nil)
	_ migrate.Verifier = (*Memory)(nil)
)

// Run is one run as Memory holds it.
type Run struct {
	Info     migrate.RunInfo
	Chunks   []migrate.Chunk // scalars first; whole attributes, whatever their size
	Files    map[string][]byte
	Problems []migrate.Problem // what reading it will report
	Err      error             // what reading it will end with
}

// Add puts a run that was made by hand. Files are found by FileRef.Key.
func (m *Memory) Add(run Run) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.runs == nil {
		m.runs = map[migrate.RunRef]*Run{}
	}
	m.runs[run.Info.RunRef] = &run
}

// Get returns a run as it is held; ok is false if there is none. It must not be changed.
func (m *Memory) Get(ref migrate.RunRef) (run Run, ok bool) {
	held := m.held(ref)
	if held == nil {
		return Run{}, false
	}
	return *held, true
}

func (m *Memory) held(ref migrate.RunRef) *Run {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.runs[ref]
}

// Runs yields the runs oldest first, those of one time by name.
func (m *Memory) Runs(ctx context.Context, sel migrate.Selection) iter.Seq2[migrate.RunInfo, error] {
	return func(yield func(migrate.RunInfo, error) bool) {
		m.mu.Lock()
		runs := slices.SortedFunc(maps.Values(m.runs), func(a, b *Run) int {
			return cmp.Or(a.Info.Created.Compare(b.Info.Created), strings.Compare(a.Info.String(), b.Info.String()))
		})
		m.mu.Unlock()
		for _, run := range runs {
			if err := ctx.Err(); err != nil {
				yield(migrate.RunInfo{}, err)
				return
			}
			if sel.Match(run.Info) && !yield(run.Info, nil) {
				return
			}
		}
	}
}

// Run returns what Runs says of one run.
func (m *Memory) Run(_ context.Context, ref migrate.RunRef) (migrate.RunInfo, error) {
	run := m.held(ref)
	if run == nil {
		return migrate.RunInfo{}, fmt.Errorf("%s: %w", ref, migrate.ErrNotFound)
	}
	return run.Info, nil
}

// OpenRun opens a run that Memory holds.
func (m *Memory) OpenRun(_ context.Context, info migrate.RunInfo) (migrate.RunReader, error) {
	run := m.held(info.RunRef)
	if run == nil {
		return nil, fmt.Errorf("%s: %w", info.RunRef, migrate.ErrNotFound)
	}
	return &memoryReader{run: run}, nil
}

// PutRun copies a run. A reader with lossy problems leaves a Partial run, which the next PutRun
// replaces.
func (m *Memory) PutRun(ctx context.Context, info migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	result := migrate.Result{Target: "memory:" + info.String()}
	if held := m.held(info.RunRef); held != nil && held.Info.State == migrate.Complete {
		result.Existed = true
		return result, nil
	}
	run := Run{Info: info, Files: map[string][]byte{}}
	for chunk, err := range r.Chunks(ctx, nil) {
		if err != nil {
			return migrate.Result{}, err
		}
		if err := run.take(ctx, chunk, r); err != nil {
			return migrate.Result{}, err
		}
	}
	run.Info.State = migrate.Complete
	if slices.ContainsFunc(r.Problems(), func(p migrate.Problem) bool { return p.Code.Lossy() }) {
		run.Info.State = migrate.Partial
	}
	m.Add(run)
	return result, nil
}

// take adds a chunk, joined to the one before if it goes on with the same attribute.
func (run *Run) take(ctx context.Context, chunk migrate.Chunk, r migrate.RunReader) error {
	if files, ok := chunk.Values.(migrate.Files); ok {
		for _, ref := range files {
			if err := run.takeFile(ctx, ref, r); err != nil {
				return fmt.Errorf("file %s of %s: %w", ref.Key, chunk.Path, err)
			}
		}
	}
	if n := len(run.Chunks); n > 0 && columnOf(run.Chunks[n-1]) == columnOf(chunk) {
		last := &run.Chunks[n-1]
		last.Steps = append(last.Steps, chunk.Steps...)
		last.Times = append(last.Times, chunk.Times...)
		last.Values = reflect.AppendSlice(reflect.ValueOf(last.Values), reflect.ValueOf(chunk.Values)).Interface().(migrate.Values)
		return nil
	}
	run.Chunks = append(run.Chunks, clone(chunk, 0, chunk.Len()))
	return nil
}

func (run *Run) takeFile(ctx context.Context, ref migrate.FileRef, r migrate.RunReader) error {
	if ref.Key == "" {
		return nil
	}
	body, err := r.OpenFile(ctx, ref)
	if err != nil {
		return err
	}
	defer body.Close()
	run.Files[ref.Key], err = io.ReadAll(body)
	return err
}

// VerifyRun compares attribute by attribute; NaN equals NaN, and 0 differs from -0.
func (m *Memory) VerifyRun(ctx context.Context, info migrate.RunInfo, r migrate.RunReader) ([]migrate.Problem, error) {
	held := m.held(info.RunRef)
	if held == nil {
		return []migrate.Problem{{Code: migrate.CodeMissing, Text: "run is not there"}}, nil
	}
	var want Memory
	if _, err := want.PutRun(ctx, info, r); err != nil {
		return nil, err
	}
	return compare(want.held(info.RunRef), held), nil
}

// column identifies a chunk: an artifact has one of text and one of files.
type column struct {
	path   string
	kind   migrate.Kind
	values reflect.Type
}

func columnOf(c migrate.Chunk) column { return column{c.Path, c.Kind, reflect.TypeOf(c.Values)} }

func compare(want, got *Run) (problems []migrate.Problem) {
	held := map[column]migrate.Chunk{}
	for _, c := range got.Chunks {
		held[columnOf(c)] = c
	}
	for _, c := range want.Chunks {
		other, ok := held[columnOf(c)]
		switch {
		case !ok:
			problems = append(problems, migrate.Problem{Path: c.Path, Kind: c.Kind, Code: migrate.CodeMissing, Text: "attribute is not there"})
		case !equal(withoutKeys(c), withoutKeys(other)) || !sameFiles(c, want, other, got):
			problems = append(problems, migrate.Problem{Path: c.Path, Kind: c.Kind, Code: migrate.CodeDiffers, Text: "values differ"})
		}
	}
	return problems
}

// sameFiles compares the bytes of chunks that are equal without keys.
func sameFiles(a migrate.Chunk, want *Run, b migrate.Chunk, got *Run) bool {
	mine, _ := a.Values.(migrate.Files)
	others, _ := b.Values.(migrate.Files)
	for i := range mine {
		if !bytes.Equal(want.Files[mine[i].Key], got.Files[others[i].Key]) {
			return false
		}
	}
	return true
}

// withoutKeys leaves out the handles of files, which each reader makes up for itself, and their sizes, which
// not every reader knows: the bytes are compared.
func withoutKeys(c migrate.Chunk) migrate.Chunk {
	if files, ok := c.Values.(migrate.Files); ok {
		files = slices.Clone(files)
		for i := range files {
			files[i].Key, files[i].Size = "", 0
		}
		c.Values = files
	}
	return c
}

// equal compares chunks bit by bit, so that NaN equals NaN.
func equal(a, b migrate.Chunk) bool {
	fa, floats := a.Values.(migrate.Floats)
	fb, alike := b.Values.(migrate.Floats)
	if floats && alike {
		a.Values, b.Values = migrate.Ints(bits(fa)), migrate.Ints(bits(fb))
	}
	return reflect.DeepEqual(a, b)
}

func bits(fs []float64) []int64 {
	out := make([]int64, len(fs))
	for i, f := range fs {
		if out[i] = int64(math.Float64bits(f)); math.IsNaN(f) {
			out[i] = -1
		}
	}
	return out
}

// clone copies the points from lo up to hi.
func clone(c migrate.Chunk, lo, hi int) migrate.Chunk {
	if c.Kind.Series() {
		c.Steps, c.Times = slices.Clone(c.Steps[lo:hi]), slices.Clone(c.Times[lo:hi])
	}
	v := reflect.ValueOf(c.Values).Slice(lo, hi)
	fresh := reflect.MakeSlice(v.Type(), 0, v.Len())
	c.Values = reflect.AppendSlice(fresh, v).Interface().(migrate.Values)
	return c
}

type memoryReader struct{ run *Run }

func (r *memoryReader) Chunks(ctx context.Context, want migrate.Want) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) {
		for _, c := range r.run.Chunks {
			if want != nil && !want(c.Path, c.Kind) {
				continue
			}
			for lo := 0; lo == 0 || lo < c.Len(); lo += migrate.MaxChunkPoints {
				if err := ctx.Err(); err != nil {
					yield(migrate.Chunk{}, err)
					return
				}
				if !yield(clone(c, lo, min(lo+migrate.MaxChunkPoints, c.Len())), nil) {
					return
				}
			}
		}
		if r.run.Err != nil {
			yield(migrate.Chunk{}, r.run.Err)
		}
	}
}

func (r *memoryReader) OpenFile(_ context.Context, ref migrate.FileRef) (io.ReadCloser, error) {
	body, ok := r.run.Files[ref.Key]
	if !ok {
		return nil, fmt.Errorf("file %q: %w", ref.Key, migrate.ErrNotFound)
	}
	return io.NopCloser(bytes.NewReader(body)), nil
}

func (r *memoryReader) Problems() []migrate.Problem { return r.run.Problems }
