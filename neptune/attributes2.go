package neptune

import (
	"context"
	"errors"
	"net/url"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/wire2"
)

// kindOf2 is the kind of an attribute. One of a type that is not known has the kind of its type's name.
func kindOf2(a wire2.Attribute) migrate.Kind {
	switch a.Type {
	case wire2.TypeFloat:
		return migrate.KindFloat
	case wire2.TypeInt:
		return migrate.KindInt
	case wire2.TypeBool:
		return migrate.KindBool
	case wire2.TypeString:
		return migrate.KindString
	case wire2.TypeDatetime:
		return migrate.KindDatetime
	case wire2.TypeStringSet:
		return migrate.KindStringSet
	case wire2.TypeFloatSeries:
		return migrate.KindFloatSeries
	case wire2.TypeStringSeries:
		return migrate.KindStringSeries
	case wire2.TypeImageSeries:
		return migrate.KindFileSeries
	case wire2.TypeFile:
		return migrate.KindFile
	case wire2.TypeFileSet:
		return migrate.KindFileSet
	case wire2.TypeArtifact:
		return migrate.KindArtifact
	case wire2.TypeGitRef:
		return migrate.KindGitRef
	case wire2.TypeNotebookRef:
		return migrate.KindNotebookRef
	case wire2.TypeState:
		return migrate.KindRunState
	}
	return migrate.Kind(a.Type)
}

// value is the column of one value; nil if the type is not known.
func (r *reader2) value(kind migrate.Kind, a wire2.Attribute) migrate.Values {
	switch a.Type {
	case wire2.TypeFloat:
		return migrate.Floats{a.Float}
	case wire2.TypeInt:
		return migrate.Ints{a.Int}
	case wire2.TypeBool:
		return migrate.Bools{a.Bool}
	case wire2.TypeString:
		return migrate.Strings{r.text(a.Name, kind, a.Text)}
	case wire2.TypeDatetime:
		return migrate.Datetimes{a.Int}
	case wire2.TypeStringSet:
		set := a.Set
		if set == nil {
			set = []string{}
		}
		return migrate.StringSets{set}
	case wire2.TypeGitRef, wire2.TypeNotebookRef, wire2.TypeState:
		return migrate.Strings{string(a.Raw)}
	}
	return nil
}

// attributes gets all attributes with their values: GET /api/leaderboard/v1/attributes, as the Python client 1.14 does.
// What that refuses is looked for in the search.
func (r *reader2) attributes(ctx context.Context, id string) (all []wire2.Attribute, err error) {
	err = r.source.get(ctx, "read the attributes of "+r.run.String(), "/api/leaderboard/v1/attributes",
		url.Values{"experimentId": {id}}, func(b []byte) (err error) {
			all, err = wire2.Attributes(b)
			return err
		})
	if err == nil || !refusal(err) || errors.Is(err, migrate.ErrNotFound) || errors.Is(err, migrate.ErrUnauthorized) {
		return all, err
	}
	r.source.cfg.Log.Warn("reading attributes by a search", "run", r.run.RunRef, "err", err)
	found, searchErr := r.searched(ctx, id)
	if searchErr != nil {
		return nil, errors.Join(err, searchErr)
	}
	return found, nil
}
