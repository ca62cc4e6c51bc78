package parquetstore_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/migratetest"
	"github.com/nexport-go/migrate/parquetstore"
)

// A narrower export over a run whose manifest is damaged keeps what it does not replace.
func TestNarrowerOverDamagedManifest(t *testing.T) {
	data, files := t.TempDir(), t.TempDir()
	store := createIn(t, data, files, parquetstore.Config{})
	all := migratetest.Run{Info: migrate.RunInfo{RunRef: ref}, Chunks: []migrate.Chunk{
		{Path: "a", Kind: migrate.KindInt, Values: migrate.Ints{1}},
		{Path: "b", Kind: migrate.KindString, Values: migrate.Strings{"only here"}},
	}}
	mustPut(t, store, all)
	if err := filepath.WalkDir(data, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".json") {
			return os.WriteFile(path, []byte("{"), 0o600)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	some := all
	some.Info.Filter = migrate.Filter{Kinds: []migrate.Kind{migrate.KindInt}}
	some.Chunks = all.Chunks[:1]
	mustPut(t, store, some)
	chunks, r := readRun(t, open(t, data, files), ref)
	if !strings.Contains(outline(chunks), "b string") {
		t.Errorf("b is lost: %s; problems %v", outline(chunks), r.Problems())
	}
}
