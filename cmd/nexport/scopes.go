package main

import (
	"fmt"
	"slices"
	"strings"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

// scopes are the --scope flag's spellings, which are the archive's folder names.
var scopes = map[string]migrate.Scope{
	"runs": migrate.ScopeRun, "models": migrate.ScopeModel, "model_versions": migrate.ScopeModelVersion,
}

// allScopes are all there are, in the order in which they are listed and counted.
var allScopes = []migrate.Scope{migrate.ScopeRun, migrate.ScopeModel, migrate.ScopeModelVersion}

// scopesNamed gives the scopes of the flag's spellings, each once, in the order of allScopes.
func scopesNamed(names []string) []migrate.Scope {
	return slices.DeleteFunc(slices.Clone(allScopes), func(s migrate.Scope) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return scopes[name] == s })
	})
}

// noun is what one object of a scope is called.
func noun(s migrate.Scope) string {
	switch s {
	case migrate.ScopeRun:
		return "run"
	case migrate.ScopeModel:
		return "model"
	case migrate.ScopeModelVersion:
		return "model version"
	default:
		return shown(string(s))
	}
}

// byScope counts objects. A scope with a count of zero is one of which there could have been some.
type byScope map[migrate.Scope]int64

func (b byScope) add(o byScope) {
	for s, n := range o {
		b[s] += n
	}
}

func (b byScope) sum() (all int64) {
	for _, n := range b {
		all += n
	}
	return all
}

// String gives "12 runs, 3 models and 5 model versions", or "0 runs" of the first scope.
func (b byScope) String() string {
	var parts []string
	for _, s := range allScopes {
		if b[s] > 0 {
			parts = append(parts, plural(b[s], noun(s)))
		}
	}
	if len(parts) == 0 {
		return plural(0, noun(b.first()))
	}
	return enumerated(parts)
}

func (b byScope) first() migrate.Scope {
	for _, s := range allScopes {
		if _, ok := b[s]; ok {
			return s
		}
	}
	return migrate.ScopeRun
}

// nouns says what the objects are called together: "runs", or "runs, models and model versions".
func (b byScope) nouns() string {
	var names []string
	for _, s := range allScopes {
		if _, ok := b[s]; ok {
			names = append(names, noun(s)+"s")
		}
	}
	if len(names) == 0 {
		return "runs"
	}
	return enumerated(names)
}

// enumerated writes "a, b and c".
func enumerated(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// listedNouns are what the objects of scopes are called together, by the flag's spellings.
func listedNouns(names []string) string {
	b := byScope{}
	for _, s := range scopesNamed(names) {
		b[s] = 0
	}
	return b.nouns()
}

// json gives the counts by the names of scopes as they are in docs/cli-json.md.
func (b byScope) json() map[string]int64 {
	named := map[string]int64{}
	for s, n := range b {
		named[convert.ScopeName(s)] = n
	}
	return named
}

// titled names a run, or another object by its kind too: "model PRJ-CLF".
func titled(ref migrate.RunRef) string {
	if ref.Scope == migrate.ScopeRun {
		return ref.ID
	}
	return fmt.Sprintf("%s %s", noun(ref.Scope), ref.ID)
}
