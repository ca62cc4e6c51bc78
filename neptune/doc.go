// Package neptune reads experiments from a Neptune server, as a migrate.Source: of generation 3, whose
// Python clients are neptune-query and neptune-scale, and of generation 2, whose Python client is neptune 1.x. Both
// are hosted by oneself.
//
//	cfg, err := neptune.FromEnv(os.Getenv) // NEPTUNE_API_TOKEN, NEPTUNE_PROJECT
//	...
//	cfg.Generation, err = neptune.Detect(ctx, cfg)
//	...
//	source, err := neptune.New(cfg)
//	...
//	report, err := migrate.Run(ctx, migrate.Job{Source: source, Store: archive})
//
// # What is read
//
// Every run of a project that the account can see, those without a custom ID too, archived and
// trashed ones on request. Of generation 2 also models and model versions, by migrate.Selection.Scopes.
//
// A listing is proven by the server's own count. Pages are followed to an empty one, or to the count
// that the server gives, whatever their length. What the server cannot give is asked for again, down to the
// attribute that is to blame, which becomes a Problem; all others are read. A type of attribute
// that has no value in the API becomes a Problem too.
//
// Of a run of generation 3: all values, float series, series of strings, histograms and
// files, and files. A fork has the points that were logged to it; those before are its parent's, and
// sys/forking says which. Points that are previews, asked for by Config.IncludePreviews, are points like the others, and a
// note of the series names their steps and how complete they are.
//
// Of a run, model or model version of generation 2:
//
//	float int string bool datetime stringSet  as in generation 3
//	floatSeries stringSeries  every point, with its own step and its time in UTC; what is configured (unit, min, max) is
//	                          a note, and that a series is empty is one
//	imageSeries               a file series; steps, times, names and descriptions where the server tells them
//	file                      the bytes, under the name it was uploaded with
//	fileSet                   one file for each member
//	artifact                  the hash, then files: the list of its files, as JSON, and those contents that were reached
//	gitRef notebookRef        the JSON object that the server gives, without the attribute's own name and type
//	experimentState           the JSON string that the server gives: "running" or "idle"
//
// The IDs of generation 2 are the short ones, "PRJ-7". Its searches end after 10,000 objects, so longer listings are put
// together from several that overlap: runs that were created at the same time are neither missed nor listed twice.
//
// # Requests
//
// Generation 3: the values of up to 16 small runs that were listed together come with one request, and the beginnings
// of their float series with another. A large run costs one request for every 5,000 values, 128 float
// series or 130,000 points, and a page of other series. Memory is bounded by some 15 MB for each run that is
// read at the same time.
//
// Generation 2: one request for all attributes of a run, and then one for every 1,000 points of a series; up to 16
// attributes of a run are read at the same time, up to 8 pages of a series, and up to 32 requests are under way for all runs
// together. What has been read waits for its turn, a few pages of each attribute.
//
// A file set is read out of the zip that the server makes of it. It lies in a temporary file in Config.TempDir while its
// members are opened, one copy for all of them, and nothing in it is trusted: names become relative paths, links are not
// followed, and a zip that would become larger than the server says is not unpacked. Without a zip, or if it lacks
// bytes, the set is listed and its files are asked for one by one. Images are asked for eight at a time.
//
// The contents of an artifact were never Neptune's. Those are read that are on this machine's disks, or in S3, and have the
// hash that Neptune has on record, which is looked at before anything is handed out: whoever can write to the project can
// name any file. For S3 the AWS SDK finds the settings, in AWS_ variables, ~/.aws and the machine's own service; this is the
// only place where the package looks into the environment, and Config.NoArtifactContents keeps it from it.
//
// Requests are repeated after resets, silence, 408, 429 and 5xx, at least as
// late as Retry-After says, which
// holds back all workers. The bearer token is renewed before it ends and when the server refuses it, once
// for all workers. Links to files are signed shortly before they are used and again when they have
// expired; a transfer that was cut goes on where it was cut.
//
// Nothing secret is in errors and log lines: not the API token, nor bearer tokens, nor links. A bearer token goes to
// the API's own host only, also where the API redirects to a storage.
//
// # Sources of facts
//
// Generation 3: endpoints, bodies and limits are those that neptune-query 1.5.1 to 1.14.1 uses, and those of its OpenAPI and
// protobuf definitions. Generation 2: those that the Python package neptune 1.14 uses, and those of the API description
// that the service gave in August 2023. Each function names its endpoint.
package neptune
