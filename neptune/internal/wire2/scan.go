package wire2

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	migrate "github.com/nexport-go/migrate"
)

// pointBytes is about the size of a point on the wire.
const pointBytes = 60

// scanPage decodes a page as servers write it: these keys, no others, each once. ok is false for anything else, which
// is left to slowPage.
func scanPage(b []byte, texts bool) (p Points, ok bool) {
	s := scanner{b: b}
	p = Points{Total: -1, Last: math.Inf(-1)}
	values := false
	if !s.byte('{') {
		return p, false
	}
	for more := true; more; more = s.byte(',') {
		switch key := s.key(); {
		case key == "totalItemCount" && p.Total == -1:
			total, ok := s.int()
			if !ok || total < 0 {
				return p, false
			}
			p.Total = total
		case key == "values" && !values:
			if values = true; !p.scanPoints(&s, texts) {
				return p, false
			}
		default:
			return p, false
		}
	}
	if !values || !s.byte('}') || !s.end() {
		return p, false
	}
	p.sort()
	return p, true
}

func (p *Points) scanPoints(s *scanner, texts bool) bool {
	if !s.byte('[') {
		return false
	}
	if s.byte(']') {
		return true
	}
	n := (len(s.b)-s.i)/pointBytes + 1
	if p.Total > 0 { // it usually comes first
		n = int(min(int64(n), p.Total))
	}
	p.Steps, p.Times = make([]migrate.Step, 0, n), make([]int64, 0, n)
	if texts {
		p.Texts = make([]string, 0, n)
	} else {
		p.Floats = make([]float64, 0, n)
	}
	for more := true; more; more = s.byte(',') {
		if !p.scanPoint(s, texts) {
			return false
		}
	}
	return s.byte(']')
}

func (p *Points) scanPoint(s *scanner, texts bool) bool {
	var v point
	if before := s.i; !s.usual(&v, texts) {
		s.i = before
		if !s.object(&v, texts) {
			return false
		}
	}
	switch placed := p.place(v.step, v.time); {
	case placed && texts:
		p.Texts = append(p.Texts, v.text)
	case placed:
		p.Floats = append(p.Floats, v.value)
	}
	return true
}

// point is one as it is scanned.
type point struct {
	time  int64
	step  float64
	value float64
	text  string
}

// usual takes a point that has its members in the usual order and without spaces. If it is another one, s is left anywhere.
func (s *scanner) usual(v *point, texts bool) (ok bool) {
	if !s.literal(`{"timestampMillis":`) {
		return false
	}
	if v.time, ok = s.int(); !ok || !s.literal(`,"step":`) {
		return false
	}
	if v.step, ok = s.float(); !ok || !s.literal(`,"value":`) {
		return false
	}
	return s.value(v, texts) && s.byte('}')
}

func (s *scanner) value(v *point, texts bool) (ok bool) {
	if texts {
		v.text, ok = s.text()
	} else {
		v.value, ok = s.float()
	}
	return ok
}

func (s *scanner) literal(text string) bool {
	if end := s.i + len(text); end <= len(s.b) && string(s.b[s.i:end]) == text {
		s.i = end
		return true
	}
	return false
}

// object takes a point that has all members, once each and no others, in any order.
func (s *scanner) object(v *point, texts bool) (ok bool) {
	const hasTime, hasStep, hasValue = 1, 2, 4
	if !s.byte('{') {
		return false
	}
	has := 0
	for more := true; more; more = s.byte(',') {
		bit := 0
		switch s.key() {
		case "timestampMillis":
			bit = hasTime
			v.time, ok = s.int()
		case "step":
			bit = hasStep
			v.step, ok = s.float()
		case "value":
			bit = hasValue
			ok = s.value(v, texts)
		}
		if bit == 0 || has&bit != 0 || !ok {
			return false
		}
		has |= bit
	}
	return has == hasTime|hasStep|hasValue && s.byte('}')
}

// scanner reads JSON that has nothing unusual. An index instead of a shorter and shorter slice keeps pointers from
// being written all the time.
type scanner struct {
	b []byte
	i int // of what comes next
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\n', '\t', '\r':
			s.i++
		default:
			return
		}
	}
}

// byte takes c if it comes next.
func (s *scanner) byte(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	if s.space(); s.i >= len(s.b) || s.b[s.i] != c {
		return false
	}
	s.i++
	return true
}

func (s *scanner) end() bool {
	s.space()
	return s.i == len(s.b)
}

// key takes a key and its colon; "" if there is none, or it is not known.
func (s *scanner) key() string {
	if !s.byte('"') {
		return ""
	}
	end := bytes.IndexByte(s.b[s.i:], '"')
	if end < 0 {
		return ""
	}
	key := knownKey(s.b[s.i : s.i+end])
	if s.i += end + 1; !s.byte(':') {
		return ""
	}
	return key
}

// knownKey is the key as a string that need not be made.
func knownKey(key []byte) string {
	switch string(key) {
	case "timestampMillis":
		return "timestampMillis"
	case "step":
		return "step"
	case "value":
		return "value"
	case "values":
		return "values"
	case "totalItemCount":
		return "totalItemCount"
	}
	return ""
}

// text takes a string. One with escapes, or that is not plain ASCII, takes the long way.
func (s *scanner) text() (string, bool) {
	if s.space(); s.i >= len(s.b) || s.b[s.i] != '"' {
		return "", false
	}
	end := endOfString(s.b, s.i)
	token := s.b[s.i:end]
	if len(token) < 2 || token[len(token)-1] != '"' {
		return "", false
	}
	s.i = end
	inner := token[1 : len(token)-1]
	for _, c := range inner {
		if c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			var text string
			err := json.Unmarshal(token, &text)
			return text, err == nil
		}
	}
	return string(inner), true
}

// int takes an integer of at most 18 digits.
func (s *scanner) int() (int64, bool) {
	s.space()
	b := s.b[s.i:]
	i, negative := 0, false
	if len(b) > 0 && b[0] == '-' {
		i, negative = 1, true
	}
	first := i
	digits, i := leading(b, i, 0)
	if n := i - first; n == 0 || n > 18 || n > 1 && b[first] == '0' || i < len(b) && goesOn(b[i]) {
		return 0, false
	}
	s.i += i
	if negative {
		return -int64(digits), true
	}
	return int64(digits), true
}

// goesOn reports whether a number goes on behind its first digits.
func goesOn(c byte) bool { return c-'0' <= 9 || c == '.' || c == 'e' || c == 'E' }

// leading takes digits from i on and appends them to those of n, as many as surely fit. It gives where they end.
func leading(b []byte, i int, n uint64) (uint64, int) {
	const most = (math.MaxUint64 - 9) / 10
	for n < most/10_000_000 && i+8 <= len(b) {
		eight, ok := eightDigits(binary.LittleEndian.Uint64(b[i:]))
		if !ok {
			break
		}
		n = 1e8*n + eight
		i += 8
	}
	for n <= most && i < len(b) && b[i]-'0' <= 9 {
		n = 10*n + uint64(b[i]-'0')
		i++
	}
	return n, i
}

// eightDigits is the number that eight digits are, the first in the lowest byte. It adds neighbours up in all places of
// a word at a time.
func eightDigits(word uint64) (uint64, bool) {
	const high = 0xF0F0F0F0F0F0F0F0
	if word&high|(word+0x0606060606060606)&high>>4 != 0x3333333333333333 {
		return 0, false
	}
	word -= 0x3030303030303030
	word = word*10 + word>>8
	const pairs = 0x000000FF000000FF
	word = (word&pairs)*(100+1_000_000<<32) + (word>>16&pairs)*(1+10_000<<32)
	return word >> 32, true
}

// float takes a number, or one as text.
func (s *scanner) float() (float64, bool) {
	if s.space(); s.i < len(s.b) && s.b[s.i] == '"' {
		text, ok := s.text()
		if !ok {
			return 0, false
		}
		f, err := parseFloat(text)
		return f, err == nil
	}
	if f, ok := s.short(); ok {
		return f, true
	}
	token := s.number()
	if len(token) == 0 {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(token), 64)
	return f, err == nil || math.IsInf(f, 0)
}

// short takes a number without an exponent whose digits fit into 64 bits. It takes nothing of other numbers.
func (s *scanner) short() (float64, bool) {
	b := s.b[s.i:]
	i, negative := 0, false
	if len(b) > 0 && b[0] == '-' {
		i, negative = 1, true
	}
	first, frac := i, 0
	digits, i := leading(b, i, 0)
	if whole := i - first; whole == 0 || whole > 1 && b[first] == '0' {
		return 0, false
	}
	if i < len(b) && b[i] == '.' {
		point := i + 1
		if digits, i = leading(b, point, digits); i == point {
			return 0, false
		}
		frac = i - point
	}
	if i < len(b) && goesOn(b[i]) || frac >= len(powers) {
		return 0, false
	}
	s.i += i
	f := quotient(digits, frac)
	if negative {
		f = -f
	}
	return f, true
}

// number takes a number of JSON's grammar; nil if there is none.
func (s *scanner) number() []byte {
	s.space()
	b := s.b[s.i:]
	i := 0
	if len(b) > 0 && b[0] == '-' {
		i = 1
	}
	whole := i
	if i = digits(b, i); i == whole || b[whole] == '0' && i > whole+1 {
		return nil
	}
	if i < len(b) && b[i] == '.' {
		point := i
		if i = digits(b, i+1); i == point+1 {
			return nil
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		sign := i
		if i = digits(b, i); i == sign {
			return nil
		}
	}
	s.i += i
	return b[:i]
}

// digits is where the digits from i on end.
func digits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}
