package neptunetest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// many are runs P-1 to P-n, created a second apart.
func many(n int) (runs []*neptunetest.Run) {
	for i := range n {
		runs = append(runs, run2(fmt.Sprintf("P-%d", i+1)))
	}
	return runs
}

func TestSearch2Pages(t *testing.T) {
	_, c := serve2(t, neptunetest.Options{Window: 6, PageRuns: 3}, many(8)...)
	for _, test := range []struct {
		limit, offset int
		want          string
	}{
		{2, 0, "P-1 P-2"}, {4, 2, "P-3 P-4 P-5"}, {0, 0, ""}, {1, 5, "P-6"}, {0, 6, ""},
	} {
		ids, matching := c.entries("run", "", test.limit, test.offset)
		if got := strings.Join(ids, " "); got != test.want || matching != "8" {
			t.Errorf("%d from %d on: %q of %s, want %q", test.limit, test.offset, got, matching, test.want)
		}
	}
}

// TestSearch2Ends: past the last run there is an empty page, which is what clients wait for.
func TestSearch2Ends(t *testing.T) {
	_, c := serve2(t, neptunetest.Options{}, many(3)...)
	if ids, matching := c.entries("run", "", 100, 9900); len(ids) != 0 || matching != "3" {
		t.Errorf("%v of %s", ids, matching)
	}
}

func TestSearch2Kinds(t *testing.T) {
	s, c := serve2(t, neptunetest.Options{}, run2("P-1"))
	s.Change(func(projects []*neptunetest.Project) []*neptunetest.Project {
		projects[0].Models = []*neptunetest.Run{run2("P-NET"), run2("P-OLD", attr("sys/trashed", neptunetest.Bool(true)))}
		projects[0].ModelVersions = []*neptunetest.Run{run2("P-NET-1"), run2("P-NET-2"), run2("P-OLD-1")}
		return projects
	})
	for _, test := range []struct{ kind, query, want string }{
		{"run", "", "P-1"},
		{"model", "(`sys/trashed`:bool = false)", "P-NET"},
		{"model", "", "P-NET P-OLD"},
		{"modelVersion", "((`sys/trashed`:bool = false) AND (`sys/model_id`:string = \"P-NET\"))", "P-NET-1 P-NET-2"},
	} {
		ids, _ := c.entries(test.kind, test.query, 10, 0)
		if got := strings.Join(ids, " "); got != test.want {
			t.Errorf("%s %s: %q, want %q", test.kind, test.query, got, test.want)
		}
	}
	old := c.get(leaderboard+"experiments", "experimentId", "team/proj/P-OLD")
	version := c.get(leaderboard+"experiments", "experimentId", "team/proj/P-OLD-1")
	if !member[bool](t, old, "trashed") || member[string](t, version, "parentId") != member[string](t, old, "id") {
		t.Errorf("%v, %v", old, version)
	}
}

// TestSearch2Sorting: runs without the attribute come last, whatever the direction.
func TestSearch2Sorting(t *testing.T) {
	_, c := serve2(t, neptunetest.Options{},
		run2("P-1", attr("x", neptunetest.Float(2)), attr("m", neptunetest.FloatSeries{{Value: 1}, {Step: 1, Value: 5}})),
		run2("P-2", attr("x", neptunetest.String("1")), attr("m", neptunetest.FloatSeries{{Value: 2}, {Step: 1, Value: 3}})),
		run2("P-3", attr("x", neptunetest.Float(-1))),
	)
	for want, sorting := range map[string]string{
		"P-3 P-1 P-2": `"dir":"ascending","sortBy":{"name":"x","type":"float"}`,
		"P-1 P-3 P-2": `"dir":"descending","sortBy":{"name":"x","type":"float"}`,
		"P-1 P-2 P-3": `"dir":"descending","sortBy":{"name":"m","type":"floatSeries"}`,
		"P-2 P-1 P-3": `"dir":"descending","sortBy":{"name":"m","type":"floatSeries","aggregationMode":"min"}`,
		"P-3 P-2 P-1": `"dir":"descending","sortBy":{"name":"sys/id","type":"string"}`,
	} {
		body := `{"sorting":{` + sorting + `},"attributeFilters":[{"path":"sys/id"}],"pagination":{"limit":9,"offset":0}}`
		tree := c.tree(c.do(http.MethodPost, query(leaderboard+"leaderboard/entries/search", "projectIdentifier", "team/proj", "type", "run"), body))
		var ids []string
		for _, entry := range member[[]any](t, tree, "entries") {
			ids = append(ids, member[string](t, entry, "attributes", 0, "stringProperties", "value"))
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %s, want %s", sorting, got, want)
		}
	}
}

// TestSearch2Attributes: without filters all, with filters those, each once; and what they are in the listing of the run.
func TestSearch2Attributes(t *testing.T) {
	_, c := serve2(t, neptunetest.Options{}, run2("P-1", attr("b", neptunetest.Int(1)), attr("a/b", neptunetest.StringSet{"x"})))
	want := member[[]any](t, c.get(leaderboard+"attributes", "experimentId", c.uuid("P-1")), "attributes")
	for filters, paths := range map[string]string{
		``: "a/b b sys/creation_time sys/id sys/trashed",
		`"attributeFilters":[{"path":"b"},{"path":"none"},{"path":"b"}],`: "b",
		`"attributeFilters":[],`: "",
	} {
		body := `{` + filters + `"sorting":{"dir":"ascending","sortBy":{"name":"sys/id","type":"string"}},"pagination":{"limit":1,"offset":0}}`
		tree := c.tree(c.do(http.MethodPost, query(leaderboard+"leaderboard/entries/search", "projectIdentifier", "team/proj", "type", "run"), body))
		got := member[[]any](t, tree, "entries", 0, "attributes")
		var names []string
		for _, a := range got {
			names = append(names, member[string](t, a, "name"))
		}
		if strings.Join(names, " ") != paths {
			t.Errorf("%s: %s, want %s", filters, names, paths)
		}
		if filters == "" {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the search has others than the run: (-run +search)\n%s", diff)
			}
		}
	}
}

// TestColumns: the creation time is found once, even where nothing has it.
func TestColumns(t *testing.T) {
	s, c := serve2(t, neptunetest.Options{}, run2("P-1", attr("x", neptunetest.Int(1))), run2("P-2", attr("x", neptunetest.Float(1))))
	columns := func(search, kind string) (out []string) {
		path := query(leaderboard+"leaderboard/attributes/search", "projectIdentifier", "team/proj", "search", search, "type", kind)
		for _, entry := range member[[]any](t, c.tree(c.do(http.MethodPost, path, `{}`)), "entries") {
			out = append(out, member[string](t, entry, "name")+":"+member[string](t, entry, "type"))
		}
		return out
	}
	for _, test := range []struct{ search, kind, want string }{
		{"sys/creation_time", "run", "sys/creation_time:datetime"},
		{"sys/creation_time", "model", "sys/creation_time:datetime"},
		{"x", "run", "x:float x:int"},
		{"x", "model", ""},
	} {
		if got := strings.Join(columns(test.search, test.kind), " "); got != test.want {
			t.Errorf("%s of %s: %s, want %s", test.search, test.kind, got, test.want)
		}
	}
	if n := len(s.Requests()); n < 5 {
		t.Errorf("%d requests are recorded", n)
	}
}

func TestQueries2(t *testing.T) {
	_, c := serve2(t, neptunetest.Options{},
		run2(
			"P-1", attr("acc", neptunetest.FloatSeries{{Value: 0.5}, {Step: 1, Value: 0.75}}), attr("sys/tags", neptunetest.StringSet{"x", "y"}),
			attr("sys/state", neptunetest.RunState("running")), attr("n", neptunetest.Int(5)), attr("say", neptunetest.String("it's, \\\"")),
			attr("sys/creation_time", neptunetest.Datetime(1707195600000)), attr("data", neptunetest.Artifact{Hash: "abc"}),
		),
		run2("P-2", attr("n", neptunetest.Float(2.5)), attr("sys/state", neptunetest.RunState("idle")), attr("ORDER", neptunetest.String("ANDROID"))),
	)
	for query, want := range map[string]string{
		"":                             "P-2 P-1",
		"  ":                           "P-2 P-1",
		"(`sys/trashed`:bool = false)": "P-2 P-1",
		"((`sys/trashed`:bool = false) AND ((`sys/id`:string = \"P-1\") OR (`sys/id`:string = \"P-3\")) AND (`sys/state`:experimentState = \"running\"))": "P-1",
		"(((`sys/tags`:stringSet CONTAINS \"x\") AND (`sys/tags`:stringSet CONTAINS \"z\")))":                                                             "",
		"sys/state:experimentState = running OR n:float=2.5":                                                                                              "P-2 P-1",
		"sys/state:experimentState = idle OR sys/id:string = P-1 AND n:int = 6":                                                                           "P-2", // AND binds more tightly
		"(sys/state:experimentState = idle OR sys/id:string = P-1 AND n:int = 6 AND (`sys/trashed`:bool = false))":                                        "P-2",
		"n : integer >= '5'":                        "P-1",
		"NOT n:int >= 5":                            "P-2",
		"NOT (NOT (n:int < 5))":                     "",
		"n != 5":                                    "P-2",
		"(last(`acc`:floatSeries) > 0.7)":           "P-1",
		"min(acc:floatSeries) <= 0.5 AND acc > 0.6": "P-1",
		"`sys/creation_time`:datetime > \"2024-02-06T04:59:59.999Z\"": "P-1",
		"`sys/creation_time`:datetime > \"2024-02-06T05:00:00Z\"":     "",
		"say:string CONTAINS \"it's, \\\"":                            "P-1",
		"ORDER:string=ANDROID":                                        "P-2",
		"data:artifact = abc":                                         "P-1",
		"none = 1":                                                    "",
		"none != 1":                                                   "",
	} {
		ids, _ := c.entries("run", query, 10, 0)
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

func TestWrongQueries2(t *testing.T) {
	var said complaints
	_, c := serve2(t, neptunetest.Options{Complain: said.add})
	for _, nql := range []string{
		"(", ")", "a", "a =", "= 1", "a:float", "a:what = 1", "a:bool = maybe", "a:datetime > yesterday", "a:int = x", "(a = 1", "a = 1)",
		"a = 1 AND", "a = 1 b = 2", "`a = 1", "`` = 1", "a = \"1", "a MATCHES \"x\"", "a EXISTS", "a:int CONTAINS 1", "NOT", "last(a = 1",
		"a = 1 XOR b = 2", strings.Repeat("(", 100_000), strings.Repeat("NOT ", 100_000),
	} {
		body, _ := json.Marshal(map[string]any{
			"query": map[string]string{"query": nql}, "pagination": map[string]int{"limit": 1, "offset": 0},
			"sorting": map[string]any{"dir": "ascending", "sortBy": map[string]string{"name": "sys/id", "type": "string"}},
		})
		resp := c.do(http.MethodPost, query(leaderboard+"leaderboard/entries/search", "projectIdentifier", "team/proj", "type", "run"), string(body))
		var out struct{ Title string }
		err := json.NewDecoder(resp.Body).Decode(&out)
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || out.Title != "Syntax error" || len(said.take()) != 1 {
			t.Errorf("%.100s: %s, %q, %v", nql, resp.Status, out.Title, err)
		}
	}
}
