package convert_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

func exampleRun() migrate.RunInfo {
	return migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/proj", ID: "a-1"}, SysID: "PRJ-1"}
}

func TestSidecarText(t *testing.T) {
	t.Parallel()
	b := convert.AppendHeader(nil, convert.HeaderOf(exampleRun(), convert.DefaultMultiplier))
	b = convert.AppendAttribute(b, convert.Attribute{Path: "a<b>", Kind: "int", Param: "a_b__h1"})
	b = convert.AppendExact(b, "m", []convert.ExactPoint{
		{0, 500_000, 17, math.Copysign(0, -1)},
		{7, -1, migrate.NoTime, math.Inf(-1)},
	})
	b = convert.AppendAttribute(b, convert.Attribute{Path: "m", Kind: "float_series", Metric: "m", Points: 8})
	var images convert.Attribute
	images.Path, images.Kind = "i", "file_series"
	images.AddFile("i/step_0.png", migrate.FileRef{}, 0, 17)
	images.AddFile("i/step_0.5.png", migrate.FileRef{}, 500_000, migrate.NoTime)
	b = convert.AppendAttribute(b, images)
	images.AddFile("i/step_1.png", migrate.FileRef{Name: "cat", Description: "<a cat>"}, 1_000_000, 18)
	b = convert.AppendAttribute(b, images)
	b = convert.AppendAttribute(b, convert.Attribute{Path: "art", Kind: "artifact", Param: "art"})
	art := convert.Attribute{Path: "art", Kind: "artifact"}
	art.AddMember("art/files_list.json", "files_list.json")
	b = convert.AppendAttribute(b, art)
	var files convert.Attribute
	files.Path, files.Kind = "s", "file_set"
	files.AddMember("s/a.py", "a.py")
	b = convert.AppendAttribute(b, files)
	files.AddMember("s/b_h1.py", "b#.py")
	b = convert.AppendAttribute(b, files)
	want := `{"format":"nexport-run","version":1,"project":"ws/proj","scope":"run","run_id":"a-1","sys_id":"PRJ-1","step_multiplier":"1000000"}
{"path":"a<b>","kind":"int","param":"a_b__h1"}
{"path":"m","exact":[[0,"0.5",17,"-0.0"],[7,"-0.000001",null,"-Infinity"]]}
{"path":"m","kind":"float_series","metric":"m","points":8}
{"path":"i","kind":"file_series","artifacts":["i/step_0.png","i/step_0.5.png"],"steps":["0","0.5"],"times":[17,null]}
{"path":"i","kind":"file_series","artifacts":["i/step_0.png","i/step_0.5.png","i/step_1.png"],"names":["","","cat"],"descriptions":["","","<a cat>"],"steps":["0","0.5","1"],"times":[17,null,18]}
{"path":"art","kind":"artifact","param":"art"}
{"path":"art","kind":"artifact","artifacts":["art/files_list.json"]}
{"path":"s","kind":"file_set","artifacts":["s/a.py"]}
{"path":"s","kind":"file_set","artifacts":["s/a.py","s/b_h1.py"],"names":["a.py","b#.py"]}
`
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Error(diff)
	}
}

func readSidecar(r string) (lines []convert.SidecarLine, err error) {
	_, seq, err := convert.ReadSidecar(strings.NewReader(r))
	if err != nil {
		return nil, err
	}
	for line, err := range seq {
		if err != nil {
			return lines, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

const header = `{"format":"nexport-run","version":1,"project":"p","scope":"run","run_id":"r","step_multiplier":"1"}` + "\n"

func FuzzSidecarRoundTrip(f *testing.F) {
	f.Add("m", "value\x00\xff", "name#", int64(1), int64(17), 0.5)
	f.Add("", "", "", int64(-1), migrate.NoTime, math.NaN())
	f.Add("\xff<", "\u2028", "\xfe", int64(math.MinInt64), int64(-5), math.Inf(1))
	f.Fuzz(func(t *testing.T, path, value, name string, step, ms int64, x float64) {
		text := convert.Attribute{Path: path, Kind: "string", Param: "k"}
		text.KeepExact(migrate.Strings{value}, 0)
		set := convert.Attribute{Path: path, Kind: "string_set", Param: "k"}
		set.KeepExact(migrate.StringSets{{value, name}}, 0)
		series := convert.Attribute{Path: path, Kind: migrate.KindFileSeries}
		series.AddFile("a", migrate.FileRef{Name: "n" + name, Description: "d"}, migrate.Step(step), ms)
		members := convert.Attribute{Path: path, Kind: migrate.KindFileSet}
		members.AddMember("a", name)
		plain := convert.Attribute{Path: path, Kind: migrate.KindFileSet}
		plain.AddMember(path+"/x", "x")
		points := []convert.ExactPoint{{step, migrate.Step(step), ms, x}, {0, 0, migrate.NoTime, -x}}

		b := []byte(header)
		var want []convert.SidecarLine
		for _, a := range []convert.Attribute{text, set, series, members} {
			b = convert.AppendAttribute(b, a)
			want = append(want, convert.SidecarLine{Path: path, Attribute: &a})
		}
		b = convert.AppendExact(b, path, points)
		want = append(want, convert.SidecarLine{Path: path, Exact: points})
		got, err := readSidecar(string(b))
		if err != nil {
			t.Fatalf("%v in %q", err, b)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
			t.Error(diff)
		}
		if _, exact := convert.Clean(value); exact != (text.Base64 == nil) || !exact && string(text.Base64) != value {
			t.Errorf("the exact bytes of %q are %q", value, text.Base64)
		}
		if x == 0 && math.Signbit(got[4].Exact[0].Value) != math.Signbit(x) {
			t.Error("the sign of zero is lost")
		}
	})
}

func FuzzReadSidecar(f *testing.F) {
	for _, line := range []string{
		"", "{}", "[]", "null", `{"path":"a","kind":"int","param":"a"}`, `{"path":"a","exact":[[0,"1",null,"NaN"]]}`, `{"path":"a","exact":[[0,"1",null]]}`,
		`{"path":"a","exact":[[0,"1",null,"1",2]]}`, `{"path":"a","exact":[["0","1",null,"1"]]}`, `{"path":"a","exact":[null]}`, `{"path":"a","exact":null}`,
		`{"path":"a","kind":"file_set","artifacts":["b"]}`, `{"path":"a","kind":"file_series","artifacts":["b"],"steps":[]}`, `{"path":"a","kind":"file_series","artifacts":["b"],"descriptions":["",""]}`,
		`{"path":"a","kind":"artifact","param":"a","artifacts":["a.txt"]}`, `{"path_base64":"!"}`, "\xff",
	} {
		f.Add(header + line)
	}
	f.Add(`{"format":"other"}`)
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := readSidecar(text)
		if err != nil {
			return
		}
		b := []byte(header)
		for _, l := range lines {
			if l.Attribute != nil {
				b = convert.AppendAttribute(b, *l.Attribute)
			} else {
				b = convert.AppendExact(b, l.Path, l.Exact)
			}
		}
		again, err := readSidecar(string(b))
		if err != nil {
			t.Fatalf("%v in %q", err, b)
		}
		if diff := cmp.Diff(lines, again, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestReadSidecarRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":              "",
		"no JSON":            "x\n",
		"no line":            header + "{}\n",
		"cut":                header + `{"path":"a","ki`,
		"short point":        header + `{"path":"a","exact":[[0,"1",null]]}`,
		"long point":         header + `{"path":"a","exact":[[0,"1",null,"1",2]]}`,
		"bad step":           header + `{"path":"a","exact":[[0,"x",null,"1"]]}`,
		"bad value":          header + `{"path":"a","exact":[[0,"1",null,"x"]]}`,
		"name is missing":    header + `{"path":"a","kind":"file_set","artifacts":["b"]}`,
		"lists do not match": header + `{"path":"a","kind":"file_series","artifacts":["b"],"times":[]}`,
	} {
		if lines, err := readSidecar(text); !errors.Is(err, migrate.ErrCorrupt) {
			t.Errorf("%s: %v, %v", name, lines, err)
		}
	}
	if _, err := readSidecar(strings.Replace(header, `"version":1`, `"version":2`, 1)); err == nil || errors.Is(err, migrate.ErrCorrupt) {
		t.Errorf("a newer version: %v", err)
	}
}

func TestReadSidecarPassesOnReadErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	_, seq, err := convert.ReadSidecar(iotest.DataErrReader(
		&failing{bytes.NewReader([]byte(header + `{"path":"a","kind":"int"}` + "\n")), broken}))
	if err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range seq {
		last = err
	}
	if !errors.Is(last, broken) || errors.Is(last, migrate.ErrCorrupt) {
		t.Errorf("got %v", last)
	}
}

// failing ends with err instead of io.EOF.
type failing struct {
	r   *bytes.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	if f.r.Len() == 0 {
		return 0, f.err
	}
	return f.r.Read(p)
}
