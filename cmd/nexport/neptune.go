package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	migrate "github.com/nexport-go/migrate"
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
	APIToken   string        `name:"api-token" hidden:""` // of the Python tool; others can see it there

	IncludeArchivedRuns   bool   `help:"Archived and trashed runs too."`
	IncludeMetricPreviews bool   `help:"Points that are not final yet (metric previews) too."`
	RunsQuery             string `short:"q" help:"Only runs that this query of Neptune's own language (NQL) finds." placeholder:"NQL"`
}

// Validate checks what Kong cannot.
func (f neptuneFlags) Validate() error {
	switch {
	case f.Exporter == "neptune2":
		return errors.New("--exporter neptune2: this version reads Neptune 3 only")
	case f.Rate < 0:
		return errors.New("--rate must not be negative")
	case f.Timeout < 0:
		return errors.New("--timeout must not be negative")
	}
	return nil
}

// service is a Neptune.
type service interface {
	migrate.Source
	// Projects lists a workspace's projects, as "workspace/name".
	Projects(ctx context.Context, workspace string) ([]string, error)
}

// connection is a Neptune and its address, which has no secrets in it.
type connection struct {
	service
	address string
}

// connector makes a connection. Tests replace it.
type connector func(f neptuneFlags, log *slog.Logger) (connection, error)
