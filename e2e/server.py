"""Reads runs back from an MLflow server over plain HTTP."""

import concurrent.futures
import math
import threading

import requests

THREADS = 4


class Server:
    def __init__(self, uri):
        self.base = uri.rstrip("/")
        self.local = threading.local()

    def _session(self):
        if not hasattr(self.local, "session"):
            self.local.session = requests.Session()
        return self.local.session

    def _call(self, method, path, **kw):
        r = self._session().request(method, self.base + path, timeout=120, **kw)
        r.raise_for_status()
        return r

    def _pages(self, method, path, field, body):
        token = None
        while True:
            args = dict(body, page_token=token) if token else body
            kw = {"json": args} if method == "POST" else {"params": args}
            answer = self._call(method, path, **kw).json()
            yield from answer.get(field, [])
            token = answer.get("next_page_token")
            if not token:
                return

    def experiments(self):
        return list(self._pages("POST", "/api/2.0/mlflow/experiments/search", "experiments",
                                {"max_results": 1000}))

    def runs(self, experiment_id):
        return list(self._pages("POST", "/api/2.0/mlflow/runs/search", "runs",
                                {"experiment_ids": [experiment_id], "max_results": 1000}))

    def history(self, run_id, key):
        """The points of a metric: [(step, time, value)]."""
        rows = self._pages("GET", "/api/2.0/mlflow/metrics/get-history", "metrics",
                           {"run_id": run_id, "metric_key": key, "max_results": 20000})
        return [(int(m.get("step", 0)), int(m["timestamp"]), number(m["value"])) for m in rows]

    def artifacts(self, run_id):
        """All artifacts of a run: {path: size}."""
        out, folders = {}, [None]
        while folders:
            folder = folders.pop()
            args = {"run_id": run_id}
            if folder is not None:
                args["path"] = folder
            for f in self._pages("GET", "/api/2.0/mlflow/artifacts/list", "files", args):
                if f.get("is_dir"):
                    folders.append(f["path"])
                else:
                    out[f["path"]] = int(f.get("file_size", 0))
        return out

    def artifact(self, run_id, path):
        return self._call("GET", "/get-artifact", params={"run_uuid": run_id, "run_id": run_id, "path": path}).content

    def all(self, function, items):
        """[function(item)], several at a time."""
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(function, items))


def number(v):
    """A double of an answer, where what is not finite may be text."""
    f = float(v)
    return math.nan if math.isnan(f) else f
