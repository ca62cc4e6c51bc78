"""Compares how two MLflow servers show the experiments with a prefix, field by field.

    same.py --uri URI --other URI --prefix TEXT

What has to differ has the same name on both: IDs of runs and experiments, and the root of artifacts.
When an experiment was created is left out. It prints every difference and ends with 1, or what it compared
and ends with 0.
"""

import argparse
import hashlib
import json
import sys

import server

MAX_SHOWN = 50


class Shown:
    """What a server shows, by a name that does not depend on it."""

    def __init__(self, uri, prefix):
        self.server = server.Server(uri)
        self.all, self.names = {}, {}
        found = [e for e in self.server.experiments() if e["name"].startswith(prefix)]
        runs = {e["experiment_id"]: self.server.runs(e["experiment_id"]) for e in found}
        for e in found:
            self.names[e["experiment_id"]] = e["name"]
            for r in runs[e["experiment_id"]]:
                tags = {t["key"]: t["value"] for t in r["data"]["tags"]}
                self.names[r["info"]["run_id"]] = f"{e['name']} {tags['nexport.id']}"
        for e in found:
            self.experiment(e)
            root = e["artifact_location"]
            self.server.all(lambda r: self.run(r["info"]["run_id"], root), runs[e["experiment_id"]])

    def experiment(self, e):
        shown = self.server._call("GET", "/api/2.0/mlflow/experiments/get", params={"experiment_id": e["experiment_id"]}).json()["experiment"]
        for field in ("creation_time", "last_update_time"):
            if int(shown.pop(field)) <= 0:
                raise SystemExit(f"{e['name']} has no {field}")
        self.put(e["name"], "experiment", shown, e["artifact_location"])

    def run(self, run_id, root):
        shown = self.server._call("GET", "/api/2.0/mlflow/runs/get", params={"run_id": run_id}).json()["run"]
        name = self.names[run_id]
        for part, fields in shown.items():
            for field, value in fields.items():
                self.put(name, f"{part}.{field}", value, root)
        for metric in shown["data"].get("metrics", []):
            points = self.server._pages("GET", "/api/2.0/mlflow/metrics/get-history", "metrics", {
                "run_id": run_id, "metric_key": metric["key"], "max_results": 20000})
            self.put(name, "history of " + metric["key"], ["points", *points], root)
        artifacts = self.server.artifacts(run_id)
        self.put(name, "artifacts", sorted(artifacts.items()), root)
        digest = hashlib.sha256(self.server.artifact(run_id, "nexport.jsonl")).hexdigest()
        self.put(name, "nexport.jsonl", digest, root)

    def put(self, name, what, value, root):
        """Keeps a value with the names of this server; lists of pairs have no order."""
        if isinstance(value, list) and all(isinstance(v, dict) and "key" in v for v in value):
            value = sorted(value, key=lambda v: v["key"])
        self.all[(name, what)] = self.names.get(value, value) if what == "info.experiment_id" else self.named(value, root)

    def named(self, value, root):
        if isinstance(value, dict):
            return {k: self.names.get(v, v) if k == "experiment_id" else self.named(v, root) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.named(v, root) for v in value]
        if not isinstance(value, str):
            return value
        if value.startswith(root):
            value = "ROOT" + value[len(root):]
        for segment in value.split("/"):
            if len(segment) == 32 and segment in self.names:
                value = value.replace(segment, self.names[segment])
        return value


def main():
    p = argparse.ArgumentParser()
    for name in ("uri", "other", "prefix"):
        p.add_argument("--" + name, required=True)
    args = p.parse_args()
    one, other = Shown(args.uri, args.prefix).all, Shown(args.other, args.prefix).all
    different = [k for k in sorted(one.keys() | other.keys()) if one.get(k) != other.get(k)]
    for key in different[:MAX_SHOWN]:
        print("DIFFERENT", *key, json.dumps(one.get(key))[:500], json.dumps(other.get(key))[:500], sep="\n  ")
    print(f"{len(different)} of {len(one)} fields are different")
    return 1 if different or not one else 0


if __name__ == "__main__":
    sys.exit(main())
