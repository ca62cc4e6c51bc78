package neptunetest_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

func TestLarge(t *testing.T) {
	p := neptunetest.Large("team", "proj", 3, 2, 50)
	s := neptunetest.NewServer(t, neptunetest.Options{Projects: []*neptunetest.Project{p}})
	c := newClient(t, s)
	if ids, n := found(t, c, "", whole); n != 3 || len(ids) != 3 {
		t.Fatalf("runs %v of %d", ids, n)
	}
	read := func() (values []float64) {
		out := c.post(floatPath, `{"requests":[%s],"perSeriesPointsLimit":99,"order":"ascending"}`, floatRequest("0", "L-2", "metrics/group_1/value_0001", ""))
		for _, point := range all(t, at(t, out, 1, 2), 2) {
			values = append(values, double(t, point, 3))
		}
		return values
	}
	first := read()
	if len(first) != 50 {
		t.Errorf("%d points", len(first))
	}
	seen := map[float64]bool{}
	for _, v := range first {
		seen[v] = true
	}
	if len(seen) < 50 {
		t.Errorf("only %d values differ", len(seen))
	}
	if diff := cmp.Diff(first, read()); diff != "" {
		t.Errorf("another reading differs: %s", diff)
	}
}

// BenchmarkListing lists 100,000 runs, page by page.
func BenchmarkListing(b *testing.B) {
	const runs = 100_000
	s := neptunetest.NewServer(b, neptunetest.Options{
		Projects: []*neptunetest.Project{neptunetest.Large("team", "proj", runs, 0, 0)}, NoRecord: true,
	})
	c := newClient(b, s)
	for b.Loop() {
		for offset := 0; offset < runs; offset += 10_000 {
			c.post(searchPath, `{"attributeFilters":[{"path":"sys/custom_run_id"},{"path":"sys/id"},{"path":"sys/modification_time"}],
				"pagination":%s,"query":{"query":"(`+"`sys/archived`"+`:bool != \"True\")"},
				"sorting":{"sortBy":{"name":"sys/creation_time","type":"datetime"},"dir":"ascending"}}`, fmt.Sprintf(`{"limit":10000,"offset":%d}`, offset))
		}
	}
}
