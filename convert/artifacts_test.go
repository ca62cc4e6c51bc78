package convert_test

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/nexport-go/migrate/convert"
)

// safePath is the rule for artifact paths, written from its description: plain names that every
// server, disk and URL takes, below the root.
func safePath(p string) error {
	plain := regexp.MustCompile(`^[\p{L}\p{N}_.+ -]+$`)
	for segment := range strings.SplitSeq(p, "/") {
		if !plain.MatchString(segment) || strings.Trim(segment, " ") != segment || !utf8.ValidString(segment) || strings.Trim(segment, ".") == "" && len(segment) < 3 || len(segment) > 200 {
			return fmt.Errorf("segment %q of %q", segment, p)
		}
	}
	if path.Clean(p) != p {
		return fmt.Errorf("%q is not clean", p)
	}
	return nil
}

func TestArtifactPaths(t *testing.T) {
	t.Parallel()
	digest := regexp.MustCompile(`_h[0-9a-f]{16}`)
	for _, tt := range []struct {
		name string
		give func(a *convert.Artifacts) (string, bool)
		want string // with _H for a digest
	}{
		{"file", func(a *convert.Artifacts) (string, bool) { return a.File("f/a", "upload.png") }, "f/a.png"},
		{"file that has the extension", func(a *convert.Artifacts) (string, bool) { return a.File("f/a.png", "upload.png") }, "f/a.png"},
		{"file without a name", func(a *convert.Artifacts) (string, bool) { return a.File("f/a", "") }, "f/a"},
		{"no extension", func(a *convert.Artifacts) (string, bool) { return a.File("f/a", "x.not an extension") }, "f/a"},
		{"hidden", func(a *convert.Artifacts) (string, bool) { return a.File("f/.a", ".") }, "f/.a"},
		{"member", func(a *convert.Artifacts) (string, bool) { return a.Member("src", "pkg/a b.py") }, "src/pkg/a b.py"},
		{"series", func(a *convert.Artifacts) (string, bool) { return a.SeriesFile("img", 1_500_000, "x.png") }, "img/step_1.5.png"},
		{"negative step", func(a *convert.Artifacts) (string, bool) { return a.SeriesFile("img", -2_000_000, "") }, "img/step_-2"},
		{"text", func(a *convert.Artifacts) (string, bool) { return a.Text("log") }, "log.txt"},
		{"csv", func(a *convert.Artifacts) (string, bool) { return a.CSV("größe") }, "größe.csv"},
		{"upward", func(a *convert.Artifacts) (string, bool) { return a.Member("src", "../../etc/passwd") }, "src/__H/__H/etc/passwd"},
		{"absolute", func(a *convert.Artifacts) (string, bool) { return a.Member("src", "/etc/passwd") }, "src/__H/etc/passwd"},
		{"backslashes", func(a *convert.Artifacts) (string, bool) { return a.Member("src", `..\a`) }, "src/.._a_H"},
		{"folder", func(a *convert.Artifacts) (string, bool) { return a.Member("a#b", "x.py") }, "a_b_H/x.py"},
		{"percent", func(a *convert.Artifacts) (string, bool) { return a.Text("pc%41") }, "pc_41_H.txt"},
		{"looks changed", func(a *convert.Artifacts) (string, bool) { return a.Text("a_h0123456789abcdef") }, "a_H_H.txt"},
		{"space first", func(a *convert.Artifacts) (string, bool) { return a.Text(" a/b") }, "_a_H/b.txt"},
		{"space last", func(a *convert.Artifacts) (string, bool) { return a.File("a /b ", "") }, "a _H/b _H"},
		{"reserved", func(a *convert.Artifacts) (string, bool) { return a.File("nexport.jsonl", "") }, "nexport_H.jsonl"},
		{"reserved as folder", func(a *convert.Artifacts) (string, bool) { return a.Member("nexport.jsonl", "a") }, "nexport_H.jsonl/a"},
		{"reserved in other case", func(a *convert.Artifacts) (string, bool) { return a.File("NExport.JSONL", "") }, "NExport_H.JSONL"},
		{"long name", func(a *convert.Artifacts) (string, bool) { return a.Text(strings.Repeat("x", 300)) }, strings.Repeat("x", 178) + "_H.txt"},
		{"cut between characters", func(a *convert.Artifacts) (string, bool) { return a.Text("x" + strings.Repeat("é", 150)) }, "x" + strings.Repeat("é", 88) + "_H.txt"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, changed := tt.give(&convert.Artifacts{})
			if readable := digest.ReplaceAllString(got, "_H"); readable != tt.want || changed != strings.Contains(tt.want, "_H") {
				t.Errorf("got %q, %v; want %q", got, changed, tt.want)
			}
			if err := safePath(got); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestArtifactsMakeRoom(t *testing.T) {
	t.Parallel()
	digest := regexp.MustCompile(`_h[0-9a-f]{16}`)
	for _, tt := range []struct {
		name string
		give [][2]string // attribute and member; no member: text
		want []string
	}{
		{"same path", [][2]string{{"a.txt", ""}, {"a.txt", ""}, {"a.txt", ""}}, []string{"a.txt.txt", "a.txt_H.txt", "a.txt_H.txt"}},
		{"attribute and member", [][2]string{{"a", "b/c.txt"}, {"a/b", "c.txt"}, {"a/b/c", ""}}, []string{"a/b/c.txt", "a/b/c_H.txt", "a/b/c_H.txt"}},
		{"case", [][2]string{{"Loss", ""}, {"loss", ""}}, []string{"Loss.txt", "loss_H.txt"}},
		{"directory where a file is", [][2]string{{"a", ""}, {"a.txt", "x"}, {"a.txt", "y"}}, []string{"a.txt", "a_H.txt/x", "a_H.txt/y"}},
		{"file where a directory is", [][2]string{{"a.txt", "x/y"}, {"a", ""}, {"a.txt", "x"}}, []string{"a.txt/x/y", "a_H.txt", "a.txt/x_H"}},
		{"step twice", [][2]string{{"s", "step_1.png"}, {"s", "step_1.png"}}, []string{"s/step_1.png", "s/step_1_H.png"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var a, again convert.Artifacts
			var got []string
			dirs := map[string]bool{}
			for _, in := range tt.give {
				p, q := allocate(&a, in[0], in[1]), allocate(&again, in[0], in[1])
				if p != q {
					t.Errorf("%q and then %q", p, q)
				}
				dirs[path.Dir(p)] = true
				got = append(got, digest.ReplaceAllString(p, "_H"))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if tt.name == "directory where a file is" && len(dirs) != 2 {
				t.Errorf("the members are not together: %v", dirs)
			}
		})
	}
}

func allocate(a *convert.Artifacts, attr, member string) string {
	p, _ := a.Text(attr)
	if member != "" {
		p, _ = a.Member(attr, member)
	}
	return p
}

func FuzzArtifacts(f *testing.F) {
	f.Add("a\nA\na/b\na.txt/b\na\na.txt", uint8(0))
	f.Add("../x\n/x\n//x\n\n.\n..", uint8(1))
	f.Add("nexport.jsonl\nnexport.jsonl/x\nnexport", uint8(2))
	f.Add("ſ\nS\ns\nK\nK\nk\nİ\ni", uint8(3))
	f.Add(strings.Repeat("d/", 700)+"\n"+strings.Repeat("d/", 701)+"\n"+strings.Repeat("é", 1000), uint8(4))
	f.Add("d\nd/d_hd489ac81eda3e9d7\nd_hd489ac81eda3e9d7", uint8(5))
	f.Fuzz(func(t *testing.T, paths string, kind uint8) {
		var a convert.Artifacts
		taken := []string{convert.SidecarName}
		for i, want := range strings.Split(paths, "\n") {
			var p string
			var changed bool
			switch (int(kind) + i) % 4 {
			case 0:
				p, changed = a.Path(want, want)
				if changed != (p != want) {
					t.Errorf("Path(%q) = %q says changed: %v", want, p, changed)
				}
			case 1:
				p, _ = a.Member(want, want)
			case 2:
				p, _ = a.File(want, want)
			default:
				p, _ = a.Text(want)
			}
			if err := safePath(p); err != nil {
				t.Error(err)
			}
			for _, other := range taken {
				if strings.EqualFold(p, other) || under(p, other) || under(other, p) {
					t.Errorf("%q is in the way of %q", p, other)
				}
			}
			taken = append(taken, p)
		}
	})
}

// under reports whether p is in the directory dir, on a disk that does not tell case.
func under(p, dir string) bool {
	parts, prefix := strings.Split(p, "/"), strings.Split(dir, "/")
	return len(parts) > len(prefix) && strings.EqualFold(strings.Join(parts[:len(prefix)], "/"), dir)
}

// TestArtifactsWantedVeryOften would take minutes if each path tried all the earlier ones.
func TestArtifactsWantedVeryOften(t *testing.T) {
	t.Parallel()
	var a convert.Artifacts
	seen := map[string]bool{}
	const many = 50_000
	for range many {
		seen[allocate(&a, "src", "x.py")] = true
	}
	if len(seen) != many {
		t.Errorf("%d paths for %d files", len(seen), many)
	}
}

func BenchmarkArtifacts(b *testing.B) {
	var a convert.Artifacts
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		a.Member("source_code/files", "pkg/module/file"+strconv.Itoa(n)+".py")
	}
}
