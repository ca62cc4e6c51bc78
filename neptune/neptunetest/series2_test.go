package neptunetest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// raw reads what stands at a path as it is.
func (c *client) raw(path string, parameters ...string) string {
	c.t.Helper()
	return string(c.body(c.do(http.MethodGet, query(path, parameters...), "")))
}

func TestPages2(t *testing.T) {
	floats := neptunetest.FloatSeries{
		{Step: -1.5, TimeMS: 1, Value: 0.1}, {Step: 0, TimeMS: 2, Value: math.Inf(1)}, {Step: 1e18, TimeMS: -3, Value: math.Copysign(0, -1)},
	}
	texts := neptunetest.StringSeries{{Step: 0.000001, TimeMS: 1, Value: "a\x00"}, {Step: 1, TimeMS: 2, Value: ""}}
	image := neptunetest.FileOf("", "image/png", nil)
	images := neptunetest.FileSeries{{Step: 5, TimeMS: 6, Value: image}, {Step: 7, TimeMS: 8, Value: image}}
	_, c := serve2(t, neptunetest.Options{PageFloats: 2, PagePoints: 1}, run2("P-1", attr("f", floats), attr("s", texts), attr("i", images), attr("e", neptunetest.FloatSeries{})))
	id := c.uuid("P-1")
	for _, test := range []struct{ kind, path, limit, offset, want string }{
		{"float", "f", "1000", "0", `{"totalItemCount":3,"values":[{"timestampMillis":1,"step":-1.5,"value":0.1},{"timestampMillis":2,"step":0.0,"value":"Infinity"}]}`},
		{"float", "f", "1", "2", `{"totalItemCount":3,"values":[{"timestampMillis":-3,"step":1e+18,"value":-0.0}]}`},
		{"float", "f", "9", "3", `{"totalItemCount":3,"values":[]}`},
		{"float", "e", "9", "0", `{"totalItemCount":0,"values":[]}`},
		{"string", "s", "9", "0", `{"totalItemCount":2,"values":[{"timestampMillis":1,"step":1e-06,"value":"a\u0000"}]}`},
		{"string", "s", "9", "1", `{"totalItemCount":2,"values":[{"timestampMillis":2,"step":1.0,"value":""}]}`},
		{"image", "i", "1", "0", `{"totalItemCount":2}`},
	} {
		got := c.raw(attributes2+"series/"+test.kind, "experimentId", id, "attribute", test.path, "limit", test.limit, "offset", test.offset)
		if got != test.want {
			t.Errorf("%s %s from %s: %s, want %s", test.limit, test.path, test.offset, got, test.want)
		}
	}
	if got := c.raw(attributes2+"floatSeries/csv", "experimentId", id, "attribute", "f"); got != "-1.5,1,0.1\n0.0,2,Infinity\n1e+18,-3,-0.0\n" {
		t.Errorf("as CSV: %q", got)
	}
}

// TestPagesBySteps: the page begins at a step, and an offset does not matter.
func TestPagesBySteps(t *testing.T) {
	_, c := serve2(t, neptunetest.Options{BySteps: true, PageFloats: 2}, run2("P-1", attr("f", neptunetest.FloatSeries{{Step: 0.5}, {Step: 2}, {Step: 3}})))
	for _, test := range []struct {
		name, value string
		want        []string
	}{
		{"offset", "2", []string{"0.5", "2.0"}}, {"skipToStep", "0.6", []string{"2.0", "3.0"}}, {"skipToStep", "3", []string{"3.0"}}, {"skipToStep", "4", nil},
	} {
		page := c.get(attributes2+"series/float", "experimentId", c.uuid("P-1"), "attribute", "f", "limit", "9", test.name, test.value)
		var got []string
		for _, p := range member[[]any](t, page, "values") {
			got = append(got, member[json.Number](t, p, "step").String())
		}
		if diff := cmp.Diff(test.want, got); diff != "" || member[json.Number](t, page, "totalItemCount") != "3" {
			t.Errorf("%s=%s: (-want +got)\n%s", test.name, test.value, diff)
		}
	}
}

// TestBareNumbers: what JSON does not have is there without quotes too, in series, values and searches.
func TestBareNumbers(t *testing.T) {
	for bare, want := range map[bool]string{true: `"value":NaN`, false: `"value":"NaN"`} {
		_, c := serve2(t, neptunetest.Options{BareNaN: bare}, run2("P-1", attr("f", neptunetest.FloatSeries{{Value: math.NaN()}}), attr("x", neptunetest.Float(math.NaN()))))
		id := c.uuid("P-1")
		for _, got := range []string{
			c.raw(attributes2+"series/float", "experimentId", id, "attribute", "f"),
			c.raw(attributes2+"floats", "experimentId", id, "attribute", "x"),
			c.raw(leaderboard+"attributes", "experimentId", id),
		} {
			if !strings.Contains(got, want) {
				t.Errorf("bare %v: %s", bare, got)
			}
		}
	}
}

// TestGetters: each getter gives what the listing has, of its own type alone.
func TestGetters(t *testing.T) {
	getters := map[string]neptunetest.Value{
		"floats": neptunetest.Float(1), "integers": neptunetest.Int(1), "booleans": neptunetest.Bool(true), "strings": neptunetest.String("x"),
		"datetimes": neptunetest.Datetime(1), "files": neptunetest.FileOf("a.b", "", nil), "stringSets": neptunetest.StringSet{"x"},
		"floatSeries": neptunetest.FloatSeries{{Step: 1}}, "stringSeries": neptunetest.StringSeries{{Step: 1}}, "artifacts": neptunetest.Artifact{Hash: "h"},
	}
	run := run2("P-1", attr("sys/group_tags", neptunetest.StringSet{}), attr("empty", neptunetest.StringSet{}))
	for name, v := range getters {
		run.Attributes = append(run.Attributes, attr(name, v))
	}
	_, c := serve2(t, neptunetest.Options{}, run)
	id := c.uuid("P-1")
	listed := map[string]any{}
	for _, a := range member[[]any](t, c.get(leaderboard+"attributes", "experimentId", id), "attributes") {
		listed[member[string](t, a, "name")] = a.(map[string]any)[member[string](t, a, "type")+"Properties"]
	}
	for path := range getters {
		for name := range getters {
			if name != path {
				if got := c.statusOf(attributes2+path, "experimentId", id, "attribute", name); got != http.StatusNotFound {
					t.Errorf("%s as one of %s: %d", name, path, got)
				}
				continue
			}
			if diff := cmp.Diff(listed[name], c.get(attributes2+path, "experimentId", id, "attribute", name)); diff != "" {
				t.Errorf("%s: (-listing +getter)\n%s", name, diff)
			}
		}
	}
	for name, want := range map[string]int{"sys/group_tags": http.StatusNotFound, "empty": http.StatusOK, "/empty": http.StatusNotFound} {
		if got := c.statusOf(attributes2+"stringSets", "experimentId", id, "attribute", name); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}

func TestChannels(t *testing.T) {
	one := neptunetest.FileOf("a \"1\"", "image/png", []byte("1"))
	one.Description = "what it shows"
	two := neptunetest.FileOf("", "image/svg+xml", []byte("<svg/>"))
	images := neptunetest.FileSeries{{Step: 0.5, TimeMS: 11, Value: one}, {Step: 7, TimeMS: 12, Value: two}}
	_, c := serve2(t, neptunetest.Options{PagePoints: 1}, run2("P-1", attr("i", images)))
	id := c.uuid("P-1")
	listing := c.get(leaderboard+"attributes", "experimentId", id)
	channel := member[string](t, listing, "attributes", 0, "imageSeriesProperties", "channelId")
	for offset, want := range map[string]string{
		"0": `{"channelId":"` + channel + `","totalItemCount":2,"values":[{"timestampMillis":11,"x":0.5,"y":{"imageValue":{"name":"a \"1\"","description":"what it shows"}}}]}`,
		"1": `{"channelId":"` + channel + `","totalItemCount":2,"values":[{"timestampMillis":12,"x":7.0,"y":{"imageValue":{}}}]}`,
		"2": `{"channelId":"` + channel + `","totalItemCount":2,"values":[]}`,
	} {
		if got := c.raw(leaderboard+"channels/"+channel+"/values", "limit", "1000", "offset", offset); got != want {
			t.Errorf("from %s: %s, want %s", offset, got, want)
		}
	}
	if got := c.statusOf(leaderboard + "channels/x/values"); got != http.StatusNotFound {
		t.Errorf("no channel: %d", got)
	}
	for index, want := range map[string]string{"0": "image/png 1", "1": "image/svg+xml <svg/>"} {
		resp := c.do(http.MethodGet, query(attributes2+"series/image/single", "experimentId", id, "attribute", "i", "index", index), "")
		content, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := resp.Header.Get("Content-Type") + " " + string(content); got != want || err != nil {
			t.Errorf("image %s: %s, want %s (%v)", index, got, want, err)
		}
	}
	if got := c.statusOf(attributes2+"series/image/single", "experimentId", id, "attribute", "i", "index", "2"); got != http.StatusNotFound {
		t.Errorf("image 2: %d", got)
	}
}

// TestLarge2: the points of a long series are made when they are asked for.
func TestLarge2(t *testing.T) {
	_, c := serve2(t, neptunetest.Options{Projects: []*neptunetest.Project{neptunetest.Large("team", "large", 2, 1, 2_000_000)}})
	id := member[string](t, c.get(leaderboard+"experiments", "experimentId", "team/large/L-2"), "id")
	page := c.get(attributes2+"series/float", "experimentId", id, "attribute", "metrics/group_0/value_0000", "limit", "1000", "offset", "1999500")
	values := member[[]any](t, page, "values")
	if len(values) != 500 || member[json.Number](t, page, "totalItemCount") != "2000000" {
		t.Errorf("%d points of %v", len(values), member[json.Number](t, page, "totalItemCount"))
	}
	if got := member[json.Number](t, values[499], "step"); got != "1999999.0" {
		t.Errorf("the last step is %s", got)
	}
}

// BenchmarkPages2 reads 400 series of 1,000 points, page by page.
func BenchmarkPages2(b *testing.B) {
	s := neptunetest.NewServer(b, neptunetest.Options{
		Generation: 2, Projects: []*neptunetest.Project{neptunetest.Large("team", "proj", 1, 400, 1000)}, NoRecord: true,
	})
	c := newClient(b, s)
	id := c.uuid("L-1")
	for b.Loop() {
		for k := range 400 {
			path := fmt.Sprintf("metrics/group_%d/value_%04d", k%8, k)
			c.raw(attributes2+"series/float", "experimentId", id, "attribute", path, "limit", "1000", "offset", "0")
		}
	}
}

// BenchmarkListing2 lists 12,000 runs as far as the window reaches, page by page.
func BenchmarkListing2(b *testing.B) {
	s := neptunetest.NewServer(b, neptunetest.Options{
		Generation: 2, Projects: []*neptunetest.Project{neptunetest.Large("team", "proj", 12_000, 0, 0)}, NoRecord: true,
	})
	c := newClient(b, s)
	for b.Loop() {
		for offset := 0; offset < 10_000; offset += 1000 {
			c.entries("run", "(`sys/trashed`:bool = false)", 1000, offset)
		}
	}
}
