package main

import (
	"hash/maphash"

	migrate "github.com/nexport-go/migrate"
)

// seenRuns remembers which runs there are, in a few bytes each: by hashes of 64 bits. That one of a
// million runs that it has not seen is taken for one of a million that it has, is a chance of 1 in 18 million.
type seenRuns struct {
	seed   maphash.Seed
	hashes map[uint64]struct{}
}

func newSeenRuns() *seenRuns {
	return &seenRuns{maphash.MakeSeed(), map[uint64]struct{}{}}
}

func (s *seenRuns) add(ref migrate.RunRef) {
	s.hashes[maphash.Comparable(s.seed, ref)] = struct{}{}
}

func (s *seenRuns) has(ref migrate.RunRef) bool {
	_, ok := s.hashes[maphash.Comparable(s.seed, ref)]
	return ok
}
