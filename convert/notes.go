package convert

import (
	"fmt"
	"math"
	"strings"

	"github.com/nexport-go/migrate"
)

// Renamed notes that name is stored under another key or artifact path.
func Renamed(path string, kind migrate.Kind, name, stored string) migrate.Problem {
	return note(path, kind, migrate.CodeRenamed, "%q is stored as %q", name, stored)
}

// Shortened notes that the param has only the beginning of a value.
func Shortened(path string, kind migrate.Kind, artifact string) migrate.Problem {
	return note(path, kind, migrate.CodeShortened, "shortened, the whole text is the artifact %q", artifact)
}

// Merged notes that points of a series got the same step as another.
func Merged(path string, kind migrate.Kind, points int64, m Multiplier) migrate.Problem {
	return note(path, kind, migrate.CodeMerged,
		"%d points share a step with another at multiplier %s; their exact steps are in %s", points, m, SidecarName)
}

// Inexact counts the points of a series that are stored as near as the server can, by the reason; a point may have
// several.
type Inexact struct {
	Infinities, Zeros int64 // these are -0.0
	Steps             int64 // with more digits than the multiplier leaves
	Times             int64 // missing, or before 1970
}

// Add counts a point with such a step, time and value.
func (n *Inexact) Add(exactStep, exactTime bool, value float64) {
	if !exactStep {
		n.Steps++
	}
	if !exactTime {
		n.Times++
	}
	switch {
	case math.IsInf(value, 0):
		n.Infinities++
	case !ExactValue(value):
		n.Zeros++
	}
}

// Approximate notes what became of such points.
func Approximate(path string, kind migrate.Kind, points Inexact) migrate.Problem {
	var parts []string
	for _, part := range []struct {
		n    int64
		what string
	}{
		{points.Infinities, "infinities are stored as ±1.797e308"},
		{points.Zeros, "-0.0 are stored as 0"},
		{points.Steps, "steps are rounded"},
		{points.Times, "times are missing or before 1970, and others are stored"},
	} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	return note(path, kind, migrate.CodeApproximate, "%s; the exact points are in %s", strings.Join(parts, ", "), SidecarName)
}

// Replaced notes that a text has bytes that are not valid UTF-8 or NUL.
func Replaced(path string, kind migrate.Kind) migrate.Problem {
	return note(path, kind, migrate.CodeApproximate,
		"has bytes that a param cannot hold; the exact ones are in %s", SidecarName)
}

// OutOfRange notes that a float series is stored as a table because of a step.
func OutOfRange(path string, kind migrate.Kind, step migrate.Step, m Multiplier, artifact string) migrate.Problem {
	return note(path, kind, migrate.CodeApproximate,
		"step %s does not fit at multiplier %s; the series is the artifact %q instead of a metric", step, m, artifact)
}

func note(path string, kind migrate.Kind, code migrate.Code, format string, args ...any) migrate.Problem {
	return migrate.Problem{Path: path, Kind: kind, Code: code, Text: fmt.Sprintf(format, args...)}
}
