"""What world.py has to know of Neptune 2 alone: what an archive should have of its values and files."""

import collections
import hashlib
import json
import os
import pathlib
import re

from values import content

COLUMNS = {"git_ref": "string_value", "notebook_ref": "string_value", "run_state": "string_value",
           "artifact": "string_value", "file_set": "file_value"}
KINDS = set(COLUMNS)
ENDINGS = {"image/png": ".png", "image/gif": ".gif", "image/jpeg": ".jpg", "image/svg+xml": ".svg"}
EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,16}$")


def defaults(scope, i, run):
    """The attributes that neptunetest gives the i-th of its kind where the world does not."""
    model = run["sys_id"].rpartition("-")[0] if scope == "model_version" else None
    return [
        ("sys/creation_time", "datetime", 1_700_000_000_000 + 1000 * i), ("sys/trashed", "bool", bool(run["archived"])),
        ("sys/model_id", "string", model),
    ]


def problems(attributes):
    """What the manifest has to say: the codes by path."""
    found = collections.defaultdict(set)
    for a in attributes:
        if a.get("config") or a.get("points") == []:
            found[a["path"]].add("detail")
        if a["type"] == "artifact" and any(reached(f) is None for f in a["files"]):
            found[a["path"]].add("elsewhere")
        if a["type"] in ("file_set", "artifact"):
            there = [f["path"] for f in a["files"] if a["type"] == "file_set" or reached(f) is not None]
            if names(there) != there:
                found[a["path"]].add("renamed")
    return dict(found)


def names(paths):
    """The names that files get: relative, and each once."""
    found = []
    for path in map(clean, paths):
        twins = sum(p == path or p.startswith(path + "~") for p in found)
        found.append(f"{path}~{twins + 1}" if path in found else path)
    return found


def clean(path):
    if all(s not in ("", ".", "..") for s in path.split("/")):
        return path
    return "/".join(s.replace(".", "%2E") if s in (".", "..") else s for s in path.split("/") if s)


def reached(file):
    """The bytes of a file of an artifact, if they are on this machine with the hash on record."""
    scheme, _, place = file.get("metadata", {}).get("file_path", "").partition("://")
    path = pathlib.Path(place)
    if scheme != "file" or not path.is_file():
        return None
    found = path.read_bytes()
    return found if hashlib.sha1(found).hexdigest() == file["hash"] else None


def file(kind, record, found):
    """What is compared of a file: the server says its name; of an image also type and description."""
    ending = EXTENSION.search(record["path"])
    if kind == "file":
        return record.get("name", ""), ending and ending[0], found
    return record.get("name", ""), record.get("description", ""), record.get("mime", ""), found


def wanted_file(a, v):
    if a["type"] == "file":
        name = os.path.basename(v["name"])
        ending = EXTENSION.search(name) or EXTENSION.search(a["path"])
        return name, ending and ending[0], content(v)
    # One without a name is called like its attribute.
    name = v.get("name") or os.path.basename(a["path"]) + ENDINGS.get(v["mime"], "")
    return name, v.get("description", ""), v["mime"], content(v)


def value(run, kind, row):
    """The value of a row, of a kind that only Neptune 2 has."""
    if kind == "file_set":
        place = run.c.files / row["file_value"]["path"]
        return sorted(of_attribute(run, row)) if place.is_dir() else "no directory"
    if kind != "artifact":
        return json.loads(row["string_value"])
    (name, listed), *others = of_attribute(run, row)
    path = row["file_value"]["path"]
    return row["string_value"], name, os.path.basename(path), json.loads(listed), others


def of_attribute(run, row):
    """The files of an attribute as (name, bytes), in the order of the manifest."""
    found = []
    for f in run.manifest["files"]:
        if (f["attribute"], f["type"]) != (row["attribute_path"], row["attribute_type"]):
            continue
        record, data = run.recorded_file(f["path"])
        run.equal(f"{f['path']}: is below the row's path", in_place(row, f["path"]), True)
        found.append((f.get("name", ""), data))
        assert record in (f, None), "two files have one path"
    return found


def in_place(row, path):
    base = row["file_value"]["path"]
    if row["attribute_type"] == "artifact":
        base = os.path.dirname(base)
    return path.startswith(base + "/")


def wanted(kind, v):
    if kind == "file_set":
        return sorted(zip(names(f["path"] for f in v["files"]), map(content, v["files"])))
    if kind != "artifact":
        return v
    there = [f for f in v["files"] if reached(f) is not None]
    others = list(zip(names(f["path"] for f in there), map(reached, there)))
    return v["hash"], "files_list.json", "files_list.json", [tracked(f) for f in v["files"]], others


def tracked(f):
    """A file of an artifact in the form in which the Python tool lists it."""
    metadata = [{"key": k, "value": f["metadata"][k]} for k in sorted(f.get("metadata", {}))]
    return {"filePath": f["path"], "fileHash": f["hash"], "type": f.get("kind", "Local"),
            "size": None if f.get("no_size") else f.get("size", 0), "metadata": metadata}
