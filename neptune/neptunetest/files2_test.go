package neptunetest_test

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// theSet has what a set can have: folders, no bytes, what is lost.
func theSet() neptunetest.FileSet {
	return neptunetest.FileSet{Files: []neptunetest.File{
		neptunetest.FileOf("a/b.txt", "text/plain", []byte("b")), neptunetest.FileOf("a/c/d.txt", "", nil),
		neptunetest.FileOf("ü.bin", "", []byte("umlaut")),
		{Name: "lost", Size: 3},
	}}
}

func TestDownloads(t *testing.T) {
	for name, opts := range map[string]neptunetest.Options{
		"whole": {}, "ranges": {Ranges: true}, "packed": {GzipFile: true}, "another host": {Redirect: true},
	} {
		_, c := serve2(t, opts, run2(
			"P-1", attr("f", neptunetest.FileOf("x/\"a\"\n.txt", "text/plain", []byte("0123456789"))), attr("lost", neptunetest.File{Name: "l"}), attr("set", theSet()),
		))
		id := c.uuid("P-1")
		resp := c.do(http.MethodGet, query(attributes2+"download", "experimentId", id, "attribute", "f"), "")
		if got := string(c.body(resp)); got != "0123456789" || resp.Header.Get("Content-Disposition") != `attachment; filename="_a__.txt"` {
			t.Errorf("%s: %q, %v", name, got, resp.Header)
		}
		if got := c.raw(attributes2+"download", "experimentId", id, "attribute", "set", "path", "a/b.txt"); got != "b" {
			t.Errorf("%s: of the set %q", name, got)
		}
		for _, parameters := range [][]string{{"attribute", "lost"}, {"attribute", "set", "path", "a"}, {"attribute", "set", "path", "lost"}, {"attribute", "none"}} {
			if got := c.statusOf(attributes2+"download", append(parameters, "experimentId", id)...); got != http.StatusNotFound {
				t.Errorf("%s: %v: %d", name, parameters, got)
			}
		}
		resp = c.do(http.MethodGet, query(attributes2+"download", "experimentId", id, "attribute", "f"), "", "Range", "bytes=8-")
		part, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		want, status := "0123456789", http.StatusOK
		if opts.Ranges || opts.Redirect {
			want, status = "89", http.StatusPartialContent
		}
		if string(part) != want || resp.StatusCode != status {
			t.Errorf("%s: a part is %q, %s", name, part, resp.Status)
		}
	}
}

// TestRedirect: the access token does not go where the client is sent.
func TestRedirect(t *testing.T) {
	var said complaints
	s, c := serve2(t, neptunetest.Options{Redirect: true, Complain: said.add}, run2("P-1", attr("f", neptunetest.FileOf("f", "", []byte("x")))))
	stay := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+query(attributes2+"download", "experimentId", c.uuid("P-1"), "attribute", "f"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.access)
	resp, err := stay.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	link, err := resp.Location()
	if err != nil || link.Hostname() != "localhost" {
		t.Fatalf("sent to %v, %v", link, err)
	}
	r.URL, r.Host = link, ""
	resp, err = stay.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest || len(said.take()) != 1 {
		t.Errorf("with the access token: %s", resp.Status)
	}
}

// zipOf prepares a zip and returns what stands at its link after so many polls.
func (c *client) zipOf(id, path string, polls int) (content []byte, disposition string) {
	c.t.Helper()
	prepared := c.tree(c.do(http.MethodPost, query(attributes2+"downloadFileSetZipRequest", "experimentId", id, "attribute", path), ""))
	for range polls {
		if link := prepared.(map[string]any)["downloadUrl"]; link != nil {
			c.t.Fatalf("it is ready too early: %v", link)
		}
		prepared = c.get(leaderboard+"download/downloadRequest", "id", member[string](c.t, prepared, "id"))
	}
	link := member[string](c.t, prepared, "downloadUrl")
	resp := c.do(http.MethodGet, strings.TrimPrefix(link, c.url), "")
	return c.body(resp), resp.Header.Get("Content-Disposition")
}

func TestZips(t *testing.T) {
	for name, test := range map[string]struct {
		opts  neptunetest.Options
		polls int
	}{
		"usual": {polls: 2}, "at once": {opts: neptunetest.Options{ZipPolls: -1}}, "late": {opts: neptunetest.Options{ZipPolls: 3}, polls: 4},
		"another host": {opts: neptunetest.Options{Redirect: true}, polls: 2},
	} {
		_, c := serve2(t, test.opts, run2("P-1", attr("src/set", theSet())))
		content, disposition := c.zipOf(c.uuid("P-1"), "src/set", test.polls)
		z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			got[f.Name] = string(text)
		}
		if diff := cmp.Diff(map[string]string{"a/b.txt": "b", "a/c/d.txt": "", "ü.bin": "umlaut"}, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
		if disposition != `attachment; filename="set.zip"` {
			t.Errorf("%s: %s", name, disposition)
		}
	}
}

func TestZipsAsTheyAre(t *testing.T) {
	_, c := serve2(t, neptunetest.Options{ZipPolls: -1, ZipName: "../../x"}, run2("P-1", attr("set", neptunetest.FileSet{Zip: []byte("no zip")})))
	content, disposition := c.zipOf(c.uuid("P-1"), "set", 0)
	if string(content) != "no zip" || disposition != `attachment; filename="../../x"` {
		t.Errorf("%q, %s", content, disposition)
	}
	for _, path := range []string{"downloadRequest", "downloadFile"} {
		if got := c.statusOf(leaderboard+"download/"+path, "id", "x"); got != http.StatusNotFound {
			t.Errorf("%s of nothing: %d", path, got)
		}
	}
}

func TestListSet(t *testing.T) {
	_, c := serve2(t, neptunetest.Options{}, run2("P-1", attr("set", theSet()), attr("empty", neptunetest.FileSet{})))
	id := c.uuid("P-1")
	for _, test := range []struct{ set, directory, want string }{
		{"set", "", "a:directory lost:file ü.bin:file"}, {"set", "a", "b.txt:file c:directory"}, {"set", "a/c/", "d.txt:file"}, {"empty", "", ""},
	} {
		var got []string
		for _, entry := range c.get(attributes2+"ls", "attribute", test.set, "path", test.directory, "experimentId", id).([]any) {
			got = append(got, member[string](t, entry, "name")+":"+member[string](t, entry, "fileType"))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s/%s: %v, want %s", test.set, test.directory, got, test.want)
		}
	}
	if got := c.statusOf(attributes2+"ls", "attribute", "set", "path", "b", "experimentId", id); got != http.StatusNotFound {
		t.Errorf("a directory that is not there: %d", got)
	}
}

func TestArtifacts2(t *testing.T) {
	artifact := neptunetest.Artifact{Hash: "abc", Files: []neptunetest.ArtifactFile{
		{Path: "d/x", Hash: "1", Size: 12, Metadata: map[string]string{"last_modified": "2024-01-02 03:04:05", "file_path": "file:///d/x"}},
		{Path: "y", Hash: "2", Type: "S3", NoSize: true},
	}}
	_, c := serve2(t, neptunetest.Options{}, run2("P-1", attr("a", artifact), attr("b", artifact)))
	project := member[string](t, c.get(backend+"projects/get", "projectIdentifier", "team/proj"), "id")
	want := `{"files":[{"fileHash":"1","filePath":"d/x","metadata":[{"key":"file_path","value":"file:///d/x"},{"key":"last_modified","value":"2024-01-02 03:04:05"}],"size":12,"type":"Local"},` +
		`{"fileHash":"2","filePath":"y","metadata":[],"type":"S3"}]}`
	for _, id := range []string{project, "team/proj"} {
		if got := c.raw("/api/artifacts/v1/artifact/files", "projectIdentifier", id, "hash", "abc"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := c.statusOf("/api/artifacts/v1/artifact/files", "projectIdentifier", project, "hash", "x"); got != http.StatusNotFound {
		t.Errorf("no artifact: %d", got)
	}
}
