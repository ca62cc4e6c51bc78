package parquetstore

// cursor reads rows of one row group, any columns, best in ascending order: going back decodes the
// column again.
type cursor struct {
	part  *openPart
	group int
	cols  [numCols]*column
	at    [numCols]int // next row of the column
	open  [numCols]bool
	bad   [numCols]failure
}

// failure is a row at or behind the place where reading a column failed. That row and those after
// it would fail again, slowly.
type failure struct {
	row int
	err error
}

func newCursor(p *openPart, group int) *cursor { return &cursor{part: p, group: group} }

// seek returns a column that stands at row, nil if the file lacks it.
func (c *cursor) seek(id, row int) (*column, error) {
	if bad := c.bad[id]; bad.err != nil && row >= bad.row {
		return nil, bad.err
	}
	if !c.open[id] || c.at[id] > row {
		col, err := c.part.column(c.group, id)
		if err != nil {
			return nil, err
		}
		c.cols[id], c.at[id], c.open[id] = col, 0, true
	}
	col := c.cols[id]
	if col == nil {
		return nil, nil
	}
	// If reading fails the column's place is unknown, so the next call starts anew.
	c.open[id] = false
	if n := row - c.at[id]; n > 0 {
		if err := guard(func() error { return col.skip(n) }); err != nil {
			return nil, c.fail(id, row, err)
		}
	}
	c.at[id], c.open[id] = row, true
	return col, nil
}

func (c *cursor) fail(id, row int, err error) error {
	c.bad[id] = failure{row, err}
	return err
}

// words reads a column's rows from row on.
func (c *cursor) words(id, row int, dst []int64, states []byte) error {
	col, err := c.seek(id, row)
	if err != nil {
		return err
	}
	if col == nil {
		fillAbsent(dst, states)
		return nil
	}
	c.open[id] = false
	if err := guard(func() error { return col.readWords(dst, states) }); err != nil {
		return c.fail(id, row+len(dst)-1, err)
	}
	c.at[id], c.open[id] = row+len(dst), true
	return nil
}

// strings reads a column's rows from row on.
func (c *cursor) strings(id, row int, dst []string, states []byte) error {
	col, err := c.seek(id, row)
	if err != nil {
		return err
	}
	if col == nil {
		for i := range dst {
			dst[i], states[i] = "", absent
		}
		return nil
	}
	c.open[id] = false
	if err := guard(func() error { return col.readStrings(dst, states) }); err != nil {
		return c.fail(id, row+len(dst)-1, err)
	}
	c.at[id], c.open[id] = row+len(dst), true
	return nil
}

// list reads one row of a column of lists, as readList does.
func (c *cursor) list(id, row int, take func(col *column, has bool) error) (has bool, err error) {
	col, err := c.seek(id, row)
	if col == nil || err != nil {
		return false, err
	}
	c.open[id] = false
	err = guard(func() (err error) {
		has, err = col.readList(func(has bool) error { return take(col, has) })
		return err
	})
	if err != nil {
		return false, c.fail(id, row, err)
	}
	c.at[id], c.open[id] = row+1, true
	return has, nil
}

// strange are the texts of the values that did not fit when a column was last read, by their words.
func (c *cursor) strange(id int) []string {
	if c.cols[id] == nil {
		return nil
	}
	return c.cols[id].strange
}
