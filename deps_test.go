package migrate_test

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/nexport-go/migrate"

// forbidden says which packages a package and those it imports must not reach, and why.
var forbidden = []struct{ pkg, dep, why string }{
	{module, module + "/", "the root is imported by its siblings, not the other way round"},
	{module, "github.com/", "the root needs the standard library and x/sync only"},
	{module + "/convert", module + "/mlflow", "the mapping does no I/O"},
	{module + "/convert", "net/http", "the mapping does no I/O"},
	{module + "/convert", "github.com/apache", "Arrow belongs to parquetstore"},
	{module + "/mlflow", "github.com/apache", "Arrow belongs to parquetstore"},
	{module + "/mlflow", module + "/parquetstore", "a sink knows Sources as interfaces"},
	{module + "/mlflow", "github.com/alecthomas/kong", "Kong belongs to the command"},
	{module + "/parquetstore", module + "/mlflow", "a source knows Sinks as interfaces"},
	{module + "/parquetstore", module + "/convert", "the archive holds Neptune's data as it is"},
	{module + "/parquetstore", "github.com/alecthomas/kong", "Kong belongs to the command"},
	{module + "/parquetstore", "github.com/apache/arrow/go/v17/parquet/pqarrow", "see docs/adr/0002-pages-not-records.md"},
	{module + "/parquetstore", "google.golang.org/grpc", "comes with pqarrow"},
	{leaf, module, "it is a leaf"},
	{module + "/neptune", "github.com/apache", "Arrow belongs to parquetstore"},
	{module + "/neptune", module + "/convert", "a source knows nothing of where its runs go"},
	{module + "/neptune", module + "/mlflow", "a source knows Sinks as interfaces"},
	{module + "/neptune", module + "/parquetstore", "a source knows Stores as interfaces"},
	{module + "/neptune", "github.com/alecthomas/kong", "Kong belongs to the command"},
	{module + "/parquetstore", module + "/neptune", "a store knows Sources as interfaces"},
	{module + "/mlflow", module + "/neptune", "a sink knows Sources as interfaces"},
	{module + "/migratetest", module + "/parquetstore", "contracts know no implementation but their own"},
	{module + "/migratetest", module + "/mlflow", "contracts know no implementation but their own"},
}

func TestExamplesImportPublicPackagesOnly(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{range .Imports}}{{println .}}{{end}}", "./examples/...").Output()
	if err != nil {
		t.Fatalf("go list ./examples/...: %v", err)
	}
	if len(strings.Fields(string(out))) == 0 {
		t.Fatal("go list ./examples/... names no imports")
	}
	for _, dep := range strings.Fields(string(out)) {
		if strings.HasPrefix(dep, module) && strings.Contains(dep+"/", "/internal/") {
			t.Errorf("an example imports %s: examples use what everybody can use", dep)
		}
	}
}

// leaf is what every package may import, the root too: it imports nothing but the standard library.
const leaf = module + "/internal/hashed"

func TestImportDirection(t *testing.T) {
	deps := map[string][]string{}
	for _, rule := range forbidden {
		if deps[rule.pkg] == nil {
			out, err := exec.Command("go", "list", "-deps", rule.pkg).Output()
			if err != nil {
				t.Fatalf("go list -deps %s: %v", rule.pkg, err)
			}
			deps[rule.pkg] = strings.Fields(string(out))
		}
		for _, dep := range deps[rule.pkg] {
			if dep == leaf {
				continue
			}
			if dep == rule.dep || dep != rule.pkg && strings.HasPrefix(dep, strings.TrimSuffix(rule.dep, "/")+"/") && !isUnder(rule.pkg, dep) {
				t.Errorf("%s imports %s: %s", rule.pkg, dep, rule.why)
			}
		}
	}
}

// isUnder reports whether dep is rule.pkg itself or one of its own sub-packages, unless pkg is
// the root, under which everything lies.
func isUnder(pkg, dep string) bool {
	return pkg != module && (dep == pkg || strings.HasPrefix(dep, pkg+"/"))
}
