package neptunetest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// sign asks for links.
func (c *client) sign(paths ...string) (links []string, provider string) {
	c.t.Helper()
	type file struct {
		Path       string `json:"path"`
		Permission string `json:"permission"`
		Project    string `json:"project_identifier"`
	}
	in := struct {
		Files []file `json:"files"`
	}{}
	for _, p := range paths {
		in.Files = append(in.Files, file{p, "read", "team/proj"})
	}
	body, err := json.Marshal(in)
	if err != nil {
		c.t.Fatal(err)
	}
	var out struct {
		Files []struct{ URL, Path, Provider string }
	}
	c.json(c.do(http.MethodPost, signPath, string(body)), &out)
	for i, f := range out.Files {
		if f.Path != paths[i] {
			c.t.Errorf("link %d is for %q, want %q", i, f.Path, paths[i])
		}
		links, provider = append(links, f.URL), f.Provider
	}
	return links, provider
}

// get follows a link.
func get(t *testing.T, link string, header ...string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

// storagePath is where the run's attribute "f" lies.
func storagePath(t *testing.T, c *client) string {
	t.Helper()
	out := c.post(valuesPath, `{"experimentIdsFilter":["team/proj/P-1"],"attributeNamesFilter":["f"]}`)
	return string(at(t, out, 1, 3, 10, 3))
}

func TestDownload(t *testing.T) {
	content := []byte("0123456789")
	for _, provider := range []string{"gcp", "aws", "azure"} {
		t.Run(provider, func(t *testing.T) {
			now := newClock()
			s, c := serve(t, neptunetest.Options{Provider: provider, Now: now.now, LinkLife: time.Hour}, run(
				"P-1", attr("f", neptunetest.FileOf("../ü %20?#&=+\n.txt", "text/plain", content)), attr("lost", neptunetest.File{Name: "x", Size: 3}),
			))
			path := storagePath(t, c)
			links, got := c.sign(path, "no/such")
			if got != provider {
				t.Errorf("provider %s", got)
			}
			resp, body := get(t, links[0])
			if resp.StatusCode != 200 || !bytes.Equal(body, content) || resp.Header.Get("Content-Type") != "text/plain" {
				t.Errorf("%s %q, %s", resp.Status, body, resp.Header)
			}
			resp, body = get(t, links[0], "Range", "bytes=3-5")
			if resp.StatusCode != 206 || string(body) != "345" || resp.Header.Get("Content-Range") != "bytes 3-5/10" {
				t.Errorf("a range: %s %q, %s", resp.Status, body, resp.Header)
			}
			if resp, _ = get(t, links[1]); resp.StatusCode != 404 {
				t.Errorf("a file that is not there: %s", resp.Status)
			}
			expired := map[string]int{"gcp": 400, "aws": 403, "azure": 403}[provider]
			now.Add(3600)
			if resp, _ = get(t, links[0]); resp.StatusCode != expired {
				t.Errorf("an old link: %s, want %d", resp.Status, expired)
			}
			links, _ = c.sign(path)
			if resp, _ = get(t, links[0]); resp.StatusCode != 200 {
				t.Errorf("a new link: %s", resp.Status)
			}
			s.ExpireLinks()
			if resp, _ = get(t, links[0]); resp.StatusCode != expired {
				t.Errorf("a link that was ended: %s, want %d", resp.Status, expired)
			}
		})
	}
}

func TestAzureRange(t *testing.T) {
	_, c := serve(t, neptunetest.Options{Provider: "azure"}, run("P-1", attr("f", neptunetest.FileOf("n", "", []byte("0123")))))
	links, _ := c.sign(storagePath(t, c))
	resp, body := get(t, links[0], "x-ms-range", "bytes=0-33554431")
	if resp.StatusCode != 206 || string(body) != "0123" || resp.Header.Get("Content-Range") != "bytes 0-3/4" {
		t.Errorf("%s %q, %s", resp.Status, body, resp.Header)
	}
}

// TestForgedLinks: neither another file nor another time goes with a signature, and Neptune's own headers go
// to no storage.
func TestForgedLinks(t *testing.T) {
	var said complaints
	_, c := serve(t, neptunetest.Options{Complain: said.add}, run("P-1", attr("f", neptunetest.FileOf("n", "", nil))))
	links, _ := c.sign(storagePath(t, c))
	for name, link := range map[string]string{
		"no signature": strings.Split(links[0], "?")[0],
		"other file":   strings.Replace(links[0], "/P-1/", "/P-2/", 1),
		"other end":    strings.Replace(links[0], "-0", "0-0", 1),
	} {
		if resp, _ := get(t, link); resp.StatusCode != 403 || len(said.take()) != 1 {
			t.Errorf("%s: %s", name, resp.Status)
		}
	}
	if resp, _ := get(t, links[0], "Authorization", "Bearer x"); resp.StatusCode != 400 || len(said.take()) != 1 {
		t.Errorf("with Authorization: %s", resp.Status)
	}
}

// TestGeneratedFile: any range of it is what a whole reading has there.
func TestGeneratedFile(t *testing.T) {
	const size = 1000
	_, c := serve(t, neptunetest.Options{}, run("P-1", attr("f", neptunetest.GeneratedFile("n", "", size, 7))))
	links, _ := c.sign(storagePath(t, c))
	_, all := get(t, links[0])
	if len(all) != size || bytes.Count(all, []byte{0}) > size/10 {
		t.Fatalf("%d bytes, %d of them 0", len(all), bytes.Count(all, []byte{0}))
	}
	for from := 0; from < size; from += 37 {
		to := min(from+100, size-1)
		_, body := get(t, links[0], "Range", "bytes="+strconv.Itoa(from)+"-"+strconv.Itoa(to))
		if !bytes.Equal(body, all[from:to+1]) {
			t.Errorf("bytes from %d to %d differ", from, to)
		}
	}
}

// TestPackedFile: a whole file comes packed to who takes it, a range never does.
func TestPackedFile(t *testing.T) {
	content := bytes.Repeat([]byte("text "), 1000)
	_, c := serve(t, neptunetest.Options{GzipFile: true}, run("P-1", attr("f", neptunetest.FileOf("n", "text/plain", content))))
	links, _ := c.sign(storagePath(t, c))
	resp, body := get(t, links[0], "Accept-Encoding", "gzip")
	if resp.Header.Get("Content-Encoding") != "gzip" || len(body) > len(content)/10 {
		t.Errorf("%d bytes, %s", len(body), resp.Header)
	}
	if _, body = get(t, links[0]); !bytes.Equal(body, content) { // net/http unpacks
		t.Errorf("unpacked: %d bytes", len(body))
	}
	resp, body = get(t, links[0], "Accept-Encoding", "gzip", "Range", "bytes=0-3")
	if resp.Header.Get("Content-Encoding") != "" || string(body) != "text" {
		t.Errorf("a range: %q, %s", body, resp.Header)
	}
}

func TestUnknownProvider(t *testing.T) {
	if _, err := neptunetest.Start(neptunetest.Options{Provider: "floppy"}); err == nil {
		t.Error("no error")
	}
}
