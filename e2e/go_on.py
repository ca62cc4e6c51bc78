"""Goes on working in experiments that were loaded, with MLflow's own client, as a team would.

    go_on.py --uri URI --prefix TEXT --continued TEXT

All that it adds to the experiments with the prefix has a name that begins with "added ", so that
check.py --added can leave it out. Runs in experiments with the prefix --continued get further points
of the metrics that they have. It ends with 1 at the first thing that is not as it should be.
"""

import argparse
import math
import os
import re
import tempfile
import time
import uuid

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType

ADDED = "added "
SIMPLE = re.compile(r"[A-Za-z0-9_/.]+")


def same(what, got, want):
    if got != want:
        raise SystemExit(f"{what} is {got!r} and should be {want!r}")


def experiments(client, prefix):
    found = sorted((e for e in client.search_experiments(max_results=1000) if e.name.startswith(prefix)), key=lambda e: e.name)
    if not found:
        raise SystemExit(f"there is no experiment {prefix}...")
    return found


def all_runs(client, found, view=ViewType.ACTIVE_ONLY, **kw):
    runs, token, ids = [], None, [e.experiment_id for e in found]
    while True:
        page = client.search_runs(ids, run_view_type=view, max_results=1000, page_token=token, **kw)
        runs += page
        token = page.token
        if not token:
            return runs


def add_run(client, experiment_id):
    """A new run with everything that a run can have, read back."""
    run = client.create_run(experiment_id, run_name=ADDED + "run", tags={ADDED + "tag": "t"})
    now = int(time.time() * 1000)
    client.log_batch(
        run.info.run_id,
        metrics=[Metric("loss", 1 / (s + 1), now + s, s) for s in range(50)] + [Metric("nan", math.nan, now, 0)],
        params=[Param(f"p{i}", str(i)) for i in range(20)], tags=[RunTag("more", "x")])
    with tempfile.TemporaryDirectory() as d:
        with open(os.path.join(d, "added file.txt"), "w") as f:
            f.write("added")
        client.log_artifact(run.info.run_id, f.name)
    client.set_terminated(run.info.run_id)
    there = client.get_run(run.info.run_id)
    same("metric of a new run", there.data.metrics["loss"], 1 / 50)
    same("params of a new run", there.data.params, {f"p{i}": str(i) for i in range(20)})
    same("points of a new run", len(client.get_metric_history(run.info.run_id, "loss")), 50)
    same("artifacts of a new run", [f.path for f in client.list_artifacts(run.info.run_id)], ["added file.txt"])
    return run.info.run_id


def add_to_run(client, run):
    """A further metric, param, tag and artifact of a loaded run."""
    run_id = run.info.run_id
    for step in range(3):
        client.log_metric(run_id, ADDED + "metric", step * 2.5, step=step)
    client.log_param(run_id, ADDED + "param", "p")
    client.set_tag(run_id, ADDED + "tag", "t")
    client.log_text(run_id, "added", "added text.txt")
    there = client.get_run(run_id)
    same("added metric", there.data.metrics[ADDED + "metric"], 5.0)
    same("added param", there.data.params[ADDED + "param"], "p")
    same("all else", (dict(there.data.params, **run.data.params), len(there.data.metrics)),
         (there.data.params, len(run.data.metrics) + 1))


def continue_run(client, run):
    """Further points of each metric: late ones are the latest, early ones are not."""
    run_id = run.info.run_id
    for key, latest in run.data.metrics.items():
        points = client.get_metric_history(run_id, key)
        last = max(points, key=lambda p: (p.step, p.timestamp, p.value))
        same("latest " + key, latest, last.value)
        client.log_metric(run_id, key, -5.0, timestamp=last.timestamp, step=last.step - 1)
        same(f"latest {key} after an early point", client.get_run(run_id).data.metrics[key], last.value)
        client.log_metric(run_id, key, -7.0, timestamp=last.timestamp + 1, step=last.step + 10)
        same(f"latest {key} after a late point", client.get_run(run_id).data.metrics[key], -7.0)
        same(f"points of {key}", len(client.get_metric_history(run_id, key)), len(points) + 2)


def delete_and_restore(client, found, run):
    run_id, before = run.info.run_id, client.get_run(run.info.run_id).to_dictionary()
    client.delete_run(run_id)
    active = {r.info.run_id for r in all_runs(client, found)}
    deleted = {r.info.run_id for r in all_runs(client, found, ViewType.DELETED_ONLY)}
    same("a deleted run", (run_id in active, run_id in deleted), (False, True))
    client.restore_run(run_id)
    same("a restored run", client.get_run(run_id).to_dictionary(), before)


def search(client, found):
    """Filters and orders, against what they should give."""
    runs = all_runs(client, found)
    ids = lambda some: {r.info.run_id for r in some}
    checked = 0

    def filtered(text, wanted):
        nonlocal checked
        checked += 1
        same("search for " + text, ids(all_runs(client, found, filter_string=text)), ids(filter(wanted, runs)))

    for key in most(runs, lambda r: [k for k, v in r.data.metrics.items() if not math.isnan(v)]):
        having = [r for r in runs if key in r.data.metrics]
        value = sorted(r.data.metrics[key] for r in having)[len(having) // 2]
        filtered(f"metrics.`{key}` >= {value!r}", lambda r: r.data.metrics.get(key, -math.inf) >= value)
        ordered = all_runs(client, found, order_by=[f"metrics.`{key}` DESC"])
        values = [r.data.metrics[key] for r in ordered if key in r.data.metrics]
        numbers = [v for v in values if not math.isnan(v)]
        same("order by " + key, numbers, sorted(numbers, reverse=True))
        same("runs in order", ids(ordered), ids(runs))
    for key in most(runs, lambda r: r.data.params):
        value = next(r.data.params[key] for r in runs if key in r.data.params)
        if "'" not in value and len(value) < 200:
            filtered(f"params.`{key}` = '{value}'", lambda r: r.data.params.get(key) == value)
    some = runs[0].data.tags["nexport.id"]
    filtered(f"tags.`nexport.id` = '{some}'", lambda r: r.data.tags.get("nexport.id") == some)
    filtered("attributes.status = 'FINISHED'", lambda r: r.info.status == "FINISHED")
    if checked < 3:
        raise SystemExit("there was nothing to search for")
    frame = mlflow.search_runs([e.experiment_id for e in found], max_results=10_000)
    same("mlflow.search_runs", set(frame["run_id"]), ids(runs))


def most(runs, keys, number=3):
    """The keys that most runs have, of those that can be written in a filter."""
    count = {}
    for r in runs:
        for k in keys(r):
            if SIMPLE.fullmatch(k):
                count[k] = count.get(k, 0) + 1
    return sorted(count, key=lambda k: (-count[k], k))[:number]


def main():
    p = argparse.ArgumentParser()
    for name in ("uri", "prefix", "continued"):
        p.add_argument("--" + name, required=True)
    args = p.parse_args()
    mlflow.set_tracking_uri(args.uri)
    client = MlflowClient()
    found = experiments(client, args.prefix)
    search(client, found)
    delete_and_restore(client, found, all_runs(client, found)[0])
    for e in found[:5]:
        runs = all_runs(client, [e])
        for run in runs[:2]:
            add_to_run(client, run)
        add_run(client, e.experiment_id)
        same("runs of " + e.name, len(all_runs(client, [e])), len(runs) + 1)
    new = [client.create_experiment(f"{ADDED}{uuid.uuid4()}") for _ in range(2)]
    same("new experiments", len({*new} | {e.experiment_id for e in found}), len(found) + 2)
    for id in new:
        add_run(client, id)
    for run in all_runs(client, experiments(client, args.continued)):
        continue_run(client, run)
    print(f"worked in {len(found)} experiments")


if __name__ == "__main__":
    main()
