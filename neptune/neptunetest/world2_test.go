package neptunetest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

func TestReadWorlds2(t *testing.T) {
	for name, want := range map[string][4]int{
		"neptune2-de-ordinary": {5, 3, 6, 14}, "neptune2-de-odd": {18, 4, 9, 14}, "neptune2-de-warsaw": {2, 1, 3, 14},
	} {
		p := readWorld(t, name)
		if got := [4]int{len(p.Runs), len(p.Models), len(p.ModelVersions), len(p.Attributes)}; got != want {
			t.Errorf("%s: runs, models, versions and attributes %v, want %v", name, got, want)
		}
		neptunetest.NewServer(t, neptunetest.Options{Generation: 2, Projects: []*neptunetest.Project{p}})
	}
}

// oneAttribute2 is a world of generation 2 of one run with one attribute.
func oneAttribute2(attribute string) []byte {
	return []byte(strings.Replace(string(oneAttribute(attribute)), `"generation":3`, `"generation":2`, 1))
}

func TestWorldValues2(t *testing.T) {
	high := 100.0
	file := neptunetest.FileOf("a/b", "", []byte("a"))
	image := neptunetest.FileOf("n", "image/png", []byte("a"))
	image.Description = "d"
	for text, want := range map[string]neptunetest.Attribute{
		`"type":"run_state","value":"idle"`:                                        attr("x", neptunetest.RunState("idle")),
		`"type":"git_ref","value":{ "commit":{} }`:                                 attr("x", neptunetest.GitRef(`{"commit":{}}`)),
		`"type":"notebook_ref","value":{}`:                                         attr("x", neptunetest.NotebookRef(`{}`)),
		`"type":"file_set","files":[{"path":"a/b","b64":"YQ=="}]`:                  attr("x", neptunetest.FileSet{Files: []neptunetest.File{file}}),
		`"type":"file_set","files":[{"path":"s","size":2,"seed":1}]`:               attr("x", neptunetest.FileSet{Files: []neptunetest.File{neptunetest.GeneratedFile("s", "", 2, 1)}}),
		`"type":"artifact","hash":"h","files":[]`:                                  attr("x", neptunetest.Artifact{Hash: "h"}),
		`"type":"float_series","points":[[1,2,3]],"config":{"unit":"%","max":100}`: {Path: "x", Value: neptunetest.FloatSeries{{Step: 1, Value: 2, TimeMS: 3}}, Config: &neptunetest.SeriesConfig{Unit: "%", Max: &high}},
		`"type":"artifact","hash":"h","files":[{"path":"p","hash":"1","size":3,"kind":"S3","metadata":{"k":"v"}},{"path":"q","hash":"2","no_size":true}]`: attr("x", neptunetest.Artifact{Hash: "h", Files: []neptunetest.ArtifactFile{
			{Path: "p", Hash: "1", Size: 3, Type: "S3", Metadata: map[string]string{"k": "v"}}, {Path: "q", Hash: "2", NoSize: true},
		}}),
		`"type":"file_series","points":[[1,{"name":"n","description":"d","mime":"image/png","b64":"YQ=="},3]]`: attr("x", neptunetest.FileSeries{{Step: 1, TimeMS: 3, Value: image}}),
	} {
		p, err := neptunetest.World{}.ReadWorld(oneAttribute2(`{"path":"x",` + text + `}`))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		wantRun := &neptunetest.Run{ID: "P-1", Attributes: []neptunetest.Attribute{want, attr("sys/trashed", neptunetest.Bool(true))}}
		if diff := cmp.Diff([]*neptunetest.Run{wantRun}, p.Runs, cmp.Comparer(sameFile)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", text, diff)
		}
	}
}

// sameFile compares files by what they hold.
func sameFile(a, b neptunetest.File) bool {
	x, y := make([]byte, a.Size), make([]byte, b.Size)
	_, errX := a.Content.ReadAt(x, 0)
	_, errY := b.Content.ReadAt(y, 0)
	return errX == nil && errY == nil && string(x) == string(y) && a.Name == b.Name && a.MIME == b.MIME && a.Description == b.Description
}

func TestWrongWorlds2(t *testing.T) {
	for _, attribute := range []string{
		`{"path":"x","type":"histogram_series","points":[]}`,
		`{"path":"x","type":"string_series"}`,
		`{"path":"x","type":"git_ref"}`,
		`{"path":"x","type":"git_ref","value":"text"}`,
		`{"path":"x","type":"notebook_ref","value":null}`,
		`{"path":"x","type":"run_state"}`,
		`{"path":"x","type":"file_set"}`,
		`{"path":"x","type":"file_set","files":[{"b64":""}]}`,
		`{"path":"x","type":"file_set","files":[{"path":"a","name":"b","b64":""}]}`,
		`{"path":"x","type":"file_set","files":[{"path":"a"}]}`,
		`{"path":"x","type":"file_set","files":[{"path":"a","b64":"","hash":"h"}]}`,
		`{"path":"x","type":"artifact","files":[]}`,
		`{"path":"x","type":"artifact","hash":"h"}`,
		`{"path":"x","type":"artifact","hash":"h","files":[{"path":"p","b64":""}]}`,
		`{"path":"x","type":"what","value":1}`,
	} {
		if _, err := (neptunetest.World{}).ReadWorld(oneAttribute2(attribute)); err == nil {
			t.Errorf("%s: no error", attribute)
		}
	}
	for _, attribute := range []string{
		`{"path":"x","type":"int","value":1,"hash":"h"}`,
		`{"path":"x","type":"float_series","points":[],"config":{}}`,
		`{"path":"x","type":"file","b64":"","description":"d"}`,
		`{"path":"x","type":"file_set","files":[]}`,
	} {
		if _, err := (neptunetest.World{}).ReadWorld(oneAttribute(attribute)); err == nil {
			t.Errorf("%s of generation 3: no error", attribute)
		}
	}
	if _, err := (neptunetest.World{}).ReadWorld([]byte(`{"version":1,"generation":3,"project":"a/b","models":[{"sys_id":"M"}]}`)); err == nil {
		t.Error("models of generation 3: no error")
	}
}
