package convert

import "github.com/nexport-go/migrate"

// The statuses of MLflow that runs get.
const (
	StatusFinished = "FINISHED"
	StatusFailed   = "FAILED"
)

// MaxRunName is the longest run name in code points (the column's width on strict databases).
const MaxRunName = 250

// RunMeta is what a run's sys/* attributes say about the run itself. The zero value is a run that
// says nothing.
type RunMeta struct {
	CustomID    string   // sys/custom_run_id
	Start       *int64   // sys/creation_time, ms; nil if there is none
	Ping        *int64   // sys/ping_time
	Modified    *int64   // sys/modification_time
	Failed      bool     // sys/failed
	User        string   // sys/owner
	Description string   // sys/description
	Tags        []string // sys/tags
	ForkParent  string   // sys/forking/parent
	Model       string   // sys/model_id, of a model version
	Stage       string   // sys/stage, of a model version
	Git         GitRef   // source_code/git
}

// WantMeta accepts the attributes that Take looks at. It is a migrate.Want.
func WantMeta(path string, _ migrate.Kind) bool {
	switch path {
	case "sys/custom_run_id", "sys/creation_time", "sys/ping_time", "sys/modification_time", "sys/failed",
		"sys/owner", "sys/description", "sys/tags", "sys/forking/parent", "sys/model_id", "sys/stage", gitPath:
		return true
	}
	return false
}

// Take remembers what chunk says about the run and passes over everything else, values of an
// unexpected type included.
func (m *RunMeta) Take(chunk migrate.Chunk) {
	if !WantMeta(chunk.Path, chunk.Kind) || chunk.Kind.Series() || chunk.Len() != 1 {
		return
	}
	switch v := chunk.Values.(type) {
	case migrate.Strings:
		if chunk.Path == gitPath {
			m.Git = parseGit(v[0])
		}
		m.takeText(chunk.Path, v[0])
	case migrate.Datetimes:
		m.takeTime(chunk.Path, v[0])
	case migrate.Bools:
		if chunk.Path == "sys/failed" {
			m.Failed = v[0]
		}
	case migrate.StringSets:
		if chunk.Path == "sys/tags" {
			m.Tags = v[0]
		}
	}
}

func (m *RunMeta) takeText(path, s string) {
	switch path {
	case "sys/custom_run_id":
		m.CustomID = s
	case "sys/owner":
		m.User = s
	case "sys/description":
		m.Description = s
	case "sys/forking/parent":
		m.ForkParent = s
	case "sys/model_id":
		m.Model = s
	case "sys/stage":
		m.Stage = s
	}
}

func (m *RunMeta) takeTime(path string, ms int64) {
	if ms == migrate.NoTime {
		return
	}
	switch path {
	case "sys/creation_time":
		m.Start = &ms
	case "sys/ping_time":
		m.Ping = &ms
	case "sys/modification_time":
		m.Modified = &ms
	}
}

// RunName is the custom run ID, else the ID of run, cut to MaxRunName. It is never empty, since
// servers invent a name for runs without one.
func (m RunMeta) RunName(run migrate.RunInfo) string {
	for _, name := range []string{m.CustomID, run.ID, run.SysID} {
		if text, _ := Clean(name); text != "" {
			return cut(text, MaxRunName)
		}
	}
	return "-"
}

// Times gives start and end in ms. first is the time of the first point of the first series, for
// runs that do not say when they started: NoTime if there is none, then the start is 0. end is nil
// if it is unknown, and never before the start.
func (m RunMeta) Times(first int64) (start int64, end *int64) {
	if m.Start != nil {
		start = *m.Start
	} else if first != migrate.NoTime {
		start = first
	}
	if end = m.Ping; end == nil {
		end = m.Modified
	}
	if end != nil {
		ms := max(*end, start)
		end = &ms
	}
	return start, end
}

// Status is StatusFailed or StatusFinished.
func (m RunMeta) Status() string {
	if m.Failed {
		return StatusFailed
	}
	return StatusFinished
}

// ParentPath is the attribute that names the parent of a run, or the model of a model version.
func ParentPath(scope migrate.Scope) string {
	if scope == migrate.ScopeModelVersion {
		return "sys/model_id"
	}
	return "sys/forking/parent"
}

// Parent is the run that this one was forked from or, of a model version, its model; its ID is empty if
// there is none.
func (m RunMeta) Parent(run migrate.RunInfo) migrate.RunRef {
	parent := m.ForkParent
	if run.Scope == migrate.ScopeModelVersion {
		parent = m.Model
	}
	if parent != "" {
		run.Parent = parent
	}
	ref, _ := run.ParentRef()
	return ref
}
