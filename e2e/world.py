"""Compares an archive with the world that Neptune served, value by value and byte by byte.

    world.py WORLD DATA FILES [--previews] [--archived] [--reader pyarrow|duckdb|polars] [--tool DATA FILES]...

The form of a world is told at neptunetest.World, that of an archive in docs/formats/parquet.md. Each --tool is an archive of
the same world that the Python tool wrote: what is in it has to be in this one too, unless the world says that the
tool was wrong. It prints every difference and ends with 1, or prints "compared N; the tool was wrong about M" and
ends with 0.
"""

import argparse
import base64
import collections
import decimal
import hashlib
import json
import os
import pathlib
import struct
import sys

import archive
import dump_archive

SCALARS = {
    "int": "int_value", "float": "float_value", "string": "string_value", "bool": "bool_value",
    "datetime": "datetime_value", "string_set": "string_set_value",
}
SERIES = {
    "float_series": "float_value", "string_series": "string_value", "histogram_series": "histogram_value",
    "file_series": "file_value",
}
NO_VALUES = {"experiment_state": "run_state", "git_ref": "git_ref"}
MASK = (1 << 64) - 1
MAX_SHOWN = 300
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
        for path in self.args.data.glob("*/*_manifest.json"):
            manifest = json.loads(path.read_bytes())
            self.manifests[manifest["run"]["run_id"]] = (path, manifest)
        rows = self.rows()
        runs = [r for r in self.world["runs"] if self.args.archived or not r["archived"]]
        wanted = {run_id(r): r for r in runs}
        assert len(wanted) == len(runs), "two runs have one ID"
        self.equal("runs", sorted(rows), sorted(wanted))
        self.equal("manifests", sorted(self.manifests), sorted(wanted))
        for name, run in wanted.items():
            if name in rows and name in self.manifests:
                RunCheck(self, name, run, rows[name]).check()
        self.nothing_else()
        for data, files in self.args.tool:
            self.tool(data, files, wanted)

    def rows(self):
        """All rows by run, in the order of the parts."""
        read = dump_archive.READERS[self.args.reader]
        runs = {run: [] for run, (_, m) in self.manifests.items() if sum(p["rows"] for p in m["parts"]) == 0}
        for name in dump_archive.parts(self.args.data):
            self.equal(f"directory of {name}", pathlib.Path(name).parent.name, safe(self.project))
            for row in read(name):
                self.equal(name, row["project_id"], self.project)
                self.equal(name, pathlib.Path(name).name.rsplit("_part_", 1)[0], safe(row["run_id"]))
                runs.setdefault(row["run_id"], []).append(row)
        return runs

    def nothing_else(self):
        """The directories hold what the manifests name, and nothing else."""
        data, files = {".nexport.lock"}, set()
        for path, m in self.manifests.values():
            stem = str(path.relative_to(self.args.data)).removesuffix("_manifest.json")
            data |= {f"{stem}_manifest.json"} | {f"{stem}_part_{i}.parquet" for i in range(len(m["parts"]))}
            files |= {f"{safe(self.project)}/{f['path']}" for f in m["files"] if "path" in f}
        self.equal("names below the data directory", below(self.args.data), sorted(data))
        self.equal("names below the files directory", below(self.args.files), sorted(files))

    def tool(self, data, files, wanted):
        """What an archive of the Python tool has is here too."""
        mine = archive.read(self.args.data, self.args.files)
        for key, theirs in archive.read(data, files).items():
            run = mine.get(key)
            self.equal(f"run {key} of the tool", run is not None, True)
            for (path, kind), attribute in theirs.attributes.items() if run else ():
                here = run.attributes.get((path, kind))
                self.equal(f"{key} {path} {kind} of the tool", here is not None, True)
                if here:
                    world = next(a for a in wanted[run.id]["attributes"] if (a["path"], a["type"]) == (path, kind))
                    self.tool_rows(f"{key} {path} of the tool", (theirs, attribute), (run, here), world)

    def tool_rows(self, what, theirs, mine, world):
        have = {row[:2]: value for row, value in plain_rows(*mine)}
        for row, value in plain_rows(*theirs):
            self.compared += 1
            if row[:2] not in have:
                self.differences.append(f"{what}: nothing at {row[:2]}")
            elif like(value, world, row[0]) != like(have[row[:2]], world, row[0]):
                # Which of the two is right is what the world says; that it is this one was compared already.
                self.wrong += 1
                print(f"the tool is wrong: {what} {row[:2]}: {shown(value)}")


def plain_rows(run, attribute):
    for row in attribute.rows:
        value = row[2]
        if archive.VALUE_OF[attribute.kind] == "file_value":
            place = run.file(value)
            value = pathlib.Path(place).read_bytes() if place else None
        yield row, bits(value)


def like(value, world, micro):
    """A value without what the tool does not keep, or made up otherwise when its archives were written."""
    if world["type"] == "string_set":
        return sorted(value)
    generated = "seed" in world
    if world["type"] == "file_series":
        generated = any("seed" in p[1] for p in world["points"] if step(p[0]).scaleb(6, WIDE) == micro)
    return len(value) if generated and value is not None else value


class RunCheck:
    """The comparison of one run."""

    def __init__(self, check, name, run, rows):
        self.c, self.name, self.run, self.rows = check, name, run, rows
        self.path, self.manifest = check.manifests[name]
        self.recorded = {f["path"]: f for f in self.manifest["files"] if "path" in f}

    def equal(self, what, got, want):
        self.c.equal(f"{self.name!r} {what}", got, want)

    def check(self):
        found = self.gather()
        wanted = {(a["path"], a["type"]): a for a in self.attributes() if a["type"] not in NO_VALUES}
        wanted = {k: a for k, a in wanted.items() if "points" not in a or self.points(a)}
        self.equal("attributes", sorted(found), sorted(wanted))
        for key, a in wanted.items():
            if key in found:
                self.attribute(a, found[key])
        self.check_manifest()

    def attributes(self):
        """Those of the world, and those that every run has."""
        yield from self.run["attributes"]
        there = {a["path"] for a in self.run["attributes"]}
        for path, kind, value in (
            ("sys/id", "string", self.run["sys_id"]), ("sys/custom_run_id", "string", self.run["custom_run_id"]),
            ("sys/archived", "bool", bool(self.run["archived"])), ("sys/trashed", "bool", False),
        ):
            if path not in there and value is not None:
                yield {"path": path, "type": kind, "value": value}

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
            want = [(step(p[0]), p[2], self.wanted(a["type"], p[1])) for p in self.points(a)]
        else:
            want = [(None, None, self.wanted(a["type"], a if a["type"] == "file" else a["value"]))]
        if got == want:
            self.c.compared += len(want)
            return
        self.equal(f"{a['path']!r}: number of rows", len(got), len(want))
        for g, w in zip(got, want):
            self.equal(f"{a['path']!r}", g, w)

    def value(self, kind, row):
        """The only value of a row. A file is its content and type."""
        column = SCALARS.get(kind) or SERIES.get(kind) or "file_value"
        for other in set(SCALARS.values()) | set(SERIES.values()) | {"file_value"}:
            if other != column and row[other] is not None:
                return f"a value in the column {other}: {row[other]!r}"
        v = row[column]
        return self.file(kind, row, v["path"]) if column == "file_value" else bits(v)

    def file(self, kind, row, path):
        place = self.c.files / path
        if not os.path.realpath(place).startswith(os.path.realpath(self.c.files) + os.sep):
            return "outside of the directory"
        content = place.read_bytes()
        record = self.recorded.get(path)
        if record is None:
            return "not in the manifest"
        self.equal(f"{path}: attribute", (record["attribute"], record["type"]), (row["attribute_path"], kind))
        self.equal(f"{path}: size", record["size"], len(content))
        self.equal(f"{path}: digest", record["sha256"], hashlib.sha256(content).hexdigest())
        micro = None if row["step"] is None else int(row["step"].scaleb(6, WIDE))
        self.equal(f"{path}: step", record.get("step"), micro)
        return record.get("mime", ""), content

    def wanted(self, kind, v):
        if kind in ("file", "file_series"):
            return v["mime"], base64.b64decode(v["b64"]) if "b64" in v else noise(v["size"], v["seed"])
        if kind == "histogram_series":
            return bits({"type": v["type"], "edges": list(map(float, v["edges"])), "values": list(map(float, v["values"]))})
        return bits(float(v) if kind in ("float", "float_series") else v)

    def check_manifest(self):
        m, run = self.manifest, self.run
        self.equal("name of the manifest", self.path.name, safe(self.name) + "_manifest.json")
        self.equal("complete", (m["complete"], m.get("reasons"), m.get("selections"), m["format"]), (True, None, None, 1))
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
        named = {p.get("path") for p in m.get("problems", [])}
        for a in run["attributes"]:
            preview = self.c.args.previews and any(len(p) > 3 for p in a.get("points", []))
            self.equal(f"{a['path']!r} is named in the manifest", a["path"] in named, preview or a["type"] in NO_VALUES)


WIDE = decimal.Context(prec=60)


def step(number):
    """The exact value of a float, to six places."""
    return decimal.Decimal(float(number)).quantize(decimal.Decimal("0.000001"), context=WIDE)


def safe(identity):
    """The name that docs/formats/parquet.md gives an ID."""
    name = "".join(c if c.isalnum() or c in "_-" else "_" for c in identity)
    while len(name.encode()) > 180:
        name = name[:-1]
    return name + "-" + hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()


def run_id(run):
    return run["custom_run_id"] or run["sys_id"]


def below(directory):
    return sorted(str(p.relative_to(directory)) for p in directory.rglob("*") if not p.is_dir())


def bits(v):
    """Floats as their bits, so that NaN equals NaN and 0.0 differs from -0.0."""
    if isinstance(v, float):
        return "NaN" if v != v else struct.pack(">d", v).hex()
    if isinstance(v, list):
        return [bits(x) for x in v]
    if isinstance(v, dict):
        return {k: bits(x) for k, x in v.items()}
    return v


def noise(size, seed):
    """splitmix64, as neptunetest.GeneratedFile has it."""
    out = bytearray()
    for i in range((size + 7) // 8):
        z = (seed + i * 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        out += struct.pack("<Q", z ^ z >> 31)
    return bytes(out[:size])


def shown(v):
    text = repr(v)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


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
