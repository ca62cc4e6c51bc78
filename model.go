package migrate

import (
	"hash/fnv"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Scope tells runs from the objects of Neptune 2's model registry.
type Scope string

// The scopes. IDs are unique within a project and scope.
const (
	ScopeRun          Scope = ""
	ScopeModel        Scope = "model"
	ScopeModelVersion Scope = "model_version"
)

// RunRef identifies a run or a registry object. It is comparable.
type RunRef struct {
	Project string // "workspace/name"
	ID      string // custom run ID where there is one, else the short one ("PRJ-7")
	Scope   Scope
}

// String gives "workspace/name/id", with the scope in front of the ID unless it is a run.
func (r RunRef) String() string {
	if r.Scope == ScopeRun {
		return r.Project + "/" + r.ID
	}
	return r.Project + "/" + string(r.Scope) + "/" + r.ID
}

// RunInfo is what a listing knows of a run.
type RunInfo struct {
	RunRef
	SysID    string    // the short ID ("PRJ-7"); empty if unknown
	Name     string    // sys/name, which the 3.x clients call the experiment; empty if none
	Parent   string    // ID of the run this one was forked from, see ParentRef; empty if none or unknown
	Created  time.Time // zero if unknown
	Modified time.Time // zero if unknown
	Size     int64     // bytes at the source, to estimate progress; 0 if unknown
	State    State     // how far the source's copy can be trusted
	Filter   Filter    // what this job reads of the run; set by Run
}

// ParentRef names what is moved before the run: the run that it was forked from or, of a model
// version, its model. ok is false if there is none.
func (run RunInfo) ParentRef() (ref RunRef, ok bool) {
	ref = RunRef{Project: run.Project, ID: run.Parent, Scope: run.Scope}
	if run.Scope == ScopeModelVersion {
		ref.Scope = ScopeModel
		if ref.ID == "" {
			ref.ID = modelOf(run.ID)
		}
	}
	return ref, ref.ID != "" && ref != run.RunRef
}

// modelOf gives the ID of a version's model: Neptune calls the third version of PRJ-MOD PRJ-MOD-3. It is
// empty if the ID is not one of Neptune's.
func modelOf(version string) string {
	dash := strings.LastIndexByte(version, '-')
	if _, err := strconv.ParseUint(version[dash+1:], 10, 64); err != nil || dash < 0 {
		return ""
	}
	return version[:dash]
}

// State says how far a copy of a run can be trusted.
type State int

const (
	// Unverified is a copy without a completion record, such as an archive of the Python tool.
	Unverified State = iota
	// Partial is a copy known to lack something.
	Partial
	// Complete is a copy with proof that nothing is missing.
	Complete
)

// String gives the lower-case name.
func (s State) String() string {
	switch s {
	case Partial:
		return "partial"
	case Complete:
		return "complete"
	default:
		return "unverified"
	}
}

// MarshalText writes the name of String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Selection chooses runs, and by Filter what is read of them. The zero value chooses all runs
// of ScopeRun. Conditions are joined by "and", the entries of one list by "or".
type Selection struct {
	Projects   []string
	Scopes     []Scope        // none: ScopeRun
	Runs       []RunRef       // exact; ID may be the short one, an empty Project matches any
	IDMatch    *regexp.Regexp // found anywhere in the ID
	Since      time.Time      // modified at or after; a run without a known time is kept
	Shard      int            // with ShardCount: those with hash(ID) % ShardCount == Shard
	ShardCount int            // 0: all
	Filter     Filter
}

// Match reports whether the selection has run in it. Sources may use it as it is, or ask their
// service for less and then use it.
func (s Selection) Match(run RunInfo) bool {
	scopes := s.Scopes
	if len(scopes) == 0 {
		scopes = []Scope{ScopeRun}
	}
	switch {
	case !slices.Contains(scopes, run.Scope),
		len(s.Projects) > 0 && !slices.Contains(s.Projects, run.Project),
		len(s.Runs) > 0 && !slices.ContainsFunc(s.Runs, run.is),
		s.IDMatch != nil && !s.IDMatch.MatchString(run.ID),
		!s.Since.IsZero() && !run.Modified.IsZero() && run.Modified.Before(s.Since),
		s.ShardCount > 0 && shardOf(run.ID, s.ShardCount) != s.Shard:
		return false
	}
	return true
}

func (run RunInfo) is(ref RunRef) bool {
	return (ref.Project == "" || ref.Project == run.Project) && ref.Scope == run.Scope &&
		(ref.ID == run.ID || ref.ID == run.SysID && ref.ID != "")
}

func shardOf(id string, count int) int {
	h := fnv.New32a()
	h.Write([]byte(id))
	return int(h.Sum32() % uint32(count))
}

// Filter chooses attributes. The zero value chooses all.
type Filter struct {
	Path    *regexp.Regexp // found anywhere in the path
	Kinds   []Kind         // none: all
	Exclude []Kind
}

// Match reports whether the filter lets an attribute pass. It is a Want.
func (f Filter) Match(path string, k Kind) bool {
	return (len(f.Kinds) == 0 || slices.Contains(f.Kinds, k)) && !slices.Contains(f.Exclude, k) &&
		(f.Path == nil || f.Path.MatchString(path))
}

// All reports whether the filter chooses every attribute.
func (f Filter) All() bool { return f.Path == nil && len(f.Kinds) == 0 && len(f.Exclude) == 0 }

// Kind is the type of an attribute, spelled as in the archive's attribute_type column. Kinds not
// listed here travel as Strings.
type Kind string

// The kinds. The last five occur with Neptune 2 only.
const (
	KindFloat           Kind = "float"
	KindInt             Kind = "int"
	KindString          Kind = "string"
	KindBool            Kind = "bool"
	KindDatetime        Kind = "datetime"
	KindStringSet       Kind = "string_set"
	KindFloatSeries     Kind = "float_series"
	KindStringSeries    Kind = "string_series"
	KindHistogramSeries Kind = "histogram_series"
	KindFile            Kind = "file"
	KindFileSeries      Kind = "file_series"
	KindFileSet         Kind = "file_set"
	KindArtifact        Kind = "artifact"
	KindGitRef          Kind = "git_ref"
	KindNotebookRef     Kind = "notebook_ref"
	KindRunState        Kind = "run_state"
)

// Series reports whether attributes of this kind have steps.
func (k Kind) Series() bool { return strings.HasSuffix(string(k), "_series") }
