"""Reads an archive of the Python tool, by its own logic and with pyarrow only.

It shares nothing with the Go reader: what both say about an archive can be compared. Of our own archives it also
reads what their manifests say of files.
"""

import collections
import glob
import json
import os
import re

import pyarrow as pa
import pyarrow.parquet as pq

PART = re.compile(r"^(?P<stem>.*?)_?part_(?P<part>\d+)\.parquet$", re.S)
SCOPES = {"models": "model", "model_versions": "model_version"}
COLUMNS = ["int_value", "float_value", "string_value", "bool_value", "datetime_value",
           "string_set_value", "file_value", "histogram_value"]
VALUE_OF = {
    "int": "int_value", "float": "float_value", "string": "string_value", "bool": "bool_value",
    "datetime": "datetime_value", "string_set": "string_set_value", "float_series": "float_value",
    "string_series": "string_value", "histogram_series": "histogram_value", "file": "file_value",
    "file_series": "file_value", "file_set": "file_value",
}


# The value of an artifact: its hash and the path of the list of its files, each None if there is none.
Artifact = collections.namedtuple("Artifact", "hash list")


class Attribute:
    """One attribute: its rows as (step in millionths or None, time in ms or None, value)."""

    def __init__(self, path, kind):
        self.path, self.kind, self.rows = path, kind, []

    @property
    def series(self):
        return self.kind.endswith("_series")

    def points(self):
        """The rows in step order; equal steps keep the order of the archive."""
        return sorted(self.rows, key=lambda r: r[0])


class Run:
    def __init__(self, project, scope, run_id, files_dirs):
        self.project, self.scope, self.id, self.files_dirs = project, scope, run_id, files_dirs
        self.attributes = collections.OrderedDict()
        self.recorded = None  # the manifest's files, by (attribute, type); None without a manifest

    def add(self, path, kind, row):
        self.attributes.setdefault((path, kind), Attribute(path, kind)).rows.append(row)

    def scalar(self, path, kind):
        """The value of a scalar attribute, or None."""
        a = self.attributes.get((path, kind))
        return a.rows[-1][2] if a else None

    def file(self, row_path):
        """The place of a file on disk, or None if the archive does not hold it."""
        for d in self.files_dirs:
            top = os.path.realpath(d) + os.sep
            p = os.path.normpath(os.path.join(d, row_path))
            if row_path and "\0" not in row_path and os.path.exists(p) and os.path.realpath(p).startswith(top):
                return p
        return None

    def files(self, a, row_path):
        """The files of a row as (place, name): all of a file set or an artifact, or the only one."""
        found = (self.recorded or {}).get((a.path, a.kind), [])
        if a.kind in ("file_set", "artifact") and self.recorded is not None:
            return [(self.file(f["path"]), f.get("name", "")) for f in found if "path" in f]
        place = self.file(row_path)
        return [] if place is None else members(place, row_path)

    def record(self, a, row_path):
        """What the manifest says of a file; None if there is no manifest."""
        return next((f for f in (self.recorded or {}).get((a.path, a.kind), ()) if f.get("path") == row_path), None)


def members(place, row_path):
    """The files at a place: itself, or those of a folder, sorted by name."""
    if not os.path.isdir(place):
        return [(place, os.path.basename(row_path))]
    out = []
    for folder, _, names in os.walk(place):
        for n in names:
            p = os.path.join(folder, n)
            out.append((p, os.path.relpath(p, place)))
    return sorted(out, key=lambda m: m[1])


def _order(path):
    m = PART.match(os.path.basename(path))
    return (os.path.dirname(path), m["stem"], int(m["part"])) if m else (path, "", 0)


def _scope(data_dir, path):
    parts = os.path.relpath(path, data_dir).split(os.sep)
    return SCOPES.get(parts[1], "run") if len(parts) > 2 else "run"


def _ms(column):
    return column.cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64())


def _columns(table):
    """The columns as Python lists, times as ms, steps as millionths."""
    out = {}
    for name in ["project_id", "run_id", "attribute_path", "attribute_type", "step", "timestamp", *COLUMNS]:
        if name not in table.column_names:
            out[name] = [None] * table.num_rows
            continue
        column = table[name]
        if name in ("timestamp", "datetime_value"):
            column = _ms(column)
        values = column.to_pylist()
        if name == "step":
            values = [None if v is None else int(v.scaleb(6)) for v in values]
        out[name] = values
    return out


def _value(kind, row):
    """The value of a row: None where the tool wrote a row without one."""
    if kind == "artifact":
        hash, file = row["string_value"], row["file_value"]
        return None if hash is None and file is None else Artifact(hash, file and file["path"])
    name = VALUE_OF.get(kind, "string_value")
    v = row[name]
    return v["path"] if name == "file_value" and v is not None else v


def _take(run, row):
    path, kind = row["attribute_path"], row["attribute_type"]
    step, time, value = row["step"], row["timestamp"], _value(kind, row)
    if value is None:
        # A NaN point has its time; padding rows and phantom rows have none and are nothing.
        if kind != "float_series" or step is None or time is None:
            return
        value = float("nan")
    run.add(path, kind, (step, time, value))


def read(data_dir, files_dir):
    """All runs of an archive: {(project, scope, id): Run}, in the order of parts and rows."""
    runs = {}
    found = [os.path.join(d, n) for d, _, names in os.walk(data_dir) for n in names if n.endswith(".parquet")]
    for path in sorted(found, key=_order):
        scope = _scope(data_dir, path)
        project_dir = os.path.relpath(path, data_dir).split(os.sep)[0]
        columns = _columns(pq.read_table(path, partitioning=None))
        names = list(columns)
        for values in zip(*columns.values()):
            row = dict(zip(names, values))
            key = (row["project_id"], scope, row["run_id"])
            if key not in runs:
                runs[key] = Run(*key, [os.path.join(files_dir, project_dir)])
            _take(runs[key], row)
    _read_manifests(data_dir, runs)
    return runs


def _read_manifests(data_dir, runs):
    for path in glob.glob(os.path.join(glob.escape(data_dir), "**", "*_manifest.json"), recursive=True):
        with open(path, encoding="utf-8") as f:
            manifest = json.load(f)
        about = manifest["run"]
        run = runs.get((about["project_id"], about.get("scope", "run"), about["run_id"]))
        if run is None:
            continue
        run.recorded = collections.defaultdict(list)
        for file in manifest["files"]:
            run.recorded[file["attribute"], file["type"]].append(file)
