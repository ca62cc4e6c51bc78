package main

import (
	"testing"
	"time"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{count(0), "0"},
		{count(999), "999"},
		{count(1000), "1,000"},
		{count(-123456), "-123,456"},
		{count(1234567), "1,234,567"},
		{plural(1, "run"), "1 run"},
		{plural(2000, "run"), "2,000 runs"},
		{size(0), "0 B"},
		{size(999), "999 B"},
		{size(1000), "1.0 kB"},
		{size(999_949), "999.9 kB"},
		{size(999_950), "1.0 MB"},
		{size(1<<63 - 1), "9223.4 PB"},
		{span(1234 * time.Millisecond), "1.2s"},
		{span(250*time.Second + 300*time.Millisecond), "4m10s"},
		{shown("ünï コード"), "ünï コード"},
		{shown("a\x1b[31m"), `"a\x1b[31m"`},
		{shown("a\x9b31m"), `"a\x9b31m"`},
		{shown("a\u202eb"), `"a\u202eb"`},
		{shownLines("one\nt\two"), "one\n\"t\\two\""},
		{short("abcd", 4), "abcd"},
		{short("äbcde", 4), "äbc…"},
		{withoutSecrets("http://user:pw@host:5000/path/?token=x"), "http://host:5000/path"},
		{withoutSecrets("https://host"), "https://host"},
		{withoutSecrets("http://a@b:c@host/x@y"), "http://host/x@y"},
		{withoutSecrets("postgresql://nex:5432/w@host/db?password=w"), "postgresql://host/db"},
		{withoutSecrets("sqlite+pysqlite:///a.db?timeout=5"), "sqlite:///a.db"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
