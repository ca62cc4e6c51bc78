package neptunetest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nexport-go/migrate/neptune/neptunetest"
	"google.golang.org/protobuf/encoding/protowire"
)

// steps returns the steps of the one series of an answer; values are in the fields on path.
func steps(t *testing.T, out []byte, path ...protowire.Number) (list []float64) {
	t.Helper()
	values := path[len(path)-1]
	for _, point := range all(t, at(t, out, path[:len(path)-1]...), values) {
		list = append(list, double(t, point, 2))
	}
	return list
}

func floatsTo(n int) neptunetest.FloatSeries {
	var s neptunetest.FloatSeries
	for i := range n {
		s = append(s, neptunetest.Point[float64]{Step: float64(i), Value: float64(i), TimeMS: int64(i)})
	}
	return s
}

func TestFloatsByPages(t *testing.T) {
	generated := neptunetest.GeneratedFloats{N: 7, At: func(i int) neptunetest.Point[float64] {
		return neptunetest.Point[float64]{Step: float64(i), Value: float64(i)}
	}}
	_, c := serve(t, neptunetest.Options{PageFloats: 4}, run("P-1", attr("m", floatsTo(7)), attr("g", generated)))
	for _, name := range []string{"m", "g"} {
		for _, test := range []struct{ order, after, stepRange, want string }{
			{"ascending", "", "null", "[0 1 2]"},
			{"ascending", `,"afterStep":2`, "null", "[3 4 5]"},
			{"ascending", `,"afterStep":5`, "null", "[6]"},
			{"ascending", `,"afterStep":6`, "null", "[]"},
			{"ascending", "", `{"from":2,"to":3}`, "[2 3]"},
			{"ascending", `,"afterStep":2`, `{"from":2,"to":3}`, "[3]"},
			{"descending", "", `{"from":null,"to":null}`, "[6 5 4]"},
			{"descending", `,"afterStep":4`, "null", "[3 2 1]"},
			{"descending", `,"afterStep":1`, `{"from":0.5,"to":null}`, "[]"},
		} {
			out := c.post(floatPath, `{"requests":[%s],"perSeriesPointsLimit":3,"order":%q,"stepRange":%s}`,
				floatRequest("0", "P-1", name, test.after), test.order, test.stepRange)
			if got := fmt.Sprint(steps(t, out, 1, 2, 2)); got != test.want {
				t.Errorf("%s %+v: %s", name, test, got)
			}
		}
		out := c.post(floatPath, `{"requests":[%s],"perSeriesPointsLimit":100,"order":"ascending"}`, floatRequest("0", "P-1", name, ""))
		if got := fmt.Sprint(steps(t, out, 1, 2, 2)); got != "[0 1 2 3]" {
			t.Errorf("%s by the server's own pages: %s", name, got)
		}
	}
}

// TestFloatsThatAreNotThere: no entry without the series, one without points for an empty series.
func TestFloatsThatAreNotThere(t *testing.T) {
	_, c := serve(t, neptunetest.Options{}, run("P-1", attr("none", floatsTo(0)), attr("x", neptunetest.Int(1))))
	out := c.post(floatPath, `{"requests":[%s,%s,%s,%s],"perSeriesPointsLimit":3,"order":"ascending"}`,
		floatRequest("0", "P-1", "none", ""), floatRequest("1", "P-1", "x", ""), floatRequest("2", "P-1", "y", ""), floatRequest("3", "P-9", "none", ""))
	entries := all(t, out, 1)
	if len(entries) != 1 || string(at(t, entries[0], 1)) != "0" || len(at(t, entries[0], 2)) != 0 {
		t.Errorf("entries %q", entries)
	}
}

func TestPreviews(t *testing.T) {
	s := append(floatsTo(2), neptunetest.Point[float64]{Step: 2, Preview: true, Completion: 0.5})
	_, c := serve(t, neptunetest.Options{}, run("P-1", attr("m", s)))
	for with, want := range map[string]string{"true": "[0 1 2]", "false": "[0 1]"} {
		request := strings.Replace(floatRequest("0", "P-1", "m", ""), `"includePreview":true`, `"includePreview":`+with, 1)
		out := c.post(floatPath, `{"requests":[%s],"perSeriesPointsLimit":9,"order":"ascending"}`, request)
		if got := fmt.Sprint(steps(t, out, 1, 2, 2)); got != want {
			t.Errorf("includePreview %s: %s, want %s", with, got, want)
		}
	}
}

// TestLineage has a grandchild of which each ancestor contributes what lies before the fork.
func TestLineage(t *testing.T) {
	experiment := func(name string) neptunetest.Attribute {
		return attr("sys/experiment/name", neptunetest.String(name))
	}
	series := func(from, to int) neptunetest.Attribute {
		return attr("m", floatsTo(to + 1)[from:])
	}
	fork := func(parent string, step neptunetest.Value) []neptunetest.Attribute {
		return []neptunetest.Attribute{attr("sys/forking/parent", neptunetest.String(parent)), attr("sys/forking/step", step)}
	}
	_, c := serve(
		t, neptunetest.Options{}, run("P-1", experiment("a"), series(0, 9)),
		run("P-2", append(fork("custom P-1", neptunetest.Int(4)), experiment("a"), series(5, 9))...),
		run("P-3", append(fork("P-2", neptunetest.Float(6)), experiment("b"), series(6, 8))...),
		run("P-4", append(fork("custom P-4", neptunetest.Int(1)), series(0, 3))...),
		run("P-5", fork("custom P-1", neptunetest.Int(1))...),
	)
	for _, test := range []struct{ run, lineage, entity, want string }{
		{"P-3", "FULL", "RUN", "[0 1 2 3 4 5 6 7 8]"},
		{"P-3", "NONE", "RUN", "[6 7 8]"},
		{"P-3", "NONE", "EXPERIMENT", "[6 7 8]"},
		{"P-2", "NONE", "EXPERIMENT", "[0 1 2 3 4 5 6 7 8 9]"},
		{"P-1", "FULL", "RUN", "[0 1 2 3 4 5 6 7 8 9]"},
		{"P-4", "FULL", "RUN", "[2 3]"}, // its own parent
		{"P-5", "FULL", "RUN", "[0 1]"}, // nothing of its own
		{"P-5", "NONE", "RUN", "[]"},
	} {
		request := strings.NewReplacer(`"NONE"`, fmt.Sprintf("%q", test.lineage), `"RUN"`, fmt.Sprintf("%q", test.entity)).
			Replace(floatRequest("0", test.run, "m", ""))
		out := c.post(floatPath, `{"requests":[%s],"perSeriesPointsLimit":99,"order":"ascending"}`, request)
		if got := fmt.Sprint(steps(t, out, 1, 2, 2)); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}

func otherRequest(id, attribute, more string) string {
	return strings.Replace(floatRequest(id, "P-1", attribute, more), `,"includePreview":true`, "", 1)
}

// TestOtherSeriesByPages follows the tokens of three series that share pages of two points.
func TestOtherSeriesByPages(t *testing.T) {
	_, c := serve(t, neptunetest.Options{PagePoints: 2}, run(
		"P-1", attr("s", neptunetest.StringSeries{{Step: 1, Value: ""}, {Step: 2, Value: "b"}, {Step: 3, Value: "c"}}),
		attr("h", neptunetest.HistogramSeries{{Step: 1, Value: neptunetest.Histogram{Type: "COUNTING", Edges: []float64{0, 1}, Values: []float64{3}}}}),
		attr("f", neptunetest.FileSeries{{Step: 5, Value: neptunetest.FileOf("n", "text/plain", []byte("x"))}}), attr("e", neptunetest.StringSeries{}),
	))
	got := map[string]string{}
	open := map[string]string{"s": "", "h": "", "f": "", "e": "", "missing": ""}
	for pages := 0; len(open) > 0; pages++ {
		if pages > 9 {
			t.Fatalf("no end; still open are %v", open)
		}
		var requests []string
		for _, name := range []string{"s", "h", "f", "e", "missing"} {
			if more, there := open[name]; there {
				requests = append(requests, otherRequest(name, name, more))
			}
		}
		out := c.post(seriesPath, `{"requests":[%s],"order":"ascending","stepRange":{"from":null,"to":null}}`, strings.Join(requests, ","))
		there := map[string]string{}
		for _, entry := range all(t, out, 1) {
			name := string(at(t, entry, 1))
			for _, point := range all(t, at(t, entry, 4), 1) {
				for _, object := range all(t, point, 6) {
					got[name] += fmt.Sprintf("%v:%d ", double(t, point, 2), fields(t, object)[0].number)
				}
			}
			after := at(t, entry, 2)
			switch {
			case after == nil:
				there[name] = open[name]
			case number(t, after, 1) == 0:
				there[name] = fmt.Sprintf(`,"searchAfter":{"finished":false,"token":%q}`, at(t, after, 2))
			}
		}
		open = there
	}
	want := map[string]string{"s": "1:1 2:1 3:1 ", "h": "1:2 ", "f": "5:3 "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTailOfOtherSeries(t *testing.T) {
	_, c := serve(t, neptunetest.Options{}, run("P-1", attr("s", neptunetest.StringSeries{{Step: 1}, {Step: 2}, {Step: 3}})))
	for limit, want := range []string{"[]", "[3]", "[3 2]", "[3 2 1]", "[3 2 1]"} {
		out := c.post(seriesPath, `{"requests":[%s],"order":"descending","perSeriesPointsLimit":%d}`, otherRequest("0", "s", ""), limit)
		if got := fmt.Sprint(steps(t, out, 1, 4, 1)); got != want || number(t, at(t, out, 1, 2), 1) != 1 {
			t.Errorf("limit %d: %s, want %s and finished", limit, got, want)
		}
	}
}

// BenchmarkFloats shows how fast the server is: a million points an answer.
func BenchmarkFloats(b *testing.B) {
	generated := neptunetest.GeneratedFloats{N: 1_000_000, At: func(i int) neptunetest.Point[float64] {
		return neptunetest.Point[float64]{Step: float64(i), Value: float64(i) / 3, TimeMS: 1700000000000 + int64(i)}
	}}
	_, c := serve(b, neptunetest.Options{NoGzip: true, NoRecord: true}, run("P-1", attr("m", generated)))
	for b.Loop() {
		c.post(floatPath, `{"requests":[%s],"perSeriesPointsLimit":1000000,"order":"ascending"}`, floatRequest("0", "P-1", "m", ""))
	}
	b.ReportMetric(float64(b.N)*1e6/b.Elapsed().Seconds(), "points/s")
}
