package parquetstore_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nexport-go/migrate"
)

// mustWrite makes a file and the directories above it.
func mustWrite(t *testing.T, name, body string) {
	t.Helper()
	mustDir(t, filepath.Dir(name))
	if err := os.WriteFile(name, []byte(body), 0o666); err != nil {
		t.Fatal(err)
	}
}

func mustDir(t *testing.T, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestNestedProjects reads what the tool wrote while it took the slash in a project's name for one of a path, beside
// what it wrote later.
func TestNestedProjects(t *testing.T) {
	for _, first := range []string{"0", "1"} { // it numbered from 1 at first
		data, files := t.TempDir(), t.TempDir()
		nested := mustDir(t, filepath.Join(data, "ws", "proj"))
		writeParquet(t, filepath.Join(nested, "part_"+first+".parquet"), options{}, id("r1"), point("r1", "m", 0, 1), id("r2"),
			row{project: project, run: "r1", path: "f", kind: "file", file: "r1/f.txt"})
		writeParquet(t, filepath.Join(nested, "part_2.parquet"), options{}, point("r2", "m", 1, 2))
		later := mustDir(t, filepath.Join(data, projectDir))
		writeParquet(t, filepath.Join(later, "r3"+digest+"_part_0.parquet"), options{}, id("r3"))
		mustWrite(t, filepath.Join(files, "ws_proj", "r1", "f.txt"), "hello")
		store := open(t, data, files)
		if got := ids(list(t, store)); !slices.Equal(got, []string{"ws/proj/r1", "ws/proj/r2", "ws/proj/r3"}) {
			t.Fatalf("from part %s: runs %v", first, got)
		}
		chunks, problems := read(t, store, "r1")
		if gap := slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, "part_1.parquet\" is missing") }); len(chunks) != 3 || gap != (first == "0") {
			t.Errorf("from part %s: %d attributes, problems %v", first, len(chunks), problems)
		}
		r, err := store.OpenRun(t.Context(), migrate.RunInfo{RunRef: migrate.RunRef{Project: project, ID: "r1"}})
		if err != nil {
			t.Fatal(err)
		}
		body, err := r.OpenFile(t.Context(), migrate.FileRef{Key: "r1/f.txt"})
		if err != nil {
			t.Fatal(err)
		}
		body.Close()
	}
}

// TestNestedAlone has no other layout, and rows that do not name their project.
func TestNestedAlone(t *testing.T) {
	data := t.TempDir()
	r := id("r1")
	r.project = nil
	writeParquet(t, filepath.Join(mustDir(t, filepath.Join(data, "ws", "proj")), "part_0.parquet"), options{}, r)
	if got := ids(list(t, open(t, data, ""))); !slices.Equal(got, []string{"ws/proj/r1"}) {
		t.Errorf("runs %v", got)
	}
}

// TestUnreadIsNamed: what lies where no archive has it is not read, and not passed over without a word.
func TestUnreadIsNamed(t *testing.T) {
	for name, put := range map[string]func(t *testing.T, data string) (where string){
		"parts of runs one deeper": func(t *testing.T, data string) string {
			dir := mustDir(t, filepath.Join(data, "backup", projectDir))
			writeParquet(t, filepath.Join(dir, "r9"+digest+"_part_0.parquet"), options{}, id("r9"))
			return "backup/" + projectDir
		},
		"parts two deeper": func(t *testing.T, data string) string {
			writeParquet(t, filepath.Join(mustDir(t, filepath.Join(data, "a", "b", "c")), "part_0.parquet"), options{}, id("r9"))
			return "a/b/c"
		},
		"below models": func(t *testing.T, data string) string {
			writeParquet(t, filepath.Join(mustDir(t, filepath.Join(data, projectDir, "models", "x")), "part_0.parquet"), options{}, id("r9"))
			return projectDir + "/models/x"
		},
		"beside a nested project": func(t *testing.T, data string) string {
			dir := mustDir(t, filepath.Join(data, "ws", "proj"))
			writeParquet(t, filepath.Join(dir, "r9_part_0.parquet"), options{}, id("r9"))
			return "r9_part_0.parquet\": it lies deeper than the parts of an archive, so it is not read"
		},
		"deep link": func(t *testing.T, data string) string {
			if runtime.GOOS == "windows" {
				t.Skip("links need a privilege")
			}
			dir := mustDir(t, filepath.Join(data, "a", "b", "c"))
			if err := os.Symlink(filepath.Join("..", "..", "..", projectDir), filepath.Join(dir, "team")); err != nil {
				t.Fatal(err)
			}
			return "a/b/c/team"
		},
		"nested link to elsewhere": func(t *testing.T, data string) string {
			if runtime.GOOS == "windows" {
				t.Skip("links need a privilege")
			}
			if err := os.Symlink(t.TempDir(), filepath.Join(mustDir(t, filepath.Join(data, "a", "b")), "team")); err != nil {
				t.Fatal(err)
			}
			return "a/b/team\": the link leads out"
		},
		"broken link": func(t *testing.T, data string) string {
			if runtime.GOOS == "windows" {
				t.Skip("links need a privilege")
			}
			if err := os.Symlink(filepath.Join(t.TempDir(), "gone"), filepath.Join(data, "team")); err != nil {
				t.Fatal(err)
			}
			return "team\": the link leads nowhere"
		},
		"link to elsewhere": func(t *testing.T, data string) string {
			if runtime.GOOS == "windows" {
				t.Skip("links need a privilege")
			}
			elsewhere := t.TempDir()
			writeParquet(t, filepath.Join(elsewhere, "part_0.parquet"), options{}, id("r9"))
			if err := os.Symlink(elsewhere, filepath.Join(data, "team")); err != nil {
				t.Fatal(err)
			}
			return "team"
		},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			writeParquet(t, filepath.Join(mustDir(t, filepath.Join(data, projectDir)), "r1"+digest+"_part_0.parquet"), options{}, id("r1"))
			where := put(t, data)
			store := open(t, data, "")
			runs := list(t, store)
			if len(runs) != 2 || !slices.Contains(ids(runs), "ws/proj/r1") {
				t.Fatalf("runs %v", ids(runs))
			}
			for _, info := range runs {
				r, err := store.OpenRun(t.Context(), info)
				if err == nil {
					for _, e := range r.Chunks(t.Context(), nil) {
						err = e
					}
				}
				if info.ID == "r1" != (err == nil) || err != nil && !strings.Contains(err.Error(), where) {
					t.Errorf("%s: %v", info.RunRef, err)
				}
			}
		})
	}
	t.Run("nothing else", func(t *testing.T) { // then it is the wrong directory, which the caller says
		data := t.TempDir()
		writeParquet(t, filepath.Join(mustDir(t, filepath.Join(data, "data", projectDir)), "r1"+digest+"_part_0.parquet"), options{}, id("r1"))
		if runs := list(t, open(t, data, "")); len(runs) != 0 {
			t.Errorf("runs %v", ids(runs))
		}
	})
}

// TestNestedModels: a workspace and a project may be called what a directory of models is.
func TestNestedModels(t *testing.T) {
	data := t.TempDir()
	for run, dir := range map[string][2]string{"r1": {"models", "proj"}, "r2": {"ws", "models"}} {
		r := id(run)
		r.project = nil
		writeParquet(t, filepath.Join(mustDir(t, filepath.Join(data, dir[0], dir[1])), "part_1.parquet"), options{}, r)
	}
	store := open(t, data, "")
	if got := ids(list(t, store)); !slices.Equal(got, []string{"models/proj/r1", "ws/models/r2"}) {
		t.Errorf("runs %v", got)
	}
	r, err := store.OpenRun(t.Context(), migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/models", ID: "r2"}})
	if err != nil {
		t.Fatal(err)
	}
	if problems := r.Problems(); len(problems) > 0 {
		t.Errorf("problems %v", problems)
	}
}
