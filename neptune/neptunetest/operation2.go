package neptunetest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// operation is one of Neptune 2's API. The descriptions that clients load are made of these, and requests are held
// against them, so that both cannot differ.
type operation struct {
	id   string
	name string // method and path
	// query are the parameters: with "*" those that must be there, with "[]" those that may be there several times,
	// with "#" whole numbers.
	query  string
	result string // definition of the answer, "[]" in front of a list's, "file" for bytes
	handle handler
}

const (
	backend     = "/api/backend/v1/"
	leaderboard = "/api/leaderboard/v1/"
	attributes  = leaderboard + "attributes/"
	series      = "experimentId* attribute* limit# offset#"

	floatValuesID = "getFloatSeriesValues"
)

// operations are those that the Python client asks for and, below the line, those that it never does: described in
// the API of 2023 (swagger documents of that year), but nobody has seen their answers.
var operations = []operation{
	{"getClientConfig", "GET " + configPath, "alpha", "ClientConfig", nil},
	{"exchangeApiToken", "GET " + exchangePath, "", "NeptuneOauthToken", nil},
	{"getProject", "GET " + backend + "projects/get", "projectIdentifier*", "ProjectDTO", (*Server).getProject},
	{
		"listProjects", "GET " + backend + "projects",
		"organizationIdentifier userRelation searchTerm sortBy[] sortDirection[] offset# limit#",
		"ProjectListDTO", (*Server).listProjects,
	},
	{"listOrganizations", "GET " + backend + "myOrganizations", "", "[]OrganizationWithRoleDTO", (*Server).organizations},

	{"getExperiment", "GET " + leaderboard + "experiments", "experimentId*", "Experiment", (*Server).experiment},
	{"getExperimentAttributes", "GET " + leaderboard + "attributes", "experimentId*", "ExperimentAttributesDTO", (*Server).attributes2},
	{"getFloatAttribute", "GET " + attributes + "floats", "experimentId* attribute*", "Float", getter("float")},
	{"getIntAttribute", "GET " + attributes + "integers", "experimentId* attribute*", "Any", getter("int")},
	{"getBoolAttribute", "GET " + attributes + "booleans", "experimentId* attribute*", "Any", getter("bool")},
	{"getStringAttribute", "GET " + attributes + "strings", "experimentId* attribute*", "Any", getter("string")},
	{"getDatetimeAttribute", "GET " + attributes + "datetimes", "experimentId* attribute*", "Datetime", getter("datetime")},
	{"getFileAttribute", "GET " + attributes + "files", "experimentId* attribute*", "Any", getter("file")},
	{"getStringSetAttribute", "GET " + attributes + "stringSets", "experimentId* attribute*", "Any", getter("stringSet")},
	{"getFloatSeriesAttribute", "GET " + attributes + "floatSeries", "experimentId* attribute*", "FloatSeries", getter("floatSeries")},
	{"getStringSeriesAttribute", "GET " + attributes + "stringSeries", "experimentId* attribute*", "StringSeries", getter("stringSeries")},
	{"getArtifactAttribute", "GET " + attributes + "artifacts", "experimentId* attribute*", "Any", getter("artifact")},
	{floatValuesID, "GET " + attributes + "series/float", series, "FloatSeriesValuesDTO", (*Server).floatValues},
	{"getStringSeriesValues", "GET " + attributes + "series/string", series, "StringSeriesValuesDTO", (*Server).stringValues},
	{"getImageSeriesValues", "GET " + attributes + "series/image", series, "Any", (*Server).imageCount},
	{"getImageSeriesValue", "GET " + attributes + "series/image/single", "experimentId* attribute* index*#", "file", (*Server).image},
	{"downloadAttribute", "GET " + attributes + "download", "experimentId* attribute* path expectedContentDisposition", "file", (*Server).downloadAttribute},
	{"lsFileSetAttribute", "GET " + attributes + "ls", "experimentId* attribute* path*", "[]FileEntry", (*Server).listSet},
	{
		"prepareForDownloadFileSetAttributeZip", "POST " + attributes + "downloadFileSetZipRequest",
		"experimentId* attribute*", "DownloadPrepareRequest", (*Server).prepareZip,
	},
	{"getDownloadPrepareRequest", "GET " + leaderboard + "download/downloadRequest", "id*", "DownloadPrepareRequest", (*Server).pollZip},
	{"download", "GET " + leaderboard + "download/downloadFile", "id*", "file", (*Server).downloadZip},
	{
		"searchLeaderboardAttributes", "POST " + leaderboard + "leaderboard/attributes/search",
		"projectIdentifier* search type[] limit#", "AttributesSearchResultDTO", (*Server).searchColumns,
	},
	{
		"searchLeaderboardEntries", "POST " + leaderboard + "leaderboard/entries/search",
		"projectIdentifier* type[]*", "Any", (*Server).searchEntries,
	},
	{"listArtifactFiles", "GET /api/artifacts/v1/artifact/files", "projectIdentifier* hash*", "ArtifactFilesDTO", (*Server).artifactFiles},

	// ---
	{"getChannelValues", "GET " + leaderboard + "channels/{channelId}/values", "limit# offset#", "Any", (*Server).channelValues},
	{"getFloatSeriesValuesCSV", "GET " + attributes + "floatSeries/csv", "experimentId* attribute* gzipped expectedContentDisposition", "file", (*Server).floatsCSV},
}

// find finds the operation of a request, whose parameters are checked when it is handled.
func (c *call) find() handler {
	c.operation, c.segments = c.operationOf()
	switch {
	case c.operation == nil:
		return nil
	case slices.Contains(c.s.opts.Lacks, c.operation.id):
		return func(_ *Server, c *call) answer { return nothingThere(c) }
	}
	return (*Server).checked
}

// operationOf finds the operation of a request among those that need an access token.
func (c *call) operationOf() (*operation, map[string]string) {
	path := c.s.path(c.r)
	for i := range operations {
		if segments, ok := operations[i].match(c.r.Method, path); ok && operations[i].handle != nil {
			return &operations[i], segments
		}
	}
	return nil, nil
}

// match returns what the path has in place of the names in braces.
func (o *operation) match(method, path string) (segments map[string]string, ok bool) {
	want, pattern, _ := strings.Cut(o.name, " ")
	if want != method {
		return nil, false
	}
	if !strings.Contains(pattern, "{") {
		return nil, pattern == path
	}
	names, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(names) != len(have) {
		return nil, false
	}
	segments = map[string]string{}
	for i, name := range names {
		if !strings.HasPrefix(name, "{") {
			if name != have[i] {
				return nil, false
			}
			continue
		}
		segment, err := url.PathUnescape(have[i])
		if err != nil {
			return nil, false
		}
		segments[strings.Trim(name, "{}")] = segment
	}
	return segments, true
}

// missing is what a good client may ask for and not get.
func missing(errorType, format string, args ...any) error {
	return &refusal{status: http.StatusNotFound, errorType: errorType, quiet: true, text: fmt.Sprintf(format, args...)}
}

// parameter is one of an operation's query parameters.
type parameter struct {
	name               string
	must, list, number bool
}

// seriesBySteps are the parameters of float series with Options.BySteps.
const seriesBySteps = "experimentId* attribute* limit# skipToStep lineage includePreview"

func (o *operation) parameters(opts Options) (list []parameter) {
	query := o.query
	if o.id == floatValuesID && opts.BySteps {
		query = seriesBySteps
	}
	for _, word := range strings.Fields(query) {
		name := strings.TrimRight(word, "*#[]")
		marks := word[len(name):]
		list = append(list, parameter{
			name: name, must: strings.Contains(marks, "*"), list: strings.Contains(marks, "[]"), number: strings.Contains(marks, "#"),
		})
	}
	return list
}

// checked refuses parameters that the operation does not have, lacks or has twice, then handles the request.
func (s *Server) checked(c *call) answer {
	var err error
	if c.sent, err = url.ParseQuery(c.r.URL.RawQuery); err != nil {
		must(bad("query %q: %v", c.r.URL.RawQuery, err))
	}
	known := c.operation.parameters(s.opts)
	for _, p := range known {
		switch n := len(c.sent[p.name]); {
		case p.must && n == 0:
			must(bad("no query parameter %q", p.name))
		case n > 1 && !p.list:
			must(bad("query parameter %q %d times", p.name, n))
		}
		if p.number {
			c.number(p.name, 0)
		}
	}
	for name := range c.sent {
		ignored := name == "offset" && s.opts.BySteps
		if !ignored && !slices.ContainsFunc(known, func(p parameter) bool { return p.name == name }) {
			must(bad("unknown query parameter %q", name))
		}
	}
	return c.operation.handle(s, c)
}

// value is a query parameter of the operation.
func (c *call) value(name string) string { return c.sent.Get(name) }

// entity finds the run, model, version or project that the request is about.
func (c *call) entity() *runIndex {
	id := c.value("experimentId")
	ri := c.s.index.entities[id]
	if ri == nil {
		if strings.Contains(id, "/") || id == "" {
			must(bad("experimentId %q is not a UUID, which alone is known to be taken here", id))
		}
		must(missing("EXPERIMENT_NOT_FOUND", "no experiment %q", id))
	}
	return ri
}

// attribute finds the attribute that the request is about, exactly as it is named, if it has the type.
func (c *call) attribute(kind string) (*runIndex, *Attribute) {
	ri := c.entity()
	a := ri.byPath[c.value("attribute")]
	if a == nil || ri.typeName(a.Value) != kind {
		must(missing("ATTRIBUTE_NOT_FOUND", "%s has no %s %q", ri.ID, kind, c.value("attribute")))
	}
	return ri, a
}
