// Package mlflowtest has a fake MLflow server for tests: it keeps experiments, runs and artifacts in
// memory, and is stricter than a real one. What a real server would silently drop, cut or take for
// something else fails the test: unknown or ill-typed fields, values that are too long, keys that are
// not allowed, batches over the limits, bodies without a length.
//
//	server := mlflowtest.NewServer(t, mlflowtest.Options{Version: "2.22.5"})
//	sink, err := mlflow.New(mlflow.Config{TrackingURI: server.URL})
//
// Behaviour was compared with servers 2.22.5 and 3.17.2.
package mlflowtest
