package wire2

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// The types of attributes that the API description names.
const (
	TypeFloat        = "float"
	TypeInt          = "int"
	TypeBool         = "bool"
	TypeString       = "string"
	TypeDatetime     = "datetime"
	TypeStringSet    = "stringSet"
	TypeFloatSeries  = "floatSeries"
	TypeStringSeries = "stringSeries"
	TypeImageSeries  = "imageSeries"
	TypeFile         = "file"
	TypeFileSet      = "fileSet"
	TypeArtifact     = "artifact"
	TypeGitRef       = "gitRef"
	TypeNotebookRef  = "notebookRef"
	TypeState        = "experimentState"
)

// Attribute is one attribute: a value, or what its listing says of a series or of files. Which fields
// are set depends on Type.
type Attribute struct {
	Name string // exactly as listed
	Type string

	Int   int64   // also a datetime, in ms since 1970 UTC
	Float float64 //
	Bool  bool
	Text  string
	Set   []string

	FileName string // of a file: as it was uploaded, may have directories
	Ext      string // of a file, without the dot
	Size     int64  // of a file or file set, in bytes; -1: unknown
	Hash     string // of an artifact
	Channel  string // of an image series: the UUID to ask for its points with
	LastStep string // of an image series: the step of its last image, as the number is written; empty if it is not said
	HasLast  bool   // of a series: it has points
	Config   string // of a float series: what is configured of it, as compact JSON; empty if nothing is

	Raw []byte // of references, states and types that are not known: what the server says of it, as compact JSON; may be nil
	Err error  // the value cannot be decoded
}

// Attributes decodes ExperimentAttributesDTO. Damage inside one attribute is that attribute's.
func Attributes(b []byte) ([]Attribute, error) {
	var in struct {
		Attributes []json.RawMessage `json:"attributes"`
	}
	if err := Unmarshal(b, &in); err != nil {
		return nil, err
	}
	if in.Attributes == nil {
		return nil, errors.New("the answer has no attributes in it")
	}
	return attributes(in.Attributes), nil
}

func attributes(raw []json.RawMessage) []Attribute {
	all := make([]Attribute, 0, len(raw))
	for _, b := range raw {
		all = append(all, attribute(b))
	}
	return all
}

// attribute decodes AttributeDTO, given as valid JSON.
func attribute(b []byte) (a Attribute) {
	m, ok := membersOf(b)
	if !ok {
		a.Err = errNoObject
		return a
	}
	if a.Err = errors.Join(text(m.get("name"), &a.Name), text(m.get("type"), &a.Type)); a.Err != nil {
		return a
	}
	raw := m.get(a.Type + "Properties")
	if none(raw) {
		if !known(a.Type) {
			return a
		}
		a.Err = fmt.Errorf("%sProperties are not there", a.Type)
		return a
	}
	a.Err = a.decode(raw)
	return a
}

func none(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func text(raw json.RawMessage, to *string) error {
	if none(raw) {
		return errors.New("an attribute has no name or type")
	}
	return json.Unmarshal(raw, to)
}

func known(kind string) bool {
	switch kind {
	case TypeFloat, TypeInt, TypeBool, TypeString, TypeDatetime, TypeStringSet, TypeFloatSeries, TypeStringSeries, TypeImageSeries,
		TypeFile, TypeFileSet, TypeArtifact, TypeGitRef, TypeNotebookRef, TypeState:
		return true
	}
	return false
}

// decode reads the attribute's properties.
func (a *Attribute) decode(raw json.RawMessage) error {
	if a.Type == TypeGitRef || a.Type == TypeNotebookRef || !known(a.Type) {
		return a.keep(raw)
	}
	p, ok := membersOf(raw)
	if !ok {
		return errNoObject
	}
	a.Size = -1
	switch a.Type {
	case TypeStringSet:
		return p.decode("values", &a.Set)
	case TypeFile:
		return errors.Join(p.decode("name", &a.FileName), p.decode("ext", &a.Ext), a.size(p))
	case TypeFileSet:
		return a.size(p)
	case TypeArtifact:
		if err := p.decode("hash", &a.Hash); err != nil || a.Hash != "" {
			return err
		}
		return errors.New("an artifact has no hash")
	case TypeFloatSeries, TypeStringSeries, TypeImageSeries:
		return a.series(p)
	case TypeState:
		if none(p.get("value")) {
			return errors.New("there is no value")
		}
		return a.keep(p.get("value"))
	}
	return a.value(p.get("value"))
}

func (a *Attribute) size(p members) error {
	size := Int(-1)
	err := p.decode("size", &size)
	a.Size = max(int64(size), -1)
	return err
}

func (a *Attribute) series(p members) error {
	lastStep := p.get("lastStep")
	a.HasLast = !none(p.get("last")) || !none(lastStep)
	switch a.Type {
	case TypeImageSeries:
		if !none(lastStep) {
			a.LastStep = string(lastStep)
		}
		return p.decode("channelId", &a.Channel)
	case TypeFloatSeries:
		var config map[string]json.RawMessage
		if err := p.decode("config", &config); err != nil {
			return err
		}
		return a.configured(config)
	}
	return nil
}

// value reads the value of an atom.
func (a *Attribute) value(raw json.RawMessage) error {
	if none(raw) {
		return errors.New("there is no value")
	}
	switch a.Type {
	case TypeFloat:
		return json.Unmarshal(raw, (*Float)(&a.Float))
	case TypeInt:
		return json.Unmarshal(raw, (*Int)(&a.Int))
	case TypeBool:
		return json.Unmarshal(raw, &a.Bool)
	}
	err := json.Unmarshal(raw, &a.Text)
	if a.Type == TypeDatetime && err == nil {
		a.Int, err = parseTime(a.Text)
	}
	return err
}

// configured keeps what is configured, in the order of the keys.
func (a *Attribute) configured(config map[string]json.RawMessage) error {
	for key, value := range config {
		if none(value) {
			delete(config, key)
		}
	}
	if len(config) == 0 {
		return nil
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(config)
	a.Config = string(bytes.TrimSpace(out.Bytes()))
	return err
}

// keep keeps an object as it is, but for the attribute's own name and type. What is no object is kept whole.
func (a *Attribute) keep(raw json.RawMessage) error {
	var out bytes.Buffer
	if err := withoutSelf(&out, raw); err != nil {
		out.Reset()
		if err := json.Compact(&out, raw); err != nil {
			return err
		}
	}
	a.Raw = out.Bytes()
	return nil
}

var errNoObject = errors.New("is no object")

func withoutSelf(out *bytes.Buffer, raw json.RawMessage) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return errNoObject
	}
	out.WriteByte('{')
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		key, ok := token.(string)
		if !ok || key == "attributeName" || key == "attributeType" {
			continue
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		quoted, err := json.Marshal(key)
		if err != nil {
			return err
		}
		out.Write(quoted)
		out.WriteByte(':')
		if err := json.Compact(out, value); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}
