package neptunetest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// definitions2 are properties that the Python client has to find declared, by definition: name and type, where a
// type with a capital letter is another definition.
var definitions2 = map[string]string{
	"Any": "", "ClientConfig": "pyLibVersions:Any artifacts:Any multiPartUpload:Any",
	"NeptuneOauthToken": "", "ProjectDTO": "", "OrganizationWithRoleDTO": "",
	"ProjectListDTO": "entries:[]ProjectDTO",

	"Experiment": "", "ExperimentAttributesDTO": "attributes:[]AttributeDTO",
	"AttributeDTO": "floatProperties:Float datetimeProperties:Datetime floatSeriesProperties:FloatSeries " +
		"stringSeriesProperties:StringSeries intProperties:Any boolProperties:Any stringProperties:Any fileProperties:Any " +
		"fileSetProperties:Any imageSeriesProperties:Any stringSetProperties:Any gitRefProperties:Any " +
		"experimentStateProperties:Any notebookRefProperties:Any artifactProperties:Any",
	"Float": "value:double", "Datetime": "value:date-time", "FloatSeries": "last:double", "StringSeries": "last:string",
	"FloatSeriesValuesDTO": "values:[]FloatPoint", "FloatPoint": "step:double value:double",
	"StringSeriesValuesDTO": "values:[]StringPoint", "StringPoint": "step:double",
	"FileEntry": "mtime:date-time size:int64", "DownloadPrepareRequest": "id:string downloadUrl:string",
	"AttributesSearchResultDTO": "entries:[]Any",

	"ArtifactFilesDTO": "files:[]ArtifactFileDTO", "ArtifactFileDTO": "size:int64 metadata:[]Any",
}

var swaggerPath = regexp.MustCompile(`^/api/(backend|leaderboard|artifacts)/swagger\.json$`)

type object = map[string]any

// swagger makes the descriptions of the three APIs by path, of what the server has. They name no host and no scheme,
// and no operation has tags: the client would ask other addresses, or find nothing.
func swagger(opts Options) map[string][]byte {
	documents := map[string][]byte{}
	for _, api := range []string{"backend", "leaderboard", "artifacts"} {
		if api == "artifacts" && opts.NoArtifacts {
			continue
		}
		document := object{
			"swagger": "2.0", "info": object{"title": "Neptune " + api, "version": "2"},
			"paths": paths(api, opts), "definitions": definitions(),
		}
		documents["/api/"+api+"/swagger.json"], _ = json.Marshal(document) // strings and maps only
	}
	return documents
}

func paths(api string, opts Options) object {
	all := object{}
	for i := range operations {
		o := &operations[i]
		method, path, _ := strings.Cut(o.name, " ")
		if strings.HasPrefix(path, "/api/"+api+"/") && !slices.Contains(opts.Lacks, o.id) {
			all[path] = object{strings.ToLower(method): o.describe(opts)}
		}
	}
	return all
}

func (o *operation) describe(opts Options) object {
	list := []any{}
	for _, p := range o.parameters(opts) {
		list = append(list, p.describe())
	}
	if strings.HasPrefix(o.id, "searchLeaderboard") {
		list = append(list, object{"name": "params", "in": "body", "required": true, "schema": object{"type": "object"}})
	}
	if o.handle == nil { // those without an access token
		list = append(list, object{"name": "X-Neptune-Api-Token", "in": "header", "required": true, "type": "string"})
	}
	for _, part := range strings.Split(o.name, "/") {
		if strings.HasPrefix(part, "{") {
			list = append(list, object{"name": strings.Trim(part, "{}"), "in": "path", "required": true, "type": "string"})
		}
	}
	return object{
		"operationId": o.id, "parameters": list,
		"responses": object{"200": object{"description": "OK", "schema": typeOf2(o.result)}},
	}
}

func (p parameter) describe() object {
	out := object{"name": p.name, "in": "query", "required": p.must, "type": "string"}
	switch {
	case p.list:
		out["type"], out["items"], out["collectionFormat"] = "array", object{"type": "string"}, "multi"
	case p.number:
		out["type"], out["format"] = "integer", "int32"
	}
	return out
}

func definitions() object {
	all := object{}
	for name, text := range definitions2 {
		properties := object{}
		for _, property := range strings.Fields(text) {
			key, kind, _ := strings.Cut(property, ":")
			properties[key] = typeOf2(kind)
		}
		all[name] = object{"type": "object", "properties": properties}
	}
	return all
}

// typeOf2 is the schema of a type as definitions2 and operations spell it.
func typeOf2(kind string) object {
	if item, list := strings.CutPrefix(kind, "[]"); list {
		return object{"type": "array", "items": typeOf2(item)}
	}
	switch kind {
	case "file", "string":
		return object{"type": kind}
	case "double":
		return object{"type": "number", "format": kind}
	case "int64":
		return object{"type": "integer", "format": kind}
	case "date-time":
		return object{"type": "string", "format": kind}
	}
	return object{"$ref": "#/definitions/" + kind}
}
