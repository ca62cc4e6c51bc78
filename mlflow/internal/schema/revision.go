package schema

import (
	"fmt"
	"slices"
	"strings"
)

// Newest is the revision that [Create] makes: the head of MLflow 3.17.2, the newest that pip installs. MLflow 3.18
// opens such a database and brings it to its own.
const Newest = "dc11669786a5"

// Traits are what a writer of runs has to know of a revision. Everything else about the tables experiments,
// experiment_tags, runs, tags, params, metrics and latest_metrics is the same in all revisions that Check
// allows: a test walks MLflow's own migrations and looks. Widths are in characters; PostgreSQL refuses longer
// values, SQLite stores them.
type Traits struct {
	Revision string // that of the database
	Release  string // the first of the releases 2.22.5, 3.1.4, 3.7.0, 3.13.0, 3.17.2 and 3.18.0 that is at this revision or a later one

	Workspaces bool // experiments.workspace exists, and names are unique in a workspace only; from 1b5f0d9ad7c1 on
	KeySteps   bool // metrics has an index on run, key and step; from a5b4c3d2e1f0 on

	ParamValue         int // width of params.value
	TagValue           int // width of tags.value
	ExperimentTagValue int // width of experiment_tags.value; 0 means text without a width, from 17e22815139b on
}

// step is one revision that Check allows. Each lists what changed for a writer of runs, and the release
// whose head it is, if it is one of those looked at.
type step struct {
	revision, release string
	change            func(*Traits)
}

// supported are the revisions from the head of 2.22.5 to that of 3.18.0, in the order of their
// down_revision (mlflow/store/db_migrations/versions of 3.18.0).
var supported = []step{
	{revision: "0584bdc529eb", release: "2.22.5"}, // add cascading deletion to datasets from experiments
	{revision: "400f98739977"},                    // add logged model tables
	{revision: "6953534de441"},                    // add step to inputs table
	{revision: "bda7b8c39065", release: "3.1.4"},  // increase model version tag value limit
	{revision: "cbc13b556ace"},                    // add v3 trace schema columns
	{revision: "770bee3ae1dd"},                    // add assessments table
	{revision: "a1b2c3d4e5f6"},                    // add spans table
	{revision: "de4033877273"},                    // create entity associations
	{revision: "1a0cddfcaa16"},                    // add webhooks and webhook events tables
	{revision: "534353b11cbc"},                    // add scorer table
	{revision: "71994744cf8e"},                    // add evaluation datasets
	{revision: "3da73c924c2f"},                    // add outputs to dataset record
	{revision: "bf29a5ff90ea", release: "3.7.0"},  // add jobs table
	{revision: "1bd49d398cd23"},                   // add secrets tables
	{revision: "b7c8d9e0f1a2"},                    // add trace metrics table
	{revision: "5d2d30f0abce"},                    // update job table
	{revision: "c9d4e5f6a7b8"},                    // add routing strategy to endpoints
	{revision: "2c33131f4dae"},                    // add online scoring configs table
	{revision: "d3e4f5a6b7c8"},                    // add display name to endpoint bindings
	{revision: "d0e1f2a3b4c5"},                    // add experiment id to endpoints
	{revision: "c8d9e0f1a2b3"},                    // add span metrics and dimension attributes
	{revision: "1b5f0d9ad7c1", change: func(t *Traits) { t.Workspaces = true }}, // add workspace columns and catalog
	{revision: "e1f2a3b4c5d6"}, // add budget policies table
	{revision: "76601a5f987d"}, // add issues table
	{revision: "c3d6457b6d8a"}, // add status details column to jobs table
	{revision: "a5b4c3d2e1f0", change: func(t *Traits) { t.KeySteps = true }}, // add metrics run key step index
	{revision: "ae8bbe7743c9"},                    // add guardrails tables
	{revision: "7d34483879f0"},                    // add model version tags workspace index
	{revision: "da6fb0208061", release: "3.13.0"}, // add workspaces trace archival location
	{revision: "89d3d66ed43f"},                    // add label schemas table
	{revision: "b7e4c1a90f23"},                    // add review queue tables
	{revision: "a8b9c0d1e2f3"},                    // add mcp server registry tables
	{revision: "c1d2e3f4a5b6"},                    // add span experiment start time index
	{revision: "c3d9e7f1a2b4"},                    // add target value to budget policies
	{revision: "6f8d9c3b2a1e"},                    // add experiment fk cascades
	{revision: "1971f2d9a75b"},                    // add trace archival candidate index
	{revision: "17e22815139b", change: func(t *Traits) { t.ExperimentTagValue = 0 }}, // increase experiment tag value limit
	{revision: "b7e2c1a4d9f3"},                    // add jobs creator
	{revision: "75868b020152"},                    // add sql trace analytics schema
	{revision: "dc11669786a5", release: "3.17.2"}, // add job executor persistence model
	{revision: "e7d1f4b2a9c6"},                    // add skill registry tables
	{revision: "8b6ad64cb8f5"},                    // extend issues
	{revision: "f4a9b2c7d1e6", release: "3.18.0"}, // make MCP server versions case-sensitive
}

// older are the revisions before, from 1.0 on.
var older = strings.Fields(`
	451aebb31d03 90e64c465722 181f10493468 df50e92ffc5e 7ac759974ad8 89d4b8295536 2b4d017a5e9b
	cfd24bdc0731 0a8213491aaa 728d730b5ebd 27a6a02d2cf1 84291f40a231 a8c4a736bde6 39d1c3be5f05
	c48cb773bb87 bd07f7e963c5 0c779009ac13 cc1f77228345 97727af70f4d 3500859a5d39 7f2a7d5fae7d
	2d6e25af4d3e acf3f17fdcc7 867495a8f9d4 5b0e9adcef9c 4465047574b1 f5a4f2784254
`)

// Check gives the traits of a revision that a writer may write to. The error of any other says whether it is
// too old or not known, and what to do.
func Check(revision string) (Traits, error) {
	t := Traits{ParamValue: 8000, TagValue: 8000, ExperimentTagValue: 5000}
	for i, s := range supported {
		if s.change != nil {
			s.change(&t)
		}
		if s.revision == revision {
			t.Revision, t.Release = revision, release(supported[i:])
			return t, nil
		}
	}
	if slices.Contains(older, revision) {
		return Traits{}, fmt.Errorf("MLflow's database is at revision %s, from before MLflow 2.22, the oldest that can be written to directly: "+
			"after a backup run `mlflow db upgrade URI` with MLflow 2.22 or newer, or load over REST through its server", revision)
	}
	return Traits{}, fmt.Errorf("MLflow's database is at revision %q, which is not known here: probably it is newer than MLflow 3.18.0 (%s), "+
		"the newest that can be written to directly; load over REST through its server, or use a newer nexport", revision, supported[len(supported)-1].revision)
}

// release is the first one at or after the first of these steps.
func release(steps []step) string {
	for _, s := range steps {
		if s.release != "" {
			return s.release
		}
	}
	return ""
}
