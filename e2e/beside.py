"""Logs runs over a server, as training jobs do, until its input ends; then looks whether all is there.

    beside.py --uri URI

It says "ready" after the first run. No request is repeated: each has to succeed.
"""

import argparse
import os
import sys
import threading
import time

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"

import mlflow  # noqa: E402
from mlflow.entities import Metric, Param  # noqa: E402

POINTS = 200


def log_run(client, experiment, n):
    run = client.create_run(experiment, run_name=f"beside {n}")
    for begin in range(0, POINTS, 50):
        client.log_batch(run.info.run_id, metrics=[Metric("loss", 1 / (s + 1), s, s) for s in range(begin, begin + 50)])
    client.log_batch(run.info.run_id, params=[Param("n", str(n))])
    client.set_tag(run.info.run_id, "beside", "yes")
    client.set_terminated(run.info.run_id)
    return run.info.run_id


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--uri", required=True)
    mlflow.set_tracking_uri(p.parse_args().uri)
    client = mlflow.MlflowClient()
    experiment = client.create_experiment("beside")
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    runs, slowest = [], 0.0
    while not ended.is_set() or not runs:
        begun = time.monotonic()
        runs.append(log_run(client, experiment, len(runs)))
        slowest = max(slowest, time.monotonic() - begun)
        if len(runs) == 1:
            print("ready", flush=True)
    for n, run_id in enumerate(runs):
        run = client.get_run(run_id)
        if run.data.params != {"n": str(n)} or len(client.get_metric_history(run_id, "loss")) != POINTS:
            raise SystemExit(f"run {n} is not whole: {run}")
    print(f"{len(runs)} runs, the slowest took {slowest:.1f} s")


if __name__ == "__main__":
    main()
