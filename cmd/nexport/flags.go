package main

import (
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

type cli struct {
	Export       exportCmd        `cmd:"" help:"Export runs and models from Neptune into an archive." set:"scopes=all that Neptune has"`
	ExportModels exportModelsCmd  `cmd:"" help:"Export models and model versions only (Neptune 2.x)." set:"scopes=models,model_versions"`
	Migrate      migrateCmd       `cmd:"" help:"Export from Neptune and load into MLflow, in one go." set:"scopes=all that Neptune has"`
	Load         loadCmd          `cmd:"" help:"Load an archive into MLflow."`
	Summary      summaryCmd       `cmd:"" help:"Show what an archive holds and what looks wrong."`
	Demo         demoCmd          `cmd:"" help:"Try it: export a small project and load it into a new MLflow database."`
	Ver          versionCmd       `cmd:"" name:"version" help:"Print the version."`
	Version      kong.VersionFlag `help:"Print the version."`

	LogLevel   string `help:"Least important messages to show: ${enum} (default ${default})." enum:"debug,info,warn,error" default:"warn" placeholder:"LEVEL"`
	Verbose    bool   `short:"v" help:"The same as --log-level info."`
	LogFile    string `help:"Also append messages to this file, from level info on." type:"path" placeholder:"FILE"`
	NoProgress bool   `help:"Do not show progress."`
}

// archiveFlags name an archive and choose runs of it, as the Python tool does.
type archiveFlags struct {
	DataPath   string   `short:"d" help:"Directory of the archive's Parquet files (default ${default})." default:"./exports/data" placeholder:"DIR"`
	FilesPath  string   `short:"f" help:"Directory of the archive's downloaded files (default ${default})." default:"./exports/files" placeholder:"DIR"`
	ProjectIDs []string `name:"project-ids" short:"p" help:"Only this project, as workspace/name; may be repeated." sep:"none" placeholder:"PROJECT"`
	Runs       []string `short:"r" help:"Only the run with this ID, custom (sys/custom_run_id) or short (sys/id); may be repeated." sep:"none" placeholder:"ID"`
}

// Validate refuses directories that are not there. The files directory may be missing, since
// archives without files have none.
func (f archiveFlags) Validate() error {
	info, err := os.Stat(f.DataPath)
	switch {
	case os.IsNotExist(err):
		return fmt.Errorf("there is no directory %s: name the archive's Parquet files with --data-path", f.DataPath)
	case err != nil:
		return fmt.Errorf("--data-path: %w", err)
	case !info.IsDir():
		return fmt.Errorf("--data-path: %s is a file; name the directory that holds the projects", f.DataPath)
	}
	return nil
}

func (f archiveFlags) selection(scopeNames []string) migrate.Selection {
	sel := migrate.Selection{Projects: f.ProjectIDs}
	for _, scope := range scopesNamed(scopeNames) {
		sel.Scopes = append(sel.Scopes, scope)
		for _, id := range f.Runs {
			sel.Runs = append(sel.Runs, migrate.RunRef{ID: id, Scope: scope})
		}
	}
	return sel
}

// multiplier is a flag's convert.Multiplier.
type multiplier struct{ convert.Multiplier }

// UnmarshalText parses the exact decimal.
func (m *multiplier) UnmarshalText(text []byte) (err error) {
	m.Multiplier, err = convert.ParseMultiplier(string(text))
	return err
}
