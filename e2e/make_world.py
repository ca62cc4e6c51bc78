"""Writes the world of what those in testdata/archives lack, as JSON: make_world.py > world.json

The IDs, paths, steps, times, numbers, texts and files are those that are hard to keep. The form is told at
neptunetest.World.
"""

import base64
import json
import sys

START = 1_700_000_000_000
IDS = [
    "x_part_0_y", "x_part_0.parquet", "x", "/etc/x", "C:\\x", "CON", "con", "nul.txt", ".", "..", "-", "_", "a'b", 'a"b', "a`b",
    "new\nline", "tab\there", "\u202egnp", "e\u0301", "\u00e9", "x" * 128, "\u00e9" * 120, "x_manifest.json", ".nexport.lock",
    "dot.", " ", "x-9b6a5f9f2c9d3a11", "%2e%2e", "~", "$HOME", "*", "a,b", "{a}", "\U0001f680",
]
PATHS = [
    "a/b", "a//b", "a_b", "a.b", "A/b", "a/b/", "/a/b", "./a", "../../etc/passwd", "a/../b", "..", ".", "/", " ", "con", "nul.txt", "a\\b", "a:b",
    "new\nline", "tab\tx", "%2F", "e\u0301", "\u00e9", "\U0001f680/\U0001f680", "q'\"`", "p" * 1024, "p" * 1023 + "q", "d/" * 500 + "x",
    "x_part_0.parquet", "model.tar.gz", "[a-z]*", "$HOME", "-", "step_0-0.bin",
]
NUMBERS = [0.0, -0.0, 5e-324, -1.7976931348623157e308, 0.1, 1e23, "NaN", "Infinity", "-Infinity"]
INTS = [0, -1, 2**63 - 1, -(2**63), 2**53 + 1, -(2**53) - 1]
TEXTS = ["", " ", "\x00", "\r\n\t\\", "a\u2028b\x85c", "\U0001f680\u0301\ufffd", "null", "NaN", '{"a":1}', "=1+1", "\ufeffbom", "x" * 1_000_000]
TIMES = [0, -1, -2_208_988_800_000, 253_402_300_799_999, START, 1_711_846_800_000]


class World:
    def __init__(self):
        self.runs = []

    def run(self, custom, *attributes, archived=False, trashed=False):
        number = len(self.runs) + 1
        at = START + 1000 * number
        head = [
            scalar("sys/id", "string", f"HARD-{number}"), scalar("sys/creation_time", "datetime", at),
            scalar("sys/modification_time", "datetime", at + 500), scalar("sys/owner", "string", "someone"),
        ]
        if custom is not None:
            head.append(scalar("sys/custom_run_id", "string", custom))
        if trashed:
            head.append(scalar("sys/trashed", "bool", True))
        self.runs.append({
            "sys_id": f"HARD-{number}", "custom_run_id": custom, "archived": archived, "attributes": head + list(attributes),
        })


def scalar(path, kind, value):
    return {"path": path, "type": kind, "value": value}


def series(path, kind, points):
    return {"path": path, "type": kind, "points": points}


def text_file(path, text, mime="text/plain"):
    return {"path": path, "type": "file", "name": "same.txt", "mime": mime, "b64": base64.b64encode(text.encode()).decode()}


def large_file(path, size, seed):
    return {"path": path, "type": "file", "name": "same.bin", "mime": "application/octet-stream", "size": size, "seed": seed}


def floats(path, steps, value=lambda i: i / 7):
    return series(path, "float_series", [[s, value(i), START + i] for i, s in enumerate(steps)])


def scalars():
    for kind, values in (("float", NUMBERS), ("int", INTS), ("string", TEXTS), ("datetime", TIMES), ("bool", [True, False])):
        for i, value in enumerate(values):
            yield scalar(f"{kind}/{i}", kind, value)
    for i, value in enumerate([[], [""], ["b", "a", "a,b", "c\nd", "[]", "\U0001f680"], [str(n) for n in range(500)]]):
        yield scalar(f"set/{i}", "string_set", value)


def many_series():
    yield floats("steps/tenths", [n / 10 for n in range(3000)])
    yield floats("steps/thousandths", [n / 1000 for n in range(1000)])
    yield floats("steps/millionths", [n / 1_000_000 for n in range(-5, 6)])
    yield floats("steps/negative", [-1e12 + 0.5, -1_000_000, -0.1, 0])
    yield floats("steps/just in", [999_999_999_998.5, 999_999_999_999.5])
    yield floats("steps/too wide", [0, 1e12, 1e12 + 0.5, 9_000_000_000_000])
    yield floats("steps/one", [7])
    yield floats("values/odd", range(len(NUMBERS)), lambda i: NUMBERS[i])
    yield floats("values/all NaN", range(10), lambda i: "NaN")
    yield series("values/times", "float_series", [[i, i, t] for i, t in enumerate(TIMES)])
    yield series("values/none", "float_series", [])
    yield series("values/previews", "float_series", [[0, 1.5, START], [1, 2.5, START, {"preview": True, "completion": 0.25}]])
    yield floats("long", [n / 10 for n in range(140_000)])
    yield series("log", "string_series", [[i / 10, t, START + i] for i, t in enumerate(TEXTS)])
    yield series("log/long", "string_series", [[i, f"line {i}\n", START] for i in range(3000)])
    yield series("hist", "histogram_series", [
        [0, {"type": "COUNTING", "edges": [0, 1], "values": [5]}, START],
        [0.1, {"type": "COUNTING", "edges": ["-Infinity", 0, 0, "Infinity"], "values": ["NaN", -0.0, 1e300]}, START - 1],
        [1, {"type": "COUNTING", "edges": [float(n) for n in range(513)], "values": [n / 3 for n in range(512)]}, START],
    ])
    yield series("images", "file_series", [
        [i / 2, {"name": "same.png", "mime": "image/png", "size": 10 + i, "seed": i}, START + i] for i in range(40)
    ])


def paths(make):
    return [make(path, n) for n, path in enumerate(PATHS)]


def main():
    w = World()
    for n, custom in enumerate(IDS):
        w.run(custom, scalar("n", "int", n), floats("m", [0, 1]), text_file("f.txt", f"of {custom}"))
    w.run(None, scalar("n", "int", 1), text_file("f.txt", "of none"))
    w.run(None)
    w.run("scalars", *scalars())
    w.run("series", *many_series())
    w.run("paths of values", *paths(lambda path, n: scalar(path, "int", n)))
    w.run("paths of series", *paths(lambda path, n: floats(path, [n])))
    w.run("paths of texts", *paths(lambda path, n: series(path, "string_series", [[n, path, START]])))
    w.run("paths of files", *paths(lambda path, n: text_file(path, path)))
    w.run("paths of file series", *paths(
        lambda path, n: series(path, "file_series", [[n, {"name": "x", "mime": "", "size": 5, "seed": n}, START]])))
    w.run("files", text_file("empty", "", "text/plain; charset=utf-8"), text_file("a.longextension", "a", "no/such"),
          large_file("large", 3_000_001, 1), large_file("large/too", 300_000, 2), text_file("README", "x", ""))
    w.run("other types", floats("n", [0]), scalar("m", "string", "x"), text_file("sys/f", "x"))
    w.run("parent", floats("m", [0, 1, 2]))
    w.run("child", floats("m", [3, 4]), scalar("sys/forking/parent", "string", "parent"), scalar("sys/forking/step", "int", 2))
    w.run("wide", *(scalar(f"p/{n:05}", "float", n / 3) for n in range(6000)), *(floats(f"m/{n:05}", [0, 1]) for n in range(300)))
    w.run("archived", scalar("n", "int", 1), archived=True)
    w.run("trashed", scalar("n", "int", 1), trashed=True)
    json.dump({"version": 1, "generation": 3, "project": "hard-team/h\u00e4rd_pr.oj", "project_key": "HARD", "runs": w.runs}, sys.stdout)


if __name__ == "__main__":
    main()
