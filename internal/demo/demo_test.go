package demo_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"image/png"
	"io"
	"math"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/demo"
	"github.com/nexport-go/migrate/migratetest"
)

// TestContract reads some runs, of each kind and fate, since it reads them often.
func TestContract(t *testing.T) {
	sel := migrate.Selection{}
	for _, id := range []string{
		"resnet18-lr0.003", "vit-small-lr0.03", "resnet50-lr0.001-batch1024", "story-110m-lr0.0001", "story-35m-lr0.0006-annealed-tales",
	} {
		sel.Runs = append(sel.Runs, migrate.RunRef{Project: demo.Project, ID: id})
	}
	migratetest.TestSource(t, demo.Source{}, sel)
}

// content is what reading the whole demo gives.
type content struct {
	runs, points, files int
	bytes               int64
	kinds               map[migrate.Kind]int
	digest              string
	runsBy              map[string]run
}

type run struct {
	info    migrate.RunInfo
	scalars map[string]migrate.Values
	series  map[string]migrate.Chunk
}

func read(t *testing.T) content {
	t.Helper()
	c := content{kinds: map[migrate.Kind]int{}, runsBy: map[string]run{}}
	h := sha256.New()
	for info, err := range (demo.Source{}).Runs(t.Context(), migrate.Selection{}) {
		if err != nil {
			t.Fatal(err)
		}
		c.runs++
		fmt.Fprintln(h, info)
		c.runsBy[info.ID] = c.readRun(t, info, h)
	}
	c.digest = hex.EncodeToString(h.Sum(nil))
	return c
}

func (c *content) readRun(t *testing.T, info migrate.RunInfo, h hash.Hash) run {
	t.Helper()
	held := run{info, map[string]migrate.Values{}, map[string]migrate.Chunk{}}
	r, err := demo.Source{}.OpenRun(t.Context(), info)
	if err != nil {
		t.Fatal(err)
	}
	for chunk, err := range r.Chunks(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		c.kinds[chunk.Kind]++
		fmt.Fprintf(h, "%s %s %v %v ", chunk.Path, chunk.Kind, chunk.Steps, chunk.Times)
		hashValues(h, chunk.Values)
		if chunk.Kind.Series() {
			c.points += chunk.Len()
			held.series[chunk.Path] = chunk
		} else {
			held.scalars[chunk.Path] = chunk.Values
		}
		files, _ := chunk.Values.(migrate.Files)
		for _, ref := range files {
			c.readFile(t, r, ref, h)
		}
	}
	return held
}

// hashValues writes floats bit by bit.
func hashValues(h hash.Hash, values migrate.Values) {
	if floats, ok := values.(migrate.Floats); ok {
		binary.Write(h, binary.LittleEndian, []float64(floats))
		return
	}
	fmt.Fprintln(h, values)
}

func (c *content) readFile(t *testing.T, r migrate.RunReader, ref migrate.FileRef, h hash.Hash) {
	t.Helper()
	body, err := r.OpenFile(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	counted := &counter{Reader: io.TeeReader(body, h)}
	if ref.MIME == "image/png" {
		img, err := png.Decode(counted)
		if err != nil {
			t.Fatalf("%s: %v", ref.Key, err)
		}
		if img.Bounds().Dx() < 200 {
			t.Errorf("%s is %s, too small to look at", ref.Key, img.Bounds())
		}
	} else if _, err := io.Copy(io.Discard, counted); err != nil {
		t.Fatalf("%s: %v", ref.Key, err)
	}
	if counted.n == 0 {
		t.Errorf("%s is empty", ref.Key)
	}
	c.files++
	c.bytes += counted.n
}

type counter struct {
	io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("images and curves are drawn many times")
	}
	c := read(t)
	t.Run("is the same each time", func(t *testing.T) {
		if again := read(t); again.digest != c.digest {
			t.Errorf("digest %s, then %s", c.digest, again.digest)
		}
	})
	t.Run("is of a size to try things with", func(t *testing.T) { testSize(t, c) })
	t.Run("has runs of every fate", func(t *testing.T) { testFates(t, c) })
	t.Run("calls the best run the best", func(t *testing.T) { testBest(t, c) })
}

func testSize(t *testing.T, c content) {
	t.Helper()
	if c.runs < 24 || c.runs > 36 {
		t.Errorf("%d runs", c.runs)
	}
	if c.points < 50_000 || c.points > 150_000 {
		t.Errorf("%d points", c.points)
	}
	if c.bytes < 1<<20 || c.bytes > 6<<20 {
		t.Errorf("%d bytes in %d files", c.bytes, c.files)
	}
	for _, kind := range []migrate.Kind{
		migrate.KindFloat, migrate.KindInt, migrate.KindString, migrate.KindBool, migrate.KindDatetime, migrate.KindStringSet,
		migrate.KindFloatSeries, migrate.KindStringSeries, migrate.KindHistogramSeries, migrate.KindFile, migrate.KindFileSeries,
	} {
		if c.kinds[kind] == 0 {
			t.Errorf("no attribute is a %s", kind)
		}
	}
	t.Logf("%d runs, %d points, %d files of %d bytes, %v", c.runs, c.points, c.files, c.bytes, c.kinds)
}

// floats gives the values of a float series.
func (r run) floats(t *testing.T, path string) migrate.Floats {
	t.Helper()
	values, ok := r.series[path].Values.(migrate.Floats)
	if !ok {
		t.Fatalf("%s has no %s", r.info.ID, path)
	}
	return values
}

func testFates(t *testing.T, c content) {
	t.Helper()
	var nan, failed, short, forks int
	for id, r := range c.runsBy {
		losses := r.floats(t, "metrics/train/loss")
		switch last := losses[len(losses)-1]; {
		case math.IsNaN(last):
			nan++
		case !(last < losses[0]):
			t.Errorf("%s learns nothing: loss %v, then %v", id, losses[0], last)
		}
		if failed += map[bool]int{true: 1}[bool(r.scalars["sys/failed"].(migrate.Bools)[0])]; !r.scalars["results/finished"].(migrate.Bools)[0] {
			short++
		}
		if r.info.Parent != "" {
			forks++
			checkFork(t, r, c.runsBy[r.info.Parent])
		}
	}
	if nan != 1 || failed != 1 || short != 3 || forks != 2 {
		t.Errorf("%d runs with NaN, %d failed, %d not finished, %d forks; want 1, 1, 3, 2", nan, failed, short, forks)
	}
}

// checkFork: a fork begins after its step, near to where its parent was.
func checkFork(t *testing.T, child, parent run) {
	t.Helper()
	at := migrate.Step(child.scalars["sys/forking/step"].(migrate.Ints)[0]) * migrate.StepUnit
	loss, from := child.series["metrics/train/loss"], parent.series["metrics/train/loss"]
	if loss.Steps[0] <= at {
		t.Errorf("%s was forked at step %s, but begins at %s", child.info.ID, at, loss.Steps[0])
	}
	for i, step := range from.Steps {
		if step == at {
			was, now := from.Values.(migrate.Floats)[i], loss.Values.(migrate.Floats)[0]
			if math.Abs(was-now) > 0.1*was {
				t.Errorf("%s goes on with a loss of %v, its parent had %v", child.info.ID, now, was)
			}
			return
		}
	}
	t.Errorf("%s was forked at step %s, which its parent does not have", child.info.ID, at)
}

func testBest(t *testing.T, c content) {
	t.Helper()
	best, top := "", 0.0
	for id, r := range c.runsBy {
		if score, ok := r.scalars["results/val_accuracy"].(migrate.Floats); ok && score[0] > top {
			best, top = id, score[0]
		}
	}
	tags := c.runsBy[best].scalars["sys/tags"].(migrate.StringSets)[0]
	if tags[len(tags)-1] != "best" {
		t.Errorf("%s has the best accuracy, %v, and the tags %q", best, top, tags)
	}
}
