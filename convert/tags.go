package convert

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/nexport-go/migrate"
)

// The tags that runs and experiments get, see docs/formats/mlflow.md.
const (
	TagID         = "nexport.id"
	TagMultiplier = "nexport.step_multiplier"
	TagState      = "nexport.state"
	TagModified   = "nexport.modified"
	TagLayout     = "nexport.layout" // of an experiment
	TagProject    = "neptune.project"
	TagRunID      = "neptune.run_id"
	TagSysID      = "neptune.sys_id"
	TagScope      = "neptune.scope"
	TagParent     = "neptune.parent"
	TagOrphan     = "neptune.orphan"
	TagStage      = "neptune.stage"
	TagTags       = "neptune.tags"
	TagPrefix     = "tag." // and the key of a Neptune tag

	TagMLflowUser   = "mlflow.user"
	TagMLflowNote   = "mlflow.note.content"
	TagMLflowParent = "mlflow.parentRunId"
	TagMLflowKind   = "mlflow.experimentKind" // of an experiment; KindCustom
	TagMLflowCommit = "mlflow.source.git.commit"
	TagMLflowBranch = "mlflow.source.git.branch"
	TagMLflowRemote = "mlflow.source.git.repoURL"
)

// Values of tags.
const (
	KindCustom    = "custom_model_development"
	StateLoading  = "loading"
	StateComplete = "complete"
	StatePartial  = "partial"
)

const (
	// DefaultMaxTag is the longest tag value in code points that 2.x and 3.x servers both take.
	DefaultMaxTag = 5000
	// MaxExperimentName is the longest experiment name in code points (servers take 500, but the
	// column has 256).
	MaxExperimentName = 250
)

// Layouts, for LayoutID.
const (
	ByProject = "project"
	ByName    = "name"
)

// RunID gives the value of TagID: 32 hex digits that identify a run on the server.
func RunID(ref migrate.RunRef) string { return idOf(ref.Project, ScopeName(ref.Scope), ref.ID) }

// LayoutID gives the value of TagLayout: 32 hex digits for the experiments that one way of loading
// a project makes. by is ByProject or ByName.
func LayoutID(prefix, by, project string) string { return idOf(prefix, by, project) }

// ScopeName gives the value of TagScope.
func ScopeName(s migrate.Scope) string {
	if s == migrate.ScopeRun {
		return "run"
	}
	return string(s)
}

// modelsName is behind the project in the name of the experiment that its models are in.
const modelsName = "models"

// ExperimentName gives prefix and project, with byName also the run's name if it has one; models and their
// versions are together in one of their own. What is longer than MaxExperimentName, blank, or no text
// that every database takes, ends in a digest.
func ExperimentName(prefix string, run migrate.RunInfo, byName bool) string {
	full, name := prefix+run.Project, run.Name
	if run.Scope != migrate.ScopeRun {
		byName, name = true, modelsName
	}
	if byName && name != "" {
		full += "/" + name
	}
	text, exact := Clean(full)
	if exact && utf8.RuneCountInString(text) <= MaxExperimentName && strings.TrimSpace(text) != "" && !hasSuffix(text) {
		return text
	}
	return cut(text, MaxExperimentName-suffixLen) + suffixOf(full)
}

// Tag is a tag of a run.
type Tag struct{ Key, Value string }

// RunTags gives the tags that a run is created with, by key, each key once: identity, user,
// description, Neptune's tags, the parent's Neptune ID. Those that only the server's side knows are
// not among them: TagState, TagModified, TagOrphan, TagMLflowParent. maxTag is the longest value in
// code points; 0 means DefaultMaxTag. Longer values are shortened, which is noted.
func (m RunMeta) RunTags(run migrate.RunInfo, multiplier Multiplier, rules KeyRules, maxTag int) ([]Tag, []migrate.Problem) {
	t := tagger{maxTag: maxTag}
	if maxTag == 0 {
		t.maxTag = DefaultMaxTag
	}
	t.add(TagID, RunID(run.RunRef), "")
	t.add(TagMultiplier, multiplier.String(), "")
	t.add(TagProject, run.Project, "")
	t.add(TagRunID, run.ID, "")
	t.add(TagScope, ScopeName(run.Scope), "")
	t.addIf(TagSysID, run.SysID, "sys/id")
	t.addIf(TagParent, m.Parent(run).ID, ParentPath(run.Scope))
	t.addIf(TagStage, m.Stage, "sys/stage")
	t.addIf(TagMLflowCommit, m.Git.Commit, gitPath)
	t.addIf(TagMLflowBranch, m.Git.Branch, gitPath)
	t.addIf(TagMLflowRemote, m.Git.Remote, gitPath)
	t.addIf(TagMLflowUser, m.User, "sys/owner")
	t.addIf(TagMLflowNote, m.Description, "sys/description")
	t.addTags(m.Tags, rules)
	slices.SortFunc(t.tags, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return t.tags, t.problems
}

type tagger struct {
	maxTag   int
	tags     []Tag
	problems []migrate.Problem
}

func (t *tagger) addIf(key, value, path string) {
	if value != "" {
		t.add(key, value, path)
	}
}

// add adds a tag. path is the attribute that has the whole value; if there is none, the sidecar has.
func (t *tagger) add(key, value, path string) {
	where := path
	if path == "" {
		where = SidecarName
	}
	value, _ = Clean(value)
	short, shortened := Shorten(value, t.maxTag, where)
	if shortened {
		t.problems = append(t.problems, migrate.Problem{
			Path: path, Code: migrate.CodeShortened,
			Text: "tag " + key + " is shortened, the whole is in " + where,
		})
	}
	t.tags = append(t.tags, Tag{key, short})
}

func (t *tagger) addTags(names []string, rules KeyRules) {
	if len(names) == 0 {
		return
	}
	t.add(TagTags, string(appendJSONList(nil, names)), "sys/tags")
	rules.MaxLen = rules.maxLen() - len(TagPrefix)
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if seen[name] {
			continue
		}
		seen[name] = true
		key, changed := rules.Key(name)
		if changed {
			t.problems = append(t.problems, Renamed("sys/tags", migrate.KindStringSet, name, TagPrefix+key))
		}
		t.tags = append(t.tags, Tag{TagPrefix + key, "true"})
	}
}
