package convert_test

import (
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

// legalKey is the server's rule, written from its description and not from the code: the
// pattern of its validator, a path that POSIX normalising keeps, the column's width.
func legalKey(key string, colon bool) bool {
	pattern := regexp.MustCompile(`^[/\p{L}\p{N}_.\- ]+$`)
	if colon {
		pattern = regexp.MustCompile(`^[/\p{L}\p{N}_.\- :]+$`)
	}
	return utf8.ValidString(key) && pattern.MatchString(key) && path.Clean(key) == key && key != "." &&
		!strings.HasPrefix(key, "..") && !strings.HasPrefix(key, "/") && len([]rune(key)) <= 250
}

// changedKey is what a changed key looks like.
var changedKey = regexp.MustCompile(`_[hk][0-9a-f]{16}$`)

func TestKeyKeepsWhatServersTake(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"loss", "train/loss", ".a", "a.", " a", "a ", "a b/c-d.e_f", "größe/訓練/ماده", "m²", "x_h0123", "a_H0123456789abcdef",
		"a_h0123456789abcdeF", "_h0123456789abcdef/x", "a/..b", "a/...", strings.Repeat("é", 250),
	} {
		if key, changed := (convert.KeyRules{}).Key(path); key != path || changed {
			t.Errorf("Key(%q) = %q, %v; want it unchanged", path, key, changed)
		}
	}
}

func TestKeyChanges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, path, readable string }{
		{"punctuation", "a[0]/b%", "a_0_/b_"},
		{"colon", "a:b", "a_b"},
		{"emoji", "go🚀", "go_"},
		{"combining mark", "e\u0301", "e_"},
		{"newline at the end", "a\n", "a_"},
		{"NUL", "a\x00", "a_"},
		{"invalid UTF-8", "a\xff\xfe", "a__"},
		{"empty", "", "_"},
		{"slash", "/", "_/_"},
		{"absolute", "/a", "_/a"},
		{"directory", "a/", "a/_"},
		{"empty segment", "a//b", "a/_/b"},
		{"dots", "a/./../b", "a/_/_/b"},
		{"upward", "../a", "_/a"},
		{"begins with dots", "...a", "__.a"},
		{"looks changed", "a_h0123456789abcdef", "a_h0123456789abcdef"},
		{"looks changed by kind", "a_k0123456789abcdef", "a_k0123456789abcdef"},
		{"long", strings.Repeat("ö", 251), strings.Repeat("ö", 232)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			key, changed := (convert.KeyRules{}).Key(tt.path)
			if readable := changedKey.ReplaceAllString(key, ""); !changed || readable != tt.readable || readable == key {
				t.Errorf("Key(%q) = %q, %v; want %q and a digest", tt.path, key, changed, tt.readable)
			}
			if !legalKey(key, false) {
				t.Errorf("%q is not legal", key)
			}
		})
	}
}

// TestKeyIsStable pins the digests: keys of earlier loads must be found again.
func TestKeyIsStable(t *testing.T) {
	t.Parallel()
	key, _ := convert.KeyRules{}.Key("a:b")
	if want := "a_b_hcb751a996012ff27"; key != want {
		t.Errorf("got %q, want %q", key, want)
	}
	if key, want := (convert.KeyRules{}).KeyOfKind("a", migrate.KindInt), "a_k7d5bda5c056c0bd7"; key != want {
		t.Errorf("got %q, want %q", key, want)
	}
}

func TestKeyRules(t *testing.T) {
	t.Parallel()
	if key, changed := (convert.KeyRules{Colon: true}).Key("a:b"); key != "a:b" || changed {
		t.Errorf("a colon where it is allowed: %q, %v", key, changed)
	}
	for maxLen, want := range map[int]int{0: 250, 1: 32, 40: 40} {
		rules := convert.KeyRules{MaxLen: maxLen}
		key, _ := rules.Key(strings.Repeat("x", 1000))
		if len(key) != want || len(rules.KeyOfKind(strings.Repeat("x", 1000), "int")) != want {
			t.Errorf("MaxLen %d: %d characters, want %d", maxLen, len(key), want)
		}
	}
}

// TestKeysOfAdversary gives paths that were made from each other's keys.
func TestKeysOfAdversary(t *testing.T) {
	t.Parallel()
	rules, seen := convert.KeyRules{}, map[string]string{}
	take := func(key, from string) {
		if other, taken := seen[key]; taken && other != from {
			t.Errorf("%q and %q share the key %q", from, other, key)
		}
		if !legalKey(key, false) {
			t.Errorf("%q for %q is not legal", key, from)
		}
		seen[key] = from
	}
	for _, p := range []string{"", "a", "A", "a b", "a:b", "a;b", "a_b", "a/", "a/_", "a\x00int", strings.Repeat("y", 249) + ":", strings.Repeat("y", 249) + ";"} {
		for range 4 {
			key, _ := rules.Key(p)
			take(key, p)
			take(rules.KeyOfKind(p, "int"), p+" as int")
			take(rules.KeyOfKind(p, "in"), p+" as in")
			p = rules.KeyOfKind(p, "int")
			take(mustKey(rules, key), key)
			p = mustKey(rules, p)
		}
	}
}

func mustKey(r convert.KeyRules, path string) string {
	key, _ := r.Key(path)
	return key
}

func FuzzKey(f *testing.F) {
	f.Add("a/b", "a//b", true)
	f.Add("a:b", "a;b", false)
	f.Add("..", "../", false)
	f.Add("\xff", "\ufffd", false)
	f.Add("a_b_h0123456789abcdef", "a:b", false)
	f.Fuzz(func(t *testing.T, a, b string, colon bool) {
		rules := convert.KeyRules{Colon: colon}
		key, changed := rules.Key(a)
		switch {
		case !legalKey(key, colon):
			t.Errorf("Key(%q) = %q is not legal", a, key)
		case changed != (key != a):
			t.Errorf("Key(%q) = %q says changed: %v", a, key, changed)
		case changed != changedKey.MatchString(key):
			t.Errorf("Key(%q) = %q does not show that changed is %v", a, key, changed)
		case !changed != (legalKey(a, colon) && !changedKey.MatchString(a)):
			t.Errorf("Key(%q) = %q, changed %v, but legal %v", a, key, changed, legalKey(a, colon))
		case key != mustKey(rules, a):
			t.Errorf("Key(%q) is not always the same", a)
		case a != b && key == mustKey(rules, b):
			t.Errorf("%q and %q share the key %q", a, b, key)
		}
		for _, other := range []string{rules.KeyOfKind(b, "int"), rules.KeyOfKind(a, migrate.Kind(b))} {
			if !legalKey(other, colon) || other == key || !changedKey.MatchString(other) {
				t.Errorf("KeyOfKind gives %q beside %q", other, key)
			}
		}
	})
}

func BenchmarkKey(b *testing.B) {
	for name, path := range map[string]string{"legal": "train/metrics/loss", "changed": "train/metrics/loss[0]"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				convert.KeyRules{}.Key(path)
			}
		})
	}
}
