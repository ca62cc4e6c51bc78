"""Writes a world of Neptune 2 with what those in testdata/archives lack, as JSON: make_world2.py DIRECTORY > world.json

It shares with make_world.py what is hard to keep in either generation. The files that artifacts refer to are written
below the directory.
"""

import base64
import hashlib
import json
import os
import pathlib
import sys

from make_world import IDS, INTS, NUMBERS, PATHS, START, TEXTS, floats, large_file, many_series, paths, scalar, scalars, series, text_file

PROJECT = {"version": 1, "generation": 2, "project": "hard-team/h\u00e4rd_pr.oj 2", "project_key": "HARD"}
MEMBERS = [
    "a/b/c.txt", "A/b/c.txt", "a/b.txt", "same", "same", "SAME", "../../etc/passwd", "/etc/passwd", "C:\\x\\y", "a\\b", "./here", "a//b",
    "..", "con", "nul.txt", "new\nline", "\u202egnp.exe", "e\u0301", "\u00e9", "x" * 300, "d/" * 200 + "x", "~", "a:b", " ", "files_list.json",
    "nexport.jsonl", ".nexport.lock", "-rf", "$HOME",
]


class World:
    def __init__(self):
        self.kinds = {"runs": [], "models": [], "model_versions": []}

    def add(self, kind, sys_id, *attributes, custom=None, trashed=False, created=None):
        number = len(self.kinds[kind]) + 1
        at = START + 1000 * (number // 10) if created is None else created  # several share a time
        head = [
            scalar("sys/id", "string", sys_id), scalar("sys/creation_time", "datetime", at),
            scalar("sys/modification_time", "datetime", at + 500), scalar("sys/owner", "string", "someone"),
            scalar("sys/state", "run_state", "running" if number % 2 else "idle"), scalar("sys/group_tags", "string_set", []),
            scalar("sys/trashed", "bool", trashed), notebook(number),
        ]
        if custom is not None:
            head.append(scalar("sys/custom_run_id", "string", custom))
        self.kinds[kind].append({
            "sys_id": sys_id, "custom_run_id": custom, "archived": trashed, "attributes": head + list(attributes),
        })

    def run(self, custom, *attributes, **more):
        self.add("runs", f"HARD-{len(self.kinds['runs']) + 1}", *attributes, custom=custom, **more)


def notebook(number):
    return scalar("source_code/notebook", "notebook_ref", {
        "notebookId": f"11111111-2222-4333-8444-{number:012}", "notebookName": "a \"b\"\n\u2028</script>.ipynb", "notebookDeleted": number % 3 == 0,
        "checkpointId": None, "unknown": [1, 2.5, {"deep": "\U0001f680"}],
    })


def git(**more):
    commit = {"commitId": "c" * 40, "message": "a\nb \U0001f680", "authorName": "", "authorEmail": "x@y", "commitDate": "2024-01-31T22:10:05.000Z"}
    return {"commit": commit, "repositoryDirty": True, **more}


def member(path, text):
    return {"path": path, "b64": base64.b64encode(text.encode()).decode()}


def file_set(path, *files):
    return {"path": path, "type": "file_set", "files": list(files)}


def images(path, *points):
    return series(path, "file_series", list(points))


def image(size, seed, **more):
    return {"mime": "image/png", "size": size, "seed": seed, **more}


def tracked(path, place, data, **more):
    """A file of an artifact that is on this machine."""
    return {"path": path, "hash": hashlib.sha1(data).hexdigest(), "size": len(data),
            "metadata": {"file_path": f"file://{place}", "last_modified": "2024-01-02 03:04:05"}, **more}


def artifact(path, *files):
    text = json.dumps([path, files], sort_keys=True)
    return {"path": path, "type": "artifact", "hash": hashlib.sha256(text.encode()).hexdigest(), "files": list(files)}


def artifacts(directory):
    """Artifacts whose files can be reached, or not, or are not what they were."""
    os.makedirs(directory / "sub dir")
    datas = {"plain.txt": b"plain", "sub dir/\u00fc %41 #?.bin": bytes(range(256)) * 300, "empty": b"", "changed": b"now another"}
    for name, data in datas.items():
        (directory / name).write_bytes(data)
    os.symlink(directory / "plain.txt", directory / "link")
    os.mkfifo(directory / "fifo")
    at = {name: tracked(name, directory / name, data) for name, data in datas.items()}
    other = tracked("other/../../up.txt", directory / "plain.txt", b"plain")
    link = tracked("link", directory / "link", b"plain")
    yield artifact("art/reached", at["plain.txt"], at["sub dir/\u00fc %41 #?.bin"], at["empty"], other, link)
    yield artifact("art/changed", at["plain.txt"], at["changed"] | {"hash": "0" * 40})
    yield artifact("art/elsewhere", tracked("fifo", directory / "fifo", b"x"), tracked("directory", directory, b"x"),
                   {"path": "s3", "hash": "e" * 32, "kind": "S3", "size": 7, "metadata": {"location": "", "last_modified": ""}})
    yield artifact("art/sizeless", at["plain.txt"] | {"no_size": True, "size": 0})
    yield artifact("art/none")
    yield artifact("art/many", *({"path": f"d{i % 7}/f{i:05}", "hash": f"{i:040x}", "size": i, "metadata": {}} for i in range(1000)))
    yield artifact("art", at["plain.txt"])


def values(w):
    for n, custom in enumerate(IDS):
        w.run(custom[:36], scalar("n", "int", n), floats("m", [0, 1]), text_file("f.txt", f"of {custom}"))
    w.run(None)
    w.run("scalars", *scalars())
    w.run("series", *(s for s in many_series() if s["type"] != "histogram_series" and s["path"] not in ("values/previews", "images")),
          floats("two pages", range(2000)), floats("equal steps", [1, 1.0000001, 1.0000002, 2]),
          floats("configured", [0]) | {"config": {"unit": "%", "min": -0.5, "max": 100}},
          series("log/none", "string_series", []), series("images/none", "file_series", []))
    w.run("paths of values", *paths(lambda path, n: scalar(path, "int", n)))
    w.run("paths of series", *paths(lambda path, n: floats(path, [n])))
    w.run("paths of texts", *paths(lambda path, n: series(path, "string_series", [[n, path, START]])))
    w.run("paths of files", *paths(lambda path, n: text_file(path, path)))
    w.run("a beside a/b", scalar("a", "int", 1), text_file("a/b", "2"), file_set("a/b/c", member("d", "3")), floats("a/b/c/d", [4]), text_file("A", "5"))
    w.run("wide", *(scalar(f"p/{n:05}", "float", n / 3) for n in range(2000)), *(floats(f"m/{n:05}", [0, 1]) for n in range(100)))
    w.run("odd numbers", *(scalar(f"f/{i}", "float", v) for i, v in enumerate(NUMBERS)), *(scalar(f"i/{i}", "int", v) for i, v in enumerate(INTS)))


def files(w, directory):
    w.run("files", text_file("empty", ""), large_file("large", 3_000_001, 1), large_file("large/too", 300_000, 2),
          text_file("no ending", "x") | {"name": "README"}, text_file("long.ending", "x") | {"name": "a.longextensionthatisnone"},
          text_file("up", "x") | {"name": "../../up.sh"})
    w.run("file sets", file_set("hostile", *(member(p, f"{n} {p}") for n, p in enumerate(MEMBERS))), file_set("none"),
          file_set("one", member("only", "")), file_set("many", *(member(f"{i % 11}/{i}", str(i)) for i in range(300))),
          file_set("large", {"path": "noise.bin", "size": 5_000_000, "seed": 4}, {"path": "zeros", "b64": base64.b64encode(bytes(4_000_000)).decode()}))
    w.run("paths of sets", *paths(lambda path, n: file_set(path, member(path.rstrip("/") or "x", path), member(str(n), ""))))
    w.run("images", images("empty bytes", [0, image(0, 1), START], [1, image(1, 1), START]),
          images("fractions", *([i / 8 - 3, image(100 + i, i, name=TEXTS[i % 4].replace("\0", ""), description=f"<{i}>\n"), START - i] for i in range(64))),
          images("types", *([i * 1000, image(9, i, mime=m), START] for i, m in enumerate(["image/png", "image/jpeg", "image/gif", "image/svg+xml"]))))
    w.run("paths of images", *paths(lambda path, n: images(path, [n, image(5, n, name=path[:200]), START])))
    w.run("artifacts", *artifacts(directory))
    w.run("references", scalar("source_code/git", "git_ref", git(currentBranch="main", remotes=["https://token@example.com/x"])),
          scalar("git/two", "git_ref", git(remotes=["a", "b"])), scalar("git/none", "git_ref", {}))
    w.run("trashed", scalar("n", "int", 1), file_set("s", member("x", "y")), trashed=True)
    w.run("trashed too", trashed=True)


def models(w):
    for key, trashed in (("MOD", False), ("OLD", True)):
        w.add("models", f"HARD-{key}", scalar("sys/name", "string", "a/b"), text_file("signature", "{}"), file_set("docs", member("../x", "y")), trashed=trashed)
        for n in range(1, 12):
            w.add("model_versions", f"HARD-{key}-{n}", scalar("sys/stage", "string", ["none", "staging", "production", "archived"][n % 4]),
                  scalar("sys/model_id", "string", f"HARD-{key}"), large_file("model/weights", 1000 + n, n), floats("loss", [0.5, n]), trashed=n == 3)


def main():
    w = World()
    values(w)
    files(w, pathlib.Path(sys.argv[1]) / "tracked")
    models(w)
    json.dump(PROJECT | w.kinds, sys.stdout)


main()
