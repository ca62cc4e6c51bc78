package neptunetest

import (
	"cmp"
	"maps"
	"slices"
)

// artifactFiles lists the files of an artifact of the project.
func (s *Server) artifactFiles(c *call) answer {
	p := c.project2()
	a, ok := p.artifacts[c.value("hash")]
	if !ok {
		must(missing("ARTIFACT_NOT_FOUND", "no artifact %q", c.value("hash")))
	}
	list := make([]object, 0, len(a.Files))
	for _, f := range a.Files {
		metadata := []object{}
		for _, key := range slices.Sorted(maps.Keys(f.Metadata)) {
			metadata = append(metadata, object{"key": key, "value": f.Metadata[key]})
		}
		file := object{"filePath": f.Path, "fileHash": f.Hash, "type": cmp.Or(f.Type, "Local"), "metadata": metadata}
		if !f.NoSize {
			file["size"] = f.Size
		}
		list = append(list, file)
	}
	return okJSON(object{"files": list})
}
