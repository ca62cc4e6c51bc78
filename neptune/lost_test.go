package neptune_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// TestLostFiles tells a file that the storage does not give from a storage that is not there just now: the first is
// one file's problem, the second the end of the run.
func TestLostFiles(t *testing.T) {
	kinds := []error{migrate.ErrNotFound, migrate.ErrUnauthorized, migrate.ErrCorrupt}
	for _, test := range []struct {
		name  string
		fault neptunetest.Fault
		want  error // nil: none of kinds
	}{
		{"not there", neptunetest.Fault{Status: 404}, migrate.ErrNotFound},
		{"denied", neptunetest.Fault{Status: 403}, migrate.ErrUnauthorized},
		{"expires at once", neptunetest.Fault{ExpiredLink: true}, migrate.ErrCorrupt}, // 400 of Google
		{"breaks the storage", neptunetest.Fault{Status: 500}, migrate.ErrCorrupt},
		{"too short", neptunetest.Fault{Status: 200, Body: "x"}, migrate.ErrCorrupt},
		{"storage is away", neptunetest.Fault{Status: 503}, nil},
		{"storage is busy", neptunetest.Fault{Status: 429, RetryAfter: "1"}, nil},
		{"connection breaks", neptunetest.Fault{Reset: true}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := project(neptunetest.Attribute{Path: "f", Value: neptunetest.FileOf("a", "text/plain", []byte("hello"))})
			server := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
			r, refs := fileRefs(t, open(t, server, quick), p)
			server.SetFault(func(_ int, r *http.Request) (f neptunetest.Fault) {
				if strings.Contains(r.URL.Path, "/storage/") {
					f = test.fault
				}
				return f
			})
			file, err := r.OpenFile(t.Context(), refs[0])
			if err == nil {
				_, err = io.ReadAll(file)
				file.Close()
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, kind := range kinds {
				if errors.Is(err, kind) != (kind == test.want) {
					t.Errorf("error %v is %v: %t", err, kind, errors.Is(err, kind))
				}
			}
		})
	}
}
