"""Reads everything that a world of generation 2 holds with the unmodified neptune client, and compares.

NEPTUNE_API_TOKEN says where the server is; TZ must be UTC, since the client tells times of points as local ones. The
world's form is described at neptunetest.World. The last line of the output is "compared N", before it stands a line for
each difference; the exit code is 1 if there is one.
"""

import argparse
import datetime
import json
import math
import pathlib
import struct
import sys
import tempfile
import zipfile

import neptune
from neptune import management
from neptune.exceptions import FetchAttributeNotFoundException, RunNotFound

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
import values

SCALARS = {"int", "float", "string", "bool", "datetime"}
CLASSES = {
    "int": "Integer",
    "float": "Float",
    "string": "String",
    "bool": "Boolean",
    "datetime": "Datetime",
    "string_set": "StringSet",
    "file": "File",
    "file_set": "FileSet",
    "file_series": "FileSeries",
    "float_series": "FloatSeries",
    "string_series": "StringSeries",
    "artifact": "Artifact",
    "git_ref": "GitRef",
    "notebook_ref": "NotebookRef",
    "run_state": "RunState",
}
STATES = {"running": "Active", "idle": "Inactive"}


class Check:
    def __init__(self, world):
        self.world = world
        self.name = world["project"]
        self.compared = 0
        self.differences = 0

    def equal(self, what, got, want):
        self.compared += 1
        if got != want:
            self.differences += 1
            print(f"{what}: got {str(got)[:500]!r}, want {str(want)[:500]!r}")

    def all(self):
        self.equal("projects", management.get_project_list(), [self.name])
        with neptune.init_project(project=self.name, mode="read-only") as project:
            self.attributes(project, {"sys_id": "project", "attributes": self.world["project_attributes"]})
            self.table("runs", self.world["runs"], project.fetch_runs_table)
            self.filters(project)
            models = [m for m in self.world["models"] if not m["archived"]]
            self.rows("models", models, project.fetch_models_table)
        for run in self.world["runs"]:
            with neptune.init_run(project=self.name, with_id=run["sys_id"], mode="read-only") as it:
                self.attributes(it, run)
        for model in self.world["models"]:
            self.model(model)
        for version in self.world["model_versions"]:
            with neptune.init_model_version(project=self.name, with_id=version["sys_id"], mode="read-only") as it:
                self.attributes(it, version)
        self.nobody()

    def model(self, model):
        """The model with its versions: the client lists only those that are not in the trash."""
        versions = [v for v in self.world["model_versions"] if v["sys_id"].rpartition("-")[0] == model["sys_id"]]
        with neptune.init_model(project=self.name, with_id=model["sys_id"], mode="read-only") as it:
            self.attributes(it, model)
            alive = [v for v in versions if not v["archived"]]
            self.rows(f"versions of {model['sys_id']}", alive, it.fetch_model_versions_table)

    def nobody(self):
        try:
            neptune.init_run(project=self.name, with_id="PRJ-4711", mode="read-only")
            self.equal("a run that is not there", "a run", "RunNotFound")
        except RunNotFound:
            self.equal("a run that is not there", "RunNotFound", "RunNotFound")

    def table(self, what, containers, fetch):
        """All, those in the trash, and those that are not; by time and by the ID; with all columns and with some."""
        for trashed in (None, True, False):
            want = [c for c in containers if trashed is None or c["archived"] == trashed]
            self.rows(f"{what} trashed={trashed}", want, fetch, trashed=trashed)
        by_id = fetch(trashed=None, sort_by="sys/id", columns=["sys/name"], progress_bar=False)
        ids = sorted((c["sys_id"] for c in containers), reverse=True)
        self.equal(f"{what} by ID", [r.get_attribute_value("sys/id") for r in by_id], ids)
        first = fetch(trashed=None, sort_by="sys/id", limit=2, progress_bar=False)
        self.equal(f"{what} by ID, first two", [r.get_attribute_value("sys/id") for r in first], ids[:2])

    def rows(self, what, containers, fetch, **arguments):
        """Rows of a table by creation time, and every value that a row has."""
        arguments.update(sort_by="sys/creation_time", ascending=True, progress_bar=False)
        rows = list(fetch(**arguments))
        want = sorted(containers, key=lambda c: value(c, "sys/creation_time"))
        self.equal(what, [r.get_attribute_value("sys/id") for r in rows], [c["sys_id"] for c in want])
        for row, container in zip(rows, want):
            for a in container["attributes"]:
                if a["type"] in ("file", "file_set", "file_series"):
                    continue
                got = self.cell(row, a["path"])
                self.equal(f"{what}: {container['sys_id']} {a['path']!r}", exact(got), exact(cell(a)))
        self.frame(what, want, fetch(columns=["sys/state"], **arguments))

    def cell(self, row, path):
        try:
            return row.get_attribute_value(path)
        except ValueError:  # an empty series has no value
            return None

    def frame(self, what, containers, table):
        """The same as a data frame, in which times are times."""
        frame = table.to_pandas()
        if not containers:
            return
        want = [value(c, "sys/creation_time") for c in containers]
        self.equal(f"{what}: times", [round(t.timestamp() * 1000) for t in frame["sys/creation_time"]], want)
        self.equal(f"{what}: states", list(frame["sys/state"]), [STATES[value(c, "sys/state")] for c in containers])

    def filters(self, project):
        alive = [r for r in self.world["runs"] if not r["archived"]]
        tag = next((t for r in alive for t in value(r, "sys/tags")), "none")
        for what, arguments, keep in (
            ("state", {"state": "active"}, lambda r: value(r, "sys/state") == "running"),
            ("tag", {"tag": [tag]}, lambda r: tag in value(r, "sys/tags")),
            ("id", {"id": ["PRJ-1", "PRJ-2"]}, lambda r: r["sys_id"] in ("PRJ-1", "PRJ-2")),
            ("owner", {"owner": "nobody"}, lambda r: False),
            ("query", {"query": "(sys/id:string = PRJ-1)"}, lambda r: r["sys_id"] == "PRJ-1"),
            (
                "time",
                {"query": '(`sys/creation_time`:datetime > "2024-01-01T00:00:00Z" AND NOT sys/id : string = \'PRJ-2\')'},
                lambda r: r["sys_id"] != "PRJ-2" and value(r, "sys/creation_time") > 1704067200000,
            ),
        ):
            table = project.fetch_runs_table(sort_by="sys/id", ascending=True, columns=[], progress_bar=False, **arguments)
            want = sorted(r["sys_id"] for r in alive if keep(r))
            self.equal(f"runs by {what}", [r.get_attribute_value("sys/id") for r in table], want)

    def attributes(self, it, container):
        who = container["sys_id"]
        listed = paths(it.get_structure())
        named = {a["path"]: a for a in container["attributes"] if normal(a["path"])}
        for path, a in named.items():
            self.equal(f"{who} {path!r} type", listed.get(path), CLASSES[a["type"]])
            getattr(self, a["type"])(f"{who} {path!r}", it[path], a)
        self.values(it, container)

    def values(self, it, container):
        """All scalars at once, which the client cannot do if there is a notebook."""
        if any(a["type"] == "notebook_ref" for a in container["attributes"]):
            return
        got = flat(it.fetch())
        for a in container["attributes"]:
            if a["type"] in SCALARS | {"run_state"} and normal(a["path"]):
                self.equal(f"{container['sys_id']} {a['path']!r} in all", exact(got.get(a["path"])), exact(scalar(a)))

    def scalar(self, what, it, a):
        self.equal(what, exact(it.fetch()), exact(scalar(a)))

    int = float = string = bool = datetime = scalar

    def string_set(self, what, it, a):
        try:
            self.equal(what, it.fetch(), set(a["value"]))
        except FetchAttributeNotFoundException:
            self.equal(f"{what} is not found", (a["path"], a["value"]), ("sys/group_tags", []))

    def run_state(self, what, it, a):
        pass  # in the table, and in all values

    git_ref = notebook_ref = run_state

    def float_series(self, what, it, a):
        want = [(number(p[0]), number(p[1]), p[2]) for p in ordered(a)]
        self.equal(what, self.points(it), [exact(p) for p in want])
        if want:
            self.equal(f"{what} last", exact(it.fetch_last()), exact(want[-1][1]))

    def string_series(self, what, it, a):
        self.equal(what, self.points(it), [exact((number(p[0]), p[1], p[2])) for p in ordered(a)])

    def points(self, it):
        frame = it.fetch_values(progress_bar=False)
        if frame.empty:
            return []
        return [
            exact((float(step), v, round(t.timestamp() * 1000)))
            for step, v, t in zip(frame["step"], frame["value"], frame["timestamp"])
        ]

    def file(self, what, it, a):
        extension = pathlib.PurePosixPath(a["name"]).suffix[1:] if not a["name"].endswith(".") else ""
        self.equal(f"{what} extension", it.fetch_extension(), extension)
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "file")
            it.download(str(path), progress_bar=False)
            self.equal(f"{what} content", path.read_bytes(), values.content(a))
            it.download(directory, progress_bar=False)
            names = {p.name for p in pathlib.Path(directory).iterdir()}
            told = a["name"].encode().decode("latin-1")  # as the client reads headers
            self.equal(f"{what} name", names, {"file", told})

    def file_set(self, what, it, a):
        want = {f["path"]: values.content(f) for f in a["files"]}
        with tempfile.TemporaryDirectory() as directory:
            it.download(directory, progress_bar=False)
            (path,) = pathlib.Path(directory).iterdir()
            with zipfile.ZipFile(path) as z:
                self.equal(what, {n: z.read(n) for n in z.namelist()}, want)
        self.listing(what, it, want, "")

    def listing(self, what, it, want, directory):
        entries = it.list_fileset_files(directory)
        inside = [p[len(directory) :] for p in want if p.startswith(directory)]
        names = {p.partition("/")[0]: "directory" if "/" in p else "file" for p in inside}
        self.equal(f"{what} list of {directory!r}", {e.name: e.file_type for e in entries}, names)
        for e in entries:
            if e.file_type == "directory":
                self.listing(what, it, want, f"{directory}{e.name}/")
            else:
                self.equal(f"{what} size of {e.name!r}", e.size, len(want[directory + e.name]))

    def file_series(self, what, it, a):
        want = {f"{i}.{p[1]['mime'].partition('/')[2]}": values.content(p[1]) for i, p in enumerate(ordered(a))}
        with tempfile.TemporaryDirectory() as directory:
            it.download(directory, progress_bar=False)
            self.equal(what, {p.name: p.read_bytes() for p in pathlib.Path(directory).iterdir()}, want)

    def artifact(self, what, it, a):
        self.equal(f"{what} hash", it.fetch_hash(), a["hash"])
        got = {f.file_path: (f.file_hash, f.type, f.size, f.metadata) for f in it.fetch_files_list()}
        want = {
            f["path"]: (f["hash"], f.get("kind", "Local"), f.get("size"), f.get("metadata", {})) for f in a["files"]
        }
        self.equal(what, got, want)


def normal(path):
    """Whether the client leaves a path as it is."""
    return all(path.split("/"))


def paths(structure, prefix=""):
    """The class of each attribute by its path."""
    found = {}
    for name, it in structure.items():
        if isinstance(it, dict):
            found.update(paths(it, f"{prefix}{name}/"))
        else:
            found[prefix + name] = type(it).__name__
    return found


def flat(tree, prefix=""):
    found = {}
    for name, v in tree.items():
        found.update(flat(v, f"{prefix}{name}/") if isinstance(v, dict) else {prefix + name: v})
    return found


def ordered(a):
    return sorted(a["points"], key=lambda p: number(p[0]))


def value(container, path):
    return next(a["value"] for a in container["attributes"] if a["path"] == path)


def number(v):
    return float(v)  # takes "NaN", "Infinity" and "-Infinity" too


def scalar(a):
    if a["type"] == "float":
        return number(a["value"])
    if a["type"] == "datetime":
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        return epoch + datetime.timedelta(milliseconds=a["value"])
    return a["value"]


def cell(a):
    """What a row of a table has of an attribute."""
    kind = a["type"]
    if kind.endswith("_series"):
        last = ordered(a)[-1][1] if a["points"] else None
        return float(last) if isinstance(last, int) else last
    if kind == "float":
        return a["value"] if isinstance(a["value"], str) else float(a["value"])
    if kind == "datetime":
        return scalar(a).replace(tzinfo=None)
    return {
        "string_set": lambda: set(a["value"]),
        "run_state": lambda: STATES[a["value"]],
        "git_ref": lambda: a["value"]["commit"]["commitId"],
        "notebook_ref": lambda: a["value"]["notebookName"],
        "artifact": lambda: a["hash"],
    }.get(kind, lambda: a["value"])()


def exact(v):
    """A value in which NaN equals NaN, and 0.0 neither -0.0 nor 0."""
    if isinstance(v, tuple):
        return tuple(exact(x) for x in v)
    if isinstance(v, float):
        return "float nan" if math.isnan(v) else "float " + struct.pack("d", v).hex()
    return (type(v).__name__, v)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", type=pathlib.Path)
    check = Check(json.loads(parser.parse_args().world.read_bytes()))
    check.all()
    print("compared", check.compared)
    sys.exit(check.differences > 0)


if __name__ == "__main__":
    main()
