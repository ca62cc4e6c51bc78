package parquetstore_test

import (
	"context"
	"errors"
	"math/rand"
	"os"
	"path/filepath"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/parquetstore"
)

// sample is an archive file with all kinds of columns.
func sample(t testing.TB, o options) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sample.parquet")
	rows := []row{
		id("r"),
		{project: project, run: "r", path: "set", kind: "string_set", set: []string{"a", "b"}},
		{project: project, run: "r", path: "f", kind: "file", file: "r/f"},
		{project: project, run: "r", path: "i", kind: "int", i: 1 << 60},
		{project: project, run: "r", path: "b", kind: "bool", b: true},
		{project: project, run: "r", path: "sys/creation_time", kind: "datetime", d: 1_700_000_000_000},
		{project: project, run: "r", path: "h", kind: "histogram_series", step: 5, time: 5, hist: &hist{"COUNTING", []float64{0, 1}, []float64{2}}},
	}
	for i := range 100 {
		rows = append(rows, point("r", "m", i, float64(i)), point("s", "m", 100-i, float64(i)))
	}
	writeParquet(t, path, o, rows...)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readDamaged reads all of an archive of one file, and returns whether anything was amiss. It
// fails if an error is not of the kinds that are promised.
func readDamaged(t *testing.T, dir string, b []byte) (points int, amiss bool) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "ws_proj", "part_0.parquet"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := parquetstore.Open(dir, filepath.Join(dir, "files"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for info, err := range store.Runs(context.Background(), migrate.Selection{}) {
		if err != nil {
			t.Fatalf("listing ended: %v", err)
		}
		r, err := store.OpenRun(context.Background(), info)
		if err != nil {
			t.Fatal(err)
		}
		for c, err := range r.Chunks(context.Background(), nil) {
			if err != nil {
				if !errors.Is(err, migrate.ErrCorrupt) && !errors.Is(err, errors.ErrUnsupported) {
					t.Fatalf("error of no known kind: %v", err)
				}
				amiss = true
				continue
			}
			if c.Kind.Series() && (len(c.Steps) != c.Len() || len(c.Times) != c.Len()) {
				t.Fatalf("%d values, %d steps, %d times", c.Len(), len(c.Steps), len(c.Times))
			}
			points += c.Len()
		}
		amiss = amiss || len(r.Problems()) > 2 // f is missing, i may be rounded
	}
	return points, amiss
}

func damageDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "ws_proj"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestMutations damages a file in many ways. Cut files must be noticed; no damage may end the
// program.
func TestMutations(t *testing.T) {
	notShort(t)
	dir := damageDir(t)
	for _, o := range []options{{}, {plain: true, v2: true}, {groupRows: 20}} {
		whole := sample(t, o)
		want, amiss := readDamaged(t, dir, whole)
		if want != 206 || amiss {
			t.Fatalf("sample has %d values, amiss %v", want, amiss)
		}
		rnd := rand.New(rand.NewSource(1))
		for range 200 {
			b := append([]byte(nil), whole...)
			switch at := rnd.Intn(len(b)); rnd.Intn(4) {
			case 0:
				b[at] ^= 1 << rnd.Intn(8)
			case 1:
				rnd.Read(b[at:min(at+16, len(b))])
			case 2:
				clear(b[at:min(at+512, len(b))])
			case 3:
				b = b[:at]
				if _, amiss := readDamaged(t, dir, b); !amiss {
					t.Fatalf("a file cut to %d of %d bytes goes unnoticed", at, len(whole))
				}
			}
			readDamaged(t, dir, b)
		}
	}
}

// FuzzOpen reads any bytes as a part: no panic, no unknown error, no uneven chunk.
func FuzzOpen(f *testing.F) {
	f.Add(sample(f, options{}))
	f.Add(sample(f, options{plain: true, v2: true}))
	f.Add([]byte("PAR1\x15\x00\x04\x00\x00\x00PAR1"))
	dir := damageDir(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<20 {
			return
		}
		readDamaged(t, dir, b)
	})
}
