//go:build unix

package e2e_test

import (
	"crypto/sha1" // what Neptune 2 has on record of files
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// generation is one of Neptune, and how the tests of faults and of repeated exports meet it.
type generation struct {
	name      string
	opts      neptunetest.Options // pages so small that series go over several
	project   func(t testing.TB) *neptunetest.Project
	ids       []string // in the archive, of the runs FA-1, FA-2 and so on
	first     string   // finds the first of them only
	firstTwo  string
	onDisk    int // bytes of a disk that the archive just fits
	permanent []permanentFault
}

// permanentFault is one that a server has with an attribute forever, and what becomes of that.
type permanentFault struct {
	path, code string
	fault      neptunetest.Fault
}

// generations are both.
var generations = []generation{
	{
		name: "neptune3", project: faultProject3,
		opts: neptunetest.Options{PageRuns: 4, PageAttributes: 40, PageFloats: 100, PagePoints: 10, NoRecord: true},
		ids:  customIDs, first: "^first$", firstTwo: "[Ff]irst", onDisk: 900 << 10,
		permanent: []permanentFault{
			{"m/LOSS", "unreadable", neptunetest.Fault{Status: 400}},
			{"m/lr", "unreadable", neptunetest.Fault{Status: 500}},
			{"s/log", "unreadable", neptunetest.Fault{Status: 422, Body: "nonsense"}},
			{"s/hist", "unreadable", neptunetest.Fault{Status: 200, Body: "\x0a\xff\xff"}},
			{"f/large", "missing", neptunetest.Fault{Status: 404}},
			{"f/a.txt", "unreadable", neptunetest.Fault{Status: 403}},
			{"f/a_txt", "unreadable", neptunetest.Fault{ExpiredLink: true}},
			{"s/images", "unreadable", neptunetest.Fault{Status: 500}},
			{"f/large", "unreadable", neptunetest.Fault{Status: 200, Body: "another file"}},
		},
	},
	{
		name: "neptune2", project: faultProject2,
		opts: neptunetest.Options{Generation: 2, PageRuns: 4, PageFloats: 50, PagePoints: 10, ZipPolls: -1, Redirect: true, NoRecord: true},
		ids:  []string{"FA-1", "FA-2", "FA-3", "FA-4", "FA-5", "FA-6"}, first: "^FA-1$", firstTwo: "^FA-[12]$", onDisk: 1600 << 10,
		permanent: []permanentFault{
			{"m/LOSS", "unreadable", neptunetest.Fault{Status: 400}},
			{"m/lr", "unreadable", neptunetest.Fault{Status: 500}},
			{"s/log", "unreadable", neptunetest.Fault{Status: 422, Body: "nonsense"}},
			{"m/loss", "unreadable", neptunetest.Fault{Status: 200, Body: `{"totalItemCount":3,"values":[{"step":`}},
			{"m/LOSS", "missing", neptunetest.Fault{Status: 404}},
			{"f/large", "missing", neptunetest.Fault{Status: 404}},
			{"f/a.txt", "unreadable", neptunetest.Fault{Status: 403}},
			{"s/images", "unreadable", neptunetest.Fault{Status: 500}},
			{"f/large", "unreadable", neptunetest.Fault{Status: 200, Body: "another file"}},
			{"f/set", "unreadable", neptunetest.Fault{Status: 500}},
			{"f/data", "unreadable", neptunetest.Fault{Status: 403}},
		},
	},
}

// eachGeneration tests both.
func eachGeneration(t *testing.T, test func(t *testing.T, g generation)) {
	for _, g := range generations {
		t.Run(g.name, func(t *testing.T) { test(t, g) })
	}
}

func (g generation) serve(t testing.TB) neptuneSource {
	t.Helper()
	opts := g.opts
	opts.Projects = []*neptunetest.Project{g.project(t)}
	return serve(t, opts)
}

// serveRecorded is the same on a server that keeps its requests.
func (g generation) serveRecorded(t testing.TB) neptuneSource {
	t.Helper()
	opts := g.opts
	opts.Projects, opts.NoRecord = []*neptunetest.Project{g.project(t)}, false
	return serve(t, opts)
}

// customIDs are IDs that are hard to keep; one is not there.
var customIDs = []string{"first", "First", "../up", "x_part_0_y", "", "a/b"}

// adder adds attributes to a run.
type adder func(path string, v neptunetest.Value)

// faultProject is small, and has in each run what both generations have.
func faultProject(more func(add adder, n int, at int64)) *neptunetest.Project {
	p := &neptunetest.Project{Workspace: "fault-team", Name: "small", Key: "FA"}
	for i, id := range customIDs {
		n := i + 1
		r := &neptunetest.Run{ID: fmt.Sprintf("FA-%d", n), CustomID: id}
		at := int64(1_700_000_000_000 + n)
		add := adderTo(r)
		addBasics(add, n, at, id)
		more(add, n, at)
		p.Runs = append(p.Runs, r)
	}
	return p
}

func adderTo(r *neptunetest.Run) adder {
	return func(path string, v neptunetest.Value) {
		r.Attributes = append(r.Attributes, neptunetest.Attribute{Path: path, Value: v})
	}
}

func addBasics(add adder, n int, at int64, id string) {
	add("sys/creation_time", neptunetest.Datetime(at))
	add("sys/modification_time", neptunetest.Datetime(at))
	add("p/int", neptunetest.Int(n))
	add("p/float", neptunetest.Float(float64(n)/7))
	add("p/text", neptunetest.String(id))
	add("p/set", neptunetest.StringSet{"b", "a"})
	add("f/a.txt", neptunetest.FileOf("a.txt", "text/plain", []byte("of "+id)))
	add("f/a_txt", neptunetest.FileOf("a_.txt", "text/plain", []byte("another of "+id)))
	add("f/large", neptunetest.GeneratedFile("large", "application/octet-stream", 100_000+int64(n), int64(n)))
	for _, path := range []string{"m/loss", "m/LOSS", "m/lr"} {
		s := neptunetest.FloatSeries{}
		for i := range 120 {
			s = append(s, neptunetest.Point[float64]{Step: float64(i) / 10, TimeMS: at + int64(i), Value: float64(i * n)})
		}
		add(path, s)
	}
	log, images := neptunetest.StringSeries{}, neptunetest.FileSeries{}
	for i := range 12 {
		log = append(log, neptunetest.Point[string]{Step: float64(i), TimeMS: at, Value: fmt.Sprint("line ", i)})
		if i < 3 {
			image := neptunetest.FileOf("i.png", "image/png", []byte{byte(n), byte(i)})
			images = append(images, neptunetest.Point[neptunetest.File]{Step: float64(i), TimeMS: at, Value: image})
		}
	}
	add("s/log", log)
	add("s/images", images)
}

func faultProject3(testing.TB) *neptunetest.Project {
	return faultProject(func(add adder, n int, at int64) {
		h := neptunetest.Histogram{Type: "COUNTING", Edges: []float64{0, 1}, Values: []float64{float64(n)}}
		add("s/hist", neptunetest.HistogramSeries{{Step: 1, TimeMS: at, Value: h}})
	})
}

// faultProject2 has a model and a version of it too.
func faultProject2(t testing.TB) *neptunetest.Project {
	t.Helper()
	p := faultProject(func(add adder, n int, _ int64) {
		set := neptunetest.FileSet{}
		for i := range 4 {
			set.Files = append(set.Files, neptunetest.GeneratedFile(fmt.Sprintf("d%d/../m.bin", i), "", int64(7000*i), int64(n)))
		}
		add("f/set", set)
		add("f/data", trackedHere(t, n))
		add("r/git", neptunetest.GitRef(fmt.Sprintf(`{"commit":{"commitId":"%040d"},"repositoryDirty":true}`, n)))
		add("sys/state", neptunetest.RunState("idle"))
	})
	model := &neptunetest.Run{ID: "FA-MOD"}
	adderTo(model)("p/int", neptunetest.Int(7))
	adderTo(model)("f/set", neptunetest.FileSet{Files: []neptunetest.File{neptunetest.FileOf("x", "", []byte("y"))}})
	version := &neptunetest.Run{ID: "FA-MOD-1"}
	addBasics(adderTo(version), 9, 1_700_000_100_000, "")
	p.Models, p.ModelVersions = []*neptunetest.Run{model}, []*neptunetest.Run{version}
	return p
}

// trackedHere is an artifact of a file that can be reached, and one that cannot.
func trackedHere(t testing.TB, n int) neptunetest.Artifact {
	t.Helper()
	place, err := filepath.Abs("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(place)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum(text)
	here := neptunetest.ArtifactFile{
		Path: "doc.go", Hash: hex.EncodeToString(sum[:]), Size: int64(len(text)), Metadata: map[string]string{"file_path": "file://" + place},
	}
	gone := here
	gone.Path, gone.Metadata = "gone.go", map[string]string{"file_path": "file://" + place + "/gone"}
	return neptunetest.Artifact{Hash: fmt.Sprintf("%064d", n), Files: []neptunetest.ArtifactFile{here, gone}}
}

// ofModels are the words about models in what an export says; the tests ask how many runs it names.
var ofModels = regexp.MustCompile(`(, | and )\d+ model( version)?s?\b`)

// uuid asks a Neptune 2 for what its API calls a run.
func (n neptuneSource) uuid(t testing.TB, id string) string {
	t.Helper()
	var login struct {
		Token string `json:"accessToken"`
	}
	n.get(t, "/api/backend/v1/authorization/oauth-token", "X-Neptune-Api-Token", n.Token(), &login)
	var run struct{ ID string }
	query := url.Values{"experimentId": {n.project + "/" + id}}
	n.get(t, "/api/leaderboard/v1/experiments?"+query.Encode(), "Authorization", "Bearer "+login.Token, &run)
	return run.ID
}

func (n neptuneSource) get(t testing.TB, path, header, value string, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set(header, value)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", path, answer.Status, err)
	}
}
