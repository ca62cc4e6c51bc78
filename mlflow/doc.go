// Package mlflow loads runs into MLflow: over the REST API of a server of the 2.x or 3.x line, or
// straight into the SQLite or PostgreSQL database of MLflow 2.22 to 3.18. What a loaded run looks like
// is in docs/formats/mlflow.md.
//
//	cfg, err := mlflow.FromEnv(os.Getenv, home) // as MLflow's own client reads it
//	...
//	target, err := mlflow.New(cfg)
//	...
//	defer target.Close()
//	report, err := migrate.Run(ctx, migrate.Job{Store: archive, Sink: target})
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
// Over REST an earlier load that was killed can leave a second, empty run behind; see copies.go.
//
// Only the last step, a backend, knows whether there is a server or a database (backend.go). In a
// database a run is hidden until it is finished, and nothing is made where there is no database until
// the first run is written.
//
// # Sources of facts
//
// Limits and behaviour were read from MLflow's validators and stores and tried on servers of
// versions 2.22.5 and 3.17.2; constants name what they come from.
package mlflow
