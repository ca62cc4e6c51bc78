package parquetstore

import (
	"reflect"
	"slices"

	migrate "github.com/nexport-go/migrate"
)

// Selected is a migrate.Filter as text, and what its attributes were asked for with.
type Selected struct {
	Path    string         `json:"path,omitempty"` // regular expression
	Kinds   []migrate.Kind `json:"kinds,omitempty"`
	Exclude []migrate.Kind `json:"exclude,omitempty"`
	With    []string       `json:"with,omitempty"` // Config.With
}

func selected(f migrate.Filter, with []string) Selected {
	s := Selected{Kinds: orNil(f.Kinds), Exclude: orNil(f.Exclude), With: orNil(with)}
	if f.Path != nil {
		s.Path = f.Path.String()
	}
	return s
}

// orNil makes empty lists equal.
func orNil[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// alike reports whether two select the same attributes.
func (s Selected) alike(other Selected) bool {
	s.With, other.With = nil, nil
	return reflect.DeepEqual(s, other)
}

// covers reports whether all that other selects was read, with all that it was asked for with.
func (s Selected) covers(other Selected) bool {
	return (s.alike(other) || s.alike(Selected{})) && len(common(other.With, s.With)) == len(other.With)
}

// selections is one as a manifest has it.
func selections(s Selected) []Selected {
	if reflect.DeepEqual(s, Selected{}) {
		return nil
	}
	return []Selected{s}
}

// selectedBefore are the selections of a manifest; none stands for everything.
func (m *Manifest) selectedBefore() []Selected {
	if len(m.Selections) == 0 {
		return []Selected{{}}
	}
	return m.Selections
}

// whole reports whether all attributes were read.
func (m *Manifest) whole() bool { return slices.ContainsFunc(m.selectedBefore(), Selected{}.alike) }

func (m *Manifest) covers(s Selected) bool {
	return slices.ContainsFunc(m.selectedBefore(), func(had Selected) bool { return had.covers(s) })
}

// join adds a selection to earlier ones. As they may have attributes in common, which now are as the
// new one says, no earlier one is with more than that.
func join(earlier []Selected, s Selected) []Selected {
	var all []Selected
	for _, had := range earlier {
		if had.With = common(had.With, s.With); had.covers(s) {
			s = had
		} else if !had.alike(s) {
			all = append(all, had)
		}
	}
	if reflect.DeepEqual(s, Selected{}) {
		return nil
	}
	return append(all, s)
}

// common are those of a that b has too.
func common(a, b []string) (both []string) {
	for _, s := range a {
		if slices.Contains(b, s) {
			both = append(both, s)
		}
	}
	return both
}
