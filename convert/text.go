package convert

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/nexport-go/migrate"
)

// AppendTextLine appends the line of one point of a string series: step, TAB, time (empty for
// NoTime), TAB, text, LF. In the text backslash, TAB, LF and CR are escaped; all other bytes, valid
// UTF-8 or not, stay as they are. It does not allocate beyond b.
func AppendTextLine(b []byte, step migrate.Step, ms int64, text string) []byte {
	b = append(step.Append(b), '\t')
	b = append(appendOptionalTime(b, ms), '\t')
	return append(appendEscaped(b, text), '\n')
}

// ParseTextLine reads a line of AppendTextLine, with or without its LF.
func ParseTextLine(line []byte) (step migrate.Step, ms int64, text string, err error) {
	fields := strings.SplitN(string(bytes.TrimSuffix(line, []byte("\n"))), "\t", 3)
	if len(fields) != 3 {
		return 0, 0, "", errors.New("a text line needs step, time and text separated by tabs")
	}
	if step, err = ParseStep(fields[0]); err != nil {
		return 0, 0, "", err
	}
	if ms, err = parseOptionalTime(fields[1]); err != nil {
		return 0, 0, "", err
	}
	text, err = unescape(fields[2])
	return step, ms, text, err
}

func appendOptionalTime(b []byte, ms int64) []byte {
	if ms == migrate.NoTime {
		return b
	}
	return AppendTime(b, ms)
}

func parseOptionalTime(s string) (int64, error) {
	if s == "" {
		return migrate.NoTime, nil
	}
	return ParseTime(s)
}

const special = "\\\t\n\r"

func appendEscaped(b []byte, s string) []byte {
	for {
		i := strings.IndexAny(s, special)
		if i < 0 {
			return append(b, s...)
		}
		b = append(append(b, s[:i]...), '\\')
		switch s[i] {
		case '\\':
			b = append(b, '\\')
		case '\t':
			b = append(b, 't')
		case '\n':
			b = append(b, 'n')
		case '\r':
			b = append(b, 'r')
		}
		s = s[i+1:]
	}
}

func unescape(s string) (string, error) {
	if i := strings.IndexAny(s, special[1:]); i >= 0 {
		return "", fmt.Errorf("unescaped %q in a text", s[i])
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, `\`)
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		i := 0
		if after != "" {
			i = strings.IndexByte(`\tnr`, after[0]) + 1
		}
		if i == 0 {
			return "", fmt.Errorf("unknown escape in %q", s)
		}
		b.WriteByte(special[i-1])
		s = after[1:]
	}
}
