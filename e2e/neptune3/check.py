"""Reads everything that a world holds with the unmodified neptune-query, and compares.

NEPTUNE_API_TOKEN says where the server is. The world's form is described at neptunetest.World. The last line of
the output is "compared N", before it stands a line for each difference; the exit code is 1 if there is one.
"""

import argparse
import collections
import datetime
import json
import math
import pathlib
import struct
import sys
import tempfile

import neptune_query
import neptune_query.runs as nq
from neptune_query import experimental, filters

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
import values

SCALARS = {"int", "float", "string", "bool", "datetime", "string_set"}
OTHER_SERIES = {"string_series", "histogram_series", "file_series"}
NO_VALUES = {"experiment_state", "git_ref"}  # dropped by the client


class Check:
    def __init__(self, world):
        self.world = world
        self.project = world["project"]
        self.runs = [r for r in world["runs"] if r["custom_run_id"]]  # the client cannot name the others
        self.compared = 0
        self.differences = 0

    def equal(self, what, got, want):
        self.compared += 1
        if got != want:
            self.differences += 1
            print(f"{what}: got {str(got)[:500]!r}, want {str(want)[:500]!r}")

    def all(self):
        self.listing()
        self.definitions()
        for run in self.runs:
            self.scalars(run)
            self.metrics(run)
            self.history(run)
            self.series(run)
            self.files(run)
        self.whole_project()
        self.experiments()

    def listing(self):
        everybody = sorted(r["custom_run_id"] for r in self.runs)
        self.equal("runs", nq.list_runs(project=self.project, runs=".+"), everybody)
        kept = sorted(r["custom_run_id"] for r in self.runs if not r["archived"])
        alive = filters.Filter.matches(filters.Attribute("sys/custom_run_id", type="string"), ".+") & filters.Filter.ne(
            filters.Attribute("sys/archived", type="bool"), True
        )
        self.equal("runs that are not archived", nq.list_runs(project=self.project, runs=alive), kept)
        for run in self.runs:
            name = run["custom_run_id"]
            self.equal(f"run {name!r} alone", nq.list_runs(project=self.project, runs=[name]), [name])

    def definitions(self):
        want = {a["path"] for r in self.world["runs"] for a in r["attributes"] if a["type"] not in NO_VALUES}
        got = nq.list_attributes(project=self.project)
        self.equal("attributes", got, sorted(want | {"sys/id"}))
        for kind in sorted(SCALARS | OTHER_SERIES | {"float_series", "file"}):
            want = {a["path"] for r in self.runs for a in r["attributes"] if a["type"] == kind}
            got = nq.list_attributes(
                project=self.project, runs=".+", attributes=filters.AttributeFilter(name=".*", type=[kind])
            )
            self.equal(f"attributes of type {kind}", got, sorted(want))

    def scalars(self, run):
        table = self.table(run, sorted(SCALARS))
        want = {f"{a['path']}:{a['type']}": scalar(a) for a in run["attributes"] if a["type"] in SCALARS}
        for name in sorted(want.keys() | set(table.columns)):
            got = read_scalar(table[name].iloc[0], name.rsplit(":", 1)[1]) if name in table.columns else None
            self.equal(f"{run['custom_run_id']!r} {name}", got, want.get(name))

    def table(self, run, kinds):
        return nq.fetch_runs_table(
            project=self.project,
            runs=[run["custom_run_id"]],
            attributes=filters.AttributeFilter(name=".*", type=kinds),
            sort_by=filters.Attribute("sys/id", type="string"),
            sort_direction="asc",
            type_suffix_in_column_names=True,
        )

    def metrics(self, run):
        """Own points with times and previews, each series by its exact name."""
        for a in of_type(run, "float_series"):
            want = [
                (number(p[0]), number(p[1]), p[2], len(p) > 3, f32(p[3]["completion"]) if len(p) > 3 else 1.0)
                for p in sorted(a["points"], key=lambda p: number(p[0]))
            ]
            self.equal(f"{run['custom_run_id']!r} {a['path']}", self.points(run, a["path"]), bits(want))

    def points(self, run, path):
        try:
            frame = nq.fetch_metrics(
                project=self.project,
                runs=[run["custom_run_id"]],
                attributes=[path],
                include_time="absolute",
                lineage_to_the_root=False,
                include_point_previews=True,
            )
        except IndexError:  # what some versions of pandas make of a series without points
            return []
        if frame.empty:
            return []
        rows = []
        for (_, step), row in frame[path].iterrows():
            rows.append(
                (step, row["value"], millis(row["absolute_time"]), bool(row["is_preview"]), row["preview_completion"])
            )
        return bits(rows)

    def history(self, run):
        """Points of the run and all it was forked from, without previews."""
        chain = self.chain(run)
        if len(chain) == 1:
            return
        paths = sorted({a["path"] for r, _, _ in chain for a in of_type(r, "float_series")})
        frame = nq.fetch_metrics(project=self.project, runs=[run["custom_run_id"]], attributes=paths)
        for path in paths:
            want = []
            for member, after, until in chain:
                for a in of_type(member, "float_series"):
                    if a["path"] == path:
                        want += [(number(p[0]), number(p[1])) for p in a["points"] if after < number(p[0]) <= until and len(p) == 3]
            column = frame[path].dropna() if path in frame.columns else {}
            got = [(step, value) for (_, step), value in column.items()]
            self.equal(f"{run['custom_run_id']!r} {path} with history", bits(got), bits(w for w in sorted(want) if w[1] == w[1]))

    def chain(self, run):
        """(run, step it begins after, last step), the run itself first."""
        chain, until = [], math.inf
        while run is not None:
            parent, step = value(run, "sys/forking/parent"), value(run, "sys/forking/step")
            by_name = [r for r in self.world["runs"] if parent and parent in (r["custom_run_id"], r["sys_id"])]
            chain.append((run, step if by_name else -math.inf, until))
            until = min(until, step if by_name else until)
            run = by_name[0] if by_name else None
        return chain

    def series(self, run):
        for a in run["attributes"]:
            if a["type"] not in OTHER_SERIES:
                continue
            want = [
                (number(p[0]), point(a["type"], p[1]), p[2]) for p in sorted(a["points"], key=lambda p: number(p[0]))
            ]
            got = self.fetch_series(run, a["path"])
            self.equal(f"{run['custom_run_id']!r} {a['path']}", [(s, read_point(v), t) for s, v, t in got], want)
            for limit in (1, 2):
                tail = self.fetch_series(run, a["path"], tail_limit=limit)
                self.equal(f"{run['custom_run_id']!r} {a['path']}, last {limit}", tail, got[-limit:])

    def fetch_series(self, run, path, **more):
        try:
            frame = nq.fetch_series(
                project=self.project,
                runs=[run["custom_run_id"]],
                attributes=[path],
                include_time="absolute",
                lineage_to_the_root=False,
                **more,
            )
        except IndexError:
            return []
        if frame.empty:
            return []
        return [(s, row["value"], millis(row["absolute_time"])) for (_, s), row in frame[path].iterrows()]

    def files(self, run):
        """Each file alone: the client gives some the same name."""
        want = {a["path"] + ":file": content(a) for a in of_type(run, "file")}
        table = self.table(run, ["file"])
        self.equal(f"{run['custom_run_id']!r} files", sorted(table.columns), sorted(want))
        for name, (mime, size, data) in want.items():
            file = table[name].iloc[0]
            self.equal(f"{run['custom_run_id']!r} {name}", (file.mime_type, file.size_bytes), (mime, size))
            self.download(f"{run['custom_run_id']!r} {name}", file, data)
        for a in of_type(run, "file_series"):
            for (step, file, _), p in zip(self.fetch_series(run, a["path"]), sorted(a["points"], key=lambda p: p[0])):
                self.download(f"{run['custom_run_id']!r} {a['path']} step {step}", file, content(p[1])[2])

    def download(self, what, file, data):
        try:
            with tempfile.TemporaryDirectory() as directory:
                frame = nq.download_files(files=file, destination=directory)
                self.equal(what + " content", pathlib.Path(frame.iloc[0, 0]).read_bytes(), data)
        except OSError as error:
            if "name too long" not in str(error):  # the client does not shorten what has an extension
                raise

    def whole_project(self):
        """All runs in one call, as the official exporter does it."""
        for kind, fetch in (("float_series", nq.fetch_metrics), ("string_series", nq.fetch_series)):
            want = collections.Counter()
            for run in self.runs:
                for a in of_type(run, kind):
                    steps = [p for p in a["points"] if len(p) == 3]
                    want[a["path"]] += sum(1 for p in steps if kind != "float_series" or p[1] != "NaN")
            frame = fetch(
                project=self.project,
                runs=".+",
                attributes=filters.AttributeFilter(name=".*", type=[kind]),
                lineage_to_the_root=False,
            )
            got = collections.Counter({path: int(frame[path].notna().sum()) for path in frame.columns})
            self.equal(f"points of {kind} of all runs", dict(+got), dict(+want))
        ids = [r["sys_id"] for r in self.runs]
        created = {r["sys_id"]: value(r, "sys/creation_time") for r in self.runs}
        table = nq.fetch_runs_table(project=self.project, runs=".+", attributes=["sys/id"], sort_direction="asc")
        self.equal("IDs by creation time", list(table["sys/id"]), sorted(ids, key=created.get))
        named = filters.Filter.matches(filters.Attribute("sys/custom_run_id", type="string"), ".+")
        table = experimental.fetch_runs_table_global(
            runs=named,
            attributes=["sys/id"],
            sort_by=filters.Attribute("sys/id", type="string"),
            sort_direction="asc",
        )
        mine = table.xs(self.project, level="project")
        self.equal("IDs over all projects", list(mine["sys/id"]), sorted(ids))

    def experiments(self):
        heads = [r for r in self.world["runs"] if value(r, "sys/experiment/is_head")]
        names = sorted(value(r, "sys/name") for r in heads)
        self.equal("experiments", sorted(neptune_query.list_experiments(project=self.project, experiments=".+")), names)
        table = neptune_query.fetch_experiments_table(
            project=self.project,
            experiments=filters.Filter.eq(filters.Attribute("sys/failed", type="bool"), False) & filters.Filter.exists("sys/name"),
            attributes=["sys/owner"],
        )
        want = sorted((value(r, "sys/name"), value(r, "sys/owner")) for r in heads if value(r, "sys/failed") is False)
        self.equal("owners of experiments that did not fail", sorted(table["sys/owner"].items()), want)


def of_type(run, kind):
    return [a for a in run["attributes"] if a["type"] == kind]


def value(run, path):
    return next((a["value"] for a in run["attributes"] if a["path"] == path), None)


def number(v):
    return float(v)  # takes "NaN", "Infinity" and "-Infinity" too


def f32(v):
    return struct.unpack("f", struct.pack("f", v))[0]


def bits(rows):
    """Rows in which NaN equals NaN and 0.0 differs from -0.0."""
    return [tuple(one(v) if isinstance(v, float) else v for v in plain(row)) for row in rows]


def one(v):
    return "nan" if v != v else struct.pack("d", v).hex()


def plain(row):
    return [float(v) if not isinstance(v, (bool, int)) else v for v in row]


def millis(time):
    return round(time.timestamp() * 1000)


def scalar(a):
    v = a["value"]
    if a["type"] == "float":
        return bits([(number(v),)])
    return set(v) if a["type"] == "string_set" else v


def read_scalar(v, kind):
    if kind == "float":
        return bits([(float(v),)])
    if kind == "datetime":
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        return (v.to_pydatetime() - epoch) // datetime.timedelta(milliseconds=1)
    if kind == "string_set":
        return set(v)
    return {"int": int, "bool": bool, "string": str}[kind](v)


def point(kind, v):
    if kind == "histogram_series":
        return (v["type"], bits([map(number, v["edges"]), map(number, v["values"])]))
    return content(v)[:2] if kind == "file_series" else v


def read_point(v):
    if hasattr(v, "edges"):
        return (v.type, bits([v.edges, v.values]))
    return (v.mime_type, v.size_bytes) if hasattr(v, "mime_type") else v


def content(f):
    data = values.content(f)
    return f["mime"], len(data), data


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", type=pathlib.Path)
    check = Check(json.loads(parser.parse_args().world.read_bytes()))
    check.all()
    print("compared", check.compared)
    sys.exit(check.differences > 0)


if __name__ == "__main__":
    main()
