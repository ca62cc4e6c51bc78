package migrate_test

import (
	"regexp"
	"testing"
	"time"

	migrate "github.com/nexport-go/migrate"
)

func TestSelectionMatch(t *testing.T) {
	day := time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)
	run := migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/p", ID: "custom"}, SysID: "P-7", Modified: day}
	model := migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/p", ID: "M-1", Scope: migrate.ScopeModel}}
	bare := migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/p", ID: "x"}}
	runs := func(refs ...migrate.RunRef) migrate.Selection { return migrate.Selection{Runs: refs} }
	for name, c := range map[string]struct {
		sel  migrate.Selection
		run  migrate.RunInfo
		want bool
	}{
		"zero takes runs":                   {migrate.Selection{}, run, true},
		"zero takes no models":              {migrate.Selection{}, model, false},
		"models":                            {migrate.Selection{Scopes: []migrate.Scope{migrate.ScopeModel}}, model, true},
		"models only":                       {migrate.Selection{Scopes: []migrate.Scope{migrate.ScopeModel}}, run, false},
		"project":                           {migrate.Selection{Projects: []string{"ws/q", "ws/p"}}, run, true},
		"another project":                   {migrate.Selection{Projects: []string{"ws/q"}}, run, false},
		"custom ID":                         {runs(migrate.RunRef{ID: "custom"}), run, true},
		"short ID":                          {runs(migrate.RunRef{ID: "P-7"}), run, true},
		"an ID is no prefix":                {runs(migrate.RunRef{ID: "P-"}), run, false},
		"ID in another project":             {runs(migrate.RunRef{Project: "ws/q", ID: "custom"}), run, false},
		"ID of another scope":               {runs(migrate.RunRef{ID: "custom", Scope: migrate.ScopeModel}), run, false},
		"no ID is not an unknown short ID":  {runs(migrate.RunRef{}), bare, false},
		"pattern inside":                    {migrate.Selection{IDMatch: regexp.MustCompile("sto")}, run, true},
		"pattern not inside":                {migrate.Selection{IDMatch: regexp.MustCompile("^sto")}, run, false},
		"since that moment":                 {migrate.Selection{Since: day}, run, true},
		"since later":                       {migrate.Selection{Since: day.Add(1)}, run, false},
		"since, time unknown":               {migrate.Selection{Since: day}, bare, true},
		"all conditions, one does not hold": {migrate.Selection{Projects: []string{"ws/p"}, IDMatch: regexp.MustCompile("no")}, run, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.sel.Match(c.run); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestParentRef(t *testing.T) {
	info := func(scope migrate.Scope, id, parent string) migrate.RunInfo {
		return migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/p", ID: id, Scope: scope}, Parent: parent}
	}
	for name, c := range map[string]struct {
		run  migrate.RunInfo
		want string // empty: none
	}{
		"fork":                      {info(migrate.ScopeRun, "b", "a"), "ws/p/a"},
		"no fork":                   {info(migrate.ScopeRun, "P-1", ""), ""},
		"its own parent":            {info(migrate.ScopeRun, "a", "a"), ""},
		"model":                     {info(migrate.ScopeModel, "P-1", ""), ""},
		"version":                   {info(migrate.ScopeModelVersion, "P-MOD-12", ""), "ws/p/model/P-MOD"},
		"version of a named model":  {info(migrate.ScopeModelVersion, "a", "a"), "ws/p/model/a"},
		"version with another name": {info(migrate.ScopeModelVersion, "big", ""), ""},
		"version with a dash":       {info(migrate.ScopeModelVersion, "a-b", ""), ""},
		"version of nothing":        {info(migrate.ScopeModelVersion, "-1", ""), ""},
		"no ID":                     {info(migrate.ScopeModelVersion, "", ""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := c.run.ParentRef()
			if ok != (c.want != "") || ok && got.String() != c.want {
				t.Errorf("got %v, %v, want %q", got, ok, c.want)
			}
		})
	}
}

func TestShardsDivideTheRuns(t *testing.T) {
	const shards = 7
	sizes := make([]int, shards)
	for i := range 1000 {
		run := migrate.RunInfo{RunRef: ref(string(rune('a'+i%26)) + time.Duration(i).String())}
		var in int
		for shard := range shards {
			if (migrate.Selection{Shard: shard, ShardCount: shards}).Match(run) {
				sizes[shard]++
				in++
			}
		}
		if in != 1 {
			t.Fatalf("%s is in %d shards", run.ID, in)
		}
	}
	for shard, n := range sizes {
		if n < 50 {
			t.Errorf("shard %d has %d of 1000 runs", shard, n)
		}
	}
}

func TestFilterMatch(t *testing.T) {
	for name, c := range map[string]struct {
		filter migrate.Filter
		want   bool
		all    bool
	}{
		"zero":                {migrate.Filter{}, true, true},
		"path":                {migrate.Filter{Path: regexp.MustCompile("loss$")}, true, false},
		"another path":        {migrate.Filter{Path: regexp.MustCompile("^loss")}, false, false},
		"kind":                {migrate.Filter{Kinds: []migrate.Kind{migrate.KindFloatSeries}}, true, false},
		"another kind":        {migrate.Filter{Kinds: []migrate.Kind{migrate.KindInt}}, false, false},
		"excluded":            {migrate.Filter{Exclude: []migrate.Kind{migrate.KindFloatSeries}}, false, false},
		"wanted and excluded": {migrate.Filter{Kinds: []migrate.Kind{migrate.KindFloatSeries}, Exclude: []migrate.Kind{migrate.KindFloatSeries}}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.filter.Match("train/loss", migrate.KindFloatSeries); got != c.want {
				t.Errorf("Match: got %v, want %v", got, c.want)
			}
			if got := c.filter.All(); got != c.all {
				t.Errorf("All: got %v, want %v", got, c.all)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{ref("a/b").String(), "ws/p/a/b"},
		{migrate.RunRef{Project: "ws/p", ID: "M-1", Scope: migrate.ScopeModelVersion}.String(), "ws/p/model_version/M-1"},
		{migrate.Unverified.String(), "unverified"},
		{migrate.Partial.String(), "partial"},
		{migrate.Complete.String(), "complete"},
		{migrate.Problem{Path: "a", Code: migrate.CodeMissing, Text: "gone"}.String(), "a: gone (missing)"},
		{migrate.Problem{Code: migrate.CodeSuspect, Text: "odd"}.String(), "odd (suspect)"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestSeriesKinds(t *testing.T) {
	series := map[migrate.Kind]bool{
		migrate.KindFloatSeries: true, migrate.KindStringSeries: true, migrate.KindHistogramSeries: true, migrate.KindFileSeries: true,
		migrate.KindFloat: false, migrate.KindFile: false, migrate.KindFileSet: false, migrate.KindStringSet: false,
	}
	for kind, want := range series {
		if kind.Series() != want {
			t.Errorf("%s.Series() = %v", kind, !want)
		}
	}
}
