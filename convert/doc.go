// Package convert is the mapping from Neptune's data to MLflow's. Every rule is a function
// without side effects; writing is the affair of package mlflow.
//
//	Neptune                      MLflow           rule                          limit                     not held exactly, kept beside it
//	project                      experiment       ExperimentName, LayoutID      250 characters            the cut part (tag neptune.project)
//	run                          run              RunID, RunMeta
//	sys/custom_run_id, else ID   run name         RunMeta.RunName               250 characters            the cut part (tag neptune.run_id)
//	sys/creation_time, ping_time start, end time  RunMeta.Times
//	sys/failed                   status           RunMeta.Status
//	sys/owner, description, tags tags             RunMeta.RunTags               5,000 or 8,000 a value    longer values (params sys/*)
//	sys/forking/parent           tags             RunMeta.Parent
//	model, model version         run, its child   ExperimentName, RunMeta.Parent
//	source_code/git, sys/stage   tags             RunMeta.RunTags               5,000 or 8,000 a value    longer values (params)
//	attribute path               key              KeyRules.Key, KeyOfKind       250 legal characters      other paths (nexport.jsonl)
//	float int string bool        param            Param, Clean, Shorten         6,000 characters          longer text (artifact), bytes that
//	datetime string_set git_ref                                                                           are no text (nexport.jsonl)
//	notebook_ref run_state,
//	hash of an artifact, unknown
//	float_series                 metric           Multiplier.Step, MetricTime,  int64 steps, times from   fractional steps, missing times,
//	                                              ExactValue                    1970 on, finite or NaN    infinities, -0.0 (nexport.jsonl)
//	float_series beyond int64    CSV artifact     AppendFloatCSV
//	string_series                text artifact    AppendTextLine
//	histogram_series             CSV artifact     AppendHistogramRow
//	file                         artifact         Artifacts.File                200 bytes a name, 1,000   other names (nexport.jsonl)
//	file_set, files of artifact  artifacts        Artifacts.Member              in all
//	file_series                  artifacts        Artifacts.SeriesFile                                    names, descriptions (nexport.jsonl)
//	where all of it is           nexport.jsonl    AppendHeader, AppendAttribute,
//	                                              AppendExact, ReadSidecar
//
// What a rule changes is noted as a migrate.Problem: Renamed, Shortened, Merged, Approximate,
// Replaced, OutOfRange. None of them is a loss, because each function that changes something has
// a way back: ParseTextLine, ParseFloatRow, ParseHistogramRow, ParseTime, ParseStep, ReadSidecar.
//
// The facts about MLflow were read from its validators and database schema (2.22 and 3.17) and
// tried on servers of both lines. The formats are described in docs/formats/mlflow.md.
package convert
