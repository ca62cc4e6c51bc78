package convert_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

func TestTextLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		step migrate.Step
		ms   int64
		text string
		want string
	}{
		{1_500_000, 1700000000123, "hello", "1.5\t2023-11-14T22:13:20.123Z\thello\n"},
		{0, migrate.NoTime, "", "0\t\t\n"},
		{-1, 0, "a\tb\\n\r\n", "-0.000001\t1970-01-01T00:00:00.000Z\t" + `a\tb\\n\r\n` + "\n"},
		{0, migrate.NoTime, "\xff\x00\u2028", "0\t\t\xff\x00\u2028\n"},
	} {
		if got := string(convert.AppendTextLine(nil, tt.step, tt.ms, tt.text)); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestParseTextLineRefuses(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"", "1", "1\t", "x\t\ttext", "1\tnow\ttext", "1\t\ta\tb", "1\t\ta\\", "1\t\ta\\x", "1\t\ta\rb", "1\t\ta\nb"} {
		if _, _, text, err := convert.ParseTextLine([]byte(line)); err == nil {
			t.Errorf("%q was read as %q", line, text)
		}
	}
}

func FuzzTextLine(f *testing.F) {
	f.Add(int64(0), int64(0), "a\tb\\\r\n", "1\t\tb")
	f.Add(int64(-1), migrate.NoTime, "\\", "0.5\t2023-11-14T22:13:20.123Z\t\\\\")
	f.Fuzz(func(t *testing.T, step, ms int64, text, other string) {
		before := []byte("before")
		line := convert.AppendTextLine(before, migrate.Step(step), ms, text)
		line, ok := bytes.CutPrefix(line, before)
		if !ok || bytes.IndexByte(line, '\n') != len(line)-1 || bytes.Count(line, []byte("\t")) != 2 || bytes.ContainsRune(line, '\r') {
			t.Errorf("%q is not one line of three fields", line)
		}
		gotStep, gotTime, gotText, err := convert.ParseTextLine(line)
		if err != nil || gotStep != migrate.Step(step) || gotTime != ms || gotText != text {
			t.Errorf("%q reads back as %s, %d, %q, %v", line, gotStep, gotTime, gotText, err)
		}
		if s, ms, text, err := convert.ParseTextLine([]byte(other)); err == nil {
			again := convert.AppendTextLine(nil, s, ms, text)
			if s2, ms2, text2, err := convert.ParseTextLine(again); err != nil || s2 != s || ms2 != ms || text2 != text {
				t.Errorf("%q became %q", other, again)
			}
		}
	})
}

func BenchmarkAppendTextLine(b *testing.B) {
	for name, text := range map[string]string{"plain": strings.Repeat("log output ", 10), "escaped": strings.Repeat("log\toutput\n", 10)} {
		b.Run(name, func(b *testing.B) {
			var buf []byte
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				buf = convert.AppendTextLine(buf[:0], 12_500_000, 1700000000123, text)
			}
		})
	}
}
