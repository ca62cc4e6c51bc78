package neptune

import (
	"context"
	"fmt"
	"strings"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/setzip"
	"github.com/nexport-go/migrate/neptune/internal/wire2"
)

const (
	// maxDirectories and maxDepth end a listing that leads in circles.
	maxDirectories = 50_000
	maxDepth       = 128
)

// listedFile is a file of a set as the server lists it.
type listedFile struct {
	path string
	size int64 // -1: unknown
}

// list gives the files of a set, directory by directory: GET /api/leaderboard/v1/attributes/ls, as the Python
// client 1.14 does.
func (r *reader2) list(ctx context.Context, a wire2.Attribute) ([]listedFile, error) {
	var files []listedFile
	directories := []string{""}
	for n := 0; n < len(directories); n++ {
		directory := directories[n]
		entries, err := r.listDirectory(ctx, a.Name, directory)
		if err != nil {
			if n == 0 || !passes(err) {
				return nil, err
			}
			r.notef(a.Name, migrate.KindFileSet, migrate.CodeUnreadable, "the server does not list its directory %q: %v", directory, err)
			continue
		}
		for _, e := range entries {
			path := strings.TrimPrefix(directory+"/"+e.Name, "/")
			switch {
			case e.Directory && (e.Name == "" || e.Name == "." || e.Name == ".."):
				continue // the directory itself, or the one above
			case !e.Directory:
				files = append(files, listedFile{path, e.Size})
			case strings.Count(path, "/") >= maxDepth || len(directories) >= maxDirectories:
				r.notef(a.Name, migrate.KindFileSet, migrate.CodeUnreadable, "it has too many directories, such as %.200q", path)
				return files, nil
			default:
				directories = append(directories, path)
			}
		}
		if len(files) > setzip.MaxMembers {
			return nil, fmt.Errorf("it has more than %d files; %w", setzip.MaxMembers, migrate.ErrCorrupt)
		}
	}
	return files, nil
}

func (r *reader2) listDirectory(ctx context.Context, attr, directory string) (entries []wire2.Entry, err error) {
	query, err := r.of(ctx, attr)
	if err != nil {
		return nil, err
	}
	query.Set("path", directory)
	err = r.source.get(ctx, fmt.Sprintf("list %q of %q of %s", directory, attr, r.run), "/api/leaderboard/v1/attributes/ls", query,
		func(b []byte) (err error) {
			entries, err = wire2.Entries(b)
			return err
		})
	return entries, err
}

// names gives the files of an attribute names that can be used as paths, each once.
type names struct {
	renamed some
	taken   map[string]int // how often
}

func newNames(n *notes, attr string, kind migrate.Kind) *names {
	return &names{some{notes: n, path: attr, kind: kind, code: migrate.CodeRenamed}, map[string]int{}}
}

// take gives the name of a file.
func (n *names) take(path string) string {
	clean := setzip.Clean(path)
	name := clean
	for n.taken[name] > 0 {
		n.taken[clean]++
		name = fmt.Sprintf("%s~%d", clean, n.taken[clean])
	}
	n.taken[name]++
	if name != path {
		n.renamed.add(fmt.Sprintf("file %q is named %q here", path, name))
	}
	return name
}

func (n *names) end() { n.renamed.end() }

// some makes a note of each of a few things, and of the number of others: a server can have any number of
// them.
type some struct {
	notes *notes
	path  string
	kind  migrate.Kind
	code  migrate.Code
	n     int
}

// noted is how many things have a note of their own.
const noted = 100

func (s *some) add(text string) {
	if s.n++; s.n <= noted {
		s.notes.notef(s.path, s.kind, s.code, "%s", text)
	}
}

func (s *some) end() {
	if s.n > noted {
		s.notes.notef(s.path, s.kind, s.code, "and %d more like these", s.n-noted)
	}
}
