package parquetstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
)

// refusing gives none of its files, for a reason.
type refusing struct {
	migrate.RunReader
	reason error
}

func (r refusing) OpenFile(context.Context, migrate.FileRef) (io.ReadCloser, error) {
	return nil, fmt.Errorf("download: %w", r.reason)
}

// TestRefusedFiles: a file that its source will never give is a problem, and the rest of the run is
// archived; anything else may be better next time, and ends the run.
func TestRefusedFiles(t *testing.T) {
	run := migratetest.Run{Info: migrate.RunInfo{RunRef: ref}, Chunks: []migrate.Chunk{
		{Path: "a", Kind: migrate.KindInt, Values: migrate.Ints{1}},
		{Path: "f", Kind: migrate.KindFile, Values: migrate.Files{{Key: "f", Name: "f.bin", Size: 1}}},
	}, Files: map[string][]byte{"f": {1}}}
	for reason, code := range map[error]migrate.Code{
		migrate.ErrNotFound:     migrate.CodeMissing,
		migrate.ErrCorrupt:      migrate.CodeUnreadable,
		migrate.ErrUnauthorized: migrate.CodeUnreadable,
		errors.New("reset"):     "",
		errors.Join(migrate.ErrFatal, migrate.ErrUnauthorized): "",
	} {
		store := create(t)
		var m migratetest.Memory
		m.Add(run)
		r, err := m.OpenRun(t.Context(), run.Info)
		if err != nil {
			t.Fatal(err)
		}
		result, err := store.PutRun(t.Context(), run.Info, refusing{r, reason})
		if code == "" {
			if !errors.Is(err, reason) || len(list(t, store)) != 0 {
				t.Errorf("%v: error %v, %d runs", reason, err, len(list(t, store)))
			}
			continue
		}
		if err != nil || len(result.Problems) != 1 || result.Problems[0].Code != code || list(t, store)[0].State != migrate.Partial {
			t.Errorf("%v: error %v, problems %v", reason, err, result.Problems)
		}
	}
}
