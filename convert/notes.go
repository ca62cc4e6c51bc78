package convert

import (
	"fmt"

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

// Approximate notes that points of a series are stored as near as the server can: rounded steps,
// infinities, -0.0, times that are missing or before 1970.
func Approximate(path string, kind migrate.Kind, points int64) migrate.Problem {
	return note(path, kind, migrate.CodeApproximate,
		"%d points have a step, time or value that MLflow cannot hold; the exact ones are in %s", points, SidecarName)
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
