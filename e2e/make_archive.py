"""Writes an archive that holds what the fixtures lack, in the layout the Python tool wrote last.

    make_archive.py DIR          the odd archive: DIR/data and DIR/files
    make_archive.py DIR --plain  RUNSxSERIESxPOINTS, as in 20x25x200

The same arguments give the same bytes.
"""

import argparse
import decimal
import hashlib
import math
import os
import re

import pyarrow as pa
import pyarrow.parquet as pq

CREATED = 1_700_000_000_123
ILLEGAL = "[](){}#@%+=,;|\\'\"!?*&^~<>$`\t\n\r\u0001\u00a0\u0301\u200b😀"


def schema(step=pa.decimal128(18, 6)):
    ms = pa.timestamp("ms", tz="UTC")
    numbers = pa.list_(pa.float64())
    return pa.schema([
        ("project_id", pa.string()), ("run_id", pa.string()), ("attribute_path", pa.string()),
        ("attribute_type", pa.string()), ("step", step), ("timestamp", ms), ("int_value", pa.int64()),
        ("float_value", pa.float64()), ("string_value", pa.string()), ("bool_value", pa.bool_()),
        ("datetime_value", ms), ("string_set_value", pa.list_(pa.string())),
        ("file_value", pa.struct([("path", pa.string())])),
        ("histogram_value", pa.struct([("type", pa.string()), ("edges", numbers), ("values", numbers)])),
    ])


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def safe(text):
    return re.sub(r"[^\w.-]", "_", text)[:60]


class Run:
    """Rows of one run, in order."""

    def __init__(self, root, project, run_id, folder="", step=None, created=CREATED, name=None):
        self.root, self.project, self.id, self.folder = root, project, run_id, folder
        self.project_dir = f"{safe(project)}-{digest(project)}"
        self.stem = f"{safe(run_id)}-{digest(run_id)}"
        self.step, self.rows, self.files = step, [], 0
        self.add("sys/id", "string", "MADE-" + digest(run_id)[:4])
        if name:
            self.add("sys/name", "string", name)
        if created is not None:
            self.add("sys/creation_time", "datetime", created)

    def add(self, path, kind, value, step=None, time=None):
        base = "float" if kind == "float_series" else kind.replace("_series", "")
        row = {"project_id": self.project, "run_id": self.id, "attribute_path": path, "attribute_type": kind,
               "timestamp": time, base + "_value": value}
        if step is not None:
            row["step"] = decimal.Decimal(step)
        self.rows.append(row)

    def series(self, path, kind, points):
        for step, time, value in points:
            self.add(path, kind, value, step, time)

    def file(self, path, name, body, kind="file", step=None, time=None):
        """A file under a name of the archive's own, with the extension of name."""
        self.files += 1
        where = f"{self.stem}/{self.files}/{name}"
        if body is not None:
            full = os.path.join(self.root, "files", self.project_dir, where)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "wb") as f:
                f.write(body)
        self.add(path, kind, {"path": where}, step, time)

    def write(self, row_group_size=1000):
        folder = os.path.join(self.root, "data", self.project_dir, self.folder)
        os.makedirs(folder, exist_ok=True)
        table = pa.Table.from_pylist(self.rows, schema=schema(self.step or pa.decimal128(18, 6)))
        pq.write_table(table, os.path.join(folder, self.stem + "_part_0.parquet"), row_group_size=row_group_size)


def histogram(edges, values, kind="COUNTING"):
    return {"type": kind, "edges": edges, "values": values}


def histograms(root):
    r = Run(root, "e2e/made", "histograms", name="numbers")
    inf, nan = math.inf, math.nan
    r.series("h/special", "histogram_series", [
        ("0", CREATED, histogram([-inf, -0.0, 0.1, inf], [1.0, nan, 1e300])),
        ("0.5", CREATED + 1, histogram([5e-324, 1e-5, 1e16], [0.0, -0.0], 'odd "type",\twith\nall\\')),
        ("1", None, histogram([0.0], [], ""))])
    r.write()


def floats(root):
    r = Run(root, "e2e/made", "floats", name="numbers")
    numbers = [math.inf, -math.inf, -0.0, 0.0, 5e-324, 1.7976931348623157e308, -1.7976931348623157e308,
               0.1, 1e-5, 1e-4, 1e15, 1e16, 1e22, 123456789.125, 1 / 3]
    for i, v in enumerate(numbers):
        r.add(f"scalar/{i}", "float", v)
    r.series("m/numbers", "float_series", [(str(i), CREATED + i, v) for i, v in enumerate(numbers)])
    r.series("m/nan", "float_series", [("0", CREATED, None), ("1", CREATED, 1.0), ("2", CREATED, None)])
    for i, v in enumerate([0, -1, 2**53 - 1, -(2**53) + 1]):
        r.add(f"int/{i}", "int", v)
    r.add("bool/t", "bool", True)
    r.add("bool/f", "bool", False)
    r.add("time/old", "datetime", -1)
    r.add("sys/failed", "bool", True)
    r.add("sys/ping_time", "datetime", CREATED + 60_000)
    r.add("sys/owner", "string", "someone@example.org")
    r.write()


def texts(root):
    r = Run(root, "e2e/made", "texts", name="texts")
    for n in (5999, 6000, 6001, 8001):
        r.add(f"long/{n}", "string", "x" * n)
    r.add("long/wide", "string", "😀" * 9000)
    r.add("long/wide fits", "string", "😀" * 6000)
    r.add("long/nul", "string", "a\0b" + "y" * 7000)
    r.add("odd/empty", "string", "")
    r.add("odd/nul", "string", "a\0b")
    r.add("odd/lines", "string", "a\r\nb\tc\\n  ")
    r.add("odd/html", "string", "<b>&amp;</b> \u2028 \u007f \ufeff")
    r.add("set/empty", "string_set", [])
    r.add("set/odd", "string_set", ["", ",", '"', "a,b", "😀", "<&>"])
    r.add("sys/tags", "string_set", ["plain", "with, comma", "é/ü", "x" * 300, "[bad]", ""])
    r.add("sys/description", "string", "Line one\n\n* two " + "z" * 9000)
    lines = ["", "plain", "two\nlines", "tab\tand \\ and \r", "\\n is no line feed", "😀" * 300, "y" * 100_000, "nul \0"]
    r.series("log/odd", "string_series", [(str(i), CREATED + i, v) for i, v in enumerate(lines)])
    r.series("log/no times", "string_series", [("0.000001", None, "a"), ("0.5", None, "b")])
    r.write()


def odd_paths():
    paths = [f"c/{c}x" for c in ILLEGAL] + [f"c/x{c}" for c in ILLEGAL]
    paths += ["case/Loss", "case/loss", "case/LOSS", "a", "a/b", "a//b", "/a", "a/", "./a", "a/./b", "a/../b",
              "../a", "..a", "...a", ".a", "a.", " a", "a ", "a:b", ".", "..", "/", "日本/ключ/clé",
              "p/" + "k" * 248, "p/" + "k" * 249, "p/" + "k" * 900, "p/" + "😀" * 200,
              "x_h0123456789abcdef", "x_k0123456789abcdef", "nexport.jsonl", "a b/c d", "pc%41", "pcA", "a.b", "a_b"]
    return paths


def keys(root):
    for kind in ("string", "float_series", "string_series", "file"):
        r = Run(root, "e2e/made", "keys of " + kind, name="keys")
        for i, path in enumerate(odd_paths()):
            if kind == "file":
                r.file(path, "file.bin", f"bytes of {i}".encode())
            elif kind == "string":
                r.add(path, kind, f"value {i}")
            else:
                value = float(i) if kind == "float_series" else f"text {i}"
                r.series(path, kind, [("0", CREATED, value), ("1", CREATED + 1, value)])
        r.write()


def kinds(root):
    """One path with several kinds."""
    r = Run(root, "e2e/made", "kinds", name="kinds")
    for path in ("same", "same [odd]"):
        r.add(path, "int", 7)
        r.add(path, "string", "seven")
        r.file(path, "seven.txt", b"7")
        r.series(path, "float_series", [("0", CREATED, 7.0)])
        r.series(path, "string_series", [("0", CREATED, "7")])
        r.series(path, "histogram_series", [("0", CREATED, histogram([0.0, 7.0], [7.0]))])
    r.write()


def steps(root):
    r = Run(root, "e2e/made", "steps", name="steps", step=pa.decimal128(24, 6))

    def series(path, all_steps):
        r.series(path, "float_series", [(s, CREATED + i, float(i)) for i, s in enumerate(all_steps)])

    series("tenths", [f"{i // 10}.{i % 10}" for i in range(40)])
    series("micro", ["0.000001", "0.000002", "0.000003", "1.5", "2.5", "3.500001"])
    series("negative", ["-3", "-2.5", "-1.000001", "0"])
    series("large", ["999999999999.999999", "1000000000000", "9000000000000"])
    r.series("equal", "float_series", [("1", CREATED, 1.0), ("1", CREATED, 2.0), ("1", CREATED + 1, 1.0)])
    r.series("twice", "float_series", [("1", CREATED, 1.0), ("1", CREATED, 1.0), ("2", CREATED, 1.0)])
    r.series("collide", "float_series", [("1.1", CREATED, 1.0), ("1.2", CREATED, 1.0), ("1.3", CREATED, 1.0)])
    r.series("down", "float_series", [("3", CREATED, 3.0), ("1", CREATED, 1.0), ("2", CREATED, 2.0)])
    r.write(row_group_size=7)


def times(root):
    r = Run(root, "e2e/made", "times", created=None)
    r.series("none", "float_series", [(str(i), None, float(i)) for i in range(5)])
    r.series("some", "float_series", [("0", CREATED, 0.0), ("1", None, 1.0), ("2", CREATED + 2, 2.0)])
    r.series("early", "float_series", [("0", -5000, 0.0), ("1", 0, 1.0), ("2", 1, 2.0)])
    r.add("sys/modification_time", "datetime", CREATED + 5)
    r.write()
    r = Run(root, "e2e/made", "times of its first point", created=None)
    r.series("m", "float_series", [("0", CREATED + 77, 0.0), ("1", CREATED + 78, 1.0)])
    r.write()
    r = Run(root, "e2e/made", "ends before it starts", name="times")
    r.add("sys/ping_time", "datetime", CREATED - 1000)
    r.write()


def family(root):
    parents = {"a leaf": "m mid", "m mid": "z root", "z root": None, "orphan": "nowhere", "b leaf": "z root"}
    for run_id, parent in parents.items():
        r = Run(root, "e2e/made", run_id, name="family of " + run_id[0])
        if parent:
            r.add("sys/forking/parent", "string", parent)
        r.add("p", "int", 1)
        r.write()


def names(root):
    ids = ["it's \"quoted\" \\ back", "100% _ like", "x_part_0_y", "../up", "/etc/x", "CON", "ü-コード", "i" * 128,
           "case", "Case", "a.b", "a_b", "a'; drop table runs; --", " space "]
    for project in ("e2e/made", "e2e/other"):
        for run_id in ids:
            r = Run(root, project, run_id)
            r.add("p/who", "string", project + " " + run_id)
            r.write()
    Run(root, "e2e/made", "only sys").write()


def big(root):
    r = Run(root, "e2e/made", "big", name="big")
    for i in range(9800):
        r.add(f"config/{i % 100}/value {i}", "int", i)
    for i in range(150):
        r.series(f"m/{i:04d}", "float_series", [(str(s), CREATED + s, i + s / 4) for s in range(3)])
    for i in range(50):
        r.series(f"log/{i}", "string_series", [("0", CREATED, f"line of {i}")])
    r.write()


def files(root):
    r = Run(root, "e2e/made", "files", name="files")
    r.file("f/zero", "zero.txt", b"")
    r.file("f/no extension", "plain", b"plain")
    r.file("f/has.it.txt", "it.txt", b"once")
    r.file("f/twin", "x.txt", b"1")
    r.file("f/TWIN", "x.txt", b"2")
    r.file("f/twin.txt", "x", b"3")
    r.file("f/#?&%41 +", "x.svg+xml", b"4")
    r.file("f/dir", "d.bin", b"5")
    r.file("f/dir/below.bin", "d.bin", b"6")
    r.file("f/binary", "b.bin", bytes(range(256)) * 5000)
    for step in ("0", "0.5", "1000000", "-1"):
        r.file("fs/images", "i.png", f"image {step}".encode(), "file_series", step, CREATED)
    r.file("fs/images", "i.png", b"no time", "file_series", "2000000", None)
    r.write()
    r = Run(root, "e2e/made", "lacks a file", name="files")
    r.file("f/gone", "gone.bin", None)
    r.file("f/there", "there.bin", b"there")
    r.write()


def escapes(root):
    """Rows that point outside of the archive, where there is something to steal."""
    secret = os.path.join(os.path.abspath(root), "secret.txt")
    with open(secret, "w") as f:
        f.write("secret")
    r = Run(root, "e2e/made", "escapes", name="files")
    r.file("f/there", "there.bin", b"there")
    folder = os.path.join(root, "files", r.project_dir, r.stem)
    os.symlink(secret, os.path.join(folder, "link.txt"))
    os.symlink(os.path.dirname(secret), os.path.join(folder, "up"))
    places = {"up": "../../secret.txt", "deep": r.stem + "/../../../secret.txt", "absolute": secret,
              "link": r.stem + "/link.txt", "folder link": r.stem + "/up/secret.txt", "nul": "a\0b", "empty": "",
              "root": "/", "long": "x" * 5000}
    for name, where in places.items():
        r.add("escape/" + name, "file", {"path": where})
    r.write()


def registry(root):
    for folder in ("models", "model_versions"):
        r = Run(root, "e2e/made", "big", folder=folder)
        r.add("model/signature", "string", folder)
        r.write()


def plain(root, shape):
    runs, series, points = map(int, shape.split("x"))
    for n in range(runs):
        r = Run(root, "e2e/plain", f"run-{n:03d}", name="plain")
        r.add("config/lr", "float", 0.001 * (n + 1))
        for s in range(series):
            r.series(f"metrics/series {s:03d}", "float_series", [
                (str(i), CREATED + 1000 * i + s, math.sin(n + s + i / 10)) for i in range(points)])
        r.series("log/out", "string_series", [(str(i), CREATED + i, f"epoch {i}") for i in range(20)])
        r.file("model/weights", "w.bin", bytes([n % 256]) * 10_000)
        r.write(row_group_size=100_000)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("dir")
    p.add_argument("--plain")
    args = p.parse_args()
    if args.plain:
        plain(args.dir, args.plain)
        return
    for part in (histograms, floats, texts, keys, kinds, steps, times, family, names, big, files, escapes, registry):
        part(args.dir)


if __name__ == "__main__":
    main()
