package neptunetest

import (
	"io"
	"net/http"
	"strconv"
	"strings"
)

// downloadAttribute sends a file, or one of a file set.
func (s *Server) downloadAttribute(c *call) answer {
	inline := c.value("expectedContentDisposition")
	if inline != "" && inline != "attachment" && inline != "inline" {
		must(bad("expectedContentDisposition=%q", inline))
	}
	if _, member := c.sent["path"]; member {
		return s.downloadMember(c)
	}
	ri, a := c.attribute("file")
	return s.fileAnswer(ri, fileKey{a.Path, 0}, a.Value.(File), "application/octet-stream")
}

// downloadMember sends one file of a set. That real servers do is described, but nobody has seen it.
func (s *Server) downloadMember(c *call) answer {
	ri, a := c.attribute("fileSet")
	for i, f := range a.Value.(FileSet).Files {
		if f.Name == c.value("path") {
			return s.fileAnswer(ri, fileKey{a.Path, i}, f, "application/octet-stream")
		}
	}
	must(missing("FILE_NOT_FOUND", "%s has no file %q", a.Path, c.value("path")))
	return answer{}
}

// fileAnswer sends a file, or the client to where it lies.
func (s *Server) fileAnswer(ri *runIndex, key fileKey, f File, kind string) answer {
	switch {
	case f.Content == nil:
		must(missing("FILE_NOT_FOUND", "the file of %s is lost", key.attribute))
	case s.opts.Redirect:
		return s.redirect(ri.project.ID(), ri.paths[key])
	}
	if f.MIME != "" {
		kind = f.MIME
	}
	return answer{file: func(w http.ResponseWriter, r *http.Request) {
		if s.opts.Ranges {
			f.MIME = kind
			s.serve(w, r, ri.uuid+key.attribute, f)
			return
		}
		w.Header().Set("Content-Disposition", disposition(lastName(f.Name)))
		w.Header().Set("Content-Type", kind)
		s.sendWhole(w, r, f)
	}}
}

// sendWhole sends a file without regard to what part the client asks for.
func (s *Server) sendWhole(w http.ResponseWriter, r *http.Request, f File) {
	if s.opts.GzipFile && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		s.servePacked(w, f)
		return
	}
	w.Header().Set("Content-Length", strconv.FormatInt(f.Size, 10))
	w.WriteHeader(http.StatusOK)
	n, err := io.Copy(w, io.NewSectionReader(f.Content, 0, f.Size))
	if err != nil || n < f.Size { // the client has gone, or the content is shorter than it was told to be
		panic(http.ErrAbortHandler)
	}
}

// lastName is the end of a path.
func lastName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// disposition is a header whose file name, at its end, is plain text: clients of 2.x take it as it is.
func disposition(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r == '"' || r == '\\' || r == 0x7f {
			return '_'
		}
		return r
	}, name)
	return `attachment; filename="` + plain + `"`
}

// redirect sends the client to a signed link of another host, where its access token must not go.
func (s *Server) redirect(project, path string) answer {
	link := strings.Replace(s.link(project, path), "127.0.0.1", "localhost", 1)
	return answer{status: http.StatusFound, header: map[string]string{"Location": link}}
}
