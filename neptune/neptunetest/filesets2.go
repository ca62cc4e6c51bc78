package neptunetest

import (
	"archive/zip"
	"bytes"
	"cmp"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// zipJob is a zip that a client asked for.
type zipJob struct {
	project, name string
	set           FileSet
	polls         int
}

// prepareZip begins to make a zip of a file set.
func (s *Server) prepareZip(c *call) answer {
	if len(c.body) > 0 {
		must(bad("a body of %d bytes", len(c.body)))
	}
	ri, a := c.attribute("fileSet")
	job := &zipJob{project: ri.project.ID(), set: a.Value.(FileSet), name: cmp.Or(s.opts.ZipName, lastName(a.Path)+".zip")}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := uuid("zip", strconv.Itoa(len(s.zips)))
	s.zips[id] = job
	return s.zipAnswer(id, job)
}

// pollZip tells where the zip is once it is ready.
func (s *Server) pollZip(c *call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := c.value("id")
	job := s.zips[id]
	if job == nil {
		must(missing("NOT_FOUND", "no download %q", id))
	}
	job.polls++
	return s.zipAnswer(id, job)
}

func (s *Server) zipAnswer(id string, job *zipJob) answer {
	out := object{"id": id, "downloadUrl": nil}
	if job.polls > s.opts.ZipPolls {
		out["downloadUrl"] = s.URL + leaderboard + "download/downloadFile?id=" + url.QueryEscape(id)
	}
	return okJSON(out)
}

// downloadZip sends the zip as it is made, without its length: as large as it may be, it takes no memory.
func (s *Server) downloadZip(c *call) answer {
	id := c.value("id")
	job := s.zip(id)
	if job == nil || job.polls <= s.opts.ZipPolls {
		must(missing("NOT_FOUND", "no download %q, or it is not ready", id))
	}
	if s.opts.Redirect {
		return s.redirect(job.project, zipFolder+id)
	}
	return answer{file: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/zip")
		w.Header().Set("Content-Disposition", disposition(job.name))
		if job.set.Zip != nil {
			w.Header().Set("Content-Length", strconv.Itoa(len(job.set.Zip)))
		}
		w.WriteHeader(http.StatusOK)
		if err := job.write(w); err != nil {
			panic(http.ErrAbortHandler)
		}
	}}
}

// zip returns the job as it is now.
func (s *Server) zip(id string) *zipJob {
	s.mu.Lock()
	defer s.mu.Unlock()
	if job := s.zips[id]; job != nil {
		now := *job
		return &now
	}
	return nil
}

// write writes the zip.
func (job *zipJob) write(w io.Writer) error {
	if job.set.Zip != nil {
		_, err := w.Write(job.set.Zip)
		return err
	}
	z := zip.NewWriter(w)
	for _, f := range job.set.Files {
		if f.Content == nil {
			continue
		}
		member, err := z.Create(f.Name)
		if err != nil {
			return err
		}
		if _, err := io.Copy(member, io.NewSectionReader(f.Content, 0, f.Size)); err != nil {
			return err
		}
	}
	return z.Close()
}

// zipFolder is where zips lie in the storage that clients are sent to.
const zipFolder = "zips/"

// zipFile is a zip as a file of the storage.
func (s *Server) zipFile(id string) (File, bool) {
	job := s.zip(id)
	if job == nil {
		return File{}, false
	}
	var content bytes.Buffer
	if err := job.write(&content); err != nil {
		return File{}, false
	}
	return FileOf(job.name, "application/zip", content.Bytes()), true
}

// listSet lists one directory of a file set.
func (s *Server) listSet(c *call) answer {
	_, a := c.attribute("fileSet")
	directory := strings.Trim(c.value("path"), "/")
	if directory != "" {
		directory += "/"
	}
	entries := map[string]object{}
	for _, f := range a.Value.(FileSet).Files {
		rest, in := strings.CutPrefix(f.Name, directory)
		if !in {
			continue
		}
		entry := object{"name": rest, "fileType": "file", "mtime": timeText(1_700_000_000_000), "size": f.Size}
		if name, _, deeper := strings.Cut(rest, "/"); deeper {
			entry = object{"name": name, "fileType": "directory", "mtime": timeText(1_700_000_000_000)}
		}
		entries[entry["name"].(string)] = entry
	}
	if len(entries) == 0 && directory != "" {
		must(missing("FILE_NOT_FOUND", "%s has no directory %q", a.Path, directory))
	}
	return okJSON(sorted(entries))
}

// sorted are the entries by name.
func sorted(entries map[string]object) []object {
	list := make([]object, 0, len(entries))
	for _, entry := range entries {
		list = append(list, entry)
	}
	slices.SortFunc(list, func(a, b object) int { return cmp.Compare(a["name"].(string), b["name"].(string)) })
	return list
}
