"""Makes databases of MLflow at a revision of its schema, or brings them from there to another, by MLflow's own
migrations.

    heads.py REVISION=URI...
"""

import sys

import sqlalchemy
from alembic import command
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base


def main(*wanted):
    for text in wanted:
        revision, uri = text.split("=", 1)
        engine = sqlalchemy.create_engine(uri)
        if not sqlalchemy.inspect(engine).has_table("alembic_version"):
            Base.metadata.create_all(engine)
        config = _get_alembic_config(uri)
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
        engine.dispose()


main(*sys.argv[1:])
