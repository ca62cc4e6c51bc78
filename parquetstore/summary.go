package parquetstore

import (
	"context"

	migrate "github.com/nexport-go/migrate"
)

// Summary says what an archive has of a run.
type Summary struct {
	Attributes map[migrate.Kind]int64 `json:"attributes"` // with at least one value
	Points     map[migrate.Kind]int64 `json:"points"`     // of series
	Files      int64                  `json:"files"`      // those that exist, shared ones once for each attribute
	FileBytes  int64                  `json:"file_bytes"`
	Rows       int64                  `json:"rows"`     // in the Parquet parts, with those that are not data
	Bytes      int64                  `json:"bytes"`    // of the Parquet parts; of shared parts by the run's share of rows
	Parts      int                    `json:"parts"`    // that have rows of the run
	Padding    int64                  `json:"padding"`  // rows with a step only
	Phantoms   int64                  `json:"phantoms"` // rows without any value
	State      migrate.State          `json:"state"`
	Problems   []migrate.Problem      `json:"problems,omitempty"` // losses and notes
}

// Summarize reads a run as a load would, without opening its files for more than their size. A run
// of which nothing can be read has a summary too: its problem says why.
func (s *Store) Summarize(ctx context.Context, info migrate.RunInfo) (Summary, error) {
	found, err := s.find(ctx, info.RunRef)
	if err != nil {
		return Summary{}, err
	}
	sum := Summary{
		Attributes: map[migrate.Kind]int64{}, Points: map[migrate.Kind]int64{},
		Rows: found.rows, Bytes: found.info.Size, Parts: len(found.parts), State: found.info.State,
	}
	if found.bad != nil {
		sum.State = migrate.Partial
		sum.Problems = []migrate.Problem{{Code: migrate.CodeUnreadable, Text: found.bad.Error()}}
		return sum, nil
	}
	r := newReader(s, found)
	attrs, err := r.index(ctx, nil)
	if err != nil {
		return Summary{}, err
	}
	counting := newPass(ctx, r, sum.counter())
	defer counting.close()
	if err := counting.all(attrs); err != nil {
		return Summary{}, err
	}
	sum.Padding, sum.Phantoms = int64(counting.counts.padding), int64(counting.counts.phantom)
	sum.addProblems(r.Problems())
	return sum, nil
}

// counter is a receiver of chunks.
func (s *Summary) counter() func(migrate.Chunk, error) bool {
	var last attrKey
	return func(c migrate.Chunk, _ error) bool {
		if key := (attrKey{c.Path, c.Kind}); key != last {
			last = key
			s.Attributes[c.Kind]++
		}
		if c.Kind.Series() {
			s.Points[c.Kind] += int64(c.Len())
		}
		if files, ok := c.Values.(migrate.Files); ok {
			s.Files += int64(len(files))
			for _, f := range files {
				s.FileBytes += max(f.Size, 0)
			}
		}
		return true
	}
}

func (s *Summary) addProblems(problems []migrate.Problem) {
	s.Problems = problems
	for _, p := range problems {
		if p.Code.Lossy() {
			s.State = migrate.Partial
		}
	}
}
