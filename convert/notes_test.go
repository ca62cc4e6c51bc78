package convert_test

import (
	"strings"
	"testing"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

// TestNotes: a note is no loss, and says where to look.
func TestNotes(t *testing.T) {
	t.Parallel()
	m := convert.DefaultMultiplier
	for _, tt := range []struct {
		problem migrate.Problem
		code    migrate.Code
		names   []string
	}{
		{convert.Renamed("p", "int", "a#", "a__h1"), migrate.CodeRenamed, []string{`"a#"`, `"a__h1"`}},
		{convert.Shortened("p", "int", "p.txt"), migrate.CodeShortened, []string{"p.txt"}},
		{convert.Merged("p", "int", 3, m), migrate.CodeMerged, []string{"3 points", "1000000", convert.SidecarName}},
		{convert.Approximate("p", "int", convert.Inexact{Infinities: 4}), migrate.CodeApproximate, []string{"4 infinities", convert.SidecarName}},
		{convert.Approximate("p", "int", convert.Inexact{Zeros: 1, Steps: 2, Times: 3}), migrate.CodeApproximate, []string{"1 -0.0", "2 steps", "3 times"}},
		{convert.Replaced("p", "int"), migrate.CodeApproximate, []string{convert.SidecarName}},
		{convert.OutOfRange("p", "int", 500_000, m, "p.csv"), migrate.CodeApproximate, []string{"0.5", "1000000", "p.csv"}},
	} {
		p := tt.problem
		if p.Path != "p" || p.Kind != "int" || p.Code != tt.code || p.Code.Lossy() {
			t.Errorf("%+v, want code %s", p, tt.code)
		}
		for _, name := range tt.names {
			if !strings.Contains(p.Text, name) {
				t.Errorf("%q does not name %s", p.Text, name)
			}
		}
	}
}
