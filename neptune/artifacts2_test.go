package neptune_test

import (
	"bytes"
	"crypto/md5"  //nolint:gosec // S3's ETags are made with it
	"crypto/sha1" //nolint:gosec // it is what Neptune has on record
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

func sha1Of(text string) string {
	sum := sha1.Sum([]byte(text)) //nolint:gosec
	return hex.EncodeToString(sum[:])
}

func md5Of(text string) string {
	sum := md5.Sum([]byte(text)) //nolint:gosec
	return hex.EncodeToString(sum[:])
}

// local is a file of an artifact on a disk.
func local(path, at, text string) neptunetest.ArtifactFile {
	return neptunetest.ArtifactFile{
		Path: path, Hash: sha1Of(text), Size: int64(len(text)),
		Metadata: map[string]string{"file_path": "file://" + at, "last_modified": "2024-01-02 03:04:05"},
	}
}

// inS3 is a file of an artifact in S3.
func inS3(path, at, text string) neptunetest.ArtifactFile {
	return neptunetest.ArtifactFile{
		Path: path, Hash: md5Of(text), Type: "S3", Size: int64(len(text)), Metadata: map[string]string{"location": at},
	}
}

// noAWS keeps the settings of whoever runs the tests out of them, and theirs from S3.
func noAWS(t *testing.T) {
	t.Helper()
	for _, key := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"} {
		t.Setenv(key, "")
	}
	t.Setenv("AWS_CONFIG_FILE", "none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// withS3 serves objects of a bucket "data" as S3 does, by the settings that the AWS SDK reads.
func withS3(t *testing.T, objects map[string]string) {
	t.Helper()
	noAWS(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := objects[strings.TrimPrefix(r.URL.Path, "/data/")]
		switch {
		case !strings.Contains(r.Header.Get("Authorization"), "Credential=user/"):
			w.WriteHeader(http.StatusForbidden)
		case !ok:
			w.WriteHeader(http.StatusNotFound)
		default:
			w.Header().Set("ETag", `"`+md5Of(text)+`"`)
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
		}
	}))
	t.Cleanup(server.Close)
	for key, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "user", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
	} {
		t.Setenv(key, value)
	}
}

func TestArtifacts(t *testing.T) {
	withS3(t, map[string]string{"d/s3.bin": "object", "d/new.bin": "newer"})
	dir := t.TempDir()
	for name, text := range map[string]string{"ü b.csv": "1,2", "changed": "new"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	artifact := neptunetest.Artifact{Hash: strings.Repeat("ab", 32), Files: []neptunetest.ArtifactFile{
		local("train/ü b.csv", filepath.Join(dir, "ü b.csv"), "1,2"),
		local("../twice", filepath.Join(dir, "ü b.csv"), "1,2"),
		local("changed", filepath.Join(dir, "changed"), "old"),
		local("gone", filepath.Join(dir, "gone"), "x"),
		inS3("s3", "s3://data/d/s3.bin", "object"),
		inS3("s3 new", "s3://data/d/new.bin", "older"),
		{Path: "nowhere", Hash: sha1Of("x"), NoSize: true},
	}}
	r := openRun2(t, project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "a", Value: artifact}), nil)
	files, refs := copyFiles(t, r)
	if len(files) == 0 || files[0].Name != "files_list.json" || files[0].MIME != "application/json" {
		t.Fatalf("files %+v", files)
	}
	want := []string{"train/ü b.csv=1,2", "%2E%2E/twice=1,2", "s3=object"}
	if diff := cmp.Diff(want, namesAndTexts(files[1:])); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	elsewhere := "elsewhere: Neptune holds no contents of artifacts, and 4 of its 7 files were not reached where they were: "
	if diff := cmp.Diff([]string{`renamed: file "../twice" is named "%2E%2E/twice" here`, elsewhere}, told(r), cmp.Comparer(beginning)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	for _, text := range []string{"changed\" (it is another one by now: its SHA-1 is ", "gone\" (no such file", "d/new.bin\" (it is another one by now: its ETag is "} {
		if problem := told(r)[1]; !strings.Contains(problem, text) {
			t.Errorf("%q is not in %q", text, problem)
		}
	}
	if text := textOf(t.Context(), r, refs[0]); text != files[0].Text {
		t.Errorf("the list, opened again: %q", text)
	}
	if text := textOf(t.Context(), r, refs[3]); text != "object" {
		t.Errorf("the object, opened again: %q", text)
	}
}

// The list is JSON of the form that the official tool writes.
func TestArtifactList(t *testing.T) {
	noAWS(t)
	artifact := neptunetest.Artifact{Hash: "00", Files: []neptunetest.ArtifactFile{
		{Path: "d/x.bin", Hash: "c4", Size: 12, Metadata: map[string]string{"last_modified": "2024-01-02 03:04:05", "file_path": "file:///d/x.bin"}},
		{Path: "no/size <&>", Hash: "de", Type: "S3", NoSize: true},
	}}
	for _, test := range []struct {
		name     string
		artifact neptunetest.Artifact
		want     string
	}{
		{"two", artifact, `[{"filePath":"d/x.bin","fileHash":"c4","type":"Local","size":12,"metadata":[{"key":"file_path","value":"file:///d/x.bin"},` +
			`{"key":"last_modified","value":"2024-01-02 03:04:05"}]},` + "\n" + `{"filePath":"no/size <&>","fileHash":"de","type":"S3","size":null,"metadata":[]}]`},
		{"none", neptunetest.Artifact{Hash: "01"}, "[]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "a", Value: test.artifact}, neptunetest.Attribute{Path: "b", Value: test.artifact})
			r := openRun2(t, server, nil)
			files, _ := copyFiles(t, r)
			want := []copied{
				{Path: "a", Name: "files_list.json", MIME: "application/json", Text: test.want},
				{Path: "b", Name: "files_list.json", MIME: "application/json", Text: test.want},
			}
			if diff := cmp.Diff(want, files); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !json.Valid([]byte(files[0].Text)) {
				t.Error("the list is no JSON")
			}
		})
	}
}

// An artifact is its hash, and then its files, also if their list cannot be had.
func TestArtifactWithoutList(t *testing.T) {
	artifact := neptunetest.Artifact{Hash: "00", Files: []neptunetest.ArtifactFile{{Path: "x", Hash: "y", Size: 1}}}
	server := project2(t, neptunetest.Options{NoArtifacts: true}, neptunetest.Attribute{Path: "a", Value: artifact})
	r := openRun2(t, server, nil)
	var got []migrate.Chunk
	for c, err := range r.Chunks(t.Context(), func(path string, _ migrate.Kind) bool { return path == "a" }) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, c)
	}
	want := []migrate.Chunk{{Path: "a", Kind: migrate.KindArtifact, Values: migrate.Strings{"00"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if problems := told(r); len(problems) != 1 || !strings.HasPrefix(problems[0], "unreadable: only its hash is there") {
		t.Errorf("problems %q", problems)
	}
}

// With contents switched off no file is looked at, and the keys that another reader gave open none.
func TestNoArtifactContents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	artifact := neptunetest.Artifact{Hash: "00", Files: []neptunetest.ArtifactFile{local("a", path, "text")}}
	server := project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "a", Value: artifact})
	with := openRun2(t, server, nil)
	files, refs := copyFiles(t, with)
	if diff := cmp.Diff([]string{"a=text"}, namesAndTexts(files[1:])); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	without := openRun2(t, server, func(cfg *neptune.Config) { cfg.NoArtifactContents = true })
	if files, _ := copyFiles(t, without); len(files) != 1 {
		t.Errorf("files %v", files)
	}
	if problems := told(without); len(problems) != 1 || !strings.Contains(problems[0], "1 of its 1 files") || !strings.Contains(problems[0], "not asked for") {
		t.Errorf("problems %q", problems)
	}
	if _, err := without.OpenFile(t.Context(), refs[1]); !errors.Is(err, migrate.ErrNotFound) {
		t.Errorf("error %v", err)
	}
}

// A file that is exchanged between the look at it and its opening is not handed out.
func TestArtifactThatChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	artifact := neptunetest.Artifact{Hash: "00", Files: []neptunetest.ArtifactFile{local("a", path, "text")}}
	r := openRun2(t, project2(t, neptunetest.Options{}, neptunetest.Attribute{Path: "a", Value: artifact}), nil)
	for c, err := range r.Chunks(t.Context(), func(path string, _ migrate.Kind) bool { return path == "a" }) {
		if err != nil {
			t.Fatal(err)
		}
		refs, ok := c.Values.(migrate.Files)
		if !ok {
			continue
		}
		if err := errors.Join(os.WriteFile(path+"2", []byte("evil"), 0o600), os.Rename(path+"2", path)); err != nil {
			t.Fatal(err)
		}
		body, err := r.OpenFile(t.Context(), refs[1])
		if !errors.Is(err, migrate.ErrNotFound) {
			t.Errorf("error %v", err)
		}
		if body != nil {
			b, _ := io.ReadAll(body)
			t.Errorf("gave %q", bytes.TrimSpace(b))
		}
	}
}
