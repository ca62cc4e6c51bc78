package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nexport-go/migrate/internal/dburl"
	"github.com/nexport-go/migrate/mlflow"
)

// mlflowFlags say where to load to, and how.
type mlflowFlags struct {
	MlflowTrackingURI string     `name:"mlflow-tracking-uri" help:"MLflow's server, as http://host:port, or its database, as sqlite:///mlflow.db or postgresql://user@host/name; else MLFLOW_TRACKING_URI, else sqlite:///mlflow.db." placeholder:"URI"`
	ArtifactsDir      string     `help:"With a database: directory for artifacts of new experiments (else where the database has them, ./mlruns if it is new), and the --artifacts-destination of its server if it has one." placeholder:"DIR"`
	StepMultiplier    multiplier `help:"MLflow's steps are whole numbers: Neptune's steps times this (default ${default})." default:"${multiplier}" placeholder:"NUMBER"`
	NamePrefix        string     `help:"Put in front of the names of experiments, with a slash." placeholder:"TEXT"`
	ExperimentBy      string     `help:"One MLflow experiment for each: ${enum} (default ${default}; name is sys/name). Forks stay with their parent, because MLflow shows them below it only within one experiment; else --split-forks." enum:"project,name" default:"project" placeholder:"WHAT"`
	SplitForks        bool       `help:"With --experiment-by name: forks go by their own name as well. Their tag mlflow.parentRunId still names the parent."`
	NoCheck           bool       `help:"Do not compare with MLflow afterwards."`
}

func (c mlflowFlags) config(log *slog.Logger) (mlflow.Config, error) {
	home, _ := os.UserHomeDir() // without one there is no credentials file
	cfg, err := mlflow.FromEnv(os.Getenv, home)
	if err != nil {
		return cfg, err
	}
	if c.MlflowTrackingURI != "" {
		cfg.TrackingURI = c.MlflowTrackingURI
	}
	if cfg.TrackingURI == "" {
		if hasFileStore(defaultFileStore) {
			return cfg, errFileStore
		}
		cfg.TrackingURI = defaultTrackingURI
	}
	cfg.ArtifactsDir = c.ArtifactsDir
	cfg.StepMultiplier, cfg.NamePrefix = c.StepMultiplier.Multiplier, c.prefix()
	cfg.ExperimentBy = map[string]string{"project": mlflow.ByProject, "name": mlflow.ByName}[c.ExperimentBy]
	cfg.SplitForks, cfg.NoCheck, cfg.Log = c.SplitForks, c.NoCheck, log
	if c.SplitForks && cfg.ExperimentBy != mlflow.ByName {
		return cfg, errors.New("--split-forks is for --experiment-by name")
	}
	return cfg, nil
}

// prefix is that of the Python tool, which puts a slash behind it.
func (c mlflowFlags) prefix() string {
	if c.NamePrefix == "" || strings.HasSuffix(c.NamePrefix, "/") {
		return c.NamePrefix
	}
	return c.NamePrefix + "/"
}

// defaultTrackingURI is that of MLflow since 3.7, unless defaultFileStore has experiments.
const (
	defaultTrackingURI = "sqlite:///mlflow.db"
	defaultFileStore   = "mlruns"
)

var errFileStore = errors.New("without a tracking URI MLflow uses the file store in ./mlruns here, and would not show what is loaded into mlflow.db:\n" +
	"  either load with --mlflow-tracking-uri " + defaultTrackingURI + " and look at that with `mlflow server --backend-store-uri " + defaultTrackingURI + "`,\n" +
	"  or first make that database of the file store, with `mlflow migrate-filestore --source mlruns --target " + defaultTrackingURI + "` (MLflow 3.10 and newer), and then do so")

// hasFileStore looks for what MLflow looks for (mlflow/tracking/_tracking_service/utils.py,
// _has_existing_mlruns_data): a directory with artifacts alone is no file store.
func hasFileStore(dir string) bool {
	experiments, _ := filepath.Glob(filepath.Join(dir, "*", "meta.yaml"))
	return slices.ContainsFunc(experiments, func(file string) bool {
		return strings.Trim(filepath.Base(filepath.Dir(file)), "0123456789") == ""
	})
}

// withoutSecrets leaves out a user and password, and what may be a token.
func withoutSecrets(uri string) string {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return uri
	}
	if scheme != "http" && scheme != "https" {
		return dburl.Shown(uri)
	}
	rest, _, _ = strings.Cut(rest, "?")
	host, path, _ := strings.Cut(rest, "/")
	host = host[strings.LastIndexByte(host, '@')+1:]
	return strings.TrimRight(scheme+"://"+host+"/"+path, "/")
}
