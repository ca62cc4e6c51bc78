package neptunetest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// TestStrict: each request is refused, and the test hears of it.
func TestStrict(t *testing.T) {
	var said complaints
	_, c := serve(t, neptunetest.Options{Complain: said.add}, run("P-1", attr("m", floatsTo(3)), attr("s", neptunetest.StringSeries{{Step: 1}})))
	float := floatRequest("0", "P-1", "m", "")
	many := func(n int, request func(i int) string) string {
		list := make([]string, n)
		for i := range list {
			list[i] = request(i)
		}
		return strings.Join(list, ",")
	}
	for _, test := range []struct{ name, path, body string }{
		{"not JSON", searchPath, `{`},
		{"two values", searchPath, `{"pagination":{"limit":1}}{}`},
		{"unknown field", searchPath, `{"pagination":{"limit":1},"what":1}`},
		{"wrong type", searchPath, `{"pagination":{"limit":"1"}}`},
		{"no pagination", searchPath, `{}`},
		{"negative offset", searchPath, `{"pagination":{"limit":1,"offset":-1}}`},
		{"large page", searchPath, `{"pagination":{"limit":10001}}`},
		{"large projection", searchPath, `{"pagination":{"limit":1},"attributeFilters":[` + many(1001, func(i int) string { return fmt.Sprintf(`{"path":"%d"}`, i) }) + `]}`},
		{"direction", searchPath, `{"pagination":{"limit":1},"sorting":{"sortBy":{"name":"a","type":"int"},"dir":"up"}}`},
		{"type parameter", strings.Replace(searchPath, "type=run", "type=model", 1), `{"pagination":{"limit":1}}`},
		{"unknown parameter", searchPath + "&x=1", `{"pagination":{"limit":1}}`},
		{"no project", "/api/leaderboard/v1/proto/leaderboard/entries/search/", `{"pagination":{"limit":1}}`},
		{"no slash at the end", strings.Replace(searchPath, "/?", "?", 1), `{"pagination":{"limit":1}}`},
		{"no projects", definitionsPath, `{}`},
		{"type", definitionsPath, `{"projectIdentifiers":["team/proj"],"attributeFilter":[{"attributeType":"float_series"}]}`},
		{"expression", definitionsPath, `{"projectIdentifiers":["team/proj"],"attributeNameFilter":{"mustMatchAny":[{"mustMatchRegexes":["("]}]}}`},
		{"long expressions", definitionsPath, `{"projectIdentifiers":["team/proj"],"attributeNameFilter":{"mustMatchAny":[{"mustMatchRegexes":["` + strings.Repeat("x", 120_001) + `"]}]}}`},
		{"many runs", definitionsPath, `{"projectIdentifiers":["team/proj"],"experimentIdsFilter":[` + many(4901, func(int) string { return `"team/proj/P-1"` }) + `]}`},
		{"token", definitionsPath, `{"projectIdentifiers":["team/proj"],"nextPage":{"limit":1,"nextPageToken":"MQ"}}`},
		{"limit", valuesPath, `{"nextPage":{"limit":0}}`},
		{"no order", floatPath, `{"requests":[` + float + `],"perSeriesPointsLimit":1}`},
		{"no limit", floatPath, `{"requests":[` + float + `],"order":"ascending"}`},
		{"many points", floatPath, `{"requests":[` + float + `],"order":"ascending","perSeriesPointsLimit":1000001}`},
		{"no requests", floatPath, `{"requests":[],"order":"ascending","perSeriesPointsLimit":1}`},
		{"same ID twice", floatPath, `{"requests":[` + float + `,` + float + `],"order":"ascending","perSeriesPointsLimit":1}`},
		{"lineage", floatPath, `{"requests":[` + strings.Replace(float, "NONE", "ONLY_OWNED", 1) + `],"order":"ascending","perSeriesPointsLimit":1}`},
		{"holder", floatPath, `{"requests":[` + strings.Replace(float, `"experiment"`, `"run"`, 1) + `],"order":"ascending","perSeriesPointsLimit":1}`},
		{"token for floats", floatPath, `{"requests":[` + floatRequest("0", "P-1", "m", `,"searchAfter":{"finished":false,"token":"x"}`) + `],"order":"ascending","perSeriesPointsLimit":1}`},
		{"step for others", seriesPath, `{"requests":[` + otherRequest("0", "s", `,"afterStep":1`) + `],"order":"ascending"}`},
		{"preview of others", seriesPath, `{"requests":[` + floatRequest("0", "P-1", "s", "") + `],"order":"ascending"}`},
		{"token of another series", seriesPath, `{"requests":[` + otherRequest("0", "s", `,"searchAfter":{"finished":false,"token":"MC4wLng"}`) + `],"order":"ascending"}`},
		{"many series", seriesPath, `{"requests":[` + many(2001, func(i int) string { return otherRequest(fmt.Sprint(i), "s", "") }) + `],"order":"ascending"}`},
		{"deprecated fields", strings.Replace(seriesPath, "false", "true", 1), `{"requests":[` + otherRequest("0", "s", "") + `],"order":"ascending"}`},
		{"permission", signPath, `{"files":[{"path":"a","permission":"write","project_identifier":"team/proj"}]}`},
		{"no files", signPath, `{"files":[]}`},
		{"camel case", signPath, `{"files":[{"path":"a","permission":"read","projectIdentifier":"team/proj"}]}`},
		{"no endpoint", "/api/nothing", `{}`},
	} {
		resp := c.do(http.MethodPost, test.path, test.body)
		resp.Body.Close()
		if said := said.take(); resp.StatusCode < 400 || len(said) != 1 {
			t.Errorf("%s: %s, complaints %q", test.name, resp.Status, said)
		}
	}
	for _, header := range [][]string{{"Content-Type", "text/plain"}, {"X-Neptune-Client-Metadata", strings.Repeat("x", 201)}} {
		resp := c.do(http.MethodPost, searchPath, `{"pagination":{"limit":1}}`, header...)
		resp.Body.Close()
		if said := said.take(); resp.StatusCode != http.StatusBadRequest || len(said) != 1 {
			t.Errorf("%s: %s, complaints %q", header, resp.Status, said)
		}
	}
}

// TestNoAccess: what a good client may meet is answered without a complaint.
func TestNoAccess(t *testing.T) {
	_, c := serve(t, neptunetest.Options{})
	for path, body := range map[string]string{
		strings.Replace(searchPath, "proj&", "none&", 1): `{"pagination":{"limit":1}}`,
		definitionsPath: `{"projectIdentifiers":["team/none"]}`,
		signPath:        `{"files":[{"path":"a","permission":"read","project_identifier":"team/none"}]}`,
	} {
		resp := c.do(http.MethodPost, path, body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	c.post(definitionsPath, `{"projectIdentifiers":["team/none","team/proj"]}`)
}

func TestWrongContent(t *testing.T) {
	steps := neptunetest.FloatSeries{{Step: 2}, {Step: 1}}
	for name, r := range map[string][]*neptunetest.Run{
		"no ID":        {run("")},
		"same ID":      {run("P-1"), run("P-1")},
		"no value":     {run("P-1", attr("x", nil))},
		"same path":    {run("P-1", attr("x", neptunetest.Int(1)), attr("x", neptunetest.Float(1)))},
		"other ID":     {run("P-1", attr("sys/id", neptunetest.String("P-2")))},
		"unknown type": {run("P-1", attr("x", neptunetest.Opaque{Type: "git_ref"}))},
		"steps":        {run("P-1", attr("x", steps))},
		"edges":        {run("P-1", attr("x", neptunetest.HistogramSeries{{}}))},
	} {
		_, err := neptunetest.Start(neptunetest.Options{Projects: []*neptunetest.Project{{Workspace: "team", Name: "proj", Runs: r}}})
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestChange(t *testing.T) {
	s, c := serve(t, neptunetest.Options{}, run("P-1"))
	s.Change(func(projects []*neptunetest.Project) []*neptunetest.Project {
		projects[0].Runs = []*neptunetest.Run{run("P-2"), run("P-3")}
		return projects
	})
	if got, _ := found(t, c, "", whole); strings.Join(got, " ") != "P-2 P-3" {
		t.Errorf("runs %v", got)
	}
	if n := len(s.Requests()); n != 2 {
		t.Errorf("%d requests are recorded, want 2", n)
	}
}

// FuzzBodies: whatever is sent, the server answers.
func FuzzBodies(f *testing.F) {
	paths := []string{searchPath, definitionsPath, valuesPath, floatPath, seriesPath, signPath}
	for i, body := range []string{
		`{"pagination":{"limit":1,"offset":0},"query":{"query":"(` + "`n`" + `:int == \"1\") OR NOT (` + "`s`" + `:stringSeries MATCHES \"x\")"},"sorting":{"sortBy":{"name":"m","type":"floatSeries"},"dir":"ascending"}}`,
		`{"projectIdentifiers":["team/proj"],"nextPage":{"limit":1},"attributeNameFilter":{"mustMatchAny":[{"mustNotMatchRegexes":["^sys/"]}]}}`,
		`{"experimentIdsFilter":["team/proj/P-1","CUSTOM/team/proj/custom P-1"],"nextPage":{"limit":1}}`,
		`{"requests":[` + floatRequest("0", "P-1", "m", `,"afterStep":1`) + `],"perSeriesPointsLimit":3,"order":"ascending"}`,
		`{"requests":[` + otherRequest("0", "s", "") + `],"order":"descending","stepRange":{"from":0,"to":9}}`,
		`{"files":[{"path":"a","permission":"read","project_identifier":"team/proj"}]}`,
	} {
		f.Add(i, body)
	}
	var said complaints
	s, c := serve(f, neptunetest.Options{Complain: said.add, NoRecord: true}, run(
		"P-1", attr("m", floatsTo(3)), attr("s", neptunetest.StringSeries{{Step: 1}}), attr("n", neptunetest.Int(1)),
		attr("sys/forking/parent", neptunetest.String("P-1")), attr("sys/forking/step", neptunetest.Int(1)),
	))
	f.Fuzz(func(t *testing.T, i int, body string) {
		r := httptest.NewRequest(http.MethodPost, paths[uint(i)%uint(len(paths))], strings.NewReader(body))
		answeredOrRefused(t, s, c, r, &said)
	})
}
