package mlflowtest

import (
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// artifact serves the proxy: <experiment>/<run>/artifacts/<path>, percent-encoded once.
func (s *Server) artifact(method, escaped string, body []byte) answer {
	name, err := url.PathUnescape(escaped)
	if err != nil {
		return invalid("Invalid path")
	}
	if problem := artifactProblem(name); problem != "" {
		s.t.Errorf("artifact path %q: %s", name, problem)
		return invalid("Invalid path")
	}
	parts := strings.SplitN(name, "/", 4)
	if len(parts) != 4 || parts[2] != "artifacts" || s.run(parts[1]) == nil || s.run(parts[1]).ExperimentID != parts[0] {
		s.t.Errorf("artifact path %q is not that of a run", name)
		return invalid("Invalid path")
	}
	files := s.run(parts[1]).Artifacts
	switch method {
	case http.MethodPut:
		return s.putArtifact(files, parts[3], body)
	case http.MethodGet:
		if have, ok := files[parts[3]]; ok {
			return answer{status: http.StatusOK, body: string(have)}
		}
		return fail(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "no artifact %s", parts[3])
	}
	s.t.Errorf("%s of artifact %q", method, name)
	return invalid("method")
}

// artifactProblem says why a server may store a path elsewhere, or not at all.
func artifactProblem(name string) string {
	switch {
	case path.Clean(name) != name || path.IsAbs(name):
		return "it resolves to another"
	case strings.ContainsAny(name, "%#?\\:\x00"):
		return "it has characters that the server decodes or refuses"
	}
	for _, segment := range strings.Split(name, "/") {
		if len(segment) > 255 {
			return "it has a name of more than 255 bytes"
		}
	}
	return ""
}

func (s *Server) putArtifact(files map[string][]byte, name string, body []byte) answer {
	if s.opts.Discard {
		body = nil
	}
	for other := range files {
		if strings.HasPrefix(other, name+"/") || strings.HasPrefix(name, other+"/") {
			s.t.Errorf("artifacts %q and %q: one is a directory of the other", name, other)
			return fail(http.StatusInternalServerError, "INTERNAL_ERROR", "is a directory")
		}
	}
	files[name] = slices.Clone(body)
	return ok(struct{}{})
}

// listArtifacts lists one directory.
func (s *Server) listArtifacts(c call) answer {
	run := s.run(c.get("run_id"))
	if run == nil {
		return fail(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Run with id=%s not found", c.get("run_id"))
	}
	if s.opts.SharedDisk {
		s.readDisk(run)
	}
	dir := c.get("path")
	if dir != "" {
		dir += "/"
	}
	var found []any
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(run.Artifacts)) {
		rest, below := strings.CutPrefix(name, dir)
		if !below {
			continue
		}
		if child, _, deeper := strings.Cut(rest, "/"); deeper {
			if !seen[child] {
				seen[child] = true
				found = append(found, map[string]any{"path": dir + child, "is_dir": true})
			}
			continue
		}
		found = append(found, map[string]any{"path": name, "is_dir": false, "file_size": len(run.Artifacts[name])})
	}
	return ok(map[string]any{"root_uri": s.opts.ArtifactRoot, "files": found})
}

// readDisk takes over what a client wrote into the run's directory itself.
func (s *Server) readDisk(run *Run) {
	dir := filepath.Join(filepath.FromSlash(strings.TrimPrefix(s.opts.ArtifactRoot, "file://")), run.ExperimentID, run.ID, "artifacts")
	run.Artifacts = map[string][]byte{}
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(dir, name)
		run.Artifacts[filepath.ToSlash(below)] = body
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		s.t.Errorf("read artifacts: %v", err)
	}
}
