package wire2

import (
	"bytes"
	"encoding/json"
)

// members are those of an object, in its order. The values are part of the text they were found in.
type members []member

type member struct {
	key   []byte
	value json.RawMessage
}

// get returns the value of a key; nil if there is none. Of several the last one counts, as for encoding/json.
func (m members) get(key string) json.RawMessage {
	for i := len(m) - 1; i >= 0; i-- {
		if string(m[i].key) == key {
			return m[i].value
		}
	}
	return nil
}

// decode decodes the value of a key if it is there and not null.
func (m members) decode(key string, to any) error {
	if value := m.get(key); !none(value) {
		return json.Unmarshal(value, to)
	}
	return nil
}

// membersOf takes an object apart that is valid JSON; ok is false if it is something else. It looks at each
// byte once and decodes nothing, which for small objects takes a fraction of the time that encoding/json does.
func membersOf(b []byte) (m members, ok bool) {
	s := scanner{b: b}
	if !s.byte('{') {
		return nil, false
	}
	m = make(members, 0, 12)
	for more := !s.byte('}'); more; more = s.byte(',') {
		key, ok := s.name()
		if !ok || !s.byte(':') {
			return nil, false
		}
		s.space()
		start := s.i
		s.skip()
		m = append(m, member{key, b[start:s.i]})
	}
	return m, true
}

// name takes a member's key.
func (s *scanner) name() ([]byte, bool) {
	if s.space(); s.i >= len(s.b) || s.b[s.i] != '"' {
		return nil, false
	}
	quoted := s.b[s.i:endOfString(s.b, s.i)]
	s.i += len(quoted)
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], true
	}
	var key string
	err := json.Unmarshal(quoted, &key)
	return []byte(key), err == nil
}

// skip passes over a value of valid JSON.
func (s *scanner) skip() {
	for depth := 0; s.i < len(s.b); {
		switch s.b[s.i] {
		case '"':
			s.i = endOfString(s.b, s.i)
			if depth == 0 {
				return
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return
			}
			if depth--; depth == 0 {
				s.i++
				return
			}
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return
			}
		}
		s.i++
	}
}
