"""Compares an archive with the world that Neptune served, value by value and byte by byte.

    world.py WORLD DATA FILES [--previews] [--archived] [--reader pyarrow|duckdb|polars] [--tool DATA FILES]...

The form of a world is told at neptunetest.World, that of an archive in docs/formats/parquet.md. Each --tool is an archive of
the same world that the Python tool wrote: what is in it has to be in this one too, unless the world says that the
tool was wrong. It prints every difference and ends with 1, or prints "compared N; the tool was wrong about M" and
ends with 0.
"""

import argparse
import collections
import hashlib
import json
import os
import pathlib
import sys

import dump_archive
import tool
import world2
from values import bits, content, micro, safe, shown, step

SCALARS = {
    "int": "int_value", "float": "float_value", "string": "string_value", "bool": "bool_value",
    "datetime": "datetime_value", "string_set": "string_set_value",
}
SERIES = {
    "float_series": "float_value", "string_series": "string_value", "histogram_series": "histogram_value",
    "file_series": "file_value",
}
NO_VALUES = {"experiment_state": "run_state", "git_ref": "git_ref"}
# The worlds' lists of runs and of what is stored as runs are, by scope, and their directories.
SCOPES = {"run": ("runs", ""), "model": ("models", "models"), "model_version": ("model_versions", "model_versions")}
MAX_DIFFERENCES = 50


class Check:
    def __init__(self, args):
        self.args = args
        self.world = json.loads(args.world.read_bytes())
        self.project = self.world["project"]
        self.compared = 0
        self.wrong = 0
        self.differences = []

    def equal(self, what, got, want):
        self.compared += 1
        if got != want:
            self.differences.append(f"{what}: is {shown(got)}, should be {shown(want)}")

    def run(self):
        self.files = self.args.files / safe(self.project)
        self.manifests = {}
        for path in self.args.data.glob("**/*_manifest.json"):
            manifest = json.loads(path.read_bytes())
            self.manifests[manifest["run"].get("scope", "run"), manifest["run"]["run_id"]] = (path, manifest)
        rows = self.rows()
        wanted = dict(self.wanted())
        self.equal("runs", sorted(rows), sorted(wanted))
        self.equal("manifests", sorted(self.manifests), sorted(wanted))
        for key, run in wanted.items():
            if key in rows and key in self.manifests:
                RunCheck(self, *key, run, rows[key]).check()
        self.nothing_else()
        for data, files in self.args.tool:
            tool.compare(self, data, files, wanted)

    def wanted(self):
        """The runs that the archive should have, by scope and ID."""
        seen = set()
        for scope, (plural, _) in SCOPES.items():
            for i, run in enumerate(self.world.get(plural, [])):
                if run["archived"] and not self.args.archived:
                    continue
                key = scope, self.run_id(run)
                assert key not in seen, "two runs have one ID"
                seen.add(key)
                yield key, run | {"attributes": [*run["attributes"], *self.defaults(scope, i, run)]}

    def run_id(self, run):
        return run["sys_id"] if self.second else run["custom_run_id"] or run["sys_id"]

    @property
    def second(self):
        """Whether this is of Neptune 2."""
        return self.world["generation"] == 2

    def defaults(self, scope, i, run):
        """The attributes that every run has and the world may not name."""
        there = {a["path"] for a in run["attributes"]}
        both = [("sys/id", "string", run["sys_id"]), ("sys/custom_run_id", "string", run["custom_run_id"])]
        for path, kind, value in both + (world2.defaults(scope, i, run) if self.second else defaults3(run)):
            if path not in there and value is not None:
                yield {"path": path, "type": kind, "value": value}

    def rows(self):
        """All rows by run, in the order of the parts."""
        read = dump_archive.READERS[self.args.reader]
        runs = {run: [] for run, (_, m) in self.manifests.items() if sum(p["rows"] for p in m["parts"]) == 0}
        directories = {directory(self.project, scope): scope for scope in SCOPES}
        for name in dump_archive.parts(self.args.data):
            below = str(pathlib.Path(name).parent.relative_to(self.args.data))
            self.equal(f"directory of {name} is one of the project", below in directories, True)
            for row in read(name):
                self.equal(name, row["project_id"], self.project)
                self.equal(name, pathlib.Path(name).name.rsplit("_part_", 1)[0], safe(row["run_id"]))
                runs.setdefault((directories.get(below), row["run_id"]), []).append(row)
        return runs

    def nothing_else(self):
        """The directories hold what the manifests name, and nothing else."""
        data, files = {".nexport.lock", ".nexport.archive"}, {".nexport.archive"}
        for path, m in self.manifests.values():
            stem = str(path.relative_to(self.args.data)).removesuffix("_manifest.json")
            data |= {f"{stem}_manifest.json"} | {f"{stem}_part_{i}.parquet" for i in range(len(m["parts"]))}
            files |= {f"{safe(self.project)}/{f['path']}" for f in m["files"] if "path" in f}
        self.equal("names below the data directory", below(self.args.data), sorted(data))
        self.equal("names below the files directory", below(self.args.files), sorted(files))


class RunCheck:
    """The comparison of one run."""

    def __init__(self, check, scope, name, run, rows):
        self.c, self.scope, self.name, self.run, self.rows = check, scope, name, run, rows
        self.path, self.manifest = check.manifests[scope, name]
        self.recorded = {f["path"]: f for f in self.manifest["files"] if "path" in f}

    def equal(self, what, got, want):
        self.c.equal(f"{self.scope} {self.name!r} {what}", got, want)

    def check(self):
        found = self.gather()
        wanted = {(a["path"], a["type"]): a for a in self.run["attributes"] if self.c.second or a["type"] not in NO_VALUES}
        wanted = {k: a for k, a in wanted.items() if "points" not in a or self.points(a)}
        self.equal("attributes", sorted(found), sorted(wanted))
        for key, a in wanted.items():
            if key in found:
                self.attribute(a, found[key])
        self.check_manifest()

    def points(self, a):
        return sorted((p for p in a["points"] if len(p) == 3 or self.c.args.previews), key=lambda p: float(p[0]))

    def gather(self):
        """The rows by attribute: those of one are adjacent, and those without steps come first."""
        found, last, stepped = {}, None, False
        for row in self.rows:
            key = row["attribute_path"], row["attribute_type"]
            if key != last:
                self.equal(f"{key}: rows are adjacent", key in found, False)
                self.equal(f"{key}: comes before the series", stepped and key[1] not in SERIES, False)
                last = key
            stepped = stepped or key[1] in SERIES
            found.setdefault(key, []).append(row)
        return found

    def attribute(self, a, rows):
        got = [(row["step"], row["timestamp"], self.value(a["type"], row)) for row in rows]
        if a["type"] in SERIES:
            want = [(step(p[0]), p[2], self.wanted(a, p[1])) for p in self.points(a)]
        else:
            want = [(None, None, self.wanted(a, a.get("value", a)))]
        if got == want:
            self.c.compared += len(want)
            return
        self.equal(f"{a['path']!r}: number of rows", len(got), len(want))
        for g, w in zip(got, want):
            self.equal(f"{a['path']!r}", g, w)

    def value(self, kind, row):
        """The only value of a row. A file is its content and type."""
        column = SCALARS.get(kind) or SERIES.get(kind) or world2.COLUMNS.get(kind) or "file_value"
        for other in set(SCALARS.values()) | set(SERIES.values()) | {"file_value"}:
            if other != column and row[other] is not None and (kind, other) != ("artifact", "file_value"):
                return f"a value in the column {other}: {row[other]!r}"
        if kind in world2.KINDS:
            return world2.value(self, kind, row)
        v = row[column]
        return self.file(kind, row, v["path"]) if column == "file_value" else bits(v)

    def file(self, kind, row, path):
        """What there is to say of the file of a row."""
        record, data = self.recorded_file(path)
        if record is None:
            return data
        self.equal(f"{path}: attribute", (record["attribute"], record["type"]), (row["attribute_path"], kind))
        self.equal(f"{path}: step", record.get("step"), None if row["step"] is None else micro(row["step"]))
        if self.c.second:
            return world2.file(kind, record, data)
        return record.get("mime", ""), data

    def recorded_file(self, path):
        """A file as the manifest and as the disk has it; or None and what is wrong with it."""
        place, top = self.c.files / path, os.path.realpath(self.c.files / SCOPES[self.scope][1])
        if not os.path.realpath(place).startswith(os.path.join(top, safe(self.name)) + os.sep):
            return None, "outside of the run's directory"
        record = self.recorded.get(path)
        if record is None:
            return None, "not in the manifest"
        data = place.read_bytes()
        self.equal(f"{path}: size", record["size"], len(data))
        self.equal(f"{path}: digest", record["sha256"], hashlib.sha256(data).hexdigest())
        return record, data

    def wanted(self, a, v):
        kind = a["type"]
        if kind in world2.KINDS:
            return world2.wanted(kind, v)
        if kind in ("file", "file_series"):
            return world2.wanted_file(a, v) if self.c.second else (v["mime"], content(v))
        if kind == "histogram_series":
            return bits({"type": v["type"], "edges": list(map(float, v["edges"])), "values": list(map(float, v["values"]))})
        return bits(float(v) if kind in ("float", "float_series") else v)

    def check_manifest(self):
        m, run = self.manifest, self.run
        self.equal("name of the manifest", self.path.name, safe(self.name) + "_manifest.json")
        self.equal("complete", (m["complete"], m.get("reasons"), m["format"]), (True, None, 1))
        self.equal("selections", m.get("selections"), self.selections())
        self.equal("directory", self.path.parent, self.c.args.data / directory(self.c.project, self.scope))
        self.equal("project", m["run"]["project_id"], self.c.project)
        self.equal("short ID", m["run"]["sys_id"], run["sys_id"])
        kinds, points = collections.Counter(), collections.Counter()
        for path, kind in {(r["attribute_path"], r["attribute_type"]) for r in self.rows}:
            kinds[kind] += 1
        for r in self.rows:
            points[r["attribute_type"]] += r["attribute_type"] in SERIES
        counted = {k: n for k, n in m["attributes"].items() if k not in SERIES}
        self.equal("attributes without steps in the manifest", counted, {k: n for k, n in kinds.items() if k not in SERIES})
        self.equal("points in the manifest", {k: n for k, n in m["points"].items() if n}, dict(+points))
        self.equal("rows in the manifest", sum(p["rows"] for p in m["parts"]), len(self.rows))
        for i, part in enumerate(m["parts"]):
            content = self.path.with_name(f"{safe(self.name)}_part_{i}.parquet").read_bytes()
            self.equal(f"part {i}", (part["size"], part["sha256"]), (len(content), hashlib.sha256(content).hexdigest()))
        named = collections.defaultdict(set)
        for p in m.get("problems", []):
            named[p.get("path")].add(p["code"])
        if self.c.second:
            self.equal("what the manifest says of attributes", dict(named), world2.problems(run["attributes"]))
            return
        for a in run["attributes"]:
            preview = self.c.args.previews and any(len(p) > 3 for p in a.get("points", []))
            self.equal(f"{a['path']!r} is named in the manifest", a["path"] in named, preview or a["type"] in NO_VALUES)

    def selections(self):
        """What was asked for beyond what everybody gets."""
        if self.c.second:
            return [{"with": ["artifact contents"]}]
        return [{"with": ["metric previews"]}] if self.c.args.previews else None


def defaults3(run):
    return [("sys/archived", "bool", bool(run["archived"])), ("sys/trashed", "bool", False)]


def directory(project, scope):
    """Where the parts of runs of a scope are below the data directory."""
    return os.path.join(safe(project), SCOPES[scope][1]).rstrip(os.sep)


def below(directory):
    return sorted(str(p.relative_to(directory)) for p in directory.rglob("*") if not p.is_dir())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("files", type=pathlib.Path)
    parser.add_argument("--previews", action="store_true")
    parser.add_argument("--archived", action="store_true")
    parser.add_argument("--reader", choices=dump_archive.READERS, default="pyarrow")
    parser.add_argument("--tool", nargs=2, action="append", default=[], metavar=("DATA", "FILES"))
    check = Check(parser.parse_args())
    check.run()
    for line in check.differences[:MAX_DIFFERENCES]:
        print(line)
    if check.differences:
        sys.exit(f"{len(check.differences)} differences")
    print(f"compared {check.compared}; the tool was wrong about {check.wrong}")


main()
