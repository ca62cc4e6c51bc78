package convert_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

func TestParam(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		values migrate.Values
		want   []string
	}{
		{"ints are exact", migrate.Ints{1<<53 + 1, math.MinInt64, 0}, []string{"9007199254740993", "-9223372036854775808", "0"}},
		{"floats", migrate.Floats{0.1, 1e6, math.Inf(1)}, []string{"0.1", "1000000.0", "inf"}},
		{"strings", migrate.Strings{"", "a\nb"}, []string{"", "a\nb"}},
		{"bools", migrate.Bools{true, false}, []string{"True", "False"}},
		{"times", migrate.Datetimes{1700000000123}, []string{"2023-11-14T22:13:20.123Z"}},
		{"sets", migrate.StringSets{{"a", "b,c"}, {}, nil, {"\"\\<&>\n\x00\u2028é"}}, []string{
			`["a","b,c"]`, `[]`, `[]`, `["\"\\<&>\n\u0000` + "\u2028é\"]",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for i := range tt.values.Len() {
				got = append(got, convert.Param(tt.values, i))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzStringSetParam(f *testing.F) {
	f.Add("a", "b\x00\x1f\"\\")
	f.Add("", "\u2028</script>")
	f.Fuzz(func(t *testing.T, a, b string) {
		text, exact := convert.Clean(convert.Param(migrate.StringSets{{a, b}}, 0))
		valid := utf8.ValidString(a) && utf8.ValidString(b)
		if exact != valid {
			t.Errorf("exact is %v for %q, %q", exact, a, b)
		}
		var got []string
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if want := []string{a, b}; valid && !cmp.Equal(want, got) {
			t.Errorf("%q reads back as %q", want, got)
		}
	})
}

func TestClean(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in, want string
		exact    bool
	}{
		{"", "", true},
		{"größe\n\t🚀\ufffd", "größe\n\t🚀\ufffd", true},
		{"a\x00b", "a\u2400b", false},
		{"a\xff\xfeb\xc3", "a\ufffdb\ufffd", false},
	} {
		if got, exact := convert.Clean(tt.in); got != tt.want || exact != tt.exact {
			t.Errorf("Clean(%q) = %q, %v", tt.in, got, exact)
		}
	}
}

func TestShorten(t *testing.T) {
	t.Parallel()
	whole := strings.Repeat("ü", 6000)
	if got, shortened := convert.Shorten(whole, 0, "p.txt"); got != whole || shortened {
		t.Error("6,000 characters were shortened")
	}
	got, shortened := convert.Shorten(whole+"x", 0, "p.txt")
	prefix, remark, _ := strings.Cut(got, " … ")
	if want := whole[:2*5900]; !shortened || prefix != want {
		t.Errorf("shortened %v to %d bytes", shortened, len(prefix))
	}
	if want := "[6001 characters, whole in p.txt]"; remark != want {
		t.Errorf("the remark is %q, want %q", remark, want)
	}
	if got, _ := convert.Shorten(whole+"x", 0, strings.Repeat("p", 900)); !strings.Contains(got, strings.Repeat("p", 900)+"]") {
		t.Error("a long artifact path is not in the remark")
	}
}

func FuzzShorten(f *testing.F) {
	f.Add("some text", 5, "a.txt")
	f.Add("some longer text\xff", 1, strings.Repeat("long", 50))
	f.Fuzz(func(t *testing.T, text string, limit int, artifact string) {
		limit %= 10_000
		effective := limit
		if effective <= 0 {
			effective = convert.DefaultMaxParam
		}
		got, shortened := convert.Shorten(text, limit, artifact)
		if n := utf8.RuneCountInString(got); n > effective {
			t.Errorf("%d characters, limit %d", n, effective)
		}
		if shortened != (utf8.RuneCountInString(text) > effective) || !shortened && got != text {
			t.Errorf("shortened is %v for %d characters at limit %d", shortened, utf8.RuneCountInString(text), effective)
		}
	})
}
