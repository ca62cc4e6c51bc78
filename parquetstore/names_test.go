package parquetstore_test

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/parquetstore"
)

// TestDigestedName has names that the Python tool gave.
func TestDigestedName(t *testing.T) {
	for id, want := range map[string]string{
		"ws/p":                   "ws_p-c4bb1e205d6bbf03",
		"":                       "-e4a6a0577479b2b4",
		"ünï-コード ²/½ 🚀":          "ünï-コード_²_½__-a7742ebbb49aa9ba",
		strings.Repeat("é", 500): strings.Repeat("é", 90) + "-",
	} {
		if got := parquetstore.DigestedName(id); !strings.HasPrefix(got, want) {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
}

// hostile are names of runs and attributes.
func hostile() []string {
	return []string{
		"../up", "/abs", `C:\x`, `\\server\x`, ".", "..", "a/../../b", "nul\x00byte", "CON", "con", "Con", "aux.txt", "a.", "a ",
		"x_part_0", "x_part_0.parquet", "x_manifest.json", ".nexport.lock", strings.Repeat("long", 300), strings.Repeat("字", 400), "café", "cafe\u0301",
		"a/b", "a_b", "A_B", "models", "line\nbreak", "*?<>|:\"", "\u202egnp.exe", "~", "$HOME", "-rf", " ",
	}
}

// TestHostileNames writes runs, attributes and members of sets with such names.
func TestHostileNames(t *testing.T) {
	top := t.TempDir()
	data, files := filepath.Join(top, "data"), filepath.Join(top, "files")
	store := createIn(t, data, files, parquetstore.Config{})
	attrs := migratetest.Run{Files: map[string][]byte{}}
	set := migrate.Chunk{Path: "set", Kind: migrate.KindFileSet}
	var members migrate.Files
	for i, name := range hostile() {
		key := string(rune('a' + i))
		attrs.Files[key] = []byte(name)
		file := migrate.FileRef{Key: key, Name: name, Size: int64(len(name))}
		members = append(members, file)
		attrs.Chunks = append(attrs.Chunks, migrate.Chunk{Path: name, Kind: migrate.KindFile, Values: migrate.Files{file}})
	}
	set.Values = members
	attrs.Chunks = append(attrs.Chunks, set)
	projects := append(hostile(), "ws/p")
	for _, project := range projects {
		run := attrs
		run.Info.RunRef = migrate.RunRef{Project: project, ID: project}
		if project != "ws/p" {
			run.Chunks = run.Chunks[:1]
		}
		mustPut(t, store, run)
	}
	for _, scope := range []migrate.Scope{migrate.ScopeModel, migrate.ScopeModelVersion} {
		run := attrs
		run.Info.RunRef = migrate.RunRef{Project: "ws/p", ID: "ws/p", Scope: scope}
		mustPut(t, store, run)
		check(t, store, run)
	}
	for _, project := range projects {
		run := attrs
		run.Info.RunRef = migrate.RunRef{Project: project, ID: project}
		if project != "ws/p" {
			run.Chunks = run.Chunks[:1]
		}
		check(t, open(t, data, files), run)
	}
	checkPortable(t, top)
}

// checkPortable wants names that every file system takes, and only what was asked for.
func checkPortable(t *testing.T, top string) {
	device := regexp.MustCompile(`(?i)^(con|prn|aux|nul|com\d|lpt\d)(\.|$)`)
	bad := regexp.MustCompile(`[\x00-\x1f<>:"|?*\\\x{202e}]|[. ]$`)
	lower := map[string]string{}
	err := filepath.WalkDir(top, func(name string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(top, name)
		base := e.Name()
		if strings.Count(rel, "/") == 0 && rel != "." && rel != "data" && rel != "files" {
			t.Errorf("%q is outside", rel)
		}
		if rel != "." && (device.MatchString(base) || bad.MatchString(base) || len(base) > 240) {
			t.Errorf("name %q", base)
		}
		if other, taken := lower[strings.ToLower(rel)]; taken {
			t.Errorf("%q and %q differ in case only", rel, other)
		}
		lower[strings.ToLower(rel)] = rel
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// FuzzNames wants different names for different files, whatever they are called, and safe ones.
func FuzzNames(f *testing.F) {
	f.Add("a/b", "x.txt", "a_b", "x.txt")
	f.Add("a", "x.TXT", "A", "x.txt")
	f.Add("../up", "..", "..\\up", ".")
	safe := regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9]{1,15})?$`)
	f.Fuzz(func(t *testing.T, attrA, nameA, attrB, nameB string) {
		names := map[string]string{}
		add := func(what string, file parquetstore.ManifestFile, i int) {
			got := parquetstore.NameFile(file, i)
			for _, part := range strings.Split(got, "/") {
				if !safe.MatchString(part) || len(part) > 200 {
					t.Errorf("%+v: %q", file, got)
				}
			}
			folded := strings.ToLower(got)
			if other, taken := names[folded]; taken && other != what {
				t.Errorf("%q and %q are both %q", what, other, got)
			}
			names[folded] = what
		}
		step := migrate.StepUnit / 2
		for _, f := range [][2]string{{attrA, nameA}, {attrB, nameB}} {
			add("file\x00"+f[0], parquetstore.ManifestFile{Attribute: f[0], Kind: migrate.KindFile, Name: f[1]}, 0)
			add("artifact\x00"+f[0], parquetstore.ManifestFile{Attribute: f[0], Kind: migrate.KindArtifact, Name: f[1]}, 0)
			add("artifact\x00"+f[0]+"\x00\x00"+f[1], parquetstore.ManifestFile{Attribute: f[0], Kind: migrate.KindArtifact, Name: f[1]}, 1)
			add("set\x00"+f[0]+"\x00\x00"+f[1], parquetstore.ManifestFile{Attribute: f[0], Kind: migrate.KindFileSet, Name: f[1]}, 0)
			add("series\x00"+f[0]+"\x000", parquetstore.ManifestFile{Attribute: f[0], Kind: migrate.KindFileSeries, Name: f[1], Step: &step}, 0)
			add("series\x00"+f[0]+"\x001", parquetstore.ManifestFile{Attribute: f[0], Kind: migrate.KindFileSeries, Name: f[1], Step: &step}, 1)
		}
	})
}
