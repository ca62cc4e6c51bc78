package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
)

// connect makes a connection, and asks the server what it is unless the flags say so.
func connect(ctx context.Context, f neptuneFlags, log *slog.Logger) (connection, error) {
	cfg, err := f.config(log)
	if err != nil {
		return connection{}, err
	}
	to := connection{address: withoutSecrets(cmp.Or(cfg.URL, addressIn(cfg.APIToken)))}
	if f.Exporter == autoExporter {
		if cfg.Generation, err = neptune.Detect(ctx, cfg); err != nil {
			return connection{}, undetected(to.address, err)
		}
	}
	src, err := neptune.New(cfg)
	if err != nil {
		return connection{}, usageOrCredentials(err)
	}
	to.service, to.generation = src, cfg.Generation
	return to, nil
}

// undetected says what to do where a server does not tell what it is.
func undetected(address string, err error) error {
	next := "; is this Neptune's address? Another one can be given with --neptune-url"
	if errors.Is(err, migrate.ErrUnauthorized) || errors.Is(err, context.Canceled) {
		next = ""
	}
	return fmt.Errorf("find out which Neptune %s is: %w%s", address, err, next)
}

// config is what the flags and the environment say. What is wrong with it is wrong usage, unless it
// is the token.
func (f neptuneFlags) config(log *slog.Logger) (neptune.Config, error) {
	cfg, err := neptune.FromEnv(os.Getenv)
	if err != nil {
		return cfg, usage(err)
	}
	cfg.Projects = nil // the flags choose
	cfg.APIToken = cmp.Or(f.APIToken, cfg.APIToken)
	cfg.URL, cfg.CABundle, cfg.ClientCert, cfg.ClientKey = f.NeptuneURL, f.CABundle, f.ClientCert, f.ClientKey
	cfg.RunsQuery, cfg.IncludeArchived, cfg.IncludePreviews = f.RunsQuery, f.IncludeArchivedRuns, f.IncludeMetricPreviews
	cfg.Rate, cfg.Timeout, cfg.Log = f.Rate, cmp.Or(f.Timeout, cfg.Timeout), log
	cfg.NoArtifactContents, cfg.TempDir = f.NoArtifactContents, f.temp
	cfg.Generation = neptune.Neptune3
	if f.Exporter == exporters[neptune.Neptune2] {
		cfg.Generation = neptune.Neptune2
	}
	_, err = neptune.New(cfg) // sends nothing
	return cfg, usageOrCredentials(err)
}

func usageOrCredentials(err error) error {
	if err == nil || errors.Is(err, migrate.ErrUnauthorized) {
		return err
	}
	return usage(err)
}

// addressIn is the server's address that is in an API token, for manifests and reports.
func addressIn(token string) string {
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(token))
	if err != nil {
		return ""
	}
	var in struct {
		URL     string `json:"api_url"`
		Address string `json:"api_address"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return ""
	}
	return cmp.Or(in.URL, in.Address)
}
