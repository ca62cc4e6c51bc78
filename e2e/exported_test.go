//go:build unix

package e2e_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/parquetstore"
)

// archivedRun is what an archive shows of a run. Whether it is complete is decided here by docs/formats/parquet.md
// alone.
type archivedRun struct {
	complete bool
	renaming bool // it was cut off when all was written; only the command itself reads the new copy under its temporary names
	manifest parquetstore.Manifest
	content  archivedContent
}

// archivedContent is what two equal archives have in common.
type archivedContent struct {
	Manifest string   // without times, the server's address, and what the name of the run's directory of files makes
	Rows     []string // path, type, and the values: files as their digests
}

// archivedIn reads an archive of one project: the runs of which there is a manifest.
func archivedIn(t testing.TB, dir string) map[string]archivedRun {
	t.Helper()
	runs := map[string]archivedRun{}
	var paths []string
	for _, below := range []string{"*_manifest.json*", "models/*_manifest.json*", "model_versions/*_manifest.json*"} {
		found, err := filepath.Glob(filepath.Join(dir, "data", "*", below))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	for _, path := range paths {
		if ext := filepath.Ext(path); ext != ".json" && ext != ".swap" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var run archivedRun
		if err := json.Unmarshal(text, &run.manifest); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		swapping := strings.HasSuffix(path, ".swap")
		run.complete = !swapping && run.manifest.Complete && partsAreThere(path, run.manifest, false)
		run.renaming = !run.complete && run.manifest.Complete && (swapping || isRenaming(path)) &&
			partsAreThere(strings.TrimSuffix(path, ".swap"), run.manifest, true)
		runs[keyOf(migrate.RunRef{ID: run.manifest.Run.ID, Scope: run.manifest.Run.Scope})] = run
	}
	if len(runs) > 0 {
		readContents(t, dir, runs)
	}
	return runs
}

// keyOf is what the tests call a run: its ID, of models and versions with their scope.
func keyOf(run migrate.RunRef) string {
	if run.Scope == migrate.ScopeRun {
		return run.ID
	}
	return string(run.Scope) + " " + run.ID
}

// isRenaming reports that part 0, which is the last to be renamed, still has its temporary name.
func isRenaming(manifest string) bool {
	_, err := os.Stat(partName(manifest, 0) + ".tmp")
	return err == nil
}

func partName(manifest string, i int) string {
	return strings.TrimSuffix(manifest, "manifest.json") + fmt.Sprintf("part_%d.parquet", i)
}

// partsAreThere reports that all parts are there in their sizes; they may have temporary names, if told so.
func partsAreThere(manifest string, m parquetstore.Manifest, temporary bool) bool {
	if _, err := os.Stat(manifest + ".swap"); err == nil && !temporary {
		return false
	}
	for i, part := range m.Parts {
		info, err := os.Stat(partName(manifest, i))
		if newer, tmpErr := os.Stat(partName(manifest, i) + ".tmp"); temporary && tmpErr == nil {
			info, err = newer, nil
		}
		if err != nil || info.Size() != part.Size {
			return false
		}
	}
	return true
}

// readContents reads the rows of what has a manifest, and wants the command to call complete only what is so.
func readContents(t testing.TB, dir string, runs map[string]archivedRun) {
	t.Helper()
	store, err := parquetstore.Open(filepath.Join(dir, "data"), filepath.Join(dir, "files"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for info, err := range store.Runs(t.Context(), migrate.Selection{
		Scopes: []migrate.Scope{migrate.ScopeRun, migrate.ScopeModel, migrate.ScopeModelVersion},
	}) {
		if err != nil {
			t.Error(err)
			return
		}
		run := runs[keyOf(info.RunRef)]
		if info.State == migrate.Complete != (run.complete || run.renaming) {
			t.Errorf("%s is listed as %s, and is complete: %t", info.RunRef, info.State, run.complete)
		}
		if run.manifest.Run.ID == "" {
			continue
		}
		run.content = archivedContent{comparableText(t, run.manifest), rowsOf(t, store, info)}
		runs[keyOf(info.RunRef)] = run
	}
}

// second is what the directory of a run's files has behind its name while there is an older copy.
var second = regexp.MustCompile(`(-[0-9a-f]{16})_2(/|$)`)

func comparableText(t testing.TB, m parquetstore.Manifest) string {
	t.Helper()
	if second.MatchString(m.FilesDir) {
		for i := range m.Files {
			m.Files[i].Path = second.ReplaceAllString(m.Files[i].Path, "$1$2")
		}
		m.FilesDir = second.ReplaceAllString(m.FilesDir, "$1$2")
	}
	// The rows of the parts hold that name too.
	for i := range m.Parts {
		m.Parts[i].Size, m.Parts[i].SHA256 = 0, ""
	}
	m.Source = ""
	// Several attributes are read at the same time.
	slices.SortFunc(m.Problems, func(a, b migrate.Problem) int {
		return strings.Compare(a.Path+"\x00"+a.Text, b.Path+"\x00"+b.Text)
	})
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return writtenAt.ReplaceAllString(string(text), "")
}

var writtenAt = regexp.MustCompile(`"written": "[^"]*"`)

// rowsOf reads all of a run as lines of text.
func rowsOf(t testing.TB, store *parquetstore.Store, info migrate.RunInfo) (rows []string) {
	t.Helper()
	r, err := store.OpenRun(t.Context(), info)
	if err != nil {
		t.Error(err)
		return nil
	}
	for c, err := range r.Chunks(t.Context(), nil) {
		if err != nil {
			t.Errorf("%s: %v", info.RunRef, err)
			return rows
		}
		line := fmt.Sprintf("%s\t%s\t%v\t%v\t%v", c.Path, c.Kind, c.Steps, c.Times, c.Values)
		if list, ok := c.Values.(migrate.Files); ok {
			line = fmt.Sprintf("%s\t%s\t%v\t%v", c.Path, c.Kind, c.Steps, c.Times)
			for _, ref := range list {
				line += fmt.Sprintf("\t%s %s %s %d %s", ref.Name, ref.Description, ref.MIME, ref.Size, fileSum(t, r, ref))
			}
		}
		rows = append(rows, line)
	}
	return rows
}

func fileSum(t testing.TB, r migrate.RunReader, ref migrate.FileRef) string {
	t.Helper()
	if ref.Key == "" {
		return "no bytes"
	}
	f, err := r.OpenFile(t.Context(), ref)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// mustEqualArchives wants two archives to have the same complete runs.
func mustEqualArchives(t testing.TB, want, got map[string]archivedRun) {
	t.Helper()
	for id, run := range want {
		if !got[id].complete {
			t.Errorf("%q is not complete", id)
		}
		if diff := cmp.Diff(run.content, got[id].content); diff != "" {
			t.Errorf("%q (-want +got):\n%.2000s", id, diff)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d runs, want %d", len(got), len(want))
	}
}

// leftovers are names that only a write under way has, and files of which no manifest knows.
func leftovers(t testing.TB, dir string) (names []string) {
	t.Helper()
	known := map[string]bool{".nexport.lock": true, ".nexport.archive": true}
	for _, run := range archivedIn(t, dir) {
		for _, f := range run.manifest.Files {
			known[filepath.Base(f.Path)] = true
		}
	}
	for _, part := range []string{"data", "files"} {
		below, err := filepath.EvalSymlinks(filepath.Join(dir, part))
		if err != nil {
			t.Fatal(err)
		}
		err = filepath.WalkDir(below, func(path string, entry fs.DirEntry, err error) error {
			ofData := part == "data" && !slices.Contains([]string{".tmp", ".swap"}, filepath.Ext(path))
			if err == nil && !entry.IsDir() && !ofData && !known[filepath.Base(path)] {
				names = append(names, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}
