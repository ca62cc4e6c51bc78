// Package migrate moves experiment data: from Neptune into an open Parquet archive, and from
// there into MLflow. This package has the domain and the pipeline; the places that data is moved
// from and to are in packages of their own:
//
//	neptune        reads from Neptune 2.x and 3.x servers
//	parquetstore   the archive on disk: reads every layout that Neptune's own exporter wrote, and writes its own
//	mlflow         loads into an MLflow server, or straight into its SQLite or PostgreSQL database
//	convert        the pure mapping from Neptune's data to MLflow's
//	migratetest    contract tests for Sources, Sinks and Stores, and an in-memory Store
//
// Two roles and one function explain the whole. A [Source] lists runs and opens them for reading;
// a [Sink] receives whole runs; [Run] connects them:
//
//	archive, err := parquetstore.Open("exports/data", "exports/files")
//	...
//	server, err := mlflow.New(mlflow.Config{TrackingURI: "http://localhost:5000"})
//	...
//	defer server.Close()
//	report, err := migrate.Run(ctx, migrate.Job{Source: archive, Sink: server})
//
// Whoever wants to move other data, or to another place, writes one Source or one Sink; the
// programs in examples/ show both in less than a hundred lines.
//
// # What is promised
//
// A run looks complete at its target only after all of it is there, and PutRun may be repeated:
// whatever ended a job, running it again completes exactly what is missing. What cannot be moved
// is a [Problem] in the [Report] and makes the run [Partial]; nothing is left out silently.
//
// Memory is bounded by the number of runs in flight times the size of a [Chunk], whatever the
// size of a run.
//
// # Compatibility
//
// Before version 1.0 the API may change in a minor version, and CHANGELOG.md says how. Fields may
// be added to structs at any time, so use field names in literals.
package migrate
