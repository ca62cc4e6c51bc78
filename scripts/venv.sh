#!/usr/bin/env bash
# Makes the Python environments of the tests below the checkout: .venv-mlflow3 (the newest MLflow that pip installs,
# pyarrow, DuckDB), .venv-mlflow-next (the newest there is), .venv-mlflow2, .venv-neptune3 (neptune-query) and .venv-neptune2 (neptune). Does nothing when they are there and the pins are unchanged.
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

# The newest MLflow asks for an mlflow-skinny that was never published, so it cannot be installed as usual. Its own
# package has all files: it runs on the libraries of the one before.
make_next() { # directory, requirement
	local dir=$1 version=$2
	if [ "$(cat "$dir/installed.txt" 2>/dev/null)" = "$version" ]; then
		return
	fi
	echo "installing $dir ..."
	rm -rf "$dir"
	.venv-mlflow3/bin/pip install --quiet --disable-pip-version-check --no-deps --target "$dir/lib" "$version"
	rm -rf "$dir/lib/bin"
	mkdir "$dir/bin"
	printf '#!/bin/sh\nPYTHONPATH=%q exec %q "$@"\n' "$PWD/$dir/lib" "$PWD/.venv-mlflow3/bin/python" >"$dir/bin/python"
	printf '#!/bin/sh\nexec %q -W ignore -m mlflow "$@"\n' "$PWD/$dir/bin/python" >"$dir/bin/mlflow"
	chmod +x "$dir/bin/python" "$dir/bin/mlflow"
	echo "$version" >"$dir/installed.txt"
}

make_venv .venv-mlflow3 scripts/mlflow3.txt
make_next .venv-mlflow-next mlflow==3.18.0
make_venv .venv-mlflow2 scripts/mlflow2.txt
make_venv .venv-neptune3 scripts/neptune3.txt
make_venv .venv-neptune2 scripts/neptune2.txt
