package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
)

// neptuneFlags say which Neptune to read, and how.
type neptuneFlags struct {
	Exporter   string        `help:"Generation of Neptune: ${enum} (default ${default}: ask the server)." enum:"auto,neptune3,neptune2" default:"auto" placeholder:"WHICH"`
	NeptuneURL string        `name:"neptune-url" help:"Address of Neptune, if it is not the one in the API token." placeholder:"URL"`
	CABundle   string        `name:"ca-bundle" help:"PEM file with the certificates to trust, instead of the system's." placeholder:"FILE"`
	ClientCert string        `help:"PEM file with a client certificate." placeholder:"FILE"`
	ClientKey  string        `help:"PEM file with the key of --client-cert, if it is not in there." placeholder:"FILE"`
	Rate       float64       `help:"Most requests a second (0: no limit of our own)." placeholder:"N"`
	Timeout    time.Duration `help:"Longest time that one request may go without an answer, such as 30s or 2m (0: the default)." placeholder:"TIME"`
	APIToken   string        `name:"api-token" hidden:""`         // of the Python tool; others can see it there
	ErrorFile  string        `name:"error-report-file" hidden:""` // of the Python tool

	IncludeArchivedRuns   bool   `aliases:"include-archived-models" help:"Archived and trashed runs too."`
	IncludeMetricPreviews bool   `help:"Points that are not final yet (metric previews, of Neptune 3.x) too."`
	NoArtifactContents    bool   `help:"Of artifacts (of Neptune 2.x) only the hashes and the lists of files, not the files: these lie outside of Neptune, on disks and in buckets that this machine may reach."`
	RunsQuery             string `short:"q" aliases:"models-query" help:"Only runs that this query of Neptune's own language (NQL) finds, and no models unless --scope names them." placeholder:"NQL"`

	temp string // directory for what is thrown away again
}

// autoExporter is the --exporter that asks the server.
const autoExporter = "auto"

// Validate checks what Kong cannot.
func (f neptuneFlags) Validate() error {
	switch {
	case f.Rate < 0:
		return errors.New("--rate must not be negative")
	case f.Timeout < 0:
		return errors.New("--timeout must not be negative")
	}
	return nil
}

// with are the things that a Neptune of a generation is asked for and that it does not give by itself; manifests have
// them, so that a run that was exported without is completed.
func (f neptuneFlags) with(g neptune.Generation) (things []string) {
	if f.IncludeMetricPreviews && g == neptune.Neptune3 {
		things = append(things, "metric previews")
	}
	if !f.NoArtifactContents && g == neptune.Neptune2 {
		things = append(things, "artifact contents")
	}
	return things
}

// service is a Neptune.
type service interface {
	migrate.Source
	// Projects lists a workspace's projects, as "workspace/name".
	Projects(ctx context.Context, workspace string) ([]string, error)
}

// connection is a Neptune, what it is, and its address, which has no secrets in it.
type connection struct {
	service
	generation neptune.Generation
	address    string
}

// origin is what manifests say of where runs come from.
func (c connection) origin() string { return fmt.Sprintf("%s (%s)", c.address, c.generation) }

// connector makes a connection, and to do so may ask the server of which generation it is. Tests
// replace it.
type connector func(ctx context.Context, f neptuneFlags, log *slog.Logger) (connection, error)

// exporters are the names of the generations in flags and in --json.
var exporters = map[neptune.Generation]string{neptune.Neptune2: "neptune2", neptune.Neptune3: "neptune3"}
