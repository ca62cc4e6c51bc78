package neptunetest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// found runs a search, sorted by sys/id, and returns the IDs.
func found(t *testing.T, c *client, query, pagination string) (ids []string, matching uint64) {
	t.Helper()
	q, err := json.Marshal(query)
	if err != nil {
		t.Fatal(err)
	}
	filter := `"query":{"query":` + string(q) + `},`
	if query == "" {
		filter = ""
	}
	out := c.post(searchPath, `{"attributeFilters":[{"path":"sys/id"}],"experimentLeader":false,"pagination":%s,%s
		"sorting":{"sortBy":{"name":"sys/id","type":"string"},"dir":"ascending"}}`, pagination, filter)
	for _, entry := range all(t, out, 3) {
		ids = append(ids, string(at(t, entry, 7, 5, 3)))
	}
	return ids, number(t, out, 1)
}

const whole = `{"limit":10000,"offset":0}`

func TestQueries(t *testing.T) {
	_, c := serve(
		t, neptunetest.Options{},
		run("P-1", attr("n", neptunetest.Int(3)), attr("s", neptunetest.String(`say "hi" \o/`)),
			attr("t", neptunetest.Datetime(1735689600000)), attr("tags", neptunetest.StringSet{"a", "b"}),
			attr("m", neptunetest.FloatSeries{{Step: 1, Value: 5}, {Step: 2, Value: 1}}), attr("f", neptunetest.Float(0.5))),
		run("P-2", attr("n", neptunetest.Int(-7)), attr("s", neptunetest.String("hello_0")), attr("sys/archived", neptunetest.Bool(true)),
			attr("l", neptunetest.StringSeries{{Step: 1, Value: "first"}, {Step: 2, Value: "last"}})),
		run("P-3", attr("n", neptunetest.Float(3)), attr("file", neptunetest.FileOf("x", "", nil))),
	)
	for _, test := range []struct{ query, want string }{
		{"", "P-1 P-2 P-3"},
		{"(`sys/custom_run_id`:string == \"custom P-1\")", "P-1"},
		{"(`sys/custom_run_id`:string == \"custom P-1\") OR (`sys/custom_run_id`:string == \"custom P-3\")", "P-1 P-3"},
		{"((`sys/custom_run_id`:string MATCHES \".+\"))", "P-1 P-2 P-3"},
		{"(((`sys/custom_run_id`:string MATCHES \".+\"))) AND (`sys/archived`:bool != \"True\")", "P-1 P-3"},
		{"((`sys/id`:string MATCHES \"P\") AND (`sys/id`:string NOT MATCHES \"1$\")) OR ((`s`:string MATCHES \"lo_0$\"))", "P-2 P-3"},
		{"`sys/archived`:bool == \"true\"", "P-2"},
		{"`n`:int == \"3\"", "P-1"},
		{"`n`:int < \"0\"", "P-2"},
		{"`n`:float >= \"2.5\"", "P-3"},
		{"`n` >= \"2.5\"", "P-1 P-3"},
		{"`f`:float <= \"1e-05\"", ""},
		{"`f`:float < \"inf\"", "P-1"},
		{"`f`:float == \"nan\"", ""},
		{`NOT (` + "`file`:fileRef EXISTS" + `)`, "P-1 P-2"},
		{"`file`:string EXISTS", ""},
		{"(`tags`:stringSet CONTAINS \"a\") AND (`tags`:stringSet CONTAINS \"b\")", "P-1"},
		{"`tags`:stringSet NOT CONTAINS \"a\"", ""},
		{"`s`:string CONTAINS \"lo_\"", "P-2"},
		{"`s`:string == \"say \\\"hi\\\" \\\\o/\"", "P-1"},
		{"`t`:datetime == \"2025-01-01T01:00:00.000000+01:00\"", "P-1"},
		{"`t`:datetime > \"2025-01-01T00:00:00.001+00:00\"", ""},
		{"`m`:floatSeries == \"1\"", "P-1"},
		{"max(`m`:floatSeries) == \"5.0\"", "P-1"},
		{"average(`m`:floatSeries) == \"3\"", "P-1"},
		{"variance(`m`:floatSeries) == \"4\"", "P-1"},
		{"`l`:stringSeries == \"last\"", "P-2"},
		{"`nobody`:string == \"x\"", ""},
	} {
		got, matching := found(t, c, test.query, whole)
		if diff := cmp.Diff(strings.Fields(test.want), got); diff != "" && len(got)+len(test.want) > 0 || int(matching) != len(got) {
			t.Errorf("%s: %d match, (-want +got)\n%s", test.query, matching, diff)
		}
	}
}

func TestWrongQueries(t *testing.T) {
	var said complaints
	_, c := serve(t, neptunetest.Options{Complain: said.add}, run("P-1"))
	for _, query := range []string{
		" ", "(", "()", "`a", "`a`", "`a`:nothing == \"1\"", "`a`:int == 1", "`a`:int == \"one\"", "`a`:bool == \"1\"",
		"`a`:datetime == \"yesterday\"", "`a`:string == \"x", `a == "x"`, "`a`:string == \"\\n\"", "`a`:string MATCHES \"(\"",
		"(`a`:int == \"1\") AND (`a`:int == \"1\") OR (`a`:int == \"1\")", "NOT `a`:int == \"1\"", "`a`:int == \"1\" x",
		"`a`:int CONTAINS \"1\"", "`a`:fileRef == \"1\"", "max(`a`:floatSeries == \"1\"", strings.Repeat("(", 5000),
	} {
		body, _ := json.Marshal(map[string]any{
			"query": map[string]string{"query": query}, "pagination": map[string]int{"limit": 1},
		})
		resp := c.do(http.MethodPost, searchPath, string(body))
		resp.Body.Close()
		if said := said.take(); resp.StatusCode != http.StatusBadRequest || len(said) != 1 {
			t.Errorf("%.60s: %s, complaints %q", query, resp.Status, said)
		}
	}
}

func TestSearchPages(t *testing.T) {
	_, c := serve(t, neptunetest.Options{PageRuns: 2}, run("P-1"), run("P-2"), run("P-3"))
	for pagination, want := range map[string]string{
		`{"limit":10000,"offset":0}`: "P-1 P-2",
		`{"limit":10000,"offset":2}`: "P-3",
		`{"limit":1,"offset":1}`:     "P-2",
		`{"limit":0,"offset":0}`:     "",
		`{"limit":5,"offset":99}`:    "",
	} {
		got, matching := found(t, c, "", pagination)
		if strings.Join(got, " ") != want || matching != 3 {
			t.Errorf("%s: %v of %d, want %s of 3", pagination, got, matching, want)
		}
	}
}

func TestSorting(t *testing.T) {
	_, c := serve(
		t, neptunetest.Options{}, run("P-1", attr("sys/creation_time", neptunetest.Datetime(5))),
		run("P-2"), run("P-3", attr("sys/creation_time", neptunetest.Datetime(7))), run("P-4", attr("sys/creation_time", neptunetest.Datetime(5))),
	)
	for sorting, want := range map[string]string{
		``: "P-3 P-1 P-4 P-2",
		`,"sorting":{"sortBy":{"name":"sys/creation_time","type":"datetime"},"dir":"ascending"}`: "P-1 P-4 P-3 P-2",
		`,"sorting":{"sortBy":{"name":"sys/id","type":"string"},"dir":"descending"}`:             "P-4 P-3 P-2 P-1",
	} {
		out := c.post(searchPath, `{"attributeFilters":[{"path":"sys/id"}],"pagination":{"limit":10}%s}`, sorting)
		var got []string
		for _, entry := range all(t, out, 3) {
			got = append(got, string(at(t, entry, 7, 5, 3)))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", sorting, got, want)
		}
	}
}

func TestGlobalSearch(t *testing.T) {
	_, c := serve(t, neptunetest.Options{Projects: []*neptunetest.Project{{Workspace: "other", Name: "p", Runs: []*neptunetest.Run{run("O-1")}}}}, run("P-1"))
	out := c.post("/api/leaderboard/v1/proto/leaderboard/entries/global/search/", `{"pagination":{"limit":10,"offset":0}}`)
	var got []string
	for _, entry := range all(t, out, 3) {
		got = append(got, string(at(t, entry, 6))+"/"+string(at(t, entry, 5)))
	}
	if diff := cmp.Diff([]string{"other/p", "team/proj"}, got); diff != "" {
		t.Error(diff)
	}
}
