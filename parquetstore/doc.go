// Package parquetstore reads archives of Parquet files as the Python tool neptune-exporter wrote
// them, in all layouts that exist, mixed in one directory:
//
//	<project>/part_<n>.parquet                            many runs in a part, runs straddle parts
//	<project>/<run>_part_<n>.parquet                      parts of one run
//	<project>-<digest>/<run>-<digest>_part_<n>.parquet    the same, names cannot collide
//	<project>-<digest>/models/…, /model_versions/…        Neptune 2's model registry
//
// Names only group the parts: which project and run a row belongs to is what its project_id and
// run_id columns say. Parts are in numeric order.
//
// # What is mended, and said
//
// A float_series row with a step and a time but no value is NaN. One without time and value is
// padding, and a row without any value belongs to another run's attribute; both are passed over and
// counted in a note. Rows that older versions wrote interleaved are sorted out, so that the chunks
// of an attribute are adjacent and in step order. Damaged and missing parts, missing files, and
// rows that cannot be understood are Problems of their run, and all else is read.
//
// # Memory
//
// A reader keeps 12 bytes for each stretch of adjacent rows of one attribute, so almost nothing for
// grouped rows and 12 bytes a row for fully interleaved ones. Attributes are gathered up to
// gatherBytes; a larger one is streamed if its rows are in step order (checked first, by its steps
// alone) and held whole only if they are not.
package parquetstore
