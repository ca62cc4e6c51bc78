package parquetstore

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	migrate "github.com/nexport-go/migrate"
)

// run is what a listing knows of a run.
type run struct {
	info  migrate.RunInfo
	keys  rowKeys
	from  *series
	parts []*part // those that have rows of it
	rows  int64
	notes []migrate.Problem
	twins []*run // runs whose files may have the same names
	bad   error  // nothing of it can be read

	manifest string // its path; empty if there is none
	recorded bool   // listed by the manifest, which says how many rows there are
}

// rowKeys are a run's rows' project_id and run_id.
type rowKeys struct{ project, id string }

// Runs yields the runs project by project, a project's oldest first. Damaged parts that nothing is
// known of are runs named after the file; reading them fails.
func (s *Store) Runs(ctx context.Context, sel migrate.Selection) iter.Seq2[migrate.RunInfo, error] {
	return func(yield func(migrate.RunInfo, error) bool) {
		all, err := groups(s.data)
		if err != nil {
			yield(migrate.RunInfo{}, fmt.Errorf("list archive: %w", err))
			return
		}
		for _, g := range all {
			runs, err := s.scan(ctx, g, sel)
			if err != nil {
				yield(migrate.RunInfo{}, err)
				return
			}
			s.remember(runs)
			for _, r := range runs {
				if sel.Match(r.info) && !yield(r.info, nil) {
					return
				}
			}
		}
	}
}

// scan lists the runs of a group, of the scopes that are selected.
func (s *Store) scan(ctx context.Context, g group, sel migrate.Selection) ([]*run, error) {
	scopes := sel.Scopes
	if len(scopes) == 0 {
		scopes = []migrate.Scope{migrate.ScopeRun}
	}
	var runs []*run
	for _, from := range g.series {
		if !slices.Contains(scopes, from.scope) {
			continue
		}
		found, err := s.scanSeries(ctx, from)
		if err != nil {
			return nil, err
		}
		runs = append(runs, found...)
	}
	nameDamaged(runs)
	runs = newest(runs)
	slices.SortStableFunc(runs, func(a, b *run) int {
		return cmp.Or(strings.Compare(a.info.Project, b.info.Project), compareTimes(a.info.Created, b.info.Created),
			strings.Compare(a.info.ID, b.info.ID))
	})
	setTwins(runs)
	return runs, nil
}

// compareTimes puts unknown times last.
func compareTimes(a, b time.Time) int {
	if a.IsZero() != b.IsZero() {
		if a.IsZero() {
			return 1
		}
		return -1
	}
	return a.Compare(b)
}

// scanSeries lists the runs of a series.
func (s *Store) scanSeries(ctx context.Context, from *series) ([]*run, error) {
	if r := s.recorded(from); r != nil {
		return []*run{r}, ctx.Err()
	}
	by := map[rowKeys]*run{}
	var runs, damaged []*run
	for _, p := range from.parts {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		if p.err == nil {
			p.err = s.scanPart(p, func(keys rowKeys) *run {
				r := by[keys]
				if r == nil {
					r = &run{keys: keys, from: from}
					r.info.RunRef = migrate.RunRef{Project: keys.project, ID: keys.id, Scope: from.scope}
					if keys.project == "" {
						r.info.Project = projectOfDir(from.home)
					}
					by[keys] = r
					runs = append(runs, r)
				}
				return r
			})
		}
		if p.err != nil {
			damaged = append(damaged, damagedRun(from, p))
		}
	}
	for _, r := range runs {
		r.notes = append(r.notes, from.notes...)
		for _, p := range from.parts {
			if p.err != nil {
				r.notes = append(r.notes, damageNote(fmt.Errorf("part %q: %w", p.path, p.err)))
			}
			for _, err := range p.damage {
				r.notes = append(r.notes, damageNote(err))
			}
		}
	}
	switch {
	case from.layout == projectParts:
		runs = append(runs, damaged...)
	case len(runs) == 0 && len(damaged) > 0:
		runs = damaged[:1]
	}
	return runs, nil
}

func damageNote(err error) migrate.Problem {
	return migrate.Problem{Code: migrate.CodeUnreadable, Text: err.Error() + "; rows of this run may be missing"}
}

// damagedRun stands for a part that cannot be read.
func damagedRun(from *series, p *part) *run {
	r := &run{from: from, bad: fmt.Errorf("part %q: %w", p.path, p.err)}
	r.info.RunRef = migrate.RunRef{ID: from.stem, Scope: from.scope}
	if from.layout == projectParts {
		r.info.ID = path.Base(p.path)
	}
	r.info.Size = p.size
	return r
}

// nameDamaged gives damaged runs the project of their neighbours.
func nameDamaged(runs []*run) {
	for _, r := range runs {
		if r.bad == nil {
			continue
		}
		r.info.Project = projectOfDir(r.from.home)
		for _, other := range runs {
			if other.bad == nil && other.from.home == r.from.home {
				r.info.Project = other.info.Project
				break
			}
		}
	}
}

// newest keeps of each run the copy in the newest layout, whole before damaged.
func newest(runs []*run) (kept []*run) {
	best := map[migrate.RunRef]*run{}
	for _, r := range runs {
		other := best[r.info.RunRef]
		switch {
		case other == nil:
			best[r.info.RunRef] = r
		case better(r, other):
			best[r.info.RunRef] = r
			r.noteCopy(other)
		default:
			other.noteCopy(r)
		}
	}
	for _, r := range runs {
		if best[r.info.RunRef] == r {
			kept = append(kept, r)
		}
	}
	return kept
}

func better(a, b *run) bool {
	if (a.bad == nil) != (b.bad == nil) {
		return a.bad == nil
	}
	return a.from.layout > b.from.layout
}

func (r *run) noteCopy(other *run) {
	r.notes = append(r.notes, other.notesOfCopies()...)
	r.notes = append(r.notes, migrate.Problem{Code: migrate.CodeSuspect, Text: fmt.Sprintf(
		"%q has another copy of this run, which is not read; this one is from %q", path.Join(other.from.dir, other.from.stem), path.Join(r.from.dir, r.from.stem))})
}

func (r *run) notesOfCopies() (notes []migrate.Problem) {
	for _, p := range r.notes {
		if p.Code == migrate.CodeSuspect {
			notes = append(notes, p)
		}
	}
	return notes
}

// setTwins finds runs whose IDs the tool may have turned into one directory name.
func setTwins(runs []*run) {
	by := map[string][]*run{}
	for _, r := range runs {
		key := r.from.home + "\x00" + string(r.info.Scope) + "\x00" + folded(r.info.ID)
		by[key] = append(by[key], r)
	}
	for _, same := range by {
		if len(same) < 2 {
			continue
		}
		for _, r := range same {
			r.twins = same
		}
	}
}

// folded maps all names that a file system or the tool may take for the same to one.
func folded(id string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x80 && (c >= '0' && c <= '9' || c >= 'a' && c <= 'z') {
			return c
		}
		return '_'
	}, strings.ToLower(id))
}
