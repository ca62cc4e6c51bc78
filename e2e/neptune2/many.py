"""Lists all runs of the project named on the command line with the unmodified neptune client, and prints their IDs."""

import sys

import neptune

with neptune.init_project(project=sys.argv[1], mode="read-only") as project:
    table = project.fetch_runs_table(columns=[], sort_by="sys/creation_time", ascending=True, progress_bar=False)
    print("\n".join("ID " + row.get_attribute_value("sys/id") for row in table))
