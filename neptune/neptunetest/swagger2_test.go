package neptunetest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// description is what the Python client reads of an API's description.
type description struct {
	Swagger                   string
	Host, BasePath            *string
	Schemes                   []string
	Paths                     map[string]map[string]operation
	Definitions               map[string]json.RawMessage
	Consumes, Produces, Tags  json.RawMessage
	Info                      struct{ Title, Version string }
	SecurityDefinitions, More json.RawMessage
}

type operation struct {
	OperationID string `json:"operationId"`
	Tags        []string
	Parameters  []struct {
		Name, In, Type, CollectionFormat string
		Required                         bool
	}
	Responses map[string]struct{ Schema json.RawMessage }
}

// TestDescriptions: they have all that the Python client wants, and nothing that leads it astray.
func TestDescriptions(t *testing.T) {
	s, c := serve2(t, neptunetest.Options{Lacks: []string{"getChannelValues"}})
	c.access = "" // the first is read without
	seen := map[string]bool{}
	for _, api := range []string{"backend", "leaderboard", "artifacts"} {
		var d description
		text := c.body(c.do(http.MethodGet, "/api/"+api+"/swagger.json", ""))
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatal(err)
		}
		if d.Swagger != "2.0" || d.Host != nil || d.BasePath != nil || d.Schemes != nil {
			t.Errorf("%s: swagger %s, host, base path or schemes", api, d.Swagger)
		}
		for path, methods := range d.Paths {
			for method, o := range methods {
				seen[o.OperationID] = true
				checkOperation(t, path, method, o)
			}
		}
		for _, ref := range refs(string(text)) {
			if d.Definitions[ref] == nil {
				t.Errorf("%s: %s is not defined", api, ref)
			}
		}
	}
	for _, id := range strings.Fields(`getClientConfig exchangeApiToken getProject listProjects listOrganizations getExperiment
		getExperimentAttributes getFloatAttribute getIntAttribute getBoolAttribute getStringAttribute getDatetimeAttribute
		getFileAttribute getStringSetAttribute getFloatSeriesAttribute getStringSeriesAttribute getArtifactAttribute
		getFloatSeriesValues getStringSeriesValues getImageSeriesValues getImageSeriesValue downloadAttribute
		lsFileSetAttribute prepareForDownloadFileSetAttributeZip getDownloadPrepareRequest searchLeaderboardAttributes
		searchLeaderboardEntries listArtifactFiles`) {
		if !seen[id] {
			t.Errorf("%s is not described", id)
		}
	}
	if seen["getChannelValues"] {
		t.Error("getChannelValues is described, but not there")
	}
	if n := len(s.Requests()); n != 4 {
		t.Errorf("%d requests", n)
	}
}

func checkOperation(t *testing.T, path, method string, o operation) {
	t.Helper()
	if !strings.HasPrefix(path, "/api/") || len(o.Tags) > 0 || o.Responses["200"].Schema == nil || method != strings.ToLower(method) {
		t.Errorf("%s %s: %+v", method, path, o)
	}
	for _, p := range o.Parameters {
		if p.Type == "array" && p.CollectionFormat != "multi" {
			t.Errorf("%s: the list %s has the format %q", o.OperationID, p.Name, p.CollectionFormat)
		}
		if p.In == "path" && !strings.Contains(path, "{"+p.Name+"}") {
			t.Errorf("%s: %s is not in %s", o.OperationID, p.Name, path)
		}
	}
}

// refs are the definitions that a document refers to.
func refs(text string) (list []string) {
	for _, part := range strings.Split(text, `"$ref":"#/definitions/`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		list = append(list, name)
	}
	return list
}
