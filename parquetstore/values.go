package parquetstore

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/parquet"
)

// byteStreamSplit is an encoding that Arrow v17 has no name for.
const byteStreamSplit = parquet.Encoding(9)

var errIndex = errors.New("dictionary index out of range")

// loadDictionary decodes a dictionary page. Its strings share one copy of the page.
func (c *column) loadDictionary(b []byte, size int) error {
	if c.dict.size > 0 {
		return errors.New("two dictionaries")
	}
	if c.leaf.typ != parquet.Types.ByteArray || c.leaf.word != nil {
		return c.loadWordDictionary(b, size)
	}
	all := string(b)
	for range size {
		s, n, err := cutString(all, b)
		if err != nil {
			return err
		}
		c.dict.strs = append(c.dict.strs, s)
		all, b = all[n:], b[n:]
	}
	c.dict.size = size
	if c.intern != nil {
		for _, s := range c.dict.strs {
			c.dict.keys = append(c.dict.keys, c.intern.id(s))
		}
	}
	return nil
}

// cutString cuts a string and its length prefix off; all and b have the same bytes.
func cutString(all string, b []byte) (s string, n int, err error) {
	if len(b) < 4 {
		return "", 0, errShort
	}
	size := uint64(binary.LittleEndian.Uint32(b))
	if size > uint64(len(b)-4) {
		return "", 0, errShort
	}
	return all[4 : 4+size], 4 + int(size), nil
}

func (c *column) loadWordDictionary(b []byte, size int) error {
	c.dict.size = size
	c.src = source{form: asPlain, raw: b}
	for i := range size {
		var word [1]int64
		var state [1]byte
		if err := c.words(word[:], state[:]); err != nil {
			return err
		}
		c.dict.words = append(c.dict.words, word[0])
		if state[0] == strange {
			if c.dict.states == nil {
				c.dict.states, c.dict.texts = make([]byte, size), map[uint32]string{}
			}
			c.dict.states[i], c.dict.texts[uint32(i)] = strange, c.strange[word[0]]
			c.strange = c.strange[:word[0]]
		}
	}
	return nil
}

// loadValues prepares the values of a data page, at most limit of them.
func (c *column) loadValues(enc parquet.Encoding, b []byte, limit int) (err error) {
	s := source{form: asPlain, raw: b}
	switch enc {
	case parquet.Encodings.PlainDict, parquet.Encodings.RLEDict:
		s.form = asIndex
		if len(b) > 0 {
			s.idx, err = newHybrid(b[1:], int(b[0]))
		}
	case parquet.Encodings.Plain:
		if c.leaf.typ == parquet.Types.Boolean {
			s.form = asBits
		}
	case parquet.Encodings.RLE:
		s, err = runsOf(b)
	case parquet.Encodings.DeltaBinaryPacked:
		s.form = asWords
		s.words, _, err = deltaInts(b, limit)
	case parquet.Encodings.DeltaLengthByteArray:
		s.form = asStrings
		s.strs, err = deltaLengthStrings(b, limit)
	case parquet.Encodings.DeltaByteArray:
		s.form = asStrings
		s.strs, err = deltaStrings(b, limit)
	case byteStreamSplit:
		if c.leaf.width == 0 {
			return fmt.Errorf("encoding %v of type %v", enc, c.leaf.typ)
		}
		s.raw = unsplit(b, c.leaf.width)
	default:
		return unsupportedf("has the encoding %d (%v), which this program cannot read: the file is of a newer writer, or damaged; rewrite it with another tool", int(enc), enc)
	}
	c.src = s
	return err
}

// runsOf reads booleans that are run-length encoded, behind their length.
func runsOf(b []byte) (s source, err error) {
	if len(b) < 4 {
		return s, errShort
	}
	s.form = asRuns
	s.idx, err = newHybrid(b[4:], 1)
	return s, err
}

// words takes the next len(dst) values of the page.
func (c *column) words(dst []int64, states []byte) error {
	clear(states)
	switch c.src.form {
	case asIndex:
		return c.indexWords(dst, states)
	case asPlain:
		return c.plainWords(dst, states)
	case asBits, asRuns:
		return c.boolWords(dst)
	case asWords:
		if len(c.src.words) < len(dst) {
			return errShort
		}
		copy(dst, c.src.words)
		c.src.words = c.src.words[len(dst):]
		c.convertAll(dst, states)
		return nil
	case asStrings:
		if len(c.src.strs) < len(dst) || c.leaf.word == nil {
			return errShort
		}
		for i := range dst {
			dst[i], states[i] = c.convertRaw([]byte(c.src.strs[i]))
		}
		c.src.strs = c.src.strs[len(dst):]
		return nil
	}
	return errShort
}

func (c *column) indexWords(dst []int64, states []byte) error {
	var buf [1024]uint32
	words := c.dict.words
	for len(dst) > 0 {
		idx := buf[:min(len(buf), len(dst))]
		if err := c.src.idx.fill(idx); err != nil {
			return err
		}
		for i, k := range idx {
			if uint64(k) >= uint64(len(words)) {
				return errIndex
			}
			dst[i] = words[k]
		}
		if c.dict.states != nil {
			for i, k := range idx {
				if states[i] = c.dict.states[k]; states[i] == strange {
					dst[i] = c.odd(c.dict.texts[k])
				}
			}
		}
		dst, states = dst[len(idx):], states[len(idx):]
	}
	return nil
}

func (c *column) plainWords(dst []int64, states []byte) error {
	width := c.leaf.width
	if width == 0 && c.leaf.word != nil {
		return c.plainDecimals(dst, states)
	}
	if width == 0 || len(c.src.raw) < width*len(dst) {
		return errShort
	}
	raw := c.src.raw[:width*len(dst)]
	c.src.raw = c.src.raw[width*len(dst):]
	switch {
	case c.leaf.word != nil:
		for i := range dst {
			dst[i], states[i] = c.convertRaw(raw[i*width : (i+1)*width])
		}
		return nil
	case width == 8:
		for i := range dst {
			dst[i] = int64(binary.LittleEndian.Uint64(raw[i*8:]))
		}
	case width == 4:
		for i := range dst {
			dst[i] = int64(int32(binary.LittleEndian.Uint32(raw[i*4:])))
		}
	default:
		return fmt.Errorf("values of %d bytes", width)
	}
	c.convertAll(dst, states)
	return nil
}

// plainDecimals is plainWords for numbers of varying length.
func (c *column) plainDecimals(dst []int64, states []byte) error {
	for i := range dst {
		n, err := c.plainSize()
		if err != nil {
			return err
		}
		dst[i], states[i] = c.convertRaw(c.src.raw[4:n])
		c.src.raw = c.src.raw[n:]
	}
	return nil
}

func (c *column) boolWords(dst []int64) error {
	for i := range dst {
		if c.src.form == asRuns {
			v, _, err := c.src.idx.run(1)
			if err != nil {
				return err
			}
			dst[i] = int64(v)
			continue
		}
		if c.src.bit>>3 >= len(c.src.raw) {
			return errShort
		}
		dst[i] = int64(c.src.raw[c.src.bit>>3] >> (c.src.bit & 7) & 1)
		c.src.bit++
	}
	return nil
}

// convertAll applies the leaf's conversion of words.
func (c *column) convertAll(dst []int64, states []byte) {
	if c.leaf.convert == nil {
		return
	}
	for i, word := range dst {
		var ok bool
		if dst[i], ok = c.leaf.convert(word); !ok {
			dst[i], states[i] = c.odd(c.leaf.text(word)), strange
		}
	}
}

// odd keeps the text of a strange value and returns its word.
func (c *column) odd(text string) int64 {
	c.strange = append(c.strange, text)
	return int64(len(c.strange) - 1)
}

// convertRaw applies the leaf's conversion of bytes.
func (c *column) convertRaw(raw []byte) (int64, byte) {
	word, text, ok := c.leaf.word(raw)
	if !ok {
		return c.odd(text), strange
	}
	return word, present
}

// str takes the next string of the page.
func (c *column) str() (string, error) {
	switch c.src.form {
	case asIndex:
		k, _, err := c.src.idx.run(1)
		if err != nil {
			return "", err
		}
		if int(k) >= len(c.dict.strs) {
			return "", errIndex
		}
		return c.dict.strs[k], nil
	case asStrings:
		if len(c.src.strs) == 0 {
			return "", errShort
		}
		s := c.src.strs[0]
		c.src.strs = c.src.strs[1:]
		return s, nil
	case asPlain:
		n, err := c.plainSize()
		if err != nil {
			return "", err
		}
		s := string(c.src.raw[4:n])
		c.src.raw = c.src.raw[n:]
		return s, nil
	}
	return "", errors.New("not a string")
}

// plainSize is the size of the next plain string with its length prefix.
func (c *column) plainSize() (int, error) {
	if len(c.src.raw) < 4 {
		return 0, errShort
	}
	size := uint64(binary.LittleEndian.Uint32(c.src.raw))
	if size > uint64(len(c.src.raw)-4) {
		return 0, errShort
	}
	return int(size) + 4, nil
}

// pass passes over n values of the page.
func (c *column) pass(n int) error {
	if c.src.form == asPlain && c.leaf.width == 0 {
		for range n {
			size, err := c.plainSize()
			if err != nil {
				return err
			}
			c.src.raw = c.src.raw[size:]
		}
		return nil
	}
	if c.src.form == asIndex {
		for n > 0 {
			_, m, err := c.src.idx.run(n)
			if err != nil {
				return err
			}
			n -= m
		}
		return nil
	}
	if c.src.form == asStrings {
		if len(c.src.strs) < n {
			return errShort
		}
		c.src.strs = c.src.strs[n:]
		return nil
	}
	return c.passWords(n)
}

func (c *column) passWords(n int) error {
	if c.src.form == asPlain {
		if len(c.src.raw) < n*c.leaf.width {
			return errShort
		}
		c.src.raw = c.src.raw[n*c.leaf.width:]
		return nil
	}
	var words [256]int64
	var states [256]byte
	for n > 0 {
		m := min(n, len(words))
		c.strange = c.strange[:0]
		if err := c.words(words[:m], states[:m]); err != nil {
			return err
		}
		n -= m
	}
	return nil
}
