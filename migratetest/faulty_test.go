package migratetest_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
)

// faults are stores that break the contract in one way each, with a part of what the contract
// tests must say about it.
var faults = map[string]struct {
	store func() migrate.Store
	want  string
}{
	"puts twice":        {func() migrate.Store { return &again{} }, "a run that is complete was read"},
	"takes half a run":  {func() migrate.Store { return &hasty{} }, "the run looked complete"},
	"mixes up projects": {func() migrate.Store { return &mixed{} }, "one_ID_in_two_projects"},
	"mixes up scopes":   {func() migrate.Store { return &scopeless{} }, "one_ID_in_two_scopes"},
	"loses hashes": {lossy(func(c migrate.Chunk) bool {
		_, hash := c.Values.(migrate.Strings)
		return !hash || c.Kind != migrate.KindArtifact
	}), "f/data: attribute is not there"},
	"loses descriptions":   {reading(func(r *reader) { r.change = terse }), "f/images: values differ"},
	"loses an attribute":   {lossy(func(c migrate.Chunk) bool { return c.Path != "p/empty" }), "attribute is not there"},
	"ignores want":         {reading(func(r *reader) { r.all = true }), "only "},
	"shares its chunks":    {reading(func(r *reader) { r.share = true }), "second reading"},
	"yields files first":   {reading(func(r *reader) { r.change = filesFirst }), "comes before the files"},
	"yields series first":  {reading(func(r *reader) { r.change = slices.Reverse[[]migrate.Chunk] }), "comes after the series"},
	"ends files early":     {reading(func(r *reader) { r.short = true }), "bytes and"},
	"lists a run twice":    {func() migrate.Store { return &twice{} }, "is listed twice"},
	"lists without a care": {func() migrate.Store { return &deaf{} }, "want context.Canceled"},
	"verifies nothing":     {func() migrate.Store { return &blind{} }, "VerifyRun finds nothing: p/int"},
	"lists on": {listing(func(s *migratetest.Memory, ctx context.Context, sel migrate.Selection) iter.Seq2[migrate.RunInfo, error] {
		return heedless(s.Runs(ctx, sel))
	}), "Runs went on after yield had returned false"},
	"selects no projects":       {selecting(func(sel *migrate.Selection) { sel.Projects = nil }), "project no/such"},
	"selects no patterns":       {selecting(func(sel *migrate.Selection) { sel.IDMatch = nil }), "is selected 1 times, want 0"},
	"selects no times":          {selecting(func(sel *migrate.Selection) { sel.Since = time.Time{} }), "is selected 1 times, want 0"},
	"selects no shards":         {selecting(func(sel *migrate.Selection) { sel.ShardCount = 0 }), "is in the shards [0 1 2], want one"},
	"starts shards at one":      {selecting(func(sel *migrate.Selection) { sel.Shard-- }), "is in the shards [], want one"},
	"yields on":                 {reading(func(r *reader) { r.heedless = true }), "Chunks went on after yield had returned false"},
	"reads without a care":      {reading(func(r *reader) { r.deaf = true }), "although its context was cancelled"},
	"opens any file":            {reading(func(r *reader) { r.opens = true }), "a file that is not there has 0 bytes"},
	"hides losses":              {putting(func(_ *migrate.RunInfo, r *reader) { r.silent = true }), "complete after a lossy problem"},
	"loses the short ID":        {knowing(func(run *migrate.RunInfo) { run.SysID = "" }), "want short ID \"P-1\""},
	"loses the name":            {knowing(func(run *migrate.RunInfo) { run.Name = "" }), "name \"\", parent"},
	"loses the parent":          {knowing(func(run *migrate.RunInfo) { run.Parent = "" }), "parent \"\"; want"},
	"loses the creation":        {knowing(func(run *migrate.RunInfo) { run.Created = time.Time{} }), "created 0001-01-01"},
	"loses the change":          {knowing(func(run *migrate.RunInfo) { run.Modified = time.Time{} }), "modified 0001-01-01"},
	"finds anything":            {func() migrate.Store { return &finding{} }, "a run that is not there: error <nil>"},
	"makes up times":            {pointing(func(_ *migrate.Step, ms *int64) { *ms = max(*ms, 0) }), "m/odd: values differ"},
	"knows no steps below zero": {pointing(func(s *migrate.Step, _ *int64) { *s = max(*s, 0) }), "m/odd: values differ"},
	"rounds steps":              {pointing(func(s *migrate.Step, _ *int64) { *s = *s / 10 * 10 }), "m/odd: values differ"},
	"keeps one point a step":    {putting(func(_ *migrate.RunInfo, r *reader) { r.each = distinct }), "m/odd: values differ"},
	"mends text":                {putting(func(_ *migrate.RunInfo, r *reader) { r.each = valid }), "p/text: values differ"},
}

// TestFaults runs the contract tests on each faulty store in a process of its own, since they must fail.
func TestFaults(t *testing.T) {
	if name := os.Getenv("MIGRATETEST_FAULT"); name != "" {
		migratetest.TestStore(t, func(*testing.T) migrate.Store { return faults[name].store() })
		return
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestFaults$")
			cmd.Env = append(os.Environ(), "MIGRATETEST_FAULT="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), fault.want) {
				t.Errorf("the contract tests end with %v and do not say %q:\n%s", err, fault.want, out)
			}
		})
	}
}

// again forgets what it has.
type again struct{ migratetest.Memory }

func (s *again) PutRun(ctx context.Context, run migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	var fresh migratetest.Memory
	result, err := fresh.PutRun(ctx, run, r)
	if held, ok := fresh.Get(run.RunRef); ok {
		s.Add(held)
	}
	return result, err
}

// hasty calls a run complete whose reading broke off.
type hasty struct{ migratetest.Memory }

func (s *hasty) PutRun(ctx context.Context, run migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	result, err := s.Memory.PutRun(ctx, run, r)
	if err != nil {
		run.State = migrate.Complete
		s.Add(migratetest.Run{Info: run})
	}
	return result, err
}

// mixed knows runs by their ID alone.
type mixed struct{ migratetest.Memory }

func (s *mixed) PutRun(ctx context.Context, run migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	run.Project = "ws/p"
	return s.Memory.PutRun(ctx, run, r)
}

// scopeless knows no models.
type scopeless struct{ migratetest.Memory }

func (s *scopeless) PutRun(ctx context.Context, run migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	run.Scope = migrate.ScopeRun
	return s.Memory.PutRun(ctx, run, r)
}

// reader is a RunReader with faults.
type reader struct {
	migrate.RunReader
	keep              func(migrate.Chunk) bool
	change            func([]migrate.Chunk)
	each              func(*migrate.Chunk)
	all, share, short bool
	heedless, deaf    bool
	opens, silent     bool
	held              []migrate.Chunk
}

func (r *reader) Chunks(ctx context.Context, want migrate.Want) iter.Seq2[migrate.Chunk, error] {
	if r.deaf {
		ctx = context.Background()
	}
	switch {
	case r.heedless:
		return heedless(r.RunReader.Chunks(ctx, want))
	case r.each != nil:
		return each(r.RunReader.Chunks(ctx, want), r.each)
	case r.keep == nil && r.change == nil && !r.all && !r.share:
		return r.RunReader.Chunks(ctx, want)
	}
	return func(yield func(migrate.Chunk, error) bool) {
		if r.held == nil {
			for c := range r.RunReader.Chunks(ctx, nil) {
				if r.keep == nil || r.keep(c) {
					r.held = append(r.held, c)
				}
			}
			if r.change != nil {
				r.change(r.held)
			}
		}
		chunks := r.held
		if !r.share {
			r.held = nil
		}
		for _, c := range chunks {
			if (r.all || want == nil || want(c.Path, c.Kind)) && !yield(c, nil) {
				return
			}
		}
	}
}

// terse takes the descriptions away.
func terse(chunks []migrate.Chunk) {
	for _, c := range chunks {
		files, _ := c.Values.(migrate.Files)
		for i := range files {
			files[i].Description = ""
		}
	}
}

// filesFirst puts the files of an artifact before its hash.
func filesFirst(chunks []migrate.Chunk) {
	for i := range chunks[:max(len(chunks)-1, 0)] {
		if chunks[i].Kind == migrate.KindArtifact && chunks[i].Path == chunks[i+1].Path {
			chunks[i], chunks[i+1] = chunks[i+1], chunks[i]
			return
		}
	}
}

func (r *reader) OpenFile(ctx context.Context, ref migrate.FileRef) (io.ReadCloser, error) {
	body, err := r.RunReader.OpenFile(ctx, ref)
	if r.opens && err != nil {
		return io.NopCloser(strings.NewReader("")), nil
	}
	if r.short && err == nil {
		_, err = io.ReadFull(body, make([]byte, min(1, ref.Size)))
	}
	return body, err
}

func (r *reader) Problems() []migrate.Problem {
	if r.silent {
		return nil
	}
	return r.RunReader.Problems()
}

// heedless goes on after it was told to stop.
func heedless[T any](seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v, err := range seq {
			yield(v, err)
		}
	}
}

// each changes every chunk.
func each(seq iter.Seq2[migrate.Chunk, error], change func(*migrate.Chunk)) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) {
		for c, err := range seq {
			if err == nil {
				change(&c)
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

// distinct keeps of the points of one step the first.
func distinct(c *migrate.Chunk) {
	values, ok := c.Values.(migrate.Floats)
	if !ok || !c.Kind.Series() {
		return
	}
	kept := migrate.Chunk{Path: c.Path, Kind: c.Kind}
	var floats migrate.Floats
	for i, s := range c.Steps {
		if i == 0 || s != c.Steps[i-1] {
			kept.Steps, kept.Times, floats = append(kept.Steps, s), append(kept.Times, c.Times[i]), append(floats, values[i])
		}
	}
	kept.Values = floats
	*c = kept
}

// valid changes text into UTF-8.
func valid(c *migrate.Chunk) {
	text, _ := c.Values.(migrate.Strings)
	for i := range text {
		text[i] = strings.ToValidUTF8(text[i], "?")
	}
}

// lossy is a store that keeps only some attributes.
func lossy(keep func(migrate.Chunk) bool) func() migrate.Store {
	return func() migrate.Store { return &losing{keep: keep} }
}

type losing struct {
	migratetest.Memory
	keep func(migrate.Chunk) bool
}

func (s *losing) PutRun(ctx context.Context, run migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	var probe error
	for _, err := range r.Chunks(ctx, nil) {
		probe = errors.Join(probe, err)
	}
	if probe != nil {
		return migrate.Result{}, probe
	}
	return s.Memory.PutRun(ctx, run, &reader{RunReader: r, keep: s.keep})
}

// reading is a store whose readers have a fault.
func reading(fault func(*reader)) func() migrate.Store {
	return func() migrate.Store { return &misread{fault: fault} }
}

type misread struct {
	migratetest.Memory
	fault func(*reader)
}

func (s *misread) OpenRun(ctx context.Context, run migrate.RunInfo) (migrate.RunReader, error) {
	r, err := s.Memory.OpenRun(ctx, run)
	if err != nil {
		return nil, err
	}
	faulty := &reader{RunReader: r}
	s.fault(faulty)
	return faulty, nil
}

// twice lists every run twice.
type twice struct{ migratetest.Memory }

func (s *twice) Runs(ctx context.Context, sel migrate.Selection) iter.Seq2[migrate.RunInfo, error] {
	return func(yield func(migrate.RunInfo, error) bool) {
		for run, err := range s.Memory.Runs(ctx, sel) {
			for range 2 {
				if !yield(run, err) {
					return
				}
			}
		}
	}
}

// deaf does not listen to its context.
type deaf struct{ migratetest.Memory }

func (s *deaf) Runs(_ context.Context, sel migrate.Selection) iter.Seq2[migrate.RunInfo, error] {
	return s.Memory.Runs(context.Background(), sel)
}

// blind finds no differences.
type blind struct{ migratetest.Memory }

func (s *blind) VerifyRun(context.Context, migrate.RunInfo, migrate.RunReader) ([]migrate.Problem, error) {
	return nil, nil
}

// finding finds every run.
type finding struct{ migratetest.Memory }

func (s *finding) Run(ctx context.Context, ref migrate.RunRef) (migrate.RunInfo, error) {
	info, err := s.Memory.Run(ctx, ref)
	if err != nil {
		info.RunRef = ref
	}
	return info, nil
}

// listing is a store that lists its runs in a way of its own.
func listing(runs func(*migratetest.Memory, context.Context, migrate.Selection) iter.Seq2[migrate.RunInfo, error]) func() migrate.Store {
	return func() migrate.Store { return &lister{runs: runs} }
}

type lister struct {
	migratetest.Memory
	runs func(*migratetest.Memory, context.Context, migrate.Selection) iter.Seq2[migrate.RunInfo, error]
}

func (s *lister) Runs(ctx context.Context, sel migrate.Selection) iter.Seq2[migrate.RunInfo, error] {
	return s.runs(&s.Memory, ctx, sel)
}

// selecting is a store that misunderstands selections.
func selecting(fault func(*migrate.Selection)) func() migrate.Store {
	return listing(func(s *migratetest.Memory, ctx context.Context, sel migrate.Selection) iter.Seq2[migrate.RunInfo, error] {
		fault(&sel)
		return s.Runs(ctx, sel)
	})
}

// putting is a store that misunderstands what it is given.
func putting(fault func(*migrate.RunInfo, *reader)) func() migrate.Store {
	return func() migrate.Store { return &putter{fault: fault} }
}

// knowing is a store that keeps too little of what a listing knows.
func knowing(fault func(*migrate.RunInfo)) func() migrate.Store {
	return putting(func(run *migrate.RunInfo, _ *reader) { fault(run) })
}

// pointing is a store that keeps too little of steps and times.
func pointing(fault func(*migrate.Step, *int64)) func() migrate.Store {
	return putting(func(_ *migrate.RunInfo, r *reader) {
		r.each = func(c *migrate.Chunk) {
			for i := range c.Steps {
				fault(&c.Steps[i], &c.Times[i])
			}
		}
	})
}

type putter struct {
	migratetest.Memory
	fault func(*migrate.RunInfo, *reader)
}

func (s *putter) PutRun(ctx context.Context, run migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	faulty := &reader{RunReader: r}
	s.fault(&run, faulty)
	return s.Memory.PutRun(ctx, run, faulty)
}
