package main

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
)

func TestAttributes(t *testing.T) {
	for name, test := range map[string]struct {
		flags          []string
		match, without []string
	}{
		"none":                {nil, []string{"", "a"}, nil},
		"found anywhere":      {[]string{"loss"}, []string{"loss", "train/loss", "loss2"}, []string{"los"}},
		"anchored":            {[]string{"^train/"}, []string{"train/loss"}, []string{"a/train/loss"}},
		"union":               {[]string{"^lr$", "acc"}, []string{"lr", "val/acc"}, []string{"lr2", "x"}},
		"alternatives inside": {[]string{"^a|b$", "c"}, []string{"ax", "xb", "c"}, []string{"x"}},
		"a name with meaning": {[]string{"m[0]"}, []string{"m0", "m[0]"}, []string{"m[1]"}},
		"no expression":       {[]string{"m["}, []string{"m["}, []string{"m", "xm["}},
		"flags of one only":   {[]string{"(?i)lr", "acc"}, []string{"LR", "acc"}, []string{"ACC"}},
	} {
		t.Run(name, func(t *testing.T) {
			path, err := attributes(test.flags)
			if err != nil {
				t.Fatal(err)
			}
			filter := migrate.Filter{Path: path}
			for _, path := range test.match {
				if !filter.Match(path, migrate.KindInt) {
					t.Errorf("%q is not chosen by %v", path, filter.Path)
				}
			}
			for _, path := range test.without {
				if filter.Match(path, migrate.KindInt) {
					t.Errorf("%q is chosen by %v", path, filter.Path)
				}
			}
		})
	}
	one, err := attributes([]string{"b", "a", "b"})
	other, err2 := attributes([]string{"a", "b"})
	if err != nil || err2 != nil || one.String() != other.String() {
		t.Errorf("the same selection is %v and %v", one, other)
	}
}

// FuzzAttributes checks that every name chooses itself, and every expression what it finds alone.
func FuzzAttributes(f *testing.F) {
	for _, e := range []string{"a", "m[0]", "(", "a|b", `\`, "(?i)x", "", "\xff", "a\nb", `\Qx`, `\pN`, "(?s).$", "x{1000}"} {
		f.Add(e, "other", "xother")
		f.Add("^.{3}$", e, "a\nX")
	}
	f.Fuzz(func(t *testing.T, a, b, path string) {
		both, err := attributes([]string{a, b})
		if err != nil {
			if utf8.ValidString(a) && utf8.ValidString(b) && !strings.Contains(err.Error(), "all expressions together") {
				t.Errorf("%q, %q: %v", a, b, err)
			}
			return
		}
		if !both.MatchString(a) || !both.MatchString(b) {
			t.Errorf("%q, %q: not found by %v", a, b, both)
		}
		want := path == a || path == b
		for _, e := range []string{a, b} {
			if re, err := regexp.Compile(e); err == nil {
				want = want || re.MatchString(path)
			}
		}
		if got := both.MatchString(path); got != want {
			t.Errorf("%q, %q: %v finds %q: %v, want %v", a, b, both, path, got, want)
		}
	})
}

func TestClasses(t *testing.T) {
	for name, test := range map[string]struct {
		flags chooseFlags
		want  string // kinds that are chosen
	}{
		"all":              {chooseFlags{}, "int git_ref float_series string_series histogram_series file artifact other"},
		"one":              {chooseFlags{Classes: []string{"metrics"}}, "float_series"},
		"two":              {chooseFlags{Classes: []string{"series", "parameters"}}, "int git_ref string_series histogram_series"},
		"each":             {chooseFlags{Classes: []string{"series", "parameters", "metrics", "files"}}, "int git_ref float_series string_series histogram_series file artifact other"},
		"without one":      {chooseFlags{Exclude: []string{"files"}}, "int git_ref float_series string_series histogram_series other"},
		"one twice":        {chooseFlags{Classes: []string{"metrics", "metrics"}}, "float_series"},
		"one of each side": {chooseFlags{Exclude: []string{"metrics", "series", "parameters"}}, "file artifact other"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, k := range strings.Fields("int git_ref float_series string_series histogram_series file artifact other") {
				if test.flags.filter().Match("a", migrate.Kind(k)) {
					got = append(got, k)
				}
			}
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("chose %s, want %s", s, test.want)
			}
		})
	}
}

func TestShardFlag(t *testing.T) {
	for text, want := range map[string]shard{"1/1": {0, 1}, "2/5": {1, 5}, "5/5": {4, 5}} {
		var s shard
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s is %+v, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "1", "0/2", "3/2", "-1/2", "a/b", "1/2/3", "1/99999999999999999999", "1/0"} {
		if err := new(shard).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestReadIDs(t *testing.T) {
	got, err := readIDs(strings.NewReader("\ufeffRUN-1\r\n\n  my run \nRUN-1\n# not a comment\nlast"))
	if diff := cmp.Diff([]string{"RUN-1", "my run", "# not a comment", "last"}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	for name, text := range map[string]string{"empty": "", "blank": " \n\n", "not UTF-8": "a\n\xff\n", "one long line": strings.Repeat("x", 2<<20)} {
		if ids, err := readIDs(strings.NewReader(text)); err == nil {
			t.Errorf("%s: %d IDs", name, len(ids))
		}
	}
	broken := errors.New("broken")
	if _, err := readIDs(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
