package convert_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/nexport-go/migrate/convert"
)

// TestPathsOfArchives takes every attribute path of the test archives.
func TestPathsOfArchives(t *testing.T) {
	t.Parallel()
	worlds, err := filepath.Glob("../testdata/archives/*.world.json")
	if err != nil || len(worlds) == 0 {
		t.Fatalf("no worlds: %v", err)
	}
	paths := map[string]bool{}
	for _, name := range worlds {
		collectPaths(t, name, paths)
	}
	keys, changed := map[string]string{}, 0
	for path := range paths {
		key, isChanged := convert.KeyRules{}.Key(path)
		if other, taken := keys[key]; taken {
			t.Errorf("%q and %q share the key %q", path, other, key)
		}
		if !legalKey(key, false) || isChanged == (legalKey(path, false) && path == key) {
			t.Errorf("%q has the key %q", path, key)
		}
		keys[key] = path
		if isChanged {
			changed++
		}
	}
	if changed == 0 || changed == len(paths) {
		t.Errorf("%d of %d paths were changed, so this tests one side only", changed, len(paths))
	}
}

func collectPaths(t *testing.T, name string, paths map[string]bool) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var world struct {
		Runs []struct {
			Attributes []struct{ Path string }
		}
	}
	if err := json.Unmarshal(text, &world); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, run := range world.Runs {
		for _, a := range run.Attributes {
			paths[a.Path] = true
		}
	}
}
