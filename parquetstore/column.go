package parquetstore

import (
	"encoding/binary"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
)

// The states of a value.
const (
	present byte = iota
	absent       // null
	strange      // there, but does not fit its Go type; its word is where in column.strange its text is
)

// column is a cursor over one column of one row group. Values come out as words (any number: the
// bits of a double, an int, a Step, ms) or as strings. Arrow v17 decodes a string for every row;
// this decodes each dictionary entry once.
type column struct {
	name    string
	leaf    leaf
	pages   file.PageReader
	intern  *interner // for keys
	left    int       // levels left in the page
	rep     hybrid
	def     hybrid
	peeked  bool // repNext and defNext are read, but not used
	repNext uint32
	defNext uint32

	src     source
	dict    dictionary
	strange []string // texts of the strange values that readWords has met
}

// source holds the values of one page, in the form that its encoding gives.
type source struct {
	form  form
	idx   hybrid   // dictionary indices, or booleans
	raw   []byte   // plain values
	bit   int      // of plain booleans
	words []int64  // decoded, but not converted
	strs  []string // decoded
}

type form byte

const (
	asIndex form = iota
	asPlain
	asBits
	asRuns // booleans
	asWords
	asStrings
)

// dictionary holds a decoded dictionary page.
type dictionary struct {
	size   int
	words  []int64
	states []byte // nil if all are present
	texts  map[uint32]string
	strs   []string
	keys   []int32 // ids in intern
}

// page makes sure that the current page has a level.
func (c *column) page() error {
	for c.left == 0 {
		if !c.pages.Next() {
			if err := c.pages.Err(); err != nil {
				return inColumn(c.name, err)
			}
			return corrupt("column %s has fewer rows than the footer says", c.name)
		}
		if err := c.load(c.pages.Page()); err != nil {
			return inColumn(c.name, err)
		}
	}
	return nil
}

func (c *column) load(p file.Page) error {
	switch p := p.(type) {
	case *file.DictionaryPage:
		return c.loadDictionary(p.Data(), int(p.NumValues()))
	case *file.DataPageV1:
		rest, err := c.levelsV1(p)
		if err != nil {
			return err
		}
		c.left = int(p.NumValues())
		return c.loadValues(parquet.Encoding(p.Encoding()), rest, c.left)
	case *file.DataPageV2:
		rest, err := c.levelsV2(p)
		if err != nil {
			return err
		}
		c.left = int(p.NumValues())
		return c.loadValues(parquet.Encoding(p.Encoding()), rest, c.left)
	}
	return nil // an index page
}

func (c *column) levelsV1(p *file.DataPageV1) (rest []byte, err error) {
	rest = p.Data()
	for _, l := range []struct {
		to  *hybrid
		max int16
		enc parquet.Encoding
	}{
		{&c.rep, c.leaf.maxRep, p.RepetitionLevelEncoding()},
		{&c.def, c.leaf.maxDef, p.DefinitionLevelEncoding()},
	} {
		if l.max == 0 {
			continue
		}
		if l.enc != parquet.Encodings.RLE {
			return nil, unsupportedf("has levels in the encoding %v, which this program cannot read; rewrite the file with another tool", l.enc)
		}
		if len(rest) < 4 {
			return nil, errShort
		}
		size := uint64(binary.LittleEndian.Uint32(rest))
		rest = rest[4:]
		if size > uint64(len(rest)) {
			return nil, errShort
		}
		if *l.to, err = newHybrid(rest[:size], bitWidth(l.max)); err != nil {
			return nil, err
		}
		rest = rest[size:]
	}
	return rest, nil
}

func (c *column) levelsV2(p *file.DataPageV2) (rest []byte, err error) {
	rest = p.Data()
	rep, def := int(p.RepetitionLevelByteLen()), int(p.DefinitionLevelByteLen())
	if rep < 0 || def < 0 || rep+def > len(rest) {
		return nil, errShort
	}
	if c.rep, err = newHybrid(rest[:rep], bitWidth(c.leaf.maxRep)); err != nil {
		return nil, err
	}
	c.def, err = newHybrid(rest[rep:rep+def], bitWidth(c.leaf.maxDef))
	return rest[rep+def:], err
}

func bitWidth(level int16) (n int) {
	for ; level > 0; level >>= 1 {
		n++
	}
	return n
}

// stretch returns whether the next levels have values, and how many agree, up to limit. It is for
// columns without lists, where a level is a row.
func (c *column) stretch(limit int) (has bool, n int, err error) {
	if err := c.page(); err != nil {
		return false, 0, err
	}
	n = min(limit, c.left)
	level := uint32(0)
	if c.leaf.maxDef > 0 {
		if level, n, err = c.def.run(n); err != nil {
			return false, 0, corrupt("column %s: levels: %v", c.name, err)
		}
	}
	c.left -= n
	return level == uint32(c.leaf.maxDef), n, nil
}

// readWords reads the next len(dst) rows. The texts of strange values are those of this call.
func (c *column) readWords(dst []int64, states []byte) error {
	c.strange = c.strange[:0]
	for len(dst) > 0 {
		has, n, err := c.stretch(len(dst))
		if err != nil {
			return err
		}
		if !has {
			fillAbsent(dst[:n], states[:n])
		} else if err := c.words(dst[:n], states[:n]); err != nil {
			return inColumn(c.name, err)
		}
		dst, states = dst[n:], states[n:]
	}
	return nil
}

func fillAbsent(dst []int64, states []byte) {
	clear(dst)
	for i := range states {
		states[i] = absent
	}
}

// readStrings reads the next len(dst) rows.
func (c *column) readStrings(dst []string, states []byte) error {
	for len(dst) > 0 {
		has, n, err := c.stretch(len(dst))
		if err != nil {
			return err
		}
		for i := range n {
			dst[i], states[i] = "", absent
			if !has {
				continue
			}
			if dst[i], err = c.str(); err != nil {
				return inColumn(c.name, err)
			}
			states[i] = present
		}
		dst, states = dst[n:], states[n:]
	}
	return nil
}

// nullKey stands for a null in a column of keys.
const nullKey int32 = -1

// key returns the interned id of the next row's string, and how many rows have it, up to limit.
func (c *column) key(limit int) (id int32, n int, err error) {
	has, n, err := c.stretch(limit)
	if err != nil || !has {
		return nullKey, n, err
	}
	if c.src.form != asIndex {
		// Not worth a look ahead: one value, the rest of the stretch again.
		s, err := c.str()
		if err != nil {
			return 0, 0, inColumn(c.name, err)
		}
		c.unread(n - 1)
		return c.intern.id(s), 1, nil
	}
	value, m, err := c.src.idx.run(n)
	if err == nil && int(value) >= c.dict.size {
		err = errIndex
	}
	if err != nil {
		return 0, 0, inColumn(c.name, err)
	}
	c.unread(n - m)
	return c.dict.keys[value], m, nil
}

// unread takes back the last n levels of a stretch.
func (c *column) unread(n int) {
	c.left += n
	if c.leaf.maxDef == 0 || n == 0 {
		return
	}
	if c.def.packed != nil {
		c.def.bit -= n * int(c.def.width)
	} else {
		c.def.value = uint32(c.leaf.maxDef)
	}
	c.def.left += n
}

// skip passes over n rows.
func (c *column) skip(n int) error {
	if c.leaf.maxRep > 0 {
		for range n {
			if _, err := c.readList(nil); err != nil {
				return err
			}
		}
		return nil
	}
	for n > 0 {
		if err := c.page(); err != nil {
			return err
		}
		if n >= c.left {
			n, c.left = n-c.left, 0
			continue
		}
		has, m, err := c.stretch(n)
		if err != nil {
			return err
		}
		if has {
			if err := c.pass(m); err != nil {
				return inColumn(c.name, err)
			}
		}
		n -= m
	}
	return nil
}

// readList reads the next row of a column of lists: take is called with each element's presence
// and must read it. It returns false for a null list.
func (c *column) readList(take func(has bool) error) (has bool, err error) {
	for first := true; ; first = false {
		more, err := c.peek()
		if err != nil {
			return false, err
		}
		if !first && (!more || c.repNext == 0) {
			return has, nil
		}
		if !more {
			return false, corrupt("column %s has fewer rows than the footer says", c.name)
		}
		c.peeked = false
		has = int16(c.defNext) >= c.leaf.listDef-1
		if int16(c.defNext) < c.leaf.listDef {
			continue // null or empty
		}
		if err := c.takeElement(int16(c.defNext) == c.leaf.maxDef, take); err != nil {
			return false, inColumn(c.name, err)
		}
	}
}

func (c *column) takeElement(has bool, take func(has bool) error) error {
	switch {
	case take != nil:
		return take(has)
	case has:
		return c.pass(1)
	}
	return nil
}

// peek reads the next levels without using them; more is false at the end of the column.
func (c *column) peek() (more bool, err error) {
	if c.peeked {
		return true, nil
	}
	for c.left == 0 {
		if !c.pages.Next() {
			if err := c.pages.Err(); err != nil {
				return false, inColumn(c.name, err)
			}
			return false, nil
		}
		if err := c.load(c.pages.Page()); err != nil {
			return false, inColumn(c.name, err)
		}
	}
	c.repNext, c.defNext = 0, 0
	if c.leaf.maxRep > 0 {
		if c.repNext, _, err = c.rep.run(1); err != nil {
			return false, corrupt("column %s: levels: %v", c.name, err)
		}
	}
	if c.leaf.maxDef > 0 {
		if c.defNext, _, err = c.def.run(1); err != nil {
			return false, corrupt("column %s: levels: %v", c.name, err)
		}
	}
	c.left--
	c.peeked = true
	return true, nil
}
