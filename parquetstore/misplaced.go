package parquetstore

import (
	"math"

	migrate "github.com/nexport-go/migrate"
)

// Rows without a value in the column of their type are NaN, padding, or another run's attribute, and no loss. That holds only if
// the other columns have none either; a value in one of them cannot be understood, and is named.

// misplaced gives for each of n rows the name of a column, not of their kind's, that has a value; empty if none has. What cannot be
// read has none.
func misplaced(cur *cursor, row, n int, k migrate.Kind) (names []string) {
	names = make([]string, n)
	var own [numCols]bool
	for _, id := range classColumns[classOf(k)] { // not a histogram's type: alone it is one that lost the rest
		own[id] = true
	}
	own[colString] = own[colString] || k == migrate.KindArtifact // which may have a hash
	states := make([]byte, n)
	for id := colInt; id < numCols; id++ {
		if own[id] || cur.part.allNull(cur.group, id) || cur.filled(id, row, states) != nil {
			continue
		}
		for i, state := range states {
			if state != absent {
				names[i] = colNames[id]
			}
		}
	}
	return names
}

// filled tells for rows whether a column has something there. Empty texts, empty lists and NaN are nothing: some
// writers put them for null.
func (c *cursor) filled(id, row int, states []byte) error {
	switch id {
	case colString, colFile, colHistType:
		texts := make([]string, len(states))
		err := c.strings(id, row, texts, states)
		for i, text := range texts {
			if text == "" {
				states[i] = absent
			}
		}
		return err
	case colSet, colHistEdges, colHistValues:
		for i := range states {
			states[i] = absent
			_, err := c.list(id, row+i, func(col *column, has bool) error {
				states[i] = present
				if has {
					return col.pass(1)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	words := make([]int64, len(states))
	err := c.words(id, row, words, states)
	for i, word := range words {
		if id == colFloat && math.IsNaN(math.Float64frombits(uint64(word))) {
			states[i] = absent
		}
	}
	return err
}

// allNull reports that the footer says so of a column in a row group, or that the file lacks it.
func (p *openPart) allNull(group, id int) bool {
	meta, err := p.chunk(group, id)
	if meta == nil || err != nil {
		return true
	}
	stats, err := meta.Statistics()
	return err == nil && stats != nil && stats.HasNullCount() && stats.NullCount() == meta.NumValues()
}
