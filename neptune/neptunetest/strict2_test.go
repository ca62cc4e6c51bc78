package neptunetest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nexport-go/migrate/neptune/neptunetest"
)

const (
	entriesPath = leaderboard + "leaderboard/entries/search?projectIdentifier=team%2Fproj&type=run"
	columnsPath = leaderboard + "leaderboard/attributes/search?projectIdentifier=team%2Fproj&type=run"
	sortByID    = `"sorting":{"dir":"ascending","sortBy":{"name":"sys/id","type":"string"}}`
	firstPage   = `"pagination":{"limit":1,"offset":0}`
)

// everything is a run with all that Neptune 2 has.
func everything() *neptunetest.Run {
	image := neptunetest.FileOf("i", "image/png", []byte("i"))
	return run2(
		"P-1", attr("f", floatsTo(3)), attr("s", neptunetest.StringSeries{{Step: 1}}), attr("i", neptunetest.FileSeries{{Step: 1, Value: image}}),
		attr("n", neptunetest.Int(1)), attr("file", image), attr("set", neptunetest.FileSet{Files: []neptunetest.File{image}}),
		attr("art", neptunetest.Artifact{Hash: "h"}), attr("git", neptunetest.GitRef(`{}`)), attr("sys/state", neptunetest.RunState("idle")),
	)
}

// TestStrict2: each request is refused, and the test hears of it.
func TestStrict2(t *testing.T) {
	var said complaints
	_, c := serve2(t, neptunetest.Options{Complain: said.add}, everything())
	id := "experimentId=" + c.uuid("P-1")
	post := http.MethodPost
	for _, test := range []struct{ name, method, path, body string }{
		{"unknown parameter", "GET", attributes2 + "series/float?" + id + "&attribute=f&skipToStep=1", ""},
		{"parameter twice", "GET", leaderboard + "attributes?" + id + "&" + id, ""},
		{"no parameter", "GET", leaderboard + "attributes", ""},
		{"not a query", "GET", leaderboard + "attributes?" + id + "&a=%zz", ""},
		{"no path of a list", "GET", attributes2 + "ls?attribute=set&" + id, ""},
		{"name instead of a UUID", "GET", leaderboard + "attributes?experimentId=team%2Fproj%2FP-1", ""},
		{"empty UUID", "GET", leaderboard + "attributes?experimentId=", ""},
		{"negative limit", "GET", attributes2 + "series/float?" + id + "&attribute=f&limit=-1", ""},
		{"large limit", "GET", attributes2 + "series/string?" + id + "&attribute=s&limit=1001", ""},
		{"large count", "GET", attributes2 + "series/image?" + id + "&attribute=i&limit=1001", ""},
		{"index", "GET", attributes2 + "series/image/single?" + id + "&attribute=i&index=x", ""},
		{"no index", "GET", attributes2 + "series/image/single?" + id + "&attribute=i", ""},
		{"disposition", "GET", attributes2 + "download?" + id + "&attribute=file&expectedContentDisposition=none", ""},
		{"type", post, strings.Replace(entriesPath, "type=run", "type=experiment", 1), `{` + sortByID + `,` + firstPage + `}`},
		{"no type", post, strings.Replace(entriesPath, "&type=run", "", 1), `{` + sortByID + `,` + firstPage + `}`},
		{"not JSON", post, entriesPath, `{`},
		{"no body", post, entriesPath, ``},
		{"unknown field", post, entriesPath, `{"experimentLeader":false,` + sortByID + `,` + firstPage + `}`},
		{"no pagination", post, entriesPath, `{` + sortByID + `}`},
		{"negative offset", post, entriesPath, `{` + sortByID + `,"pagination":{"limit":1,"offset":-1}}`},
		{"large page", post, entriesPath, `{` + sortByID + `,"pagination":{"limit":1001,"offset":0}}`},
		{"beyond the window", post, entriesPath, `{` + sortByID + `,"pagination":{"limit":1,"offset":10000}}`},
		{"partly beyond the window", post, entriesPath, `{` + sortByID + `,"pagination":{"limit":100,"offset":9901}}`},
		{"no sorting", post, entriesPath, `{` + firstPage + `}`},
		{"direction", post, entriesPath, `{"sorting":{"dir":"up","sortBy":{"name":"sys/id","type":"string"}},` + firstPage + `}`},
		{"sorting type", post, entriesPath, `{"sorting":{"dir":"ascending","sortBy":{"name":"sys/id","type":"integer"}},` + firstPage + `}`},
		{"aggregation", post, entriesPath, `{"sorting":{"dir":"ascending","sortBy":{"name":"f","type":"floatSeries","aggregationMode":"sum"}},` + firstPage + `}`},
		{"columns without body", post, columnsPath, ``},
		{"columns with a field", post, columnsPath, `{"search":"x"}`},
		{"body of a zip", post, attributes2 + "downloadFileSetZipRequest?" + id + "&attribute=set", `{}`},
		{"method", "GET", attributes2 + "downloadFileSetZipRequest?" + id + "&attribute=set", ""},
		{"no endpoint", "GET", leaderboard + "nothing", ""},
		{"slash at the end", "GET", leaderboard + "attributes/?" + id, ""},
	} {
		resp := c.do(test.method, test.path, test.body)
		resp.Body.Close()
		if said := said.take(); resp.StatusCode < 400 || len(said) != 1 {
			t.Errorf("%s: %s, complaints %q", test.name, resp.Status, said)
		}
	}
}

// TestNotThere2: what a good client may meet is answered without a complaint.
func TestNotThere2(t *testing.T) {
	_, c := serve2(t, neptunetest.Options{Lacks: []string{"getChannelValues", "lsFileSetAttribute"}}, everything())
	id := "experimentId=" + c.uuid("P-1")
	for _, path := range []string{
		leaderboard + "experiments?experimentId=team%2Fproj%2FP-2", leaderboard + "experiments?experimentId=team%2Fnone%2FP-1",
		leaderboard + "attributes?experimentId=00000000-0000-4000-8000-000000000001", attributes2 + "floats?attribute=none&" + id,
		attributes2 + "series/float?attribute=s&" + id, leaderboard + "channels/x/values", attributes2 + "ls?attribute=set&path=&" + id,
	} {
		resp := c.do(http.MethodGet, path, "")
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	resp := c.do(http.MethodPost, strings.Replace(entriesPath, "Fproj", "Fnone", 1), `{`+sortByID+`,`+firstPage+`}`)
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("no project: %s", resp.Status)
	}
}

func TestWrongContent2(t *testing.T) {
	steps := neptunetest.StringSeries{{Step: 2}, {Step: 1}}
	for name, p := range map[string]neptunetest.Project{
		"no ID":        {Runs: []*neptunetest.Run{run2("")}},
		"same ID":      {Runs: []*neptunetest.Run{run2("P-1")}, Models: []*neptunetest.Run{run2("P-1")}},
		"no value":     {Runs: []*neptunetest.Run{run2("P-1", attr("x", nil))}},
		"no path":      {Runs: []*neptunetest.Run{run2("P-1", attr("", neptunetest.Int(1)))}},
		"same path":    {Models: []*neptunetest.Run{run2("P-1", attr("x", neptunetest.Int(1)), attr("x", neptunetest.Float(1)))}},
		"other ID":     {ModelVersions: []*neptunetest.Run{run2("P-1", attr("sys/id", neptunetest.String("P-2")))}},
		"known type":   {Runs: []*neptunetest.Run{run2("P-1", attr("x", neptunetest.Opaque{Type: "gitRef"}))}},
		"histograms":   {Runs: []*neptunetest.Run{run2("P-1", attr("x", neptunetest.HistogramSeries{}))}},
		"preview":      {Runs: []*neptunetest.Run{run2("P-1", attr("x", neptunetest.FloatSeries{{Preview: true}}))}},
		"steps":        {Runs: []*neptunetest.Run{run2("P-1", attr("x", steps))}},
		"state":        {Runs: []*neptunetest.Run{run2("P-1", attr("x", neptunetest.RunState("done")))}},
		"Git":          {Runs: []*neptunetest.Run{run2("P-1", attr("x", neptunetest.GitRef(`[]`)))}},
		"notebook":     {Runs: []*neptunetest.Run{run2("P-1", attr("x", neptunetest.NotebookRef(`{`)))}},
		"null":         {Runs: []*neptunetest.Run{run2("P-1", attr("x", neptunetest.NotebookRef(`null`)))}},
		"config":       {Runs: []*neptunetest.Run{run2("P-1", neptunetest.Attribute{Path: "x", Value: neptunetest.Int(1), Config: &neptunetest.SeriesConfig{}})}},
		"own":          {Attributes: []neptunetest.Attribute{attr("x", nil)}},
		"own ID":       {Attributes: []neptunetest.Attribute{attr("sys/id", neptunetest.String("Q"))}},
		"name of none": {Name: "a/b"},
	} {
		p.Workspace, p.Key = "team", "P"
		if p.Name == "" {
			p.Name = "proj"
		}
		if s, err := neptunetest.Start(neptunetest.Options{Generation: 2, Projects: []*neptunetest.Project{&p}}); err == nil {
			s.Close()
			t.Errorf("%s: no error", name)
		}
	}
	for _, opts := range []neptunetest.Options{
		{Generation: 1},
		{Projects: []*neptunetest.Project{{Workspace: "team", Name: "proj", Models: []*neptunetest.Run{run2("P-1")}}}},
		{Projects: []*neptunetest.Project{{Workspace: "team", Name: "proj", Runs: []*neptunetest.Run{run2("P-1", attr("x", neptunetest.FileSet{}))}}}},
	} {
		if s, err := neptunetest.Start(opts); err == nil {
			s.Close()
			t.Errorf("%+v: no error", opts)
		}
	}
}

// TestFaults2: faults work for all kinds of answers.
func TestFaults2(t *testing.T) {
	s, c := serve2(t, neptunetest.Options{}, everything())
	id := c.uuid("P-1")
	for _, test := range []struct {
		fault  neptunetest.Fault
		status int
	}{
		{neptunetest.Fault{Status: http.StatusTooManyRequests, RetryAfter: "7"}, http.StatusTooManyRequests},
		{neptunetest.Fault{Status: http.StatusBadGateway, Body: "<html>"}, http.StatusBadGateway},
		{neptunetest.Fault{ExpiredToken: true}, http.StatusUnauthorized},
	} {
		s.SetFault(func(int, *http.Request) neptunetest.Fault { return test.fault })
		for _, path := range []string{leaderboard + "attributes?experimentId=" + id, attributes2 + "download?attribute=file&experimentId=" + id} {
			resp := c.do(http.MethodGet, path, "")
			resp.Body.Close()
			if resp.StatusCode != test.status || resp.Header.Get("Retry-After") != test.fault.RetryAfter {
				t.Errorf("%s: %s, %v", path, resp.Status, resp.Header)
			}
		}
	}
}

// FuzzRequests2: whatever is asked for, the server answers.
func FuzzRequests2(f *testing.F) {
	var said complaints
	s, c := serve2(f, neptunetest.Options{Complain: said.add, NoRecord: true}, everything())
	id := c.uuid("P-1")
	for _, seed := range []struct{ path, body string }{
		{entriesPath, `{` + sortByID + `,` + firstPage + `,"query":{"query":"(` + "`n`" + `:int = 1) OR NOT (last(f:floatSeries) >= '2')"}}`},
		{columnsPath + "&search=sys%2F", `{}`},
		{leaderboard + "attributes?experimentId=" + id, ""},
		{attributes2 + "series/float?experimentId=" + id + "&attribute=f&limit=2&offset=1", ""},
		{attributes2 + "series/image/single?experimentId=" + id + "&attribute=i&index=0", ""},
		{attributes2 + "download?experimentId=" + id + "&attribute=set&path=i", ""},
		{attributes2 + "downloadFileSetZipRequest?experimentId=" + id + "&attribute=set", ""},
		{leaderboard + "channels/x/values?limit=1", ""},
		{"/api/artifacts/v1/artifact/files?projectIdentifier=team%2Fproj&hash=h", ""},
	} {
		f.Add(strings.Contains(seed.path, "search") || strings.Contains(seed.path, "Zip"), seed.path, seed.body)
	}
	f.Fuzz(func(t *testing.T, post bool, path, body string) {
		method := http.MethodGet
		if post {
			method = http.MethodPost
		}
		r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
		if err != nil || !strings.HasPrefix(path, "/") {
			return
		}
		answeredOrRefused(t, s, c, r, &said)
	})
}
