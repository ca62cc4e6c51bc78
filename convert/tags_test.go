package convert_test

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

func TestIDs(t *testing.T) {
	t.Parallel()
	ref := migrate.RunRef{Project: "ws/proj", ID: "a-1"}
	// Computed with hashlib.blake2b(b"ws/proj\0run\0a-1", digest_size=16) and so on.
	if got, want := convert.RunID(ref), "dc554510e7e567ac4d5d80df4d18ad0d"; got != want {
		t.Errorf("RunID is %s, want %s", got, want)
	}
	if got, want := convert.LayoutID("x-", convert.ByProject, "ws/proj"), "d979a1811377f786fcf64e9812a0c32a"; got != want {
		t.Errorf("LayoutID is %s, want %s", got, want)
	}
	seen := map[string]bool{}
	for _, ref := range []migrate.RunRef{ref, {Project: "ws/proj", ID: "A-1"}, {Project: "ws/pro", ID: "ja-1"}, {Project: "ws/proj", ID: "a-1", Scope: migrate.ScopeModel}} {
		seen[convert.RunID(ref)] = true
	}
	if len(seen) != 4 {
		t.Errorf("only %d different IDs", len(seen))
	}
}

func TestExperimentName(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		prefix, project, name string
		byName                bool
		want                  string
	}{
		{"", "ws/proj", "exp", false, "ws/proj"},
		{"old/", "ws/proj", "exp", false, "old/ws/proj"},
		{"", "ws/proj", "odd it's 🚀", true, "ws/proj/odd it's 🚀"},
		{"", "ws/proj", "", true, "ws/proj"},
	} {
		run := migrate.RunInfo{RunRef: migrate.RunRef{Project: tt.project}, Name: tt.name}
		if got := convert.ExperimentName(tt.prefix, run, tt.byName); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
		for _, scope := range []migrate.Scope{migrate.ScopeModel, migrate.ScopeModelVersion} {
			run.Scope = scope
			if got, want := convert.ExperimentName(tt.prefix, run, tt.byName), tt.prefix+tt.project+"/models"; got != want {
				t.Errorf("%s: got %q, want %q", scope, got, want)
			}
		}
	}
}

func FuzzExperimentName(f *testing.F) {
	f.Add("a", "b")
	f.Add("", " ")
	f.Add("a\x00", "a\u2400")
	f.Add(strings.Repeat("x", 300), strings.Repeat("x", 301))
	f.Fuzz(func(t *testing.T, a, b string) {
		of := func(project string) string {
			return convert.ExperimentName("", migrate.RunInfo{RunRef: migrate.RunRef{Project: project}}, false)
		}
		x, y := of(a), of(b)
		if a != b && x == y {
			t.Errorf("%q and %q share %q", a, b, x)
		}
		if !utf8.ValidString(x) || utf8.RuneCountInString(x) > 250 || strings.TrimSpace(x) == "" || strings.Contains(x, "\x00") {
			t.Errorf("%q is no experiment name", x)
		}
	})
}

func metaOf(chunks ...migrate.Chunk) (m convert.RunMeta) {
	for _, c := range chunks {
		m.Take(c)
	}
	return m
}

func TestRunMeta(t *testing.T) {
	t.Parallel()
	m := metaOf(
		migrate.Chunk{Path: "sys/custom_run_id", Kind: migrate.KindString, Values: migrate.Strings{"custom"}},
		migrate.Chunk{Path: "sys/creation_time", Kind: migrate.KindDatetime, Values: migrate.Datetimes{100}},
		migrate.Chunk{Path: "sys/ping_time", Kind: migrate.KindDatetime, Values: migrate.Datetimes{300}},
		migrate.Chunk{Path: "sys/modification_time", Kind: migrate.KindDatetime, Values: migrate.Datetimes{400}},
		migrate.Chunk{Path: "sys/failed", Kind: migrate.KindBool, Values: migrate.Bools{true}},
		migrate.Chunk{Path: "sys/owner", Kind: migrate.KindString, Values: migrate.Strings{"ada"}},
		migrate.Chunk{Path: "sys/description", Kind: migrate.KindString, Values: migrate.Strings{"text"}},
		migrate.Chunk{Path: "sys/tags", Kind: migrate.KindStringSet, Values: migrate.StringSets{{"b", "a"}}},
		migrate.Chunk{Path: "sys/forking/parent", Kind: migrate.KindString, Values: migrate.Strings{"base"}},
		migrate.Chunk{Path: "sys/model_id", Kind: migrate.KindString, Values: migrate.Strings{"PRJ-MOD"}},
		migrate.Chunk{Path: "sys/stage", Kind: migrate.KindString, Values: migrate.Strings{"staging"}},
		migrate.Chunk{Path: "source_code/git", Kind: migrate.KindGitRef, Values: migrate.Strings{`{"commit":{"commitId":"1a2b"}}`}},
		migrate.Chunk{Path: "owner", Kind: migrate.KindString, Values: migrate.Strings{"not this"}},
		migrate.Chunk{Path: "sys/owner", Kind: migrate.KindInt, Values: migrate.Ints{1}},
		migrate.Chunk{Path: "sys/owner", Kind: migrate.KindString, Values: migrate.Strings{}},
		migrate.Chunk{Path: "sys/failed", Kind: migrate.KindFloatSeries, Steps: []migrate.Step{0}, Times: []int64{0}, Values: migrate.Floats{0}},
	)
	want := convert.RunMeta{
		CustomID: "custom", Start: ptr(100), Ping: ptr(300), Modified: ptr(400), Failed: true,
		User: "ada", Description: "text", Tags: []string{"b", "a"}, ForkParent: "base",
		Model: "PRJ-MOD", Stage: "staging", Git: convert.GitRef{Commit: "1a2b"},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
	if m.Status() != "FAILED" || (convert.RunMeta{}).Status() != "FINISHED" {
		t.Errorf("status %s", m.Status())
	}
}

// TestWantMeta: Take needs nothing that WantMeta does not ask for, and all that it asks for.
func TestWantMeta(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"sys/custom_run_id", "sys/creation_time", "sys/ping_time", "sys/modification_time", "sys/failed", "sys/owner",
		"sys/description", "sys/tags", "sys/forking/parent", "sys/model_id", "sys/stage", "source_code/git", "source_code/files", "sys/name", "sys/id", "sys/size", "loss", "owner",
	} {
		used := false
		for kind, v := range map[migrate.Kind]migrate.Values{
			migrate.KindString: migrate.Strings{"x"}, migrate.KindGitRef: migrate.Strings{`{"currentBranch":"x"}`}, migrate.KindDatetime: migrate.Datetimes{1},
			migrate.KindBool: migrate.Bools{true}, migrate.KindStringSet: migrate.StringSets{{"x"}},
		} {
			used = used || !cmp.Equal(convert.RunMeta{}, metaOf(migrate.Chunk{Path: path, Kind: kind, Values: v}))
		}
		if want := convert.WantMeta(path, migrate.KindString); used != want {
			t.Errorf("%s: WantMeta says %v, Take says %v", path, want, used)
		}
	}
	if m := metaOf(migrate.Chunk{Path: "sys/ping_time", Kind: migrate.KindDatetime, Values: migrate.Datetimes{migrate.NoTime}}); m.Ping != nil {
		t.Errorf("NoTime was taken as %d", *m.Ping)
	}
}

func ptr(n int64) *int64 { return &n }

func TestRunTimes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		meta      convert.RunMeta
		first     int64
		wantStart int64
		wantEnd   *int64
	}{
		{"nothing known", convert.RunMeta{}, migrate.NoTime, 0, nil},
		{"first point", convert.RunMeta{}, 50, 50, nil},
		{"creation before first point", convert.RunMeta{Start: ptr(60)}, 50, 60, nil},
		{"ping before modification", convert.RunMeta{Start: ptr(60), Ping: ptr(70), Modified: ptr(80)}, 50, 60, ptr(70)},
		{"modification", convert.RunMeta{Start: ptr(60), Modified: ptr(80)}, 50, 60, ptr(80)},
		{"end before start", convert.RunMeta{Start: ptr(60), Ping: ptr(10)}, 50, 60, ptr(60)},
		{"end before first point", convert.RunMeta{Ping: ptr(10)}, 50, 50, ptr(50)},
	} {
		start, end := tt.meta.Times(tt.first)
		if start != tt.wantStart || !cmp.Equal(end, tt.wantEnd) {
			t.Errorf("%s: %d, %v", tt.name, start, end)
		}
	}
}

func TestRunName(t *testing.T) {
	t.Parallel()
	run := exampleRun()
	for _, tt := range []struct {
		meta convert.RunMeta
		run  migrate.RunInfo
		want string
	}{
		{convert.RunMeta{CustomID: "custom"}, run, "custom"},
		{convert.RunMeta{}, run, "a-1"},
		{convert.RunMeta{CustomID: "a\x00\xff"}, run, "a\u2400\ufffd"},
		{convert.RunMeta{CustomID: strings.Repeat("é", 300)}, run, strings.Repeat("é", 250)},
		{convert.RunMeta{}, migrate.RunInfo{}, "-"},
	} {
		if got := tt.meta.RunName(tt.run); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestRunTags(t *testing.T) {
	t.Parallel()
	m := convert.RunMeta{
		User: "ada", Description: "a\nb", Tags: []string{"z", "a#b", "z", ""}, ForkParent: "base",
		Git: convert.GitRef{Commit: "1a2b", Branch: "main", Remote: "git@host:a.git"},
	}
	tags, problems := m.RunTags(exampleRun(), convert.DefaultMultiplier, convert.KeyRules{}, 0)
	hashed, _ := convert.KeyRules{}.Key("a#b")
	empty, _ := convert.KeyRules{}.Key("")
	want := []convert.Tag{
		{"mlflow.note.content", "a\nb"},
		{"mlflow.source.git.branch", "main"},
		{"mlflow.source.git.commit", "1a2b"},
		{"mlflow.source.git.repoURL", "git@host:a.git"},
		{"mlflow.user", "ada"},
		{"neptune.parent", "base"},
		{"neptune.project", "ws/proj"},
		{"neptune.run_id", "a-1"},
		{"neptune.scope", "run"},
		{"neptune.sys_id", "PRJ-1"},
		{"neptune.tags", `["z","a#b","z",""]`},
		{"nexport.id", convert.RunID(exampleRun().RunRef)},
		{"nexport.step_multiplier", "1000000"},
		{"tag." + empty, "true"},
		{"tag." + hashed, "true"},
		{"tag.z", "true"},
	}
	if diff := cmp.Diff(want, tags); diff != "" {
		t.Error(diff)
	}
	if len(problems) != 2 || problems[0].Code != migrate.CodeRenamed || problems[0].Code.Lossy() {
		t.Errorf("problems %v", problems)
	}
}

// TestParent: the attribute goes before what a listing says, and that before what the ID says.
func TestParent(t *testing.T) {
	t.Parallel()
	run := migrate.RunInfo{RunRef: migrate.RunRef{Project: "ws/proj", ID: "PRJ-MOD-3"}}
	listed := run
	listed.Parent = "listed"
	version := run
	version.Scope = migrate.ScopeModelVersion
	m := convert.RunMeta{ForkParent: "fork", Model: "PRJ-MOD", Stage: "production"}
	for name, c := range map[string]struct {
		meta convert.RunMeta
		run  migrate.RunInfo
		want migrate.RunRef
	}{
		"none":        {convert.RunMeta{Model: "PRJ-MOD"}, run, migrate.RunRef{Project: "ws/proj"}},
		"listed":      {convert.RunMeta{}, listed, migrate.RunRef{Project: "ws/proj", ID: "listed"}},
		"fork":        {m, listed, migrate.RunRef{Project: "ws/proj", ID: "fork"}},
		"own parent":  {convert.RunMeta{ForkParent: run.ID}, run, run.RunRef},
		"model":       {m, version, migrate.RunRef{Project: "ws/proj", ID: "PRJ-MOD", Scope: migrate.ScopeModel}},
		"model by ID": {convert.RunMeta{}, version, migrate.RunRef{Project: "ws/proj", ID: "PRJ-MOD", Scope: migrate.ScopeModel}},
	} {
		if got := c.meta.Parent(c.run); got.ID != c.want.ID || got.ID != "" && got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
	tags, problems := m.RunTags(version, convert.DefaultMultiplier, convert.KeyRules{}, 0)
	want := []convert.Tag{
		{"neptune.parent", "PRJ-MOD"},
		{"neptune.project", "ws/proj"},
		{"neptune.run_id", "PRJ-MOD-3"},
		{"neptune.scope", "model_version"},
		{"neptune.stage", "production"},
		{"nexport.id", convert.RunID(version.RunRef)},
		{"nexport.step_multiplier", "1000000"},
	}
	if diff := cmp.Diff(want, tags); diff != "" || len(problems) > 0 {
		t.Errorf("%v\n%s", problems, diff)
	}
}

func TestRunTagsKeepToLimits(t *testing.T) {
	t.Parallel()
	m := convert.RunMeta{Description: strings.Repeat("é", 9000), Tags: []string{strings.Repeat("t", 250), "bad\x00\xff"}}
	run := migrate.RunInfo{RunRef: migrate.RunRef{Project: "p\x00\xff", ID: strings.Repeat("i", 6000)}, Parent: "from listing"}
	tags, problems := m.RunTags(run, convert.DefaultMultiplier, convert.KeyRules{}, 0)
	values := map[string]string{}
	for _, tag := range tags {
		if !legalKey(tag.Key, false) || utf8.RuneCountInString(tag.Value) > 5000 || !utf8.ValidString(tag.Value) || strings.Contains(tag.Value, "\x00") {
			t.Errorf("tag %q of %d bytes", tag.Key, len(tag.Value))
		}
		values[tag.Key] = tag.Value
	}
	if values["neptune.parent"] != "from listing" {
		t.Errorf("parent %q", values["neptune.parent"])
	}
	codes := map[migrate.Code]int{}
	for _, p := range problems {
		codes[p.Code]++
	}
	if diff := cmp.Diff(map[migrate.Code]int{migrate.CodeShortened: 2, migrate.CodeRenamed: 2}, codes); diff != "" {
		t.Errorf("%s in %v", diff, problems)
	}
}

func TestMetricTime(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		ms, start, index, want int64
		exact                  bool
	}{
		{17, 100, 3, 17, true},
		{0, 100, 3, 0, true},
		{-1, 100, 3, 0, false},
		{migrate.NoTime, 100, 3, 103, false},
		{migrate.NoTime, -100, 3, 3, false},
		{migrate.NoTime, math.MaxInt64, 3, math.MaxInt64, false},
	} {
		if got, exact := convert.MetricTime(tt.ms, tt.start, tt.index); got != tt.want || exact != tt.exact {
			t.Errorf("MetricTime(%d, %d, %d) = %d, %v", tt.ms, tt.start, tt.index, got, exact)
		}
	}
}

func TestExactValue(t *testing.T) {
	t.Parallel()
	for _, v := range []float64{0, 1, -5e-324, math.MaxFloat64, math.NaN()} {
		if !convert.ExactValue(v) {
			t.Errorf("%g is exact", v)
		}
	}
	for _, v := range []float64{math.Copysign(0, -1), math.Inf(1), math.Inf(-1)} {
		if convert.ExactValue(v) {
			t.Errorf("%g is not exact", v)
		}
	}
}
