package neptune

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/wire3"
)

// valuesPage is how many attributes are asked for at once. The server takes up to 10,000, but strings
// can be long.
const valuesPage = 5_000

// maxNames bounds the bytes of names in one request, as in neptune-query.
const maxNames = 200_000

type valuesBody struct {
	Runs  []string     `json:"experimentIdsFilter"`
	Names []string     `json:"attributeNamesFilter,omitempty"`
	Types []typeFilter `json:"attributeFilter,omitempty"`
	Next  nextPage     `json:"nextPage"`
}

// maxEmptyPages is how many pages in a row may have nothing in them and yet lead to another.
const maxEmptyPages = 20

// tokens watches that a server does not lead in circles.
type tokens struct {
	last  string
	empty int
}

// next takes the token for the next page; items is what the page before it had.
func (t *tokens) next(token string, items int) error {
	if t.empty++; items > 0 {
		t.empty = 0
	}
	if token == t.last || t.empty > maxEmptyPages {
		return errSamePage
	}
	t.last = token
	return nil
}

var errSamePage = errors.New("the server gives the same page again and again")

// valuePages gets the attributes of runs page by page, all of them or those with these names. It needs
// no definitions: without names the server gives what there is. POST
// /api/leaderboard/v1/proto/leaderboard/attributes/query, as neptune-query 1.11.0 does for tables of
// all projects.
func (r *reader3) valuePages(ctx context.Context, holders, names []string, take func([]wire3.Entry) bool) error {
	body := valuesBody{
		Runs: holders, Names: names, Types: typeFilters(apiTypes(r.run.Filter)), Next: nextPage{Limit: valuesPage},
	}
	for seen := (tokens{}); ; {
		var entries []wire3.Entry
		var next string
		err := r.source.api.post(ctx, "read the attributes of "+r.run.String(),
			"/api/leaderboard/v1/proto/leaderboard/attributes/query", url.Values{"projectIdentifier": {r.run.Project}},
			body, func(b []byte) (err error) {
				entries, next, err = wire3.Values(b)
				return err
			})
		if err != nil {
			return noEndpoint(err, Neptune3)
		}
		if !take(entries) || next == "" {
			return nil
		}
		if err := seen.next(next, len(entries)); err != nil {
			return fmt.Errorf("read the attributes of %s: %w", r.run, err)
		}
		body.Next.Token = next
	}
}

// values yields what has no steps and finds the series.
func (p *pass3) values(ctx context.Context) error {
	if types := apiTypes(p.reader.run.Filter); types != nil && len(types) == 0 {
		return nil
	}
	if p.first {
		have, err := p.reader.gather(ctx)
		if err != nil {
			return err
		}
		if p.begun = have; have != nil {
			p.takeAll(have.attributes)
			return nil
		}
	}
	err := p.valuesOf(ctx, nil)
	if err != nil && !errors.Is(err, migrate.ErrNotFound) && (refusal(err) || errors.Is(err, errSamePage)) {
		p.reader.source.cfg.Log.Warn("reading attributes in parts", "run", p.reader.run.RunRef, "err", err)
		err = p.valuesInParts(ctx)
	}
	if err != nil || p.any || p.ended {
		return err
	}
	// The server passes over runs that it does not know.
	if _, err := p.reader.source.find(ctx, p.reader.run.RunRef); err != nil {
		return err
	}
	return nil
}

// valuesOf yields the attributes of these names; nil: all.
func (p *pass3) valuesOf(ctx context.Context, names []string) error {
	count := 0
	err := p.reader.valuePages(ctx, []string{p.reader.holder}, names, func(entries []wire3.Entry) bool {
		for _, entry := range entries {
			if entry.ShortID != "" && p.reader.run.Project+"/"+entry.ShortID != p.reader.holder {
				continue
			}
			count += len(entry.Attributes)
			if !p.takeAll(entry.Attributes) {
				return false
			}
		}
		return true
	})
	if err == nil && names == nil {
		p.reader.source.gather.saw(p.reader.run.Project, count, 1)
	}
	return err
}

// takeAll is false if the receiver has had enough.
func (p *pass3) takeAll(attributes []wire3.Attribute) bool {
	p.any = true
	p.announceFiles(attributes)
	for _, a := range attributes {
		if p.take(a); p.ended {
			return false
		}
	}
	return true
}

// announceFiles lets the links to files that will be yielded be signed together.
func (p *pass3) announceFiles(attributes []wire3.Attribute) {
	var paths []string
	for _, a := range attributes {
		if a.Value == wire3.File && a.File.Path != "" && (p.want == nil || p.want(a.Name, migrate.KindFile)) {
			paths = append(paths, a.File.Path)
		}
	}
	p.reader.links.announce(paths)
}

// valuesInParts reads the attributes by their names, so that one that the server cannot give does
// not keep the others from it.
func (p *pass3) valuesInParts(ctx context.Context) error {
	definitions, err := p.reader.definitions(ctx)
	if err != nil {
		return err
	}
	var wanted []definition
	for _, d := range definitions {
		kind := kindOf(wire3.Attribute{Type: d.Type})
		if p.want == nil || p.want(d.Name, kind) {
			wanted = append(wanted, d)
		}
	}
	p.any = p.any || len(definitions) > 0
	for part := range slices.Chunk(wanted, 500) {
		if err := p.part(ctx, part); err != nil || p.ended {
			return err
		}
	}
	return nil
}

func (p *pass3) part(ctx context.Context, part []definition) error {
	names := make([]string, 0, len(part))
	for _, d := range part {
		if !slices.Contains(names, d.Name) {
			names = append(names, d.Name)
		}
	}
	err := p.valuesOf(p.tries(ctx), names)
	switch {
	case err == nil || p.ended:
		p.losses = 0
		return nil
	case !refusal(err) && !errors.Is(err, errSamePage):
		return err
	case len(part) > 1:
		if err := p.part(ctx, part[:len(part)/2]); err != nil || p.ended {
			return err
		}
		return p.part(ctx, part[len(part)/2:])
	}
	kind := kindOf(wire3.Attribute{Type: part[0].Type})
	p.losses++
	p.reader.notef(part[0].Name, kind, migrate.CodeUnreadable, "%v", err)
	return nil
}
