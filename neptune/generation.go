package neptune

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// Generation is that of a Neptune server, and of the protocol that its clients speak.
type Generation int

const (
	// Neptune3 is read by neptune-query and neptune-scale. The zero Generation stands for it.
	Neptune3 Generation = 3
	// Neptune2 is read by the Python package neptune 1.x.
	Neptune2 Generation = 2
)

// String gives "Neptune 2.x" or "Neptune 3.x".
func (g Generation) String() string {
	if g == Neptune2 {
		return "Neptune 2.x"
	}
	return "Neptune 3.x"
}

// other is the generation to try where g is wrong.
func (g Generation) other() Generation {
	if g == Neptune2 {
		return Neptune3
	}
	return Neptune2
}

// exporter is what the command calls g.
func (g Generation) exporter() string { return fmt.Sprintf("neptune%d", int(g)) }

// ErrGeneration is in errors that mean: the server, or the token, is of another generation of
// Neptune than the one asked for.
var ErrGeneration = errors.New("the server, or the API token, is of another generation of Neptune")

// otherGeneration is an ErrGeneration that says what to do.
type otherGeneration struct{ asked Generation }

func (e otherGeneration) Error() string {
	return fmt.Sprintf("this does not look like %s, try --exporter %s", e.asked, e.asked.other().exporter())
}

func (e otherGeneration) Is(target error) bool { return target == ErrGeneration }

// noEndpoint adds what it means that an endpoint of a generation is not there.
func noEndpoint(err error, g Generation) error {
	if absent(err) {
		return fmt.Errorf("%w; %w", err, otherGeneration{g})
	}
	return err
}

// absent reports an answer that is not Neptune's own, as from a path that the server does not know.
func absent(err error) bool {
	var api *APIError
	return errors.As(err, &api) && api.Code == "" &&
		(api.Status == http.StatusNotFound || api.Status == http.StatusMethodNotAllowed)
}

// anyProject is asked about where no project is known; a server answers that it does not exist.
const anyProject = "nexport/any"

// Detect asks the server that cfg names for its generation, with a few requests. cfg.Generation is ignored. One that
// answers as both do counts as Neptune3. An error that matches ErrGeneration means that it answers as neither
// does; other errors are those of Probe.
func Detect(ctx context.Context, cfg Config) (Generation, error) {
	project := anyProject
	if len(cfg.Projects) > 0 {
		project = cfg.Projects[0]
	}
	var last error
	for _, g := range []Generation{Neptune3, Neptune2} {
		cfg.Generation = g
		s, err := New(cfg)
		if err != nil {
			return 0, err
		}
		err = s.protocol.probe(ctx, project)
		var api *APIError
		if err == nil || errors.As(err, &api) && api.Code != "" && !errors.Is(err, ErrGeneration) && !api.Temporary() {
			return g, nil // a Neptune that knows the question, and not the project
		}
		if !errors.Is(err, ErrGeneration) {
			return 0, err
		}
		last = err
	}
	return 0, fmt.Errorf("the server answers neither as Neptune 3.x nor as Neptune 2.x: %w", last)
}
