// Package neptune reads experiments from a Neptune server, as a migrate.Source: generation 3, whose
// Python clients are neptune-query and neptune-scale, hosted by oneself.
//
//	cfg, err := neptune.FromEnv(os.Getenv) // NEPTUNE_API_TOKEN, NEPTUNE_PROJECT
//	...
//	source, err := neptune.New(cfg)
//	...
//	report, err := migrate.Run(ctx, migrate.Job{Source: source, Store: archive})
//
// # What is read
//
// Every run of a project that the account can see, those without a custom ID too, archived and
// trashed ones on request. Of a run: all values, float series, series of strings, histograms and
// files, and files. A fork has the points that were logged to it; those before are its parent's, and
// sys/forking says which. A type of attribute without a value in this API becomes a Problem.
//
// A listing is proven by the server's own count. Pages are followed to an empty one, or to the count
// that the server gives, whatever their length. What the server cannot give is asked for again in
// halves, down to the attribute that is to blame, which becomes a Problem; all others are read.
//
// Points that are previews, asked for by Config.IncludePreviews, are points like the others, and a
// note of the series names their steps and how complete they are.
//
// # Requests
//
// The values of up to 16 small runs that were listed together come with one request, and the beginnings
// of their float series with another. A large run costs one request for every 5,000 values, 128 float
// series or 130,000 points, and a page of other series. Memory is bounded by some 15 MB for each run that is
// read at the same time. Requests are repeated after resets, silence, 408, 429 and 5xx, at least as
// late as Retry-After says, which
// holds back all workers. The bearer token is renewed before it ends and when the server refuses it, once
// for all workers. Links to files are signed shortly before they are used and again when they have
// expired; a transfer that was cut goes on where it was cut.
//
// Nothing secret is in errors and log lines: not the API token, nor bearer tokens, nor links.
//
// # Sources of facts
//
// Endpoints, bodies and limits are those that neptune-query 1.5.1 to 1.14.1 uses, and those of its OpenAPI and
// protobuf definitions; each function names its endpoint.
package neptune
