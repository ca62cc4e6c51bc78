package hashed_test

import (
	"fmt"
	"testing"

	"github.com/nexport-go/migrate/internal/hashed"
)

type ref struct{ project, id string }

func TestMap(t *testing.T) {
	m := hashed.New[ref, int]()
	const n = 10_000
	for i := range n {
		m.Set(ref{"ws/p", fmt.Sprint(i)}, i)
	}
	m.Set(ref{"ws/p", "7"}, -7)
	for i := range n {
		want := i
		if i == 7 {
			want = -7
		}
		if got, ok := m.Get(ref{"ws/p", fmt.Sprint(i)}); !ok || got != want {
			t.Fatalf("%d: got %d, %t", i, got, ok)
		}
	}
	for _, other := range []ref{{"ws/p", "-1"}, {"ws/", "p7"}, {"ws/p7", ""}, {}} {
		if got, ok := m.Get(other); ok {
			t.Errorf("%v has the value %d", other, got)
		}
	}
	if m.Len() != n {
		t.Errorf("%d keys, want %d", m.Len(), n)
	}
}

func TestSet(t *testing.T) {
	s := hashed.NewSet[ref]()
	a, b := ref{"p", "a"}, ref{"p", "b"}
	s.Add(a)
	s.Add(a)
	if !s.Has(a) || s.Has(b) || s.Len() != 1 {
		t.Errorf("has a: %t, b: %t, %d keys", s.Has(a), s.Has(b), s.Len())
	}
}
