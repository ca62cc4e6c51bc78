package neptune

import (
	"context"
	"slices"

	migrate "github.com/nexport-go/migrate"
)

// source3 speaks the protocol of generation 3.
type source3 struct {
	*core
	gather *gatherer
}

var _ protocol = (*source3)(nil)

func newSource3(c *core) *source3 { return &source3{core: c, gather: newGatherer()} }

func (s *source3) has(scope migrate.Scope) bool { return scope == migrate.ScopeRun }

func (s *source3) open(run migrate.RunInfo) migrate.RunReader { return newReader3(s, run) }

// probe asks for a run.
func (s *source3) probe(ctx context.Context, project string) error {
	_, err := s.search(ctx, project, search{limit: 1, paths: []string{attrID}})
	return err
}

// list yields the runs of a project.
func (s *source3) list(ctx context.Context, project string, sel migrate.Selection,
	yield func(migrate.RunInfo, error) bool,
) (more bool, err error) {
	if len(sel.Scopes) > 0 && !slices.Contains(sel.Scopes, migrate.ScopeRun) {
		return true, nil
	}
	return s.projectRuns(ctx, project, sel, yield)
}
