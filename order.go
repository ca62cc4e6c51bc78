package migrate

import (
	"slices"

	"github.com/nexport-go/migrate/internal/hashed"
)

// order releases runs so that a child comes after its parent ended. A parent that the listing
// never names makes its children orphans, released when the listing ends. It remembers which
// runs there are, and whole RunInfos only while they wait. It does no locking.
type order struct {
	ended   *hashed.Map[RunRef, bool] // known runs; true when they have ended
	waiting map[RunRef][]RunInfo      // by parent
	parents []RunRef                  // of waiting, in the order of their first child; some have gone
}

func newOrder() *order {
	return &order{ended: hashed.New[RunRef, bool](), waiting: map[RunRef][]RunInfo{}}
}

// add takes a listed run and returns whether it is new, and the runs that may start now.
func (o *order) add(run RunInfo) (fresh bool, ready []RunInfo) {
	if _, known := o.ended.Get(run.RunRef); known {
		return false, nil
	}
	o.ended.Set(run.RunRef, false)
	parent, has := run.ParentRef()
	if ended, _ := o.ended.Get(parent); !has || ended {
		return true, []RunInfo{run}
	}
	if _, known := o.waiting[parent]; !known {
		o.parents = append(o.parents, parent)
	}
	o.waiting[parent] = append(o.waiting[parent], run)
	return true, nil
}

// end takes a run that has ended, well or not, and returns the runs that may start now.
func (o *order) end(ref RunRef) []RunInfo {
	o.ended.Set(ref, true)
	return o.take(ref)
}

// close says that the listing has ended and returns the orphans.
func (o *order) close() (orphans []RunInfo) {
	for _, parent := range o.parents {
		if _, known := o.ended.Get(parent); !known {
			orphans = append(orphans, o.take(parent)...)
		}
	}
	return orphans
}

// unblock returns one waiting run. It is for when the listing has ended and nothing is in flight:
// then those that wait are in cycles or below them, and one in a cycle must go first.
func (o *order) unblock() (run RunInfo, ok bool) {
	waiting := map[RunRef]RunInfo{}
	for _, parent := range o.parents {
		for _, child := range o.waiting[parent] {
			waiting[child.RunRef] = child
			if !ok {
				run, ok = child, true
			}
		}
	}
	for seen := map[RunRef]bool{}; ok && !seen[run.RunRef]; run = waiting[parentOf(run)] {
		seen[run.RunRef] = true
	}
	siblings := o.waiting[parentOf(run)]
	o.waiting[parentOf(run)] = slices.DeleteFunc(siblings, func(r RunInfo) bool { return r.RunRef == run.RunRef })
	return run, ok
}

func (o *order) take(parent RunRef) []RunInfo {
	children := o.waiting[parent]
	delete(o.waiting, parent)
	return children
}

// parentOf is for runs that wait, which have one.
func parentOf(run RunInfo) RunRef {
	parent, _ := run.ParentRef()
	return parent
}
