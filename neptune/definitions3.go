package neptune

import (
	"context"
	"slices"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/wire3"
)

// kinds are the types that have values, with their names in the API of 3.x (the enum of the attribute
// definitions' answer, neptune-query 1.11.0) and in the answer.
var kinds = []struct {
	api   string
	value wire3.Value
	kind  migrate.Kind
}{
	{"float", wire3.Float, migrate.KindFloat},
	{"int", wire3.Int, migrate.KindInt},
	{"string", wire3.String, migrate.KindString},
	{"bool", wire3.Bool, migrate.KindBool},
	{"datetime", wire3.Datetime, migrate.KindDatetime},
	{"stringSet", wire3.StringSet, migrate.KindStringSet},
	{"fileRef", wire3.File, migrate.KindFile},
	{"floatSeries", wire3.FloatSeries, migrate.KindFloatSeries},
	{"stringSeries", wire3.StringSeries, migrate.KindStringSeries},
	{"histogramSeries", wire3.HistogramSeries, migrate.KindHistogramSeries},
	{"fileRefSeries", wire3.FileSeries, migrate.KindFileSeries},
}

// kindOf is the kind of an attribute. One without a value that this version can read has the kind of
// its type's name.
func kindOf(a wire3.Attribute) migrate.Kind {
	for _, k := range kinds {
		if k.value == a.Value {
			return k.kind
		}
	}
	switch a.Type {
	case "gitRef":
		return migrate.KindGitRef
	case "experimentState":
		return migrate.KindRunState
	}
	for _, k := range kinds {
		if k.api == a.Type {
			return k.kind
		}
	}
	return migrate.Kind(a.Type)
}

// apiTypes are the types to ask for with a filter; nil for all, those unknown here too.
func apiTypes(f migrate.Filter) (types []string) {
	if len(f.Kinds) == 0 && len(f.Exclude) == 0 {
		return nil
	}
	types = []string{}
	for _, k := range kinds {
		if (len(f.Kinds) == 0 || slices.Contains(f.Kinds, k.kind)) && !slices.Contains(f.Exclude, k.kind) {
			types = append(types, k.api)
		}
	}
	return types
}

type (
	nextPage struct {
		Limit int    `json:"limit"`
		Token string `json:"nextPageToken,omitempty"`
	}
	typeFilter struct {
		Type string `json:"attributeType"`
	}
	definitionsBody struct {
		Projects []string     `json:"projectIdentifiers"`
		Runs     []string     `json:"experimentIdsFilter"`
		Names    struct{}     `json:"attributeNameFilter"`
		Types    []typeFilter `json:"attributeFilter,omitempty"`
		Next     nextPage     `json:"nextPage"`
	}
)

func typeFilters(types []string) (filters []typeFilter) {
	for _, t := range types {
		filters = append(filters, typeFilter{t})
	}
	return filters
}

// definition is an attribute that a run has.
type definition struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// definitions lists what attributes a run has: POST
// /api/leaderboard/v1/leaderboard/attributes/definitions/query, as neptune-query 1.11.0 does.
func (r *reader3) definitions(ctx context.Context) (all []definition, err error) {
	body := definitionsBody{
		Projects: []string{r.run.Project}, Runs: []string{r.holder},
		Types: typeFilters(apiTypes(r.run.Filter)), Next: nextPage{Limit: valuesPage},
	}
	for seen := (tokens{}); ; {
		var out struct {
			Entries []definition `json:"entries"`
			Next    nextPage     `json:"nextPage"`
		}
		err := r.source.api.post(ctx, "list the attributes of "+r.run.String(),
			"/api/leaderboard/v1/leaderboard/attributes/definitions/query", nil, body, into(&out))
		if err != nil {
			return nil, err
		}
		all = append(all, out.Entries...)
		if out.Next.Token == "" || len(out.Entries) == 0 {
			return all, nil
		}
		if err := seen.next(out.Next.Token, len(out.Entries)); err != nil {
			return nil, err
		}
		body.Next.Token = out.Next.Token
	}
}
