package migrate

import "errors"

// What a caller may decide on, found with errors.Is.
var (
	// ErrNotFound: there is no such run, project or file.
	ErrNotFound = errors.New("not found")
	// ErrUnauthorized: credentials are missing, wrong or not sufficient.
	ErrUnauthorized = errors.New("not authorized")
	// ErrCorrupt: stored data is damaged or contradicts itself.
	ErrCorrupt = errors.New("corrupt data")
	// ErrFatal ends the whole job; whoever meets a full disk or bad credentials wraps it.
	ErrFatal = errors.New("cannot go on")
)

// Code is the class of a Problem.
type Code string

// Losses: the target lacks something that the source has, and the run counts as Partial.
const (
	CodeUnreadable  Code = "unreadable"  // the source has it but could not give it
	CodeUnsupported Code = "unsupported" // the target has no place for it
	CodeMissing     Code = "missing"     // announced, but not there
	CodeDiffers     Code = "differs"     // there, but not equal
)

// Notes: nothing is lost, but something is not as one might expect.
const (
	CodeRenamed     Code = "renamed"     // stored under another name; the way back is stored too
	CodeShortened   Code = "shortened"   // stored in part; the whole is stored beside it
	CodeMerged      Code = "merged"      // several steps became one; the exact ones are stored beside it
	CodeApproximate Code = "approximate" // stored as near as the target can; the exact value is stored beside it
	CodeSuspect     Code = "suspect"     // what is there, at the source or at the target, looks wrong and cannot be repaired
	CodeDetail      Code = "detail"      // what the source says of it beside its values, such as a unit
	CodeElsewhere   Code = "elsewhere"   // bytes that the source names but never held, and that were not reached
)

// Lossy reports whether the code means that something is missing from the target.
func (c Code) Lossy() bool {
	switch c {
	case CodeRenamed, CodeShortened, CodeMerged, CodeApproximate, CodeSuspect, CodeDetail, CodeElsewhere:
		return false
	default:
		return true
	}
}

// Problem is one attribute, or with an empty Path the run itself, that was not moved as it was.
type Problem struct {
	Path string `json:"path,omitempty"`
	Kind Kind   `json:"kind,omitempty"`
	Code Code   `json:"code"`
	Text string `json:"text"`
}

// String gives "path: text (code)".
func (p Problem) String() string {
	s := p.Text + " (" + string(p.Code) + ")"
	if p.Path != "" {
		s = p.Path + ": " + s
	}
	return s
}
