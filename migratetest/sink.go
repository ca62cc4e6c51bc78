package migratetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	migrate "github.com/nexport-go/migrate"
)

// TestSink checks the contract of migrate.Sink. Each call of newSink gives an empty one. What
// the sink holds is looked at through its Verifier, if it is one.
func TestSink(t *testing.T, newSink func(t *testing.T) migrate.Sink) {
	t.Run("puts every kind", func(t *testing.T) {
		sink := newSink(t)
		for _, run := range samples() {
			if put(t, sink, run).Existed {
				t.Errorf("%s existed in an empty sink", run.Info.RunRef)
			}
			verify(t, sink, run)
		}
	})
	t.Run("second put reads nothing", func(t *testing.T) {
		sink, run := newSink(t), sample("a")
		first := put(t, sink, run)
		result, err := sink.PutRun(t.Context(), run.Info, unreadable{t})
		if err != nil || !result.Existed || result.Target != first.Target {
			t.Errorf("second put: %+v, %v; want Existed at %q", result, err, first.Target)
		}
	})
	t.Run("a run cut off is completed", func(t *testing.T) {
		whole := small("a")
		for n := range whole.Chunks {
			sink, cut := newSink(t), whole
			cut.Chunks, cut.Err = whole.Chunks[:n], errCut
			if _, err := sink.PutRun(t.Context(), cut.Info, &memoryReader{&cut}); !errors.Is(err, errCut) {
				t.Fatalf("cut after %d attributes: error %v", n, err)
			}
			if put(t, sink, whole).Existed {
				t.Fatalf("cut after %d attributes: the run looked complete", n)
			}
			verify(t, sink, whole)
		}
	})
	t.Run("a cancelled context puts nothing complete", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		sink, run := newSink(t), sample("a")
		if _, err := sink.PutRun(ctx, run.Info, &memoryReader{&run}); err == nil {
			t.Fatal("no error from a cancelled context")
		}
		if put(t, sink, run).Existed {
			t.Error("the run looked complete")
		}
	})
	t.Run("a file cut off leaves nothing complete", func(t *testing.T) {
		sink, run := newSink(t), sample("a")
		if _, err := sink.PutRun(t.Context(), run.Info, cutFiles{&memoryReader{&run}}); !errors.Is(err, errCut) {
			t.Fatalf("error %v, want that of the file", err)
		}
		if put(t, sink, run).Existed {
			t.Fatal("the run looked complete")
		}
		verify(t, sink, run)
	})
	t.Run("a context cancelled while reading leaves nothing complete", func(t *testing.T) {
		sink, run := newSink(t), sample("a")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if _, err := sink.PutRun(ctx, run.Info, cancelling{&memoryReader{&run}, cancel}); err == nil {
			t.Fatal("no error from a cancelled context")
		}
		if put(t, sink, run).Existed {
			t.Fatal("the run looked complete")
		}
		verify(t, sink, run)
	})
	t.Run("what could not be read is put later", func(t *testing.T) {
		whole := small("a")
		lost := whole.Chunks[len(whole.Chunks)/2]
		sink, lacking := newSink(t), whole
		lacking.Chunks = slices.DeleteFunc(slices.Clone(whole.Chunks), func(c migrate.Chunk) bool { return c.Path == lost.Path })
		lacking.Problems = []migrate.Problem{{Path: lost.Path, Kind: lost.Kind, Code: migrate.CodeUnreadable, Text: "cannot be read now"}}
		if _, err := sink.PutRun(t.Context(), lacking.Info, &memoryReader{&lacking}); err != nil {
			t.Logf("put what has a loss: %v", err) // refusing it is a way not to look complete
		}
		if put(t, sink, whole).Existed {
			t.Fatal("the run looked complete after a lossy problem of its reader")
		}
		verify(t, sink, whole)
	})
	t.Run("verifying finds what differs", func(t *testing.T) {
		sink := newSink(t)
		if verifier, ok := sink.(migrate.Verifier); ok {
			testVerifier(t, sink, verifier)
		}
	})
	t.Run("puts several runs at once", func(t *testing.T) {
		sink := newSink(t)
		var group sync.WaitGroup
		for i := range 8 {
			run := small(fmt.Sprint("run-", i))
			group.Go(func() {
				if _, err := sink.PutRun(t.Context(), run.Info, &memoryReader{&run}); err != nil {
					t.Errorf("put %s: %v", run.Info.RunRef, err)
				}
			})
		}
		group.Wait()
		for i := range 8 {
			verify(t, sink, small(fmt.Sprint("run-", i)))
		}
	})
	t.Run("one ID in two projects is two runs", func(t *testing.T) {
		sink, a, b := newSink(t), small("a"), small("a")
		b.Info.Project = "ws/other"
		apart(t, sink, a, b)
	})
	t.Run("one ID in two scopes is two runs", func(t *testing.T) {
		sink, a, b := newSink(t), small("a"), small("a")
		b.Info.Scope = migrate.ScopeModel
		apart(t, sink, a, b)
	})
}

// apart puts two runs and wants them in two places.
func apart(t *testing.T, sink migrate.Sink, a, b Run) {
	t.Helper()
	if one, two := put(t, sink, a), put(t, sink, b); two.Existed || one.Target == two.Target {
		t.Errorf("targets %q and %q", one.Target, two.Target)
	}
	verify(t, sink, a)
	verify(t, sink, b)
}

// testVerifier compares a run before it is put, as it was put, and as it was not.
func testVerifier(t *testing.T, sink migrate.Sink, verifier migrate.Verifier) {
	run := small("a")
	differs := func(what string, other Run) {
		t.Helper()
		problems, err := verifier.VerifyRun(t.Context(), other.Info, &memoryReader{&other})
		if err == nil && len(problems) == 0 {
			t.Errorf("VerifyRun finds nothing: %s", what)
		}
	}
	put(t, sink, small("other"))
	differs("the run was never put", run)
	put(t, sink, run)
	verify(t, sink, run)
	for path, values := range map[string]migrate.Values{
		"p/int": migrate.Ints{7}, "p/text": migrate.Strings{"other"}, "p/new": migrate.Bools{true},
		"f/a.txt": migrate.Files{{Key: "longer", Name: "a.txt", Size: 6}},
	} {
		differs(path+" is another", changed(run, path, values))
	}
	differs("a point of a series is another", changed(run, "m/special", migrate.Floats{1, 2, 3, 4, 5, 6}))
}

// changed gives run another value of an attribute, which is new if run has none of that path.
func changed(run Run, path string, values migrate.Values) Run {
	run.Files = maps.Clone(run.Files)
	run.Files["longer"] = []byte("hello!")
	run.Chunks = slices.Clone(run.Chunks)
	for i := range run.Chunks {
		if run.Chunks[i].Path == path {
			run.Chunks[i].Values = values
			return run
		}
	}
	run.Chunks = slices.Insert(run.Chunks, 0, migrate.Chunk{Path: path, Kind: migrate.KindBool, Values: values})
	return run
}

var errCut = errors.New("connection cut")

// unreadable fails the test when it is read.
type unreadable struct{ t *testing.T }

func (u unreadable) Chunks(context.Context, migrate.Want) iter.Seq2[migrate.Chunk, error] {
	u.t.Error("a run that is complete was read")
	return func(func(migrate.Chunk, error) bool) {}
}

func (u unreadable) OpenFile(context.Context, migrate.FileRef) (io.ReadCloser, error) {
	u.t.Error("a file of a run that is complete was opened")
	return nil, migrate.ErrNotFound
}

func (u unreadable) Problems() []migrate.Problem { return nil }

// cutFiles breaks off every file after its first byte.
type cutFiles struct{ migrate.RunReader }

func (c cutFiles) OpenFile(ctx context.Context, ref migrate.FileRef) (io.ReadCloser, error) {
	body, err := c.RunReader.OpenFile(ctx, ref)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(body, 1), iotest.ErrReader(errCut)), body}, nil
}

// cancelling cancels the context after the first series.
type cancelling struct {
	migrate.RunReader
	cancel func()
}

func (c cancelling) Chunks(ctx context.Context, want migrate.Want) iter.Seq2[migrate.Chunk, error] {
	return func(yield func(migrate.Chunk, error) bool) {
		for chunk, err := range c.RunReader.Chunks(ctx, want) {
			if !yield(chunk, err) {
				return
			}
			if chunk.Kind.Series() {
				c.cancel()
			}
		}
	}
}

func put(t *testing.T, sink migrate.Sink, run Run) migrate.Result {
	t.Helper()
	result, err := sink.PutRun(t.Context(), run.Info, &memoryReader{&run})
	if err != nil {
		t.Fatalf("put %s: %v", run.Info.RunRef, err)
	}
	for _, p := range result.Problems {
		if p.Code.Lossy() {
			t.Errorf("put %s: %s", run.Info.RunRef, p)
		}
	}
	return result
}

func verify(t *testing.T, sink migrate.Sink, run Run) {
	t.Helper()
	verifier, ok := sink.(migrate.Verifier)
	if !ok {
		return
	}
	problems, err := verifier.VerifyRun(t.Context(), run.Info, &memoryReader{&run})
	if err != nil {
		t.Errorf("verify %s: %v", run.Info.RunRef, err)
	}
	for _, p := range problems {
		t.Errorf("verify %s: %s", run.Info.RunRef, p)
	}
}

// samples are runs that have what implementations get wrong.
func samples() []Run {
	runs := []Run{{Info: migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/p", ID: "empty"}}}}
	for _, id := range []string{"a", "it's", `say "hi"`, "ünï-コード-🚀", "../up", "x_part_0_y", "/abs", "CON"} {
		runs = append(runs, sample(id))
	}
	child := sample("child")
	child.Info.Parent = "a"
	for _, scope := range []migrate.Scope{migrate.ScopeModel, migrate.ScopeModelVersion} {
		object := sample("a") // an ID that a run has too
		object.Info.Scope = scope
		runs = append(runs, object)
	}
	other := small("other")
	other.Info.Project = "ws/other"
	runs = append(runs, child, other, long())
	for i := range runs[1:] { // of the first nothing is known
		info, created := &runs[i+1].Info, time.Date(2024, 2, 29, i, 0, 0, 123e6, time.UTC)
		info.SysID, info.Name = fmt.Sprint("P-", i+1), "name of "+info.ID
		info.Created, info.Modified = created, created.Add(90*time.Minute)
	}
	return runs
}

// odd has the steps and times that a careless copy changes.
func odd() migrate.Chunk {
	return migrate.Chunk{
		Path: "m/odd", Kind: migrate.KindFloatSeries,
		Steps:  []migrate.Step{-2*migrate.StepUnit - 1, -1, 0, 1, 1, 2, migrate.StepUnit, 1e9 * migrate.StepUnit},
		Times:  []int64{migrate.NoTime, 1_700_000_000_000, migrate.NoTime, -5, 1_700_000_000_001, 0, migrate.NoTime, 1_700_000_000_002},
		Values: migrate.Floats{1, 2, 3, 4, 5, 6, 7, 8},
	}
}

// long has a series of more than one chunk.
func long() Run {
	c := migrate.Chunk{Path: "m/long", Kind: migrate.KindFloatSeries}
	values := make(migrate.Floats, migrate.MaxChunkPoints+5)
	for i := range values {
		values[i] = float64(i) / 3
		c.Steps, c.Times = append(c.Steps, migrate.Step(i)*migrate.StepUnit), append(c.Times, int64(i))
	}
	c.Values = values
	return Run{Info: migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/p", ID: "long"}}, Chunks: []migrate.Chunk{c}}
}

// sample has one attribute of each kind.
func sample(id string) Run {
	series := func(path string, kind migrate.Kind, values migrate.Values) migrate.Chunk {
		c := migrate.Chunk{Path: path, Kind: kind, Values: values}
		for i := range values.Len() {
			c.Steps = append(c.Steps, migrate.Step(i)*migrate.StepUnit/2)
			c.Times = append(c.Times, 1_700_000_000_000+int64(i))
		}
		return c
	}
	scalar := func(path string, kind migrate.Kind, values migrate.Values) migrate.Chunk {
		return migrate.Chunk{Path: path, Kind: kind, Values: values}
	}
	curve := make(migrate.Floats, 2500) // several MLflow batches; long ones are in long
	for i := range curve {
		curve[i] = 1 / float64(i+1)
	}
	return Run{
		Info: migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/p", ID: id}},
		Chunks: []migrate.Chunk{
			scalar("p/int", migrate.KindInt, migrate.Ints{math.MinInt64}),
			scalar("p/big", migrate.KindInt, migrate.Ints{1<<53 + 1}),
			scalar("p/float", migrate.KindFloat, migrate.Floats{math.Copysign(0, -1)}),
			scalar("p/nan", migrate.KindFloat, migrate.Floats{math.NaN()}),
			scalar("p/bool", migrate.KindBool, migrate.Bools{true}),
			scalar("p/text", migrate.KindString, migrate.Strings{"line\nline\ttab \\ ünï 🚀"}),
			scalar("p/empty", migrate.KindString, migrate.Strings{""}),
			scalar("p/time", migrate.KindDatetime, migrate.Datetimes{1_700_000_000_123}),
			scalar("p/set", migrate.KindStringSet, migrate.StringSets{{"b", "a,b", `"`}}),
			scalar("p/odd[0] (x) #", migrate.KindInt, migrate.Ints{1}),
			scalar("f/a.txt", migrate.KindFile, migrate.Files{{Key: "a", Name: "a.txt", Size: 5}}),
			scalar("f/none", migrate.KindFile, migrate.Files{{Key: "none", Name: "none", Size: 0}}),
			scalar("f/no set", migrate.KindFileSet, migrate.Files{}),
			scalar("f/set", migrate.KindFileSet, migrate.Files{{Key: "a", Name: "src/a.py", Size: 5}, {Key: "none", Name: "src/A.py", Size: 0}}),
			scalar("f/data", migrate.KindArtifact, migrate.Strings{"abcd"}),
			scalar("f/data", migrate.KindArtifact, migrate.Files{{Key: "list", Name: "files_list.json", Size: 2}, {Key: "a", Name: "train/a.csv", Size: 5}}),
			scalar("f/hash", migrate.KindArtifact, migrate.Strings{"ef01"}),
			scalar("f/list", migrate.KindArtifact, migrate.Files{{Key: "list", Name: "files_list.json", Size: 2}}),
			scalar("r/git", migrate.KindGitRef, migrate.Strings{`{"commit":{"commitId":"1a2b"},"repositoryDirty":true}`}),
			scalar("r/notebook", migrate.KindNotebookRef, migrate.Strings{`{"notebookId":"x"}`}),
			scalar("r/state", migrate.KindRunState, migrate.Strings{`"idle"`}),
			series("m/special", migrate.KindFloatSeries, migrate.Floats{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 5e-324, math.MaxFloat64}),
			odd(),
			series("m/curve", migrate.KindFloatSeries, curve),
			series("s/log", migrate.KindStringSeries, migrate.Strings{"one", "", "tab\tand\nline"}),
			series("s/hist", migrate.KindHistogramSeries, migrate.Histograms{{Type: "COUNTING", Edges: []float64{0, 0.1, math.Inf(1)}, Values: []float64{3, 1}}}),
			series("f/images", migrate.KindFileSeries, migrate.Files{
				{Key: "i0", Name: "0.png", Description: "the first\nof two", Size: 3}, {Key: "i1", Name: "1.png", MIME: "image/png", Size: 3},
			}),
		},
		Files: map[string][]byte{"a": []byte("hello"), "list": []byte("[]"), "none": {}, "i0": {1, 2, 3}, "i1": []byte(id + "...")[:3]},
	}
}

// small is a sample without its long series.
func small(id string) Run {
	run := sample(id)
	run.Chunks = slices.DeleteFunc(run.Chunks, func(c migrate.Chunk) bool { return c.Len() > 100 })
	return run
}

// lossless reports whether none of the problems is a loss.
func lossless(problems []migrate.Problem) bool {
	return !slices.ContainsFunc(problems, func(p migrate.Problem) bool { return p.Code.Lossy() })
}
