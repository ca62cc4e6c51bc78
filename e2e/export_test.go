//go:build unix

package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nexport-go/migrate/internal/fixture"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// worlds are those of testdata/archives, each with the archives that the Python tool wrote of it, and the
// ones of make_world.py.
var worlds = []struct {
	name  string
	from  string   // archive whose world it is; empty: make_world.py
	tool  []string // names of archives
	wrong []string // values that these have and the world has not: parts of lines of tool.py
	opts  neptunetest.Options
}{
	{name: "small", from: "neptune3-d-small", tool: []string{"neptune3-b-small", "neptune3-c-small", "neptune3-d-small"}, opts: neptunetest.Options{Provider: "azure"}},
	{name: "multipart", from: "neptune3-d-multipart", tool: []string{"neptune3-b-multipart", "neptune3-d-multipart"}, opts: neptunetest.Options{GzipFile: true}},
	{
		name: "odd", from: "neptune3-d-odd", tool: []string{"neptune3-d-odd", "neptune3-c-odd", "neptune3-b-odd"},
		wrong: []string{
			"'odd-scalars') i/2^53+1 ", "'odd-scalars') i/only-here ", "'mixed-0') i/sometimes ", // through doubles
			"'m_n') f/who.txt ", "'odd-files') f/a.txt ", "'odd-files') f/a//txt ", "'odd-files') fs/a.b ", // one name for two files
			"'m.n') f/who.txt ", "'odd-files') f/a.txt ", "'odd-files') f/a//txt ",
			"'odd-files') f/a.txt ", "'odd-files') f/a/txt ",
		},
		opts: neptunetest.Options{PageRuns: 7, PageAttributes: 100, PageFloats: 50, PagePoints: 20, Provider: "aws"},
	},
	{name: "hard"},
	{
		name: "2 ordinary", from: "neptune2-de-ordinary", tool: []string{"neptune2-de-ordinary", "neptune2-b-ordinary"},
		opts: neptunetest.Options{Redirect: true},
	},
	{
		name: "2 odd", from: "neptune2-de-odd", tool: []string{"neptune2-de-odd", "neptune2-b-odd"},
		wrong: []string{
			"'PRJ-12') img/steps of the tool has 4 of 5 points at other steps", // their numbers
			"'PRJ-12') img/eleven of the tool has 10 of 11 points at other steps",
			"'PRJ-12') img/zero_bytes of the tool has 1 of 1 points at other steps",
			"'PRJ-6') abs/int of the tool is there as int", "'PRJ-6') a/b of the tool is there as int", // of paths with other slashes
			"'PRJ-6') trailing of the tool is there as int",
			"'PRJ-12') img/steps of the tool has 4 of 5 points at other steps",
			"'PRJ-12') img/eleven of the tool has 10 of 11 points at other steps",
			"'PRJ-12') img/zero_bytes of the tool has 1 of 1 points at other steps",
			"'PRJ-6') abs/int of the tool is there as int", "'PRJ-6') a/b of the tool is there as int",
			"'PRJ-6') trailing of the tool is there as int",
		},
		opts: neptunetest.Options{PageRuns: 5, PagePoints: 7, PageFloats: 11, ZipPolls: 2},
	},
	{
		name: "2 warsaw", from: "neptune2-de-warsaw", tool: []string{"neptune2-de-warsaw"},
		wrong: []string{ // by an hour
			"'PRJ-1') monitoring/82a376d1/cpu of the tool has 30 of 30 points at other times", "'PRJ-1') monitoring/82a376d1/stdout of the tool has 12 of 12 ",
			"'PRJ-1') metrics/train/loss of the tool has 30 of 30 points at other times", "'PRJ-1') metrics/val/accuracy of the tool has 30 of 30 ",
			"'PRJ-2') monitoring/d332ffbf/cpu of the tool has 30 of 30 points at other times", "'PRJ-2') monitoring/d332ffbf/stdout of the tool has 12 of 12 ",
			"'PRJ-2') metrics/train/loss of the tool has 30 of 30 points at other times", "'PRJ-2') metrics/val/accuracy of the tool has 30 of 30 ",
			"'PRJ-CLF-1') validation/curve of the tool has 25 of 25 points at other times", "'PRJ-CLF-2') validation/curve of the tool has 25 of 25 ",
			"'PRJ-CLF-3') validation/curve of the tool has 25 of 25 points at other times", "'PRJ-CLF-2') validation/log of the tool has 2 of 2 ",
		},
		opts: neptunetest.Options{BareNaN: true, Ranges: true, GzipFile: true, ZipPolls: -1},
	},
	{name: "2 hard"},
}

// world gives the JSON of a world: that of an archive, or one of make_world.py.
func world(t testing.TB, name, from string) []byte {
	t.Helper()
	switch {
	case from != "":
		return fixture.World(t, from)
	case strings.HasPrefix(name, "2 "):
		return pythonOutput(t, "make_world2.py", t.TempDir())
	}
	return pythonOutput(t, "make_world.py")
}

// pythonOutput runs a program of this directory and gives what it prints.
func pythonOutput(t testing.TB, args ...string) []byte {
	t.Helper()
	out, err := runPython(t, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", args[0], err, out)
	}
	return out
}

func runPython(t testing.TB, args ...string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(venv(t, envMLflow3), "bin", "python"), append([]string{"-B"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	return append(out, stderr.Bytes()...), err
}

// neptuneSource is a fake Neptune with one project, and a directory for an archive of it.
type neptuneSource struct {
	*neptunetest.Server
	project string
	dir     string
	second  bool // of Neptune 2
}

// serveWorld serves a world; opts may leave the projects out.
func serveWorld(t testing.TB, world []byte, opts neptunetest.Options) neptuneSource {
	t.Helper()
	project, err := neptunetest.World{}.ReadWorld(world)
	if err != nil {
		t.Fatal(err)
	}
	var about struct{ Generation int }
	if err := json.Unmarshal(world, &about); err != nil {
		t.Fatal(err)
	}
	opts.Generation = about.Generation
	opts.Projects = []*neptunetest.Project{project}
	return serve(t, opts)
}

// serve starts a server with one project.
func serve(t testing.TB, opts neptunetest.Options) neptuneSource {
	return neptuneSource{neptunetest.NewServer(t, opts), opts.Projects[0].ID(), t.TempDir(), opts.Generation == 2}
}

// in is the same Neptune, to be exported into another directory.
func (n neptuneSource) in(dir string) neptuneSource {
	n.dir = dir
	return n
}

func (n neptuneSource) archive(prefix string) archiveDirs {
	return archiveDirs{data: filepath.Join(n.dir, "data"), files: filepath.Join(n.dir, "files"), prefix: prefix}
}

// command prepares an export or a migration of the whole project.
func (n neptuneSource) command(ctx context.Context, t testing.TB, verb string, more ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	a := n.archive("")
	args := append([]string{verb, "-p", n.project, "--include-archived-runs", "-d", a.data, "-f", a.files}, more...)
	cmd, out := command(ctx, t, args...)
	cmd.Env = slices.DeleteFunc(cmd.Env, func(v string) bool { return strings.HasPrefix(v, "NEPTUNE_") })
	cmd.Env = append(cmd.Env, "NEPTUNE_API_TOKEN="+n.Token())
	return cmd, out
}

// run runs it to its end and gives its exit code and all it said.
func (n neptuneSource) run(t testing.TB, verb string, more ...string) (code int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd, said := n.command(ctx, t, verb, more...)
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatalf("run the command: %v", err)
	}
	return cmd.ProcessState.ExitCode(), said.String()
}

// export exports, which must end with a code and say all of want.
func (n neptuneSource) export(t testing.TB, code int, want []string, more ...string) string {
	t.Helper()
	got, out := n.run(t, "export", more...)
	if got != code {
		t.Fatalf("export %q ended with %d, want %d:\n%s", more, got, code, out)
	}
	for _, text := range want {
		if !strings.Contains(ofModels.ReplaceAllString(out, ""), text) {
			t.Errorf("export %q does not say %q:\n%s", more, text, out)
		}
	}
	return out
}

// TestExportWorlds exports what Neptune has, and reads the archive with tools that share no code with this project:
// it is what was seeded, value by value, and has all that the Python tool's archives of the same have.
func TestExportWorlds(t *testing.T) {
	venv(t, envMLflow3)
	for _, w := range worlds {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			text := world(t, w.name, w.from)
			n := serveWorld(t, text, w.opts)
			n.export(t, exitMoved, nil, "--include-metric-previews")
			path := filepath.Join(t.TempDir(), "world.json")
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			a := n.archive("")
			args := []string{"world.py", path, a.data, a.files, "--archived", "--previews"}
			tool := slices.Clone(args)
			for _, name := range w.tool {
				data, files := fixture.Unpack(t, name)
				tool = append(tool, "--tool", data, files)
			}
			mustBeWrong(t, w.wrong, string(pythonOutput(t, tool...)))
			pythonOutput(t, append(slices.Clone(args), "--reader", "polars")...)
			if w.from != "" { // the others are long
				pythonOutput(t, append(slices.Clone(args), "--reader", "duckdb")...)
			}
			n = n.in(t.TempDir())
			n.export(t, exitMoved, nil)
			a = n.archive("")
			pythonOutput(t, "world.py", path, a.data, a.files, "--archived")
		})
	}
}

// mustBeWrong wants that these values of the Python tool's archives differ from the world, and no other.
func mustBeWrong(t *testing.T, want []string, out string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "the tool is wrong: ") {
			got = append(got, line)
		} else {
			t.Log(strings.TrimSpace(line))
		}
	}
	for _, line := range got {
		i := slices.IndexFunc(want, func(part string) bool { return strings.Contains(line, part) })
		if i < 0 {
			t.Errorf("a value of the Python tool's archive is another: %s", line)
			continue
		}
		want = slices.Delete(slices.Clone(want), i, i+1)
	}
	if len(want) > 0 {
		t.Errorf("values of the Python tool's archives that are said to be others are not: %q", want)
	}
}

// TestWorldCheckerSees changes a world in each way that a wrong export might differ, and expects the checker to
// find it.
func TestWorldCheckerSees(t *testing.T) {
	venv(t, envMLflow3)
	n := serveWorld(t, fixture.World(t, "neptune3-d-small"), neptunetest.Options{})
	n.export(t, exitMoved, nil)
	a := n.archive("")
	type object = map[string]any
	for name, change := range map[string]func(run object, byType map[string]object){
		"another value": func(_ object, of map[string]object) { of["int"]["value"] = -7 },
		"another float": func(_ object, of map[string]object) { of["float"]["value"] = "NaN" },
		"another step":  func(_ object, of map[string]object) { of["float_series"]["points"].([]any)[0].([]any)[0] = -0.000001 },
		"another point": func(_ object, of map[string]object) { of["float_series"]["points"].([]any)[0].([]any)[1] = 1e-300 },
		"another time":  func(_ object, of map[string]object) { of["string_series"]["points"].([]any)[0].([]any)[2] = 1 },
		"one point more": func(_ object, of map[string]object) {
			of["string_series"]["points"] = of["string_series"]["points"].([]any)[1:]
		},
		"another MIME":      func(_ object, of map[string]object) { of["file"]["mime"] = "x/y" },
		"another content":   func(_ object, of map[string]object) { of["file"]["b64"] = "AAAA" },
		"another set":       func(_ object, of map[string]object) { of["string_set"]["value"] = []string{} },
		"another type":      func(_ object, of map[string]object) { of["bool"]["type"], of["bool"]["value"] = "string", "true" },
		"an attribute more": func(run object, _ map[string]object) { run["attributes"] = run["attributes"].([]any)[6:] },
		"another path":      func(_ object, of map[string]object) { of["int"]["path"] = "no/such" },
		"another short ID":  func(run object, _ map[string]object) { run["sys_id"] = "SMAL-99" },
		"no such run":       func(run object, _ map[string]object) { run["custom_run_id"] = "no such run" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w object
			if err := json.Unmarshal(fixture.World(t, "neptune3-d-small"), &w); err != nil {
				t.Fatal(err)
			}
			run := w["runs"].([]any)[0].(object)
			byType := map[string]object{}
			for _, a := range run["attributes"].([]any) {
				byType[a.(object)["type"].(string)] = a.(object)
			}
			change(run, byType)
			text, err := json.Marshal(w)
			if err != nil {
				t.Fatal(err)
			}
			mustSee(t, text, a)
		})
	}
}

// mustSee wants the checker to find that an archive is not of this world.
func mustSee(t *testing.T, world []byte, a archiveDirs) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "world.json")
	if err := os.WriteFile(path, world, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := runPython(t, "world.py", path, a.data, a.files, "--archived")
	if err == nil || bytes.Contains(out, []byte("Traceback")) {
		t.Errorf("the checker did not see it: %v\n%s", err, out)
	}
}

// TestWorldCheckerSees2 does so with what Neptune 2 alone has.
func TestWorldCheckerSees2(t *testing.T) {
	venv(t, envMLflow3)
	text := fixture.World(t, "neptune2-de-odd")
	n := serveWorld(t, text, neptunetest.Options{})
	n.export(t, exitMoved, nil)
	for name, change := range map[string][2]string{ // the first of the one for the other
		"another hash":         {`"hash":"333328bb8d4f153c`, `"hash":"333328bb8d4f153d`},
		"another tracked file": {`"hash":"f77048c251c216d8`, `"hash":"f77048c251c216d9`},
		"another size":         {`"size":77`, `"size":78`},
		"another location":     {`s3://bucket/s3/key.bin`, `s3://bucket/s3/kei.bin`},
		"another member":       {`"path":"a/b.txt"`, `"path":"a/c.txt"`},
		"another content":      {`"b64":"ZGVlcA=="`, `"b64":"ZGVlcQ=="`},
		"other case":           {`"path":"A.txt"`, `"path":"A.TXT"`},
		"another description":  {`desc, \"q\"`, `desc, \"r\"`},
		"another name":         {`"name":"too big"`, `"name":"too bit"`},
		"another image step":   {`[[3,{"name":"too big"`, `[[4,{"name":"too big"`},
		"another ending":       {`"name":"c.txt"`, `"name":"c.tex"`},
		"another commit":       {`"72dfc4c9bd421dc6`, `"72dfc4c9bd421dc7`},
		"another notebook":     {`"notebookName":"train.i`, `"notebookName":"trein.i`},
		"another state":        {`"value":"idle"`, `"value":"running"`},
		"no such model":        {`"sys_id":"PRJ-CLF"`, `"sys_id":"PRJ-CLG"`},
		"no such version":      {`"sys_id":"PRJ-DET-2"`, `"sys_id":"PRJ-DET-4"`},
		"no models":            {`"models":[`, `"other":[`},
		"points of none":       {`"path":"s/empty","type":"float_series","points":[]`, `"path":"s/empty","type":"float_series","points":[[0,1,2]]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !bytes.Contains(text, []byte(change[0])) {
				t.Fatalf("the world has no %s", change[0])
			}
			mustSee(t, bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1), n.archive(""))
		})
	}
}

// TestMigrateWorlds exports and loads in one go, and compares what MLflow shows with the archive; a second time there is
// nothing to do.
func TestMigrateWorlds(t *testing.T) {
	at := newSQLite(t)
	t.Parallel()
	var archives []archiveDirs
	for _, w := range worlds {
		n := serveWorld(t, world(t, w.name, w.from), neptunetest.Options{})
		a := n.archive(w.name + "/")
		args := []string{"--mlflow-tracking-uri", at.uri, "--artifacts-dir", at.artifacts, "--name-prefix", a.prefix, "--json"}
		if code, out := n.run(t, "migrate", args...); code != exitMoved {
			t.Errorf("%s: migrate ended with %d:\n%.5000s", w.name, code, out)
		}
		first := n.Requests()
		code, out := n.run(t, "migrate", args...)
		if n := createdRuns(t, out); code != exitMoved || n != 0 {
			t.Errorf("%s: the second migration ended with %d and moved %d runs:\n%.5000s", w.name, code, n, out)
		}
		mustOnlyList(t, n.Requests()[len(first):])
		archives = append(archives, a)
	}
	url := at.serve(t)
	for i, a := range archives {
		t.Run(worlds[i].name, func(t *testing.T) {
			t.Parallel()
			mustEqual(t, a, url)
		})
	}
}

// TestMigrateToServer migrates what Neptune 2 alone has through MLflow's own API.
func TestMigrateToServer(t *testing.T) {
	url := sharedServer(t, envMLflow3, false)
	n := serveWorld(t, world(t, "2 odd", "neptune2-de-odd"), neptunetest.Options{})
	a := n.archive("to a server/")
	if code, out := n.run(t, "migrate", "--mlflow-tracking-uri", url, "--name-prefix", a.prefix); code != exitMoved {
		t.Fatalf("migrate ended with %d:\n%.5000s", code, out)
	}
	mustEqual(t, a, url)
}

// mustOnlyList wants requests to be those of one listing, and what goes before it.
func mustOnlyList(t *testing.T, requests []neptunetest.Request) {
	t.Helper()
	listings := 0
	for _, r := range requests {
		switch {
		case strings.HasSuffix(r.Path, "/entries/search/"), strings.HasSuffix(r.Path, "/entries/search"):
			listings++
		case strings.HasSuffix(r.Path, "/swagger.json"):
		case strings.HasPrefix(r.Path, "/api/leaderboard"), strings.HasPrefix(r.Path, "/api/artifacts"),
			strings.HasPrefix(r.Path, "/api/storagebridge"), strings.HasPrefix(r.Path, "/storage"):
			t.Errorf("more than the listing was asked for: %s %s %.300s", r.Method, r.Path, r.Body)
		}
	}
	if listings == 0 {
		t.Error("the runs were not listed")
	}
}
