"""Writes an archive of usual metrics fast: points.py DIR RUNS SERIES POINTS."""

import decimal
import os
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CREATED = 1_700_000_000_123


def write(folder, run_id, series, points):
    n = series * points
    ms = pa.timestamp("ms", tz="UTC")
    steps = pa.array([decimal.Decimal(i) for i in range(points)], pa.decimal128(18, 6))
    constant = lambda text: pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), [text]).cast(pa.string())
    paths = pa.DictionaryArray.from_arrays(
        np.repeat(np.arange(series, dtype=np.int32), points), [f"metrics/series {s:03d}" for s in range(series)])
    columns = {
        "project_id": constant("e2e/points"), "run_id": constant(run_id), "attribute_path": paths.cast(pa.string()),
        "attribute_type": constant("float_series"),
        "step": steps.take(pa.array(np.tile(np.arange(points), series))),
        "timestamp": pa.array(np.tile(CREATED + 1000 * np.arange(points), series), ms),
        "int_value": pa.nulls(n, pa.int64()),
        "float_value": np.sin(np.arange(n) / 10 + len(run_id)), "string_value": pa.nulls(n, pa.string()),
        "bool_value": pa.nulls(n, pa.bool_()), "datetime_value": pa.nulls(n, ms),
        "string_set_value": pa.nulls(n, pa.list_(pa.string())),
        "file_value": pa.nulls(n, pa.struct([("path", pa.string())])),
    }
    pq.write_table(pa.table(columns), os.path.join(folder, f"{run_id}-{int(run_id[4:]):016x}_part_0.parquet"))


def main():
    root, runs, series, points = sys.argv[1], *map(int, sys.argv[2:])
    folder = os.path.join(root, "data", "e2e_points-0123456789abcdef")
    os.makedirs(folder)
    os.makedirs(os.path.join(root, "files"))
    for r in range(runs):
        write(folder, f"run-{r:03d}", series, points)


main()
