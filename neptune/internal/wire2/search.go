package wire2

import (
	"encoding/json"
	"errors"
)

// Object is a run, model or model version that a search found.
type Object struct {
	ID         string // UUID
	Type       string // "run", "model" or "modelVersion"; empty if the answer does not say
	Attributes []Attribute
}

// Get returns the attribute of that name; nil if there is none or it is damaged.
func (e *Object) Get(name string) *Attribute {
	for i := range e.Attributes {
		if a := &e.Attributes[i]; a.Name == name && a.Err == nil {
			return a
		}
	}
	return nil
}

// Search decodes a page of a search, and how many the server counts over all pages; -1 if it does not say.
func Search(b []byte) (entries []Object, total int64, err error) {
	var in struct {
		Total   *Int `json:"matchingItemCount"`
		Entries []struct {
			ID         string            `json:"experimentId"`
			Type       string            `json:"type"`
			Attributes []json.RawMessage `json:"attributes"`
		} `json:"entries"`
	}
	if err := Unmarshal(b, &in); err != nil {
		return nil, 0, err
	}
	if in.Entries == nil {
		return nil, 0, errors.New("the answer has no entries in it")
	}
	for _, e := range in.Entries {
		entries = append(entries, Object{ID: e.ID, Type: e.Type, Attributes: attributes(e.Attributes)})
	}
	if total = -1; in.Total != nil {
		total = int64(*in.Total)
	}
	return entries, total, nil
}
