"""Compares what an MLflow server holds with an archive, point by point and byte by byte.

    check.py --data DIR --files DIR --uri URL [--prefix TEXT] [--multiplier N] [--only ID]... [--added TEXT]

It is written from docs/formats/mlflow.md. It prints every difference and ends with 1, or prints
what it compared and ends with 0. Runs that cannot be whole because the archive lacks a file are
counted as "partial"; everything else about them is compared.
"""

import argparse
import base64
import collections
import csv
import fractions
import io
import json
import math
import os
import sys

import archive
import expect
import server

MAX_SHOWN = 200


class Check:
    def __init__(self, args):
        self.server = server.Server(args.uri)
        self.multiplier = fractions.Fraction(args.multiplier)
        self.multiplier_text = args.multiplier
        self.prefix = args.prefix
        self.added = args.added
        self.differences = []
        self.counts = collections.Counter()
        self.runs = archive.read(args.data, args.files)
        if args.only:
            self.runs = {k: r for k, r in self.runs.items() if r.id in args.only}

    def differ(self, run, *text):
        self.differences.append(f"{run.project}/{run.scope}/{run.id}: " + " ".join(str(t) for t in text))

    def same(self, run, what, got, want):
        self.counts["values"] += 1
        if got != want:
            self.differ(run, what, "is", shown(got), "and should be", shown(want))

    def run(self):
        self.find()
        # A run is compared by one thread; threads share only the lists, which is safe.
        self.server.all(self.check_run, list(self.runs.values()))
        return self.differences

    def find(self):
        """Finds the runs of the archive on the server; none may be there twice."""
        self.found, self.experiments = {}, {}
        projects = {r.project for r in self.runs.values()}
        for e in self.server.experiments():
            tags = pairs(e.get("tags"))
            project = tags.get("neptune.project")
            if project not in projects or not e["name"].startswith(self.prefix + project):
                continue
            want = expect.digest(self.prefix, "project", project)
            if tags.get("nexport.layout") != want:
                continue
            self.experiments[e["experiment_id"]] = e
            for r in self.server.runs(e["experiment_id"]):
                t = pairs(r["data"].get("tags"))
                if self.was_added(r["info"].get("run_name", "")):
                    continue
                key = (t.get("neptune.project"), t.get("neptune.scope"), t.get("neptune.run_id"))
                self.found.setdefault(key, []).append(r)
        for key in self.found:
            if key not in self.runs:
                self.differences.append(f"{key}: on the server, not in the archive")

    def was_added(self, name):
        """Whether something belongs to others who worked in the same experiments."""
        return self.added is not None and name.startswith(self.added)

    def kept(self, items):
        return {k: v for k, v in items.items() if not self.was_added(k)}

    def check_run(self, run):
        there = self.found.get((run.project, run.scope, run.id), [])
        if len(there) != 1:
            self.differ(run, f"is on the server {len(there)} times")
            return
        self.counts["runs"] += 1
        RunCheck(self, run, there[0]).check()


class RunCheck:
    """The comparison of one run."""

    def __init__(self, check, run, there):
        self.c, self.run, self.there = check, run, there
        self.id = there["info"]["run_id"]
        self.meta = expect.Meta(run)
        self.tags = check.kept(pairs(there["data"].get("tags")))
        self.params = check.kept(pairs(there["data"].get("params")))
        self.partial = False
        self.used = {"param": set(), "metric": set(), "artifacts": set()}

    def differ(self, *text):
        self.c.differ(self.run, *text)

    def same(self, what, got, want):
        self.c.same(self.run, what, got, want)

    def check(self):
        self.sizes = self.c.kept(self.c.server.artifacts(self.id))
        self.check_info()
        self.check_parent()
        if not self.read_sidecar():
            return
        for a in self.run.attributes.values():
            self.check_attribute(a)
        for key in self.lines:
            if key not in self.run.attributes:
                self.differ(key, "is in nexport.jsonl, not in the archive")
        self.nothing_else()
        self.check_tags()

    # -- the run itself

    def check_info(self):
        info, m = self.there["info"], self.meta
        name = info.get("run_name", "")
        if len(m.name) > 250:
            self.same("run name", name[:200], m.name[:200])
        else:
            self.same("run name", name, m.name)
        self.same("start time", int(info.get("start_time", 0)), m.start)
        end = info.get("end_time")
        self.same("end time", None if end is None else int(end), m.end)
        self.same("status", info.get("status"), m.status)
        self.same("user", info.get("user_id") or None, m.user or None)
        if self.run.scope != "run":
            name = self.c.experiments[info["experiment_id"]]["name"]
            self.same("experiment", name, self.c.prefix + self.run.project + "/models")
        self.same("lifecycle", info.get("lifecycle_stage"), "active")

    def check_parent(self):
        if not self.meta.parent:
            self.same("tag mlflow.parentRunId", self.tags.get("mlflow.parentRunId"), None)
            return
        there = self.c.found.get((self.run.project, self.meta.parent_scope, self.meta.parent), [])
        if not there:
            self.same("tag neptune.orphan", self.tags.get("neptune.orphan"), "true")
            self.same("tag mlflow.parentRunId", self.tags.get("mlflow.parentRunId"), None)
            return
        parent = there[0]["info"]
        self.same("tag mlflow.parentRunId", self.tags.get("mlflow.parentRunId"), parent["run_id"])
        self.same("tag neptune.orphan", self.tags.get("neptune.orphan"), None)
        self.same("experiment", self.there["info"]["experiment_id"], parent["experiment_id"])
        self.c.counts["children"] += 1

    def check_tags(self):
        want = self.meta.run_tags(self.run, self.c.multiplier_text)
        want["nexport.state"] = "partial" if self.partial else "complete"
        if self.partial:
            self.c.counts["partial"] += 1
        tags = dict(self.tags)
        for key, value in want.items():
            got = tags.pop(key, None)
            if len(value) > 5000:
                self.same("tag " + key, (got or "")[:4000], value[:4000])
            else:
                self.same("tag " + key, got, value)
        self.check_neptune_tags(tags)
        for key in ("mlflow.runName", "nexport.modified", "neptune.orphan", "mlflow.parentRunId"):
            tags.pop(key, None)
        if tags:
            self.differ("tags that should not be:", tags)

    def check_neptune_tags(self, tags):
        names = self.meta.tags
        listed = tags.pop("neptune.tags", None)
        if names or listed:
            self.same("tag neptune.tags", json.loads(listed or "null"), names)
        for name in names:
            plain = "tag." + name
            key = plain if plain in tags else next((k for k in tags if k.startswith("tag.") and k.endswith(
                ("_h" + expect.digest(name, size=8), "_h" + expect.digest(plain, size=8)))), None)
            if key is None:
                self.differ("no tag for", repr(name))
            elif not expect.legal_key(key):
                self.differ("tag", repr(key), "is refused by MLflow")
            else:
                self.same("tag " + key, tags.pop(key), "true")

    # -- nexport.jsonl

    def read_sidecar(self):
        if "nexport.jsonl" not in self.sizes:
            self.differ("nexport.jsonl is missing")
            return False
        self.used["artifacts"].add("nexport.jsonl")
        text = self.c.server.artifact(self.id, "nexport.jsonl").decode()
        lines = [json.loads(line) for line in text.split("\n") if line]
        head = {"format": "nexport-run", "version": 1, "project": self.run.project, "scope": self.run.scope,
                "run_id": self.run.id, "step_multiplier": self.c.multiplier_text}
        for key, value in head.items():
            self.same("nexport.jsonl " + key, lines[0].get(key), value)
        self.same("nexport.jsonl sys_id", lines[0].get("sys_id") or None, self.meta.sys_id or None)
        self.lines, self.exact, self.kinds = {}, collections.defaultdict(dict), collections.defaultdict(list)
        for line in lines[1:]:
            if "exact" in line:
                for index, *point in line["exact"]:
                    self.exact[line["path"]][index] = point
                continue
            key = (line["path"], line["kind"])
            if key in self.lines:
                self.continue_line(key, line)
                continue
            self.lines[key] = line
            for place in ("param", "metric", "artifacts"):
                if place in line:
                    self.kinds[(line["path"], place)].append(line["kind"])
        return True

    def continue_line(self, key, line):
        """Attributes with very many files have several lines, whose lists continue each other."""
        if "artifacts" not in line:
            self.differ(key, "is in nexport.jsonl twice")
        for name in ("artifacts", "names", "descriptions", "steps", "times"):
            if name in line:
                self.lines[key].setdefault(name, []).extend(line[name])

    def nothing_else(self):
        """The server has no more than nexport.jsonl says, and no less."""
        metrics = {m["key"] for m in self.there["data"].get("metrics", []) if not self.c.was_added(m["key"])}
        for what, have in (("param", set(self.params)), ("metric", metrics), ("artifacts", set(self.sizes))):
            if have - self.used[what]:
                self.differ(what, "that should not be:", sorted(have - self.used[what])[:5])
            if self.used[what] - have:
                self.differ(what, "missing:", sorted(self.used[what] - have)[:5])

    # -- attributes

    def check_attribute(self, a):
        if a.kind == "artifact":
            self.check_tracked(a)
            return
        if a.kind in expect.FILE_KINDS:
            self.check_files(a, a.points() if a.series else a.rows)
            return
        line = self.lines.get((a.path, a.kind))
        if line is None:
            self.differ(repr(a.path), a.kind, "is missing in nexport.jsonl")
            return
        self.c.counts[a.kind] += 1
        if a.kind == "float_series":
            self.check_metric(a, line)
        elif a.kind == "string_series":
            self.check_artifact(a, line, ".txt", "".join(map(expect.text_line, a.points())).encode())
            self.count_points(a, line)
        elif a.kind == "histogram_series":
            self.check_histograms(a, line)
        else:
            self.check_param(a, line, a.rows[-1][2])

    def check_tracked(self, a):
        """An artifact is the param of its hash, the list of its files, and those that the archive has."""
        line, (hash, files) = self.lines.get((a.path, a.kind)), a.rows[-1][2]
        if line is None:
            self.differ(repr(a.path), a.kind, "is missing in nexport.jsonl")
            return
        if hash is not None:
            self.check_param(a, line, hash)
        elif "param" in line:
            self.differ(repr(a.path), "has a param, and no hash in the archive")
        if files is not None or self.run.recorded and (a.path, a.kind) in self.run.recorded:
            self.check_files(a, [(None, None, files)])

    def count_points(self, a, line):
        self.same(f"{a.path!r} points", line.get("points"), len(a.rows))
        self.c.counts["points"] += len(a.rows)

    def key(self, a, line, place):
        """The key of an attribute in params or metrics, checked against the rule."""
        key = line.get(place)
        if key is None:
            self.differ(repr(a.path), a.kind, f"has no {place}:", line)
            return None
        others = self.kinds[(a.path, place)]
        wrong = expect.key_is_right(a.path, a.kind, key, second=others[0] != a.kind)
        if wrong:
            self.differ(repr(a.path), a.kind, "key", repr(key), wrong)
        if key in self.used[place]:
            self.differ(repr(a.path), a.kind, "shares the key", repr(key))
        self.used[place].add(key)
        return key

    def check_param(self, a, line, value):
        key = self.key(a, line, "param")
        if key is None:
            return
        got = self.params.get(key)
        want = expect.param_text(a.kind, value)
        if "\0" in want and a.kind == "string":
            self.same(f"{a.path!r} base64", base64.b64decode(line.get("base64", "")).decode(), want)
        clean = want.replace("\0", "\u2400")
        if len(clean) > 6000:
            self.same(f"{a.path!r}", (got or "")[:5900], clean[:5900])
            self.check_artifact(a, line, ".txt", want.encode(), also=clean.encode())
            name = line.get("artifacts", ["?"])[0]
            if name not in (got or ""):
                self.differ(repr(a.path), "does not name", name)
        elif a.kind == "string_set" and got is not None:
            self.same(f"{a.path!r}", json.loads(got), value)
        else:
            self.same(f"{a.path!r}", got, clean)

    def check_metric(self, a, line):
        points = a.points()
        steps = [expect.stored_step(p[0], self.c.multiplier) for p in points]
        self.count_points(a, line)
        if not all(expect.fits(s) for s, _ in steps):
            self.check_float_csv(a, line, points)
            return
        key = self.key(a, line, "metric")
        if key is None:
            return
        got = sorted(self.c.server.history(self.id, key), key=order)
        want, exact = [], self.exact.get(a.path, {})
        for i, (point, (step, whole)) in enumerate(zip(points, steps)):
            time = point[1] if point[1] is not None else self.meta.start + i
            time = max(time, 0)
            want.append((step, time, expect.on_server(point[2])))
            kept = whole and time == point[1] and not math.isinf(point[2]) and not is_minus_zero(point[2])
            self.check_exact(a, i, point, exact.get(i), kept)
        if len(exact) > len(points):
            self.differ(repr(a.path), "has more exact points than points")
        # A server keeps a point that is there twice once.
        want = sorted({same_point(p): p for p in want}.values(), key=order)
        if [same_point(p) for p in got] != [same_point(p) for p in want]:
            self.differ(repr(a.path), "points differ:", first_difference(got, want))

    def check_exact(self, a, i, point, have, kept):
        """What the server cannot hold must stand in nexport.jsonl."""
        if have is None:
            if not kept:
                self.differ(repr(a.path), "point", i, shown(point), "is nowhere exact")
            return
        step, time, value = have
        right = step == expect.step_text(point[0]) and time == point[1] and same_float(float(value), point[2])
        if not right:
            self.differ(repr(a.path), "point", i, shown(point), "is in nexport.jsonl as", have)

    def check_float_csv(self, a, line, points):
        rows = self.csv(a, line, ["step", "time", "value"])
        got = [(r[0], r[1], float(r[2])) for r in rows]
        want = [(expect.step_text(s), expect.time_text(t), v) for s, t, v in points]
        if len(got) != len(want) or not all(g[:2] == w[:2] and same_float(g[2], w[2]) for g, w in zip(got, want)):
            self.differ(repr(a.path), "CSV differs:", first_difference(got, want))

    def check_histograms(self, a, line):
        rows = self.csv(a, line, ["step", "time", "type", "edges", "values"])
        got = [(r[0], r[1], r[2], floats(json.loads(r[3])), floats(json.loads(r[4]))) for r in rows]
        want = [(expect.step_text(s), expect.time_text(t), expect.escaped(h["type"]), floats(h["edges"]), floats(h["values"]))
                for s, t, h in a.points()]
        if got != want:
            self.differ(repr(a.path), "histograms differ:", first_difference(got, want))
        self.count_points(a, line)

    def csv(self, a, line, header):
        body = self.artifact(a, line, ".csv")
        if body is None:
            return []
        rows = list(csv.reader(io.StringIO(body.decode(), newline="")))
        self.same(f"{a.path!r} header", rows[0] if rows else None, header)
        return rows[1:]

    def artifact(self, a, line, suffix):
        """The bytes of the one artifact of an attribute, its path checked against the rule."""
        paths = line.get("artifacts", [])
        if len(paths) != 1:
            self.differ(repr(a.path), a.kind, "should have one artifact, has", paths)
            return None
        self.artifact_path(a, paths[0], a.path + suffix)
        if paths[0] not in self.sizes:
            return None
        body = self.c.server.artifact(self.id, paths[0])
        self.same(f"{a.path!r} listed size", self.sizes[paths[0]], len(body))
        self.c.counts["artifacts"] += 1
        self.c.counts["bytes"] += len(body)
        return body

    def artifact_path(self, a, got, plain):
        if got in self.used["artifacts"]:
            self.differ(repr(a.path), "shares the artifact", repr(got))
        self.used["artifacts"].add(got)
        if got == plain:
            return
        if not expect.legal_artifact(got):
            self.differ(repr(a.path), "artifact path", repr(got), "is not a safe one")
        if len(plain.encode()) > 900:
            return  # the last names may have given way to a digest
        have, want = got.split("/"), plain.split("/")
        if len(have) != len(want) or not all(expect.segment_is_right(*s) for s in zip(have, want)):
            self.differ(repr(a.path), "artifact is", repr(got), "and should be like", repr(plain))

    def check_artifact(self, a, line, suffix, want, also=None):
        got = self.artifact(a, line, suffix)
        if got is not None and got != want and got != also:
            at = next((i for i, (x, y) in enumerate(zip(got, want)) if x != y), min(len(got), len(want)))
            self.differ(repr(a.path), "artifact differs at byte", at, got[at:at + 40], want[at:at + 40])

    # -- files

    def check_files(self, a, rows):
        """Each file of the archive is an artifact; a file that is not there makes the run partial."""
        want, records = [], []
        for step, time, row_path in rows:
            files = self.run.files(a, row_path)
            if not files and self.is_empty_set(a, row_path):
                self.check_empty_set(a)
                return
            if not files:
                self.partial = True
                self.c.counts["files missing in the archive"] += 1
                continue
            want += [(p, name, step, time) for p, name in files]
            records.append(self.run.record(a, row_path))
        line = self.lines.get((a.path, a.kind))
        if not want:
            if line and line.get("artifacts"):
                self.differ(repr(a.path), "has artifacts, and no file in the archive")
            return
        if line is None:
            self.differ(repr(a.path), a.kind, "is missing in nexport.jsonl")
            return
        self.c.counts[a.kind] += 1
        paths = line.get("artifacts", [])
        self.same(f"{a.path!r} number of files", len(paths), len(want))
        if a.kind == "file_series":
            self.same(f"{a.path!r} times", line.get("times"), [w[3] for w in want])
            self.same(f"{a.path!r} steps", line.get("steps"), [expect.step_text(w[2]) for w in want])
            self.check_records(a, line, records)
        elif a.kind != "file" and (plain := [f"{a.path}/{w[1]}" for w in want]) != paths:
            self.same(f"{a.path!r} names", line.get("names"), [w[1] for w in want])
        for path, w in zip(paths, want):
            self.check_file(a, path, *w)

    def is_empty_set(self, a, row_path):
        """Whether it had no files at the source, which only a manifest can say."""
        return a.kind == "file_set" and self.run.recorded is not None and os.path.isdir(self.run.file(row_path) or "")

    def check_empty_set(self, a):
        line = self.lines.get((a.path, a.kind))
        self.same(f"{a.path!r} is in nexport.jsonl, with artifacts", (line is not None, (line or {}).get("artifacts")), (True, None))
        self.c.counts[a.kind] += 1

    def check_records(self, a, line, records):
        """Names and descriptions are those of the manifest."""
        if None in records:
            return
        for field in ("name", "description"):
            want = [r.get(field, "") for r in records]
            self.same(f"{a.path!r} {field}s", line.get(field + "s"), want if any(want) else None)

    def check_file(self, a, path, place, name, step, time):
        self.artifact_path(a, path, plain_artifact(a, name, step))
        if path not in self.sizes:
            return
        with open(place, "rb") as f:
            want = f.read()
        got = self.c.server.artifact(self.id, path)
        self.same(f"{a.path!r} listed size", self.sizes[path], len(want))
        self.c.counts["files"] += 1
        self.c.counts["bytes"] += len(want)
        if got != want:
            self.differ(repr(a.path), repr(path), "has other bytes than the file")


def plain_artifact(a, name, step):
    ext = expect.extension(name)
    if a.kind == "file":
        return a.path if not ext or a.path.endswith(ext) else a.path + ext
    if a.kind == "file_series":
        return f"{a.path}/step_{expect.step_text(step)}{ext}"
    return f"{a.path}/{name}"


def pairs(items):
    return {i["key"]: i.get("value", "") for i in items or []}


def order(point):
    step, time, value = point
    return step, time, math.isnan(value), 0.0 if math.isnan(value) else value


def same_point(point):
    """A point as it can be compared: NaN is NaN, and servers do not keep the sign of zero."""
    step, time, value = point
    return step, time, "nan" if math.isnan(value) else value + 0.0


def is_minus_zero(v):
    return v == 0 and math.copysign(1, v) < 0


def same_float(a, b):
    return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))


def floats(values):
    """A list of doubles as text that tells NaN and the two zeros apart."""
    return [repr(float(v)) for v in values]


def first_difference(got, want):
    for i, (g, w) in enumerate(zip(got, want)):
        if shown(g) != shown(w):
            return f"at {i}: {shown(g)}, should be {shown(w)} ({len(got)} and {len(want)} in all)"
    return f"{len(got)} and should be {len(want)}"


def shown(v):
    text = repr(v)
    return text if len(text) < 300 else text[:300] + "…"


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--data", required=True)
    p.add_argument("--files", required=True)
    p.add_argument("--uri", required=True)
    p.add_argument("--prefix", default="")
    p.add_argument("--multiplier", default="1000000")
    p.add_argument("--only", action="append", help="check this run ID only; repeatable")
    p.add_argument("--added", help="leave out what has a name that begins so: runs, params, metrics, tags, artifacts")
    return p.parse_args()


def main():
    args = arguments()
    check = Check(args)
    differences = check.run()
    for d in differences[:MAX_SHOWN]:
        print("DIFFERENT", d)
    if len(differences) > MAX_SHOWN:
        print(f"and {len(differences) - MAX_SHOWN} more")
    word = "different" if differences else "equal"
    print(f"{word}: " + json.dumps(dict(sorted(check.counts.items()))))
    return 1 if differences or not check.counts["runs"] else 0


if __name__ == "__main__":
    sys.exit(main())
