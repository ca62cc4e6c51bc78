package parquetstore

import migrate "github.com/nexport-go/migrate"

// artifactRow gathers what comes in several chunks and goes into one row: an artifact's hash, and the
// path of the list of its files. The manifest has its other files.
type artifactRow struct {
	chunk migrate.Chunk // Path and Kind
	hash  migrate.Strings
	list  string // empty if there is none
}

// takeArtifact takes a chunk of an artifact, whose files are on disk already.
func (w *runWriter) takeArtifact(c migrate.Chunk, files []string) {
	if w.artifact == nil {
		w.artifact = &artifactRow{chunk: migrate.Chunk{Path: c.Path, Kind: c.Kind}}
	}
	if hash, ok := c.Values.(migrate.Strings); ok {
		if valueSize(hash, 0) > maxValue { // the files are worth their row all the same
			w.refuse(c, 0)
			return
		}
		w.artifact.hash = hash
		return
	}
	if w.points == 0 {
		w.artifact.list = files[0]
	}
	w.points += len(files)
}

// endArtifact writes the row of the artifact that was read last.
func (w *runWriter) endArtifact() error {
	a := w.artifact
	if a == nil {
		return nil
	}
	w.artifact = nil
	a.chunk.Values = migrate.Files{{}}
	if a.hash != nil {
		a.chunk.Values = a.hash
	} else if w.points == 0 {
		return nil // nothing of it can be written
	}
	return w.add(a.chunk, []string{a.list})
}
