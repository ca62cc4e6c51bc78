#!/usr/bin/env bash
# Makes the Python environments of the tests below the checkout: .venv-mlflow3 (newest MLflow,
# pyarrow, DuckDB), .venv-mlflow2, .venv-neptune3 (neptune-query) and .venv-neptune2 (neptune). Does nothing when they are there and the pins are unchanged.
set -euo pipefail
cd "$(dirname "$0")/.."

make_venv() { # directory, requirements
	local dir=$1 reqs=$2
	if cmp -s "$reqs" "$dir/installed.txt"; then
		return
	fi
	echo "installing $dir ..."
	rm -rf "$dir"
	"${PYTHON:-python3}" -m venv "$dir"
	# uv is several times faster; where it cannot be had or fails, pip does the same.
	"$dir/bin/pip" install --quiet --disable-pip-version-check uv &&
		"$dir/bin/uv" pip install --quiet --python "$dir/bin/python" -r "$reqs" ||
		"$dir/bin/pip" install --quiet --disable-pip-version-check -r "$reqs"
	cp "$reqs" "$dir/installed.txt" # last: an installation cut off is made anew
}

make_venv .venv-mlflow3 scripts/mlflow3.txt
make_venv .venv-mlflow2 scripts/mlflow2.txt
make_venv .venv-neptune3 scripts/neptune3.txt
make_venv .venv-neptune2 scripts/neptune2.txt
