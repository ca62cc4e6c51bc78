package migrate

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func child(id, parent string) RunInfo {
	return RunInfo{RunRef: RunRef{Project: "ws/p", ID: id}, Parent: parent}
}

func object(scope Scope, id, parent string) RunInfo {
	return RunInfo{RunRef: RunRef{Project: "ws/p", ID: id, Scope: scope}, Parent: parent}
}

// release drives an order as the pipeline does, ending each run before the next starts, and
// returns the IDs in the order they were released.
func release(t *testing.T, runs []RunInfo) []string {
	t.Helper()
	o := newOrder()
	var ready []RunInfo
	var ids []string
	drain := func() {
		for len(ready) > 0 {
			run := ready[0]
			ids = append(ids, run.ID)
			ready = append(ready[1:], o.end(run.RunRef)...)
		}
	}
	for _, run := range runs {
		fresh, now := o.add(run)
		if !fresh {
			t.Fatalf("%s is not fresh", run.ID)
		}
		ready = append(ready, now...)
		drain()
	}
	ready = append(ready, o.close()...)
	for drain(); ; drain() {
		run, ok := o.unblock()
		if !ok {
			return ids
		}
		ready = append(ready, run)
	}
}

func TestOrder(t *testing.T) {
	for name, c := range map[string]struct {
		runs []RunInfo
		want string
	}{
		"children listed first":     {[]RunInfo{child("c", "b"), child("b", "a"), child("a", "")}, "[a b c]"},
		"orphans at the end":        {[]RunInfo{child("o", "gone"), child("a", "")}, "[a o]"},
		"children of orphans":       {[]RunInfo{child("oo", "o"), child("o", "gone"), child("a", "")}, "[a o oo]"},
		"own parent":                {[]RunInfo{child("a", "a")}, "[a]"},
		"cycle":                     {[]RunInfo{child("a", "b"), child("b", "a"), child("x", "")}, "[x a b]"},
		"below a cycle, first":      {[]RunInfo{child("leaf", "a"), child("a", "b"), child("b", "a")}, "[a leaf b]"},
		"two cycles":                {[]RunInfo{child("a", "b"), child("b", "a"), child("c", "d"), child("d", "c")}, "[a b c d]"},
		"a version and its model":   {[]RunInfo{object(ScopeModelVersion, "M-2", ""), object(ScopeModelVersion, "x", "M"), child("M", ""), object(ScopeModel, "M", "")}, "[M M M-2 x]"},
		"a version without model":   {[]RunInfo{object(ScopeModelVersion, "M-2", ""), object(ScopeModelVersion, "M", ""), child("M-2", "")}, "[M M-2 M-2]"},
		"parent in another project": {[]RunInfo{{RunRef: RunRef{Project: "ws/q", ID: "c"}, Parent: "a"}, child("a", "")}, "[a c]"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fmt.Sprint(release(t, c.runs)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestOrderOfForestInAnyListing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var runs []RunInfo
	parent := map[string]string{}
	for i := range 300 {
		run := child(fmt.Sprint(i), "")
		if i > 0 && rnd.IntN(4) > 0 {
			run.Parent = fmt.Sprint(rnd.IntN(i))
		}
		parent[run.ID] = run.Parent
		runs = append(runs, run)
	}
	rnd.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
	seen := map[string]bool{"": true}
	for _, id := range release(t, runs) {
		if !seen[parent[id]] {
			t.Errorf("%s came before its parent %s", id, parent[id])
		}
		seen[id] = true
	}
	if len(seen) != 301 {
		t.Errorf("%d runs released, want 300", len(seen)-1)
	}
}

func TestOrderListedTwice(t *testing.T) {
	o := newOrder()
	o.add(child("a", ""))
	if fresh, ready := o.add(child("a", "")); fresh || ready != nil {
		t.Errorf("second add: fresh %v, ready %v", fresh, ready)
	}
}
