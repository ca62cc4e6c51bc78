package neptunetest_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// pages asks for definitions page by page and returns "name:type".
func pages(t *testing.T, c *client, filter string) (got []string) {
	t.Helper()
	token := "null"
	for {
		var out struct {
			Entries  []struct{ Name, Type string }
			NextPage struct{ NextPageToken *string }
		}
		body := c.post(definitionsPath, `{"projectIdentifiers":["team/proj"],"nextPage":{"limit":2,"nextPageToken":%s}%s}`, token, filter)
		if err := json.Unmarshal(body, &out); err != nil {
			t.Fatal(err)
		}
		for _, e := range out.Entries {
			got = append(got, e.Name+":"+e.Type)
		}
		if out.NextPage.NextPageToken == nil {
			return got
		}
		token = fmt.Sprintf("%q", *out.NextPage.NextPageToken)
	}
}

func TestDefinitions(t *testing.T) {
	_, c := serve(
		t, neptunetest.Options{}, run("P-1", attr("m/loss", neptunetest.FloatSeries{}), attr("m/acc.top1", neptunetest.FloatSeries{}), attr("x", neptunetest.Int(1))),
		run("P-2", attr("x", neptunetest.Float(1)), attr("x/state", neptunetest.Opaque{Type: "experimentState"}), attr("m/loss", neptunetest.FloatSeries{})),
	)
	noSys := `,"attributeNameFilter":{"mustMatchAny":[{"mustNotMatchRegexes":["^sys/"]}]}`
	for _, test := range []struct{ name, filter, want string }{
		{"all but sys", noSys, "m/acc.top1:floatSeries m/loss:floatSeries x:float x:int x/state:experimentState"},
		{"of a run", noSys + `,"experimentIdsFilter":["team/proj/P-2"]`, "m/loss:floatSeries x:float x/state:experimentState"},
		{"of a run by its custom ID", noSys + `,"experimentIdsFilter":["CUSTOM/team/proj/custom P-1"]`, "m/acc.top1:floatSeries m/loss:floatSeries x:int"},
		{"of no run", `,"experimentIdsFilter":[]`, ""},
		{"of unknown runs", `,"experimentIdsFilter":["team/proj/P-9","team/other/P-1","x"]`, ""},
		{"types", `,"attributeFilter":[{"attributeType":"int"},{"attributeType":"fileRef"}]`, "x:int"},
		{"exact names", `,"attributeNameFilter":{"mustMatchAny":[{"mustMatchRegexes":["^(m/loss|m/acc\\.top1)$"]}]}`, "m/acc.top1:floatSeries m/loss:floatSeries"},
		{"both expressions", `,"attributeNameFilter":{"mustMatchAny":[{"mustMatchRegexes":["m","loss"]}]}`, "m/loss:floatSeries"},
		{"one of two alternatives", `,"attributeNameFilter":{"mustMatchAny":[{"mustMatchRegexes":["loss"]},{"mustMatchRegexes":["^x$"]}]}`, "m/loss:floatSeries x:float x:int"},
		{"no alternative", `,"attributeNameFilter":{"mustMatchAny":[]}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := strings.Join(pages(t, c, test.filter), " "); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestValuesPages: each page holds as many values as asked for, a run goes on with the next page.
func TestValuesPages(t *testing.T) {
	_, c := serve(
		t, neptunetest.Options{}, run("P-1", attr("a", neptunetest.Int(1)), attr("b", neptunetest.Int(2)), attr("c", neptunetest.Int(3))),
		run("P-2"), run("P-3", attr("a", neptunetest.Int(4)), attr("b", neptunetest.String("5"))),
	)
	for limit := 1; limit < 7; limit++ {
		var got []string
		for token := "null"; token != ""; {
			out := c.post(valuesPath, `{"attributeNamesFilter":["a","b","c","a"],"nextPage":{"limit":%d,"nextPageToken":%s}}`, limit, token)
			n := 0
			for _, entry := range all(t, out, 1) {
				for _, a := range all(t, entry, 3) {
					n++
					got = append(got, string(at(t, entry, 2))+string(at(t, a, 1)))
				}
			}
			if n > limit {
				t.Errorf("%d values on a page of %d", n, limit)
			}
			if token = string(at(t, out, 2, 1)); token != "" {
				token = fmt.Sprintf("%q", token)
			}
		}
		if diff := cmp.Diff("P-1a P-1b P-1c P-3a P-3b", strings.Join(got, " ")); diff != "" {
			t.Errorf("limit %d: %s", limit, diff)
		}
	}
}

// TestWire compares with bytes put together from what the classes generated from Neptune's definitions write.
func TestWire(t *testing.T) {
	_, c := serve(t, neptunetest.Options{}, &neptunetest.Run{ID: "P-1", CustomID: "r", Attributes: []neptunetest.Attribute{
		attr("i", neptunetest.Int(-2)), attr("z", neptunetest.Bool(false)), attr("f", neptunetest.Float(math.Float64frombits(0x7ff8<<48))),
		attr("s", neptunetest.FloatSeries{
			{Step: 0, Preview: true, Completion: 0.25},
		}),
		attr("t", neptunetest.FloatSeries{{TimeMS: 1700000000123, Step: 0.5, Value: math.Inf(1)}}),
	}})
	values := c.post(valuesPath, `{"experimentIdsFilter":["team/proj/P-1"],"attributeNamesFilter":["i","z","f"]}`)
	var got []string
	for _, a := range all(t, at(t, values, 1), 3) {
		got = append(got, hex.EncodeToString(a))
	}
	want := []string{
		"0a01691203696e741a130a01691203696e7418feffffffffffffffff01",
		"0a017a1204626f6f6c32090a017a1204626f6f6c",
		"0a01661205666c6f617422130a01661205666c6f617419000000000000f87f",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got)\n%s", diff)
	}
	floats := c.post(floatPath, `{"requests":[%s,%s],"perSeriesPointsLimit":9,"order":"ascending"}`,
		floatRequest("0", "P-1", "t", ""), floatRequest("1", "P-1", "s", ""))
	wantFloats := "0a270a013012220801121e08fbd095ffbc3111000000000000e03f19000000000000f07f2d0000803f" +
		"0a100a0131120b0801120720012d0000803e"
	if got := hex.EncodeToString(floats); got != wantFloats {
		t.Errorf("floats %s, want %s", got, wantFloats)
	}
}

func floatRequest(id, run, attribute, more string) string {
	return fmt.Sprintf(`{"requestId":%q,"series":{"holder":{"identifier":"team/proj/%s","type":"experiment"},"attribute":%q,
		"lineage":"NONE","lineageEntityType":"RUN","includePreview":true}%s}`, id, run, attribute, more)
}

func TestAggregates(t *testing.T) {
	_, c := serve(t, neptunetest.Options{}, run(
		"P-1", attr("m", neptunetest.FloatSeries{{Step: 1, Value: 5}, {Step: 2, Value: 1}, {Step: 3, Value: 9, Preview: true}}),
		attr("n", neptunetest.FloatSeries{{Step: 1, Value: 1, Preview: true}}), attr("s", neptunetest.StringSeries{{Step: 4, Value: ""}}),
		attr("e", neptunetest.StringSeries{}),
	))
	get := func(name string) []byte {
		return at(t, c.post(valuesPath, `{"attributeNamesFilter":[%q]}`, name), 1, 3)
	}
	m := at(t, get("m"), 9)
	got := []float64{double(t, m, 3), double(t, m, 4), double(t, m, 5), double(t, m, 6), double(t, m, 7), double(t, m, 8), float64(number(t, m, 10))}
	if diff := cmp.Diff([]float64{2, 1, 1, 5, 3, 4, 1}, got); diff != "" {
		t.Errorf("aggregates (-want +got)\n%s", diff)
	}
	for name, want := range map[string]int{"n": 3, "e": 2} { // name and type, and for n that it has a preview
		properties := map[string]int32{"n": 9, "e": 11}[name]
		for _, f := range fields(t, get(name)) {
			if int32(f.number) == properties && len(fields(t, f.raw)) != want {
				t.Errorf("%s has aggregates without final points: %v", name, fields(t, f.raw))
			}
		}
	}
	if s := at(t, get("s"), 11); double(t, s, 3) != 4 || len(all(t, s, 4)) != 1 {
		t.Errorf("last string, which is empty: %v", fields(t, s))
	}
}
