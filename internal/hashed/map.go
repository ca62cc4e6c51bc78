// Package hashed has maps that do not keep their keys, for sets of all runs of a project, which may be a million.
package hashed

import "hash/maphash"

// Map is a map that keeps 128 bits of a hash of each key. That any two of a million keys are taken for one is a
// chance of 1 in 10^26. It does no locking.
type Map[K comparable, V any] struct {
	seeds  [2]maphash.Seed
	values map[[2]uint64]V
}

// New returns a map that is empty.
func New[K comparable, V any]() *Map[K, V] {
	return &Map[K, V]{[2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, map[[2]uint64]V{}}
}

func (m *Map[K, V]) hash(key K) [2]uint64 {
	return [2]uint64{maphash.Comparable(m.seeds[0], key), maphash.Comparable(m.seeds[1], key)}
}

// Get returns the value of a key, and whether there is one.
func (m *Map[K, V]) Get(key K) (value V, ok bool) {
	value, ok = m.values[m.hash(key)]
	return value, ok
}

// Set gives a key a value.
func (m *Map[K, V]) Set(key K, value V) { m.values[m.hash(key)] = value }

// Len is the number of keys.
func (m *Map[K, V]) Len() int { return len(m.values) }

// Set is a Map without values.
type Set[K comparable] struct{ keys *Map[K, struct{}] }

// NewSet returns a set that is empty.
func NewSet[K comparable]() *Set[K] { return &Set[K]{New[K, struct{}]()} }

// Add adds a key.
func (s *Set[K]) Add(key K) { s.keys.Set(key, struct{}{}) }

// Has reports whether a key was added.
func (s *Set[K]) Has(key K) bool {
	_, ok := s.keys.Get(key)
	return ok
}

// Len is the number of keys.
func (s *Set[K]) Len() int { return s.keys.Len() }
