"""Walks MLflow's own migrations on a new SQLite database: one line of JSON for each revision, in order, with
the tables that a writer of runs fills: {"revision": …, "columns": {"runs.name": "VARCHAR(250)", …}, "indexes": […]}.
A type ends with "!" where NULL is refused.

    python migrations.py /tmp/walk.db
"""

import json
import sqlite3
import sys

import sqlalchemy
from alembic import command
from alembic.script import ScriptDirectory
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base

TABLES = ("experiments", "experiment_tags", "runs", "tags", "params", "metrics", "latest_metrics")


def state(db):
    columns, indexes = {}, []
    for table in TABLES:
        for _, name, kind, required, _, key in db.execute(f"PRAGMA table_info({table})"):
            columns[f"{table}.{name}"] = kind + ("!" if required else "") + (f" key {key}" if key else "")
        indexes += [row[1] for row in db.execute(f"PRAGMA index_list({table})") if not row[1].startswith("sqlite_")]
    return {"columns": columns, "indexes": sorted(indexes)}


def main(path):
    uri = "sqlite:///" + path
    Base.metadata.create_all(sqlalchemy.create_engine(uri))
    config = _get_alembic_config(uri)
    revisions = [s.revision for s in ScriptDirectory.from_config(config).walk_revisions()]
    db = sqlite3.connect(path)
    for revision in reversed(revisions):
        command.upgrade(config, revision)
        print(json.dumps({"revision": revision, **state(db)}))


main(*sys.argv[1:])
