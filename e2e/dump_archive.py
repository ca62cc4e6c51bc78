"""Prints every row of an archive as JSON lines, read by pyarrow, DuckDB or Polars.

    python dump_archive.py pyarrow|duckdb|polars <data>

A line is [path, type, step, time, value]: step a decimal text, time ms, doubles the hexadecimal digits of
their bits. Rows come in the order of parts. The schema must be that of docs/formats/parquet.md.
"""

import glob
import json
import os
import re
import struct
import sys

import pyarrow as pa
import pyarrow.parquet as pq

MS = pa.timestamp("ms", tz="UTC")
SCHEMA = {
    "project_id": pa.string(), "run_id": pa.string(), "attribute_path": pa.string(), "attribute_type": pa.string(),
    "step": pa.decimal128(18, 6), "timestamp": MS, "int_value": pa.int64(), "float_value": pa.float64(),
    "string_value": pa.string(), "bool_value": pa.bool_(), "datetime_value": MS, "string_set_value": pa.list_(pa.string()),
    "file_value": pa.struct([("path", pa.string())]),
    "histogram_value": pa.struct([("type", pa.string()), ("edges", pa.list_(pa.float64())), ("values", pa.list_(pa.float64()))]),
}


def parts(data):
    found = glob.glob(os.path.join(glob.escape(data), "**", "*_part_*.parquet"), recursive=True)
    return sorted(found, key=lambda name: (os.path.dirname(name), int(re.search(r"_part_(\d+)\.parquet$", name)[1])))


def bits(number):
    return struct.pack(">d", number).hex()


def with_pyarrow(name):
    table = pq.ParquetFile(name).read()
    for field, (want, kind) in zip(table.schema, SCHEMA.items(), strict=True):
        wide = want == "step" and field.type == pa.decimal128(38, 6)
        assert field.name == want and field.nullable and (field.type == kind or wide), f"{name}: {field}, not {want} {kind}"
    for column in ("timestamp", "datetime_value"):
        at = table.schema.get_field_index(column)
        table = table.set_column(at, column, table.column(column).cast(pa.int64()))
    yield from table.to_pylist()


def with_duckdb(name):
    import duckdb  # takes its time

    rows = duckdb.sql(
        """SELECT * REPLACE (epoch_ms(timestamp) AS timestamp, epoch_ms(datetime_value) AS datetime_value)
        FROM read_parquet($name)""", params={"name": name})
    assert rows.columns == list(SCHEMA), rows.columns
    for row in rows.fetchall():
        yield dict(zip(rows.columns, row))


def with_polars(name):
    import polars as pl  # takes its time

    table = pl.read_parquet(name)
    assert table.columns == list(SCHEMA), table.columns
    yield from table.with_columns(pl.col("timestamp", "datetime_value").dt.epoch("ms")).iter_rows(named=True)


READERS = {"pyarrow": with_pyarrow, "duckdb": with_duckdb, "polars": with_polars}


def value(row):
    kept = {}
    for column in SCHEMA:
        v = row[column]
        if column not in ("project_id", "run_id", "attribute_path", "attribute_type", "step", "timestamp") and v is not None:
            kept[column] = v
    if "float_value" in kept:
        kept["float_value"] = bits(kept["float_value"])
    if "histogram_value" in kept:
        h = kept["histogram_value"]
        kept["histogram_value"] = {"type": h["type"], "edges": [bits(x) for x in h["edges"]], "values": [bits(x) for x in h["values"]]}
    return kept


def main():
    read = READERS[sys.argv[1]]
    for name in parts(sys.argv[2]):
        for row in read(name):
            step = None if row["step"] is None else format(row["step"], "f")
            line = [row["project_id"], row["run_id"], row["attribute_path"], row["attribute_type"], step, row["timestamp"], value(row)]
            print(json.dumps(line, ensure_ascii=False, sort_keys=True))


if __name__ == "__main__":
    main()
