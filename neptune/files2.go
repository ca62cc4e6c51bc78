package neptune

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/wire2"
)

// keyFile is the beginning of a FileRef.Key of a file attribute; its path follows.
const keyFile = "file:"

// file sends the reference to a file.
func (p *pass2) file(a wire2.Attribute, send sender) bool {
	name := path.Base(a.FileName)
	if name == "." || name == "/" {
		name = path.Base(a.Name)
	}
	if a.Ext != "" && !strings.HasSuffix(name, "."+a.Ext) {
		name += "." + a.Ext
	}
	ref := migrate.FileRef{Key: keyFile + a.Name, Name: name, Size: a.Size}
	return send(migrate.Chunk{Path: a.Name, Kind: migrate.KindFile, Values: migrate.Files{ref}})
}

// OpenFile opens a file that Chunks yielded.
func (r *reader2) OpenFile(ctx context.Context, ref migrate.FileRef) (io.ReadCloser, error) {
	attr, ok := strings.CutPrefix(ref.Key, keyFile)
	if !ok {
		return nil, fmt.Errorf("the server does not say where the file is: %w", migrate.ErrNotFound)
	}
	query, err := r.of(ctx, attr)
	if err != nil {
		return nil, err
	}
	return r.fetch(ctx, attr, "/api/leaderboard/v1/attributes/download", query, ref.Size)
}
