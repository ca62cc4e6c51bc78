package neptunetest

import (
	"encoding/json"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// experiment resolves the qualified name of a run, model or version.
func (s *Server) experiment(c *call) answer {
	name := c.value("experimentId")
	parts := strings.Split(name, "/")
	var ri *runIndex
	if len(parts) == 3 {
		if p := s.index.byID[parts[0]+"/"+parts[1]]; p != nil {
			ri = p.byID[parts[2]]
		}
	}
	if ri == nil {
		must(missing("EXPERIMENT_NOT_FOUND", "no experiment %q", name))
	}
	return okJSON(object{
		"id": ri.uuid, "shortId": ri.ID, "parentId": ri.parent2(), "type": ri.kind, "trashed": ri.trashed(),
		"projectId": uuid("project", ri.project.ID()), "projectName": ri.project.Name,
		"organizationId": uuid("workspace", ri.project.Workspace), "organizationName": ri.project.Workspace,
	})
}

// parent2 is the UUID of what the entity is in: a version in its model, all others in the project.
func (ri *runIndex) parent2() string {
	if m := ri.project.byID[ri.text("sys/model_id")]; ri.kind == kindVersion && m != nil {
		return m.uuid
	}
	return uuid("project", ri.project.ID())
}

// attributes2 lists all attributes with their values, or what there is to say of series and files.
func (s *Server) attributes2(c *call) answer {
	ri := c.entity()
	b := append([]byte(`{"id":"`+ri.uuid+`"`), ri.project.where...)
	b = append(b, `,"trashed":`...)
	b = strconv.AppendBool(b, ri.trashed())
	b = s.appendSystem(b, ri)
	b = s.appendAttributes2(b, ri, ri.attrs)
	return jsonAnswer(append(b, '}'))
}

// systemNames are the attributes that the listing has a second time, by the names that they have there.
var systemNames = [][2]string{
	{"sys/id", "shortId"},
	{"sys/name", "name"},
	{"sys/description", "description"},
	{"sys/owner", "owner"},
	{"sys/state", "state"},
	{"sys/creation_time", "creationTime"},
	{"sys/modification_time", "modificationTime"},
	{"sys/ping_time", "pingTime"},
	{"sys/running_time", "runningTime"},
	{"sys/monitoring_time", "monitoringTime"},
	{"sys/size", "size"},
	{"sys/tags", "tags"},
	{"sys/trashed", "trashed"},
	{"sys/failed", "failed"},
	{"sys/hostname", "hostname"},
}

func (s *Server) appendSystem(b []byte, ri *runIndex) []byte {
	b = append(b, `,"systemAttributes":{`...)
	comma := ""
	for _, name := range systemNames {
		if a := ri.byPath[name[0]]; a != nil {
			b = append(b, comma+`"`+name[1]+`":`...)
			b = s.appendProperties2(b, ri, a)
			comma = ","
		}
	}
	return append(b, '}')
}

func jsonAnswer(body []byte) answer {
	return answer{status: http.StatusOK, body: body, kind: kindJSON}
}

func (s *Server) appendAttributes2(b []byte, ri *runIndex, list []*Attribute) []byte {
	b = append(b, `,"attributes":[`...)
	for i, a := range list {
		if i > 0 {
			b = append(b, ',')
		}
		kind := ri.typeName(a.Value)
		b = append(b, `{"name":`...)
		b = appendText(b, a.Path)
		b = append(b, `,"type":"`+kind+`","`+kind+`Properties":`...)
		b = s.appendProperties2(b, ri, a)
		b = append(b, '}')
	}
	return append(b, ']')
}

// getter answers what one attribute of the type has: the object that is in the listing too.
func getter(kind string) handler {
	return func(s *Server, c *call) answer {
		ri, a := c.attribute(kind)
		if set, ok := a.Value.(StringSet); ok && len(set) == 0 && a.Path == "sys/group_tags" {
			must(missing("ATTRIBUTE_NOT_FOUND", "%s was never set", a.Path)) // listed all the same: so do real servers
		}
		return jsonAnswer(s.appendProperties2(nil, ri, a))
	}
}

func (s *Server) appendProperties2(b []byte, ri *runIndex, a *Attribute) []byte {
	b = append(b, `{"attributeName":`...)
	b = appendText(b, a.Path)
	b = append(b, `,"attributeType":"`+ri.typeName(a.Value)+`"`...)
	if v, ok := appendScalar2(nil, a.Value, s.opts.BareNaN); ok {
		b = append(append(b, `,"value":`...), v...)
	} else {
		b = s.appendSummary(b, ri, a)
	}
	return append(b, '}')
}

// appendScalar2 appends a value that is one; ok is false for the others.
func appendScalar2(b []byte, v Value, bare bool) (_ []byte, ok bool) {
	switch v := v.(type) {
	case Int:
		return strconv.AppendInt(b, int64(v), 10), true
	case Float:
		return appendNumber(b, float64(v), bare), true
	case Bool:
		return strconv.AppendBool(b, bool(v)), true
	case String:
		return appendText(b, string(v)), true
	case RunState:
		return appendText(b, string(v)), true
	case Datetime:
		return appendTime(b, int64(v)), true
	}
	return b, false
}

// appendSummary appends the members of a type that has no single value.
func (s *Server) appendSummary(b []byte, ri *runIndex, a *Attribute) []byte {
	switch v := a.Value.(type) {
	case StringSet:
		return appendStrings(append(b, `,"values":`...), v)
	case File:
		b = appendText(append(b, `,"name":`...), v.Name)
		b = appendText(append(b, `,"ext":`...), extension(v.Name))
		return strconv.AppendInt(append(b, `,"size":`...), v.Size, 10)
	case FileSet:
		return strconv.AppendInt(append(b, `,"size":`...), v.size(), 10)
	case Artifact:
		return appendText(append(b, `,"hash":`...), v.Hash)
	case GitRef:
		return appendMembers(b, v)
	case NotebookRef:
		return appendMembers(b, v)
	case floats:
		return s.appendFloatSummary(b, ri, a)
	case StringSeries:
		if p, ok := last(v); ok {
			b = appendText(append(b, `,"last":`...), p.Value)
			b = appendNumber(append(b, `,"lastStep":`...), p.Step, s.opts.BareNaN)
		}
	case FileSeries:
		b = append(b, `,"channelId":"`+ri.channel(a)+`"`...)
		if p, ok := last(v); ok {
			b = appendNumber(append(b, `,"lastStep":`...), p.Step, s.opts.BareNaN)
		}
	}
	return b
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, text := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, text)
	}
	return append(b, ']')
}

// extension is what the server tells as a file's: the end of its name without the dot.
func extension(name string) string { return strings.TrimPrefix(path.Ext(name), ".") }

func (s *Server) appendFloatSummary(b []byte, ri *runIndex, a *Attribute) []byte {
	config, _ := json.Marshal(configOf(a)) // strings and finite numbers, or else null
	b = append(append(b, `,"config":`...), config...)
	g := ri.aggregates(a)
	if g.n == 0 {
		return b
	}
	for _, member := range []struct {
		name  string
		value float64
	}{{"last", g.last}, {"lastStep", g.lastStep}, {"min", g.min}, {"max", g.max}, {"average", g.mean}, {"variance", g.variance}} {
		b = append(b, `,"`+member.name+`":`...)
		b = appendNumber(b, member.value, s.opts.BareNaN)
	}
	return b
}

func configOf(a *Attribute) object {
	config := object{}
	if a.Config == nil {
		return config
	}
	if a.Config.Unit != "" {
		config["unit"] = a.Config.Unit
	}
	if a.Config.Min != nil {
		config["min"] = *a.Config.Min
	}
	if a.Config.Max != nil {
		config["max"] = *a.Config.Max
	}
	return config
}
