package neptune_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// A file set of which something is missing is not called complete, and what the server gives alone is asked for.
func TestIncompleteFileSets(t *testing.T) {
	lossy := func(r migrate.RunReader) bool {
		for _, p := range r.Problems() {
			if p.Code.Lossy() {
				return true
			}
		}
		return false
	}
	ls := func(body string) func(*neptune.Config) {
		return func(cfg *neptune.Config) {
			quick(cfg)
			cfg.Client = roundTrip(func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "/attributes/ls") {
					return answer(r, body), nil
				}
				return http.DefaultTransport.RoundTrip(r)
			})
		}
	}
	for _, test := range []struct {
		name   string
		set    neptunetest.FileSet
		opts   neptunetest.Options
		change func(*neptune.Config)
		whole  bool
	}{
		{"zip lacks a file, no list", zipped(fileSet("a", "d/b"), zipOf(t, "a", "a")), neptunetest.Options{Lacks: []string{"lsFileSetAttribute"}}, nil, false},
		{"zip has half of a file", zipped(fileSet("abcdefgh", "b"), zipOf(t, "abcdefgh", "abcd", "b", "b")), neptunetest.Options{}, nil, true},
		{"zip has another file", zipped(fileSet("wanted"), zipOf(t, "x", "x")), neptunetest.Options{}, nil, true},
		{"no zip, list is null", zipped(fileSet("a", "d/b"), []byte("PK...")), neptunetest.Options{}, ls(`null`), false},
		{"no zip, list is empty", zipped(fileSet("a", "d/b"), []byte("PK...")), neptunetest.Options{}, ls(`[]`), false},
		{"no zip, list lacks one", zipped(fileSet("a", "d/b"), []byte("PK...")), neptunetest.Options{}, ls(`[{"name":"a","fileType":"file","size":1}]`), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := openRun2(t, project2(t, test.opts, neptunetest.Attribute{Path: "s", Value: test.set}), test.change)
			files, _ := copyFiles(t, r)
			have := map[string]bool{}
			for _, f := range files {
				have[f.Text] = true
			}
			all := true
			for _, f := range test.set.Files {
				all = all && have[f.Name]
			}
			if !all && !lossy(r) {
				t.Errorf("files %v of %d, called complete; problems %v", namesAndTexts(files), len(test.set.Files), told(r))
			}
			if test.whole && !all {
				t.Errorf("what the server gives alone was not asked for: %v", namesAndTexts(files))
			}
		})
	}
}

// That S3 does not answer just now says nothing of a file: a later export asks again.
func TestS3IsAway(t *testing.T) {
	noAWS(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	for key, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "user", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
		"AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(key, value)
	}
	art := neptunetest.Artifact{Hash: "abab", Files: []neptunetest.ArtifactFile{inS3("s3", "s3://data/d/s3.bin", "object")}}
	r := openRun2(t, project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "a", Value: art}), nil)
	copyFiles(t, r)
	for _, p := range r.Problems() {
		if p.Code.Lossy() && p.Kind == migrate.KindArtifact {
			return
		}
	}
	t.Errorf("called complete: %v", told(r))
}
