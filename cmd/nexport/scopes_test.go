package main

import (
	"slices"
	"testing"

	migrate "github.com/nexport-go/migrate"
)

func TestByScope(t *testing.T) {
	const run, model, version = migrate.ScopeRun, migrate.ScopeModel, migrate.ScopeModelVersion
	for _, test := range []struct {
		counts      byScope
		text, nouns string
	}{
		{byScope{}, "0 runs", "runs"},
		{byScope{run: 1}, "1 run", "runs"},
		{byScope{model: 0, version: 0}, "0 models", "models and model versions"},
		{byScope{run: 0, model: 1, version: 0}, "1 model", "runs, models and model versions"},
		{byScope{run: 1234, version: 2}, "1,234 runs and 2 model versions", "runs and model versions"},
		{byScope{run: 2, model: 1, version: 1}, "2 runs, 1 model and 1 model version", "runs, models and model versions"},
	} {
		if got := test.counts.String(); got != test.text {
			t.Errorf("%q, want %q", got, test.text)
		}
		if got := test.counts.nouns(); got != test.nouns {
			t.Errorf("%q, want %q", got, test.nouns)
		}
	}
}

func TestScopesNamed(t *testing.T) {
	for _, names := range [][]string{nil, {"runs"}, {"model_versions", "runs", "model_versions"}, {"models", "model_versions", "runs"}} {
		got := scopesNamed(names)
		for _, name := range names {
			if !slices.Contains(got, scopes[name]) {
				t.Errorf("%q: no %s in %q", names, name, got)
			}
		}
		for i, s := range got {
			if slices.Contains(got[:i], s) || slices.Index(allScopes, s) < i {
				t.Errorf("%q: %q is not in order, each once", names, got)
			}
		}
	}
	if got := scopesNamed([]string{"model_versions", "runs"}); !slices.Equal(got, []migrate.Scope{migrate.ScopeRun, migrate.ScopeModelVersion}) {
		t.Errorf("%q", got)
	}
}
