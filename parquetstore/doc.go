// Package parquetstore reads and writes archives of Parquet files. docs/formats/parquet.md specifies
// what it writes, for those who read it with other tools.
//
// Open reads what the Python tool neptune-exporter and this package wrote, in all layouts that exist,
// mixed in one directory:
//
//	<project>/part_<n>.parquet                            many runs in a part, runs straddle parts
//	<project>/<run>_part_<n>.parquet                      parts of one run
//	<project>-<digest>/<run>-<digest>_part_<n>.parquet    the same, names cannot collide
//	<project>-<digest>/<run>-<digest>_manifest.json       of this package: what a run should have
//	<project>-<digest>/models/…, /model_versions/…        Neptune 2's model registry
//
// Names only group the parts: which project and run a row belongs to is what its project_id and
// run_id columns say. Parts are in numeric order. A run with a manifest is listed by it, without
// opening its parts.
//
// # What is mended, and said
//
// A float_series row with a step and a time but no value is NaN. One without time and value is
// padding, and a row without any value belongs to another run's attribute; both are passed over and
// counted in a note. Rows that older versions wrote interleaved are sorted out, so that the chunks
// of an attribute are adjacent and in step order. Damaged and missing parts, missing files, what is
// not as a manifest says, and rows that cannot be understood are Problems of their run, and all else
// is read. Lost rows of an attribute are counted, and the first different ones are named. What this
// package does not support, such as encryption, is a Problem too; as an error it matches
// errors.ErrUnsupported and not migrate.ErrCorrupt.
//
// # Writing
//
// Create opens an archive for writing too, and keeps other writers out. PutRun writes a run under
// temporary names, and when all of it is on disk renames the parts, then the manifest, then part 0,
// by which every reader knows a whole run. What a crash leaves has no part 0 or a manifest that ends
// in .swap, and the next PutRun of the run removes or finishes it; until then the new copy is read
// under its temporary names, if all of it is on disk. A run that is replaced stays
// until the new copy is whole; a whole copy is not replaced by one that lacks something. Standing tells
// beforehand what PutRun will find, and SetAside takes out of the archive what its source has lost.
//
// # Memory
//
// A reader keeps 12 bytes for each stretch of adjacent rows of one attribute, so almost nothing for
// grouped rows and 12 bytes a row for fully interleaved ones. Attributes are gathered up to
// gatherBytes; a larger one is streamed if its rows are in step order (checked first, by its steps
// alone) and held whole only if they are not. A writer holds one row group, and what the manifest
// says of each of the run's files.
package parquetstore
