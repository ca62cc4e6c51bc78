package neptunetest_test

import (
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nexport-go/migrate/internal/fixture"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

func readWorld(t testing.TB, name string) *neptunetest.Project {
	t.Helper()
	p, err := neptunetest.World{}.ReadWorld(fixture.World(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestReadWorlds(t *testing.T) {
	for name, runs := range map[string]int{"neptune3-d-small": 6, "neptune3-d-odd": 29, "neptune3-d-multipart": 2} {
		t.Run(name, func(t *testing.T) {
			p := readWorld(t, name)
			if len(p.Runs) != runs {
				t.Errorf("%d runs, want %d", len(p.Runs), runs)
			}
			neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
		})
	}
}

// oneAttribute is a world of one run with one attribute.
func oneAttribute(attribute string) []byte {
	return []byte(`{"version":1,"generation":3,"project":"team/proj","project_key":"P","runs":[
		{"sys_id":"P-1","custom_run_id":null,"archived":true,"attributes":[` + attribute + `]}]}`)
}

func TestWorldValues(t *testing.T) {
	for text, want := range map[string]neptunetest.Value{
		`"type":"int","value":9223372036854775807`:                                 neptunetest.Int(math.MaxInt64),
		`"type":"float","value":"-Infinity"`:                                       neptunetest.Float(math.Inf(-1)),
		`"type":"float","value":1e-320`:                                            neptunetest.Float(1e-320),
		`"type":"string_set","value":["a","b"]`:                                    neptunetest.StringSet{"a", "b"},
		`"type":"experiment_state","value":{"value":{}}`:                           neptunetest.Opaque{Type: "experimentState"},
		`"type":"string_series","points":[[1,"b",2],[0.5,"a",1]]`:                  neptunetest.StringSeries{{Step: 0.5, TimeMS: 1, Value: "a"}, {Step: 1, TimeMS: 2, Value: "b"}},
		`"type":"float_series","points":[[1,2,3,{"preview":true,"completion":1}]]`: neptunetest.FloatSeries{{Step: 1, Value: 2, TimeMS: 3, Preview: true, Completion: 1}},
		`"type":"histogram_series","points":[[1,{"type":"COUNTING","edges":[0,"Infinity"],"values":[2]},3]]`: neptunetest.HistogramSeries{
			{Step: 1, TimeMS: 3, Value: neptunetest.Histogram{Type: "COUNTING", Edges: []float64{0, math.Inf(1)}, Values: []float64{2}}},
		},
	} {
		p, err := neptunetest.World{}.ReadWorld(oneAttribute(`{"path":"x",` + text + `}`))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		wantRun := &neptunetest.Run{ID: "P-1", Attributes: []neptunetest.Attribute{attr("x", want), attr("sys/archived", neptunetest.Bool(true))}}
		if diff := cmp.Diff([]*neptunetest.Run{wantRun}, p.Runs); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", text, diff)
		}
	}
}

func TestWorldFilesAreGenerated(t *testing.T) {
	var asked string
	w := neptunetest.World{Generate: func(run, attribute string, size, seed int64) ([]byte, error) {
		asked = fmt.Sprint(run, " ", attribute, " ", size, " ", seed)
		return []byte("abc"), nil
	}}
	p, err := w.ReadWorld(oneAttribute(`{"path":"f","type":"file","name":"n","mime":"m","size":3,"seed":7}`))
	if err != nil {
		t.Fatal(err)
	}
	f := p.Runs[0].Attributes[0].Value.(neptunetest.File)
	content, err := io.ReadAll(io.NewSectionReader(f.Content, 0, f.Size))
	if asked != "P-1 f 3 7" || string(content) != "abc" || err != nil {
		t.Errorf("asked for %q, content %q, %v", asked, content, err)
	}
}

func TestWrongWorlds(t *testing.T) {
	for _, attribute := range []string{
		`{"path":"x","type":"int"}`,
		`{"path":"x","type":"int","value":1.5}`,
		`{"path":"x","type":"int","value":9223372036854775808}`,
		`{"path":"x","type":"float","value":"nan"}`,
		`{"path":"x","type":"file"}`,
		`{"path":"x","type":"file","size":-1,"seed":1}`,
		`{"path":"x","type":"run_state","value":{}}`,
		`{"path":"x","type":"float_series"}`,
		`{"path":"x","type":"float_series","points":[[1,2]]}`,
		`{"path":"x","type":"float_series","points":[[1,2,3,{"preview":true},5]]}`,
		`{"path":"x","type":"histogram_series","points":[[1,{"bins":[]},3]]}`,
		`{"path":"x","kind":"int","value":1}`,
	} {
		if _, err := (neptunetest.World{}).ReadWorld(oneAttribute(attribute)); err == nil {
			t.Errorf("%s: no error", attribute)
		}
	}
	for _, world := range []string{``, `{}`, `{"version":2,"generation":3}`, `{"version":1,"generation":4,"project":"a/b"}`} {
		if _, err := (neptunetest.World{}).ReadWorld([]byte(world)); err == nil {
			t.Errorf("%s: no error", world)
		}
	}
}

// FuzzReadWorld: a world is refused, or read and then served or refused.
func FuzzReadWorld(f *testing.F) {
	f.Add([]byte(`{"version":1,"generation":3,"project":"team/proj","runs":[]}`))
	f.Add(oneAttribute(`{"path":"x","type":"float_series","points":[[1,"NaN",3],[2,1,3,{"preview":true,"completion":0.5}]]}`))
	f.Add(oneAttribute(`{"path":"x","type":"file_series","points":[[1,{"name":"n","mime":"m","b64":"YQ=="},3]]}`))
	f.Add(oneAttribute2(`{"path":"x","type":"file_set","files":[{"path":"a","size":2,"seed":1}]}`))
	f.Add(oneAttribute2(`{"path":"x","type":"artifact","hash":"h","files":[{"path":"a","hash":"","metadata":{}}]}`))
	f.Add(oneAttribute2(`{"path":"x","type":"git_ref","value":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := neptunetest.World{}.ReadWorld(text)
		if err != nil {
			return
		}
		for _, generation := range []int{2, 3} {
			s, err := neptunetest.Start(neptunetest.Options{Generation: generation, Projects: []*neptunetest.Project{p}})
			if err == nil {
				s.Close()
			}
		}
	})
}
