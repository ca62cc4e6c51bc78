// Package mlflow loads runs into an MLflow server over its REST API. It works with the servers
// of the 2.x and 3.x lines; what a loaded run looks like is in docs/formats/mlflow.md.
//
//	cfg, err := mlflow.FromEnv(os.Getenv, home) // as MLflow's own client reads it
//	...
//	server, err := mlflow.New(cfg)
//	...
//	report, err := migrate.Run(ctx, migrate.Job{Store: archive, Sink: server})
//
// # How a run gets there
//
// A run is found by a digest of its identity in a tag, never by its name. One search for each
// project gives all runs of earlier loads, so that complete ones cost no request of their own.
// A new run is created with all its tags; then come params, metrics in full batches, artifacts,
// and nexport.jsonl, which holds what MLflow cannot. Then the server is asked what it has: it
// answers 200 also when it dropped half of a request. Only after that the run gets its end
// time, its status, and last of all the tag that calls it complete.
//
// A run without that tag is completed by the next load: params and tags are compared, the points
// of a metric are read back and only those that are not there are sent, files of another size are
// sent again. An entry that the server refuses becomes a Problem; the rest of its batch is written.
//
// # Sources of facts
//
// Limits and behaviour were read from MLflow's validators and stores and tried on servers of
// versions 2.22.5 and 3.17.2; constants name what they come from.
package mlflow
