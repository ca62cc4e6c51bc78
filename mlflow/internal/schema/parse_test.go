package schema

import (
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"  a i32":                         "before the first table",
		"t\n  a":                          `type "" is not known`,
		"t\n  a i33":                      `type "i33" is not known`,
		"t\n  a s0":                       `type "s0" is not known`,
		"t\n  a i32 nil":                  `"nil" is not understood`,
		"t\n  PRIMARY":                    "has no name",
		"t\n  PRIMARY p":                  "has no columns",
		"t\n  PRIMARY p (a":               "has no columns",
		"t\n  UNIQUE u (a) b":             `"b" is not understood`,
		"t\n  INDEX i (a) WHERE":          `"WHERE" is not understood`,
		"t\n  FOREIGN f (a) o":            "has no columns",
		"t\n  CHECK c":                    "has no expression",
		"t\n  CHECK c sqlite":             "has no expression",
		"t\n  FIXED f (a)":                "has no expression or message",
		"t\n  a i32\n\n# note\n  b i32 -": "line 5",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// The description has only what the generator writes: a column that some line names exists.
func TestDescriptionIsConsistent(t *testing.T) {
	t.Parallel()
	tables, err := parse(description)
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string]bool{}
	for _, tab := range tables {
		for _, c := range tab.columns {
			if columns[tab.name+"."+c.name] || c.name != strings.ToLower(c.name) {
				t.Errorf("%s.%s is there twice or looks like a keyword", tab.name, c.name)
			}
			columns[tab.name+"."+c.name] = true
		}
	}
	for _, tab := range tables {
		for _, p := range tab.parts {
			for table, list := range map[string]string{tab.name: p.columns, p.table: p.keys} {
				for _, name := range names(list) {
					name = strings.TrimSuffix(name, " DESC")
					if name != "" && !columns[table+"."+name] {
						t.Errorf("%s of %s: there is no %s.%s", p.name, tab.name, table, name)
					}
				}
			}
		}
	}
}

// Whatever is read makes statements for both databases, one a table at least, or is refused.
func FuzzParse(f *testing.F) {
	f.Add(description)
	f.Add("t\n  a i32 null default 'x' = b\n  CHECK - sqlite a\n  INDEX i unique (a, b) postgres WHERE a\n  ROW (1)")
	f.Fuzz(func(t *testing.T, text string) {
		tables, err := parse(text)
		if err != nil {
			return
		}
		for _, d := range []Dialect{SQLite, PostgreSQL} {
			statements, err := d.statements(tables)
			if err != nil || len(statements) < len(tables) {
				t.Errorf("%s: %d statements of %d tables, %v", d, len(statements), len(tables), err)
			}
		}
	})
}
