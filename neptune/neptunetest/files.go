package neptunetest

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// storageRoot is where the storage is. Azure's client reads the two segments after the host, on this
// machine, as account and container.
const storageRoot = "/storage/files/"

type signBody struct {
	Files []struct {
		Path       string `json:"path"`
		Permission string `json:"permission"`
		Project    string `json:"project_identifier"`
		Size       *int64 `json:"size"`
	} `json:"files"`
}

// sign gives a link for each file, in their order; also for files that are not there, as real servers do.
func (s *Server) sign(c *call) answer {
	c.query("")
	var in signBody
	c.read(&in)
	if len(in.Files) == 0 || len(in.Files) > maxSign {
		must(&refusal{
			status: http.StatusRequestEntityTooLarge, errorType: "BAD_REQUEST",
			text: fmt.Sprintf("%d files to sign; 1 to %d are asked for", len(in.Files), maxSign),
		})
	}
	list := []any{}
	for _, f := range in.Files {
		if f.Permission != "read" || f.Path == "" || f.Size != nil {
			must(bad("file %q, permission %q, for a download", f.Path, f.Permission))
		}
		if s.index.byID[f.Project] == nil {
			must(s.denied(f.Project))
		}
		list = append(list, map[string]any{
			"url": s.link(f.Project, f.Path), "path": f.Path, "project_identifier": f.Project,
			"provider": s.opts.Provider, "multipart": nil,
		})
	}
	return okJSON(map[string]any{"files": list})
}

// link is the URL of a blob with a signature in the provider's way.
func (s *Server) link(project, path string) string {
	blob := escapePath(project + "/" + path)
	ends := strconv.FormatInt(s.opts.Now().Add(s.opts.LinkLife).Unix(), 10)
	age := strconv.Itoa(s.linkAgeNow())
	names := linkNames[s.opts.Provider]
	sum := s.auth.sign("link", blob+" "+ends+" "+age)
	query := url.Values{names.expires: {s.expiry(ends)}, names.signature: {sum + "-" + ends + "-" + age}}
	if s.opts.Provider == "azure" {
		query.Set("sp", "r")
		query.Set("sv", "2021-08-06")
		query.Set("sr", "b")
	}
	return s.URL + storageRoot + blob + "?" + query.Encode()
}

// linkNames are the query parameters of links by provider.
var linkNames = map[string]struct{ expires, signature string }{
	"gcp":   {"Expires", "Signature"},
	"aws":   {"X-Amz-Expires", "X-Amz-Signature"},
	"azure": {"se", "sig"},
}

// expiry is the end of a link as the provider writes it.
func (s *Server) expiry(unix string) string {
	switch s.opts.Provider {
	case "azure":
		n, _ := strconv.ParseInt(unix, 10, 64) // was made by FormatInt
		return time.Unix(n, 0).UTC().Format(time.RFC3339)
	case "aws":
		return strconv.Itoa(int(s.opts.LinkLife.Seconds()))
	}
	return unix
}

// ExpireLinks makes all links given out so far expire before the time they tell.
func (s *Server) ExpireLinks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.linkAge++
}

func (s *Server) linkAgeNow() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.linkAge
}

// download answers for a blob; escaped is its path below storageRoot as the client sent it.
func (s *Server) download(r *http.Request, escaped string, expired bool) answer {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		s.complainf("%s of a file", r.Method)
		return s.storageError(http.StatusMethodNotAllowed, "MethodNotAllowed")
	}
	for _, name := range []string{"Authorization", "X-Neptune-Api-Token", "X-Neptune-Client-Metadata"} {
		if r.Header.Get(name) != "" {
			s.complainf("a link was followed with the header %s, which belongs to Neptune", name)
			return s.storageError(http.StatusBadRequest, "InvalidArgument")
		}
	}
	blob, err := url.PathUnescape(escaped)
	if err != nil {
		return s.storageError(http.StatusBadRequest, "InvalidURI")
	}
	good, old := s.checkLink(blob, r.URL.Query().Get(linkNames[s.opts.Provider].signature))
	if !good {
		s.complainf("a link with a wrong signature: %s", r.URL.Redacted())
		return s.storageError(http.StatusForbidden, "SignatureDoesNotMatch")
	}
	if old || expired {
		return s.expiredLink()
	}
	file, there := s.file(blob)
	if !there {
		return s.storageError(http.StatusNotFound, map[string]string{"azure": "BlobNotFound"}[s.opts.Provider])
	}
	return answer{file: func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, blob, file) }}
}

// checkLink reports whether the server signed the link, and whether it has expired.
func (s *Server) checkLink(blob, signature string) (good, old bool) {
	sum, rest, _ := cutLast(signature, 2)
	ends, age, _ := strings.Cut(rest, "-")
	if sum != s.auth.sign("link", escapePath(blob)+" "+ends+" "+age) {
		return false, false
	}
	unix, _ := strconv.ParseInt(ends, 10, 64) // was signed
	n, _ := strconv.Atoi(age)
	return true, s.opts.Now().Unix() >= unix || n < s.linkAgeNow()
}

// cutLast cuts at the n-th dash from the end: the signature itself may have some.
func cutLast(text string, n int) (before, after string, found bool) {
	at := len(text)
	for ; n > 0; n-- {
		if at = strings.LastIndexByte(text[:at], '-'); at < 0 {
			return text, "", false
		}
	}
	return text[:at], text[at+1:], true
}

// file finds a blob by project and path.
func (s *Server) file(blob string) (File, bool) {
	s.content.RLock()
	defer s.content.RUnlock()
	parts := strings.SplitN(blob, "/", 3)
	if len(parts) < 3 {
		return File{}, false
	}
	p := s.index.byID[parts[0]+"/"+parts[1]]
	if p == nil {
		return File{}, false
	}
	if id, zipped := strings.CutPrefix(parts[2], zipFolder); zipped && s.opts.Generation == 2 {
		return s.zipFile(id)
	}
	f, there := p.files[parts[2]]
	return f, there && f.Content != nil
}

// serve sends a file or a range of it.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, blob string, f File) {
	if f.MIME != "" {
		w.Header().Set("Content-Type", f.MIME)
	} else {
		w.Header()["Content-Type"] = nil // not guessed from the content
	}
	if s.opts.Generation == 2 {
		w.Header().Set("Content-Disposition", disposition(lastName(f.Name)))
	}
	w.Header().Set("ETag", strconv.Quote(uuid(blob, strconv.FormatInt(f.Size, 10))))
	if s.opts.Provider == "azure" {
		w.Header().Set("x-ms-blob-type", "BlockBlob")
		w.Header().Set("x-ms-version", "2021-08-06")
		if x := r.Header.Get("x-ms-range"); x != "" {
			r.Header.Set("Range", x)
		}
	}
	if s.opts.GzipFile && r.Header.Get("Range") == "" && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		s.servePacked(w, f)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(f.Content, 0, f.Size))
}

func (s *Server) servePacked(w http.ResponseWriter, f File) {
	content, err := io.ReadAll(io.NewSectionReader(f.Content, 0, f.Size))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	body := s.packed(content)
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // the client may have gone
}

// expiredLink is each provider's answer to a link that was good once.
func (s *Server) expiredLink() answer {
	switch s.opts.Provider {
	case "azure":
		return s.storageError(http.StatusForbidden, "AuthenticationFailed")
	case "aws":
		return s.storageError(http.StatusForbidden, "AccessDenied")
	}
	return s.storageError(http.StatusBadRequest, "ExpiredToken")
}

func (s *Server) storageError(status int, code string) answer {
	if code == "" {
		code = "NoSuchKey"
	}
	body, _ := xml.Marshal(struct { // strings only
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: code, Message: "the storage of the test says so"})
	a := answer{status: status, body: append([]byte(xml.Header), body...), kind: "application/xml"}
	if s.opts.Provider == "azure" {
		a.header = map[string]string{"x-ms-error-code": code}
	}
	return a
}
