package neptunetest_test

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// TestAttributes2: each type has its object in the listing.
func TestAttributes2(t *testing.T) {
	low, high := 0.0, 100.0
	image := neptunetest.FileOf("cat", "image/png", []byte("png"))
	for _, test := range []struct {
		value  neptunetest.Value
		config *neptunetest.SeriesConfig
		kind   string
		want   string // of the object, without name and type
	}{
		{neptunetest.Int(math.MinInt64), nil, "int", `"value":-9223372036854775808`},
		{neptunetest.Float(0), nil, "float", `"value":0.0`},
		{neptunetest.Float(math.Copysign(0, -1)), nil, "float", `"value":-0.0`},
		{neptunetest.Float(5e-324), nil, "float", `"value":5e-324`},
		{neptunetest.Float(math.NaN()), nil, "float", `"value":"NaN"`},
		{neptunetest.Float(math.Inf(-1)), nil, "float", `"value":"-Infinity"`},
		{neptunetest.Bool(true), nil, "bool", `"value":true`},
		{neptunetest.String("a\"\\\n<ü>"), nil, "string", `"value":"a\"\\\n\u003cü\u003e"`},
		{neptunetest.Datetime(-1), nil, "datetime", `"value":"1969-12-31T23:59:59.999Z"`},
		{neptunetest.StringSet{"b", "a"}, nil, "stringSet", `"values":["b","a"]`},
		{neptunetest.StringSet{}, nil, "stringSet", `"values":[]`},
		{neptunetest.RunState("idle"), nil, "experimentState", `"value":"idle"`},
		{neptunetest.GitRef(`{ "repositoryDirty":false }`), nil, "gitRef", `"repositoryDirty":false`},
		{neptunetest.NotebookRef(`{}`), nil, "notebookRef", ``},
		{neptunetest.FileOf("a.tar.gz", "", []byte("12345")), nil, "file", `"name":"a.tar.gz","ext":"gz","size":5`},
		{neptunetest.FileSet{Files: []neptunetest.File{image, image}}, nil, "fileSet", `"size":6`},
		{neptunetest.Artifact{Hash: "abc"}, nil, "artifact", `"hash":"abc"`},
		{neptunetest.FloatSeries{}, nil, "floatSeries", `"config":{}`},
		{
			neptunetest.FloatSeries{{Step: 1, Value: 1}, {Step: 2.5, Value: 3}},
			&neptunetest.SeriesConfig{Unit: "%", Min: &low, Max: &high}, "floatSeries",
			`"config":{"max":100,"min":0,"unit":"%"},"last":3.0,"lastStep":2.5,"min":1.0,"max":3.0,"average":2.0,"variance":1.0`,
		},
		{neptunetest.StringSeries{}, nil, "stringSeries", ``},
		{neptunetest.StringSeries{{Step: 1, Value: "x"}}, nil, "stringSeries", `"last":"x","lastStep":1.0`},
		{neptunetest.Opaque{Type: "complex"}, nil, "complex", ``},
	} {
		_, c := serve2(t, neptunetest.Options{}, run2("P-1", neptunetest.Attribute{Path: "x", Value: test.value, Config: test.config}))
		resp := c.do(http.MethodGet, query(leaderboard+"attributes", "experimentId", c.uuid("P-1")), "")
		var out struct {
			Attributes []map[string]json.RawMessage
		}
		c.json(resp, &out)
		got := out.Attributes[len(out.Attributes)-1]
		want := `{"attributeName":"x","attributeType":"` + test.kind + `",` + test.want + `}`
		want = strings.Replace(want, ",}", "}", 1)
		if diff := cmp.Diff(map[string]json.RawMessage{
			"name": json.RawMessage(`"x"`), "type": json.RawMessage(`"` + test.kind + `"`), test.kind + "Properties": json.RawMessage(want),
		}, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", test.kind, diff)
		}
	}
}

// TestSystemAttributes: what every run has is there a second time, as it is among the others.
func TestSystemAttributes(t *testing.T) {
	_, c := serve2(t, neptunetest.Options{}, run2("P-1", attr("sys/owner", neptunetest.String("me"))))
	tree := c.get(leaderboard+"attributes", "experimentId", c.uuid("P-1"))
	want := map[string]any{}
	for i, name := range []string{"creationTime", "shortId", "owner", "trashed"} {
		a := member[map[string]any](t, tree, "attributes", i)
		want[name] = a[member[string](t, a, "type")+"Properties"]
	}
	if diff := cmp.Diff(want, member[map[string]any](t, tree, "systemAttributes")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
