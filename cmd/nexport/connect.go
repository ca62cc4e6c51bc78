package main

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strings"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
)

func connect(f neptuneFlags, log *slog.Logger) (connection, error) {
	cfg, err := neptune.FromEnv(os.Getenv)
	if err != nil {
		return connection{}, usage(err)
	}
	cfg.Projects = nil // the flags choose
	if f.APIToken != "" {
		cfg.APIToken = f.APIToken
	}
	cfg.URL, cfg.CABundle, cfg.ClientCert, cfg.ClientKey = f.NeptuneURL, f.CABundle, f.ClientCert, f.ClientKey
	cfg.RunsQuery, cfg.IncludeArchived, cfg.IncludePreviews = f.RunsQuery, f.IncludeArchivedRuns, f.IncludeMetricPreviews
	cfg.Rate, cfg.Timeout, cfg.Log = f.Rate, cmp.Or(f.Timeout, cfg.Timeout), log
	src, err := neptune.New(cfg)
	if errors.Is(err, migrate.ErrUnauthorized) {
		return connection{}, err
	}
	if err != nil {
		return connection{}, usage(err)
	}
	return connection{src, withoutSecrets(cmp.Or(cfg.URL, addressIn(cfg.APIToken)))}, nil
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
