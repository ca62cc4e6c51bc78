#!/usr/bin/env bash
# Makes .postgres a link to the directory of PostgreSQL's server programs, for the tests. Takes what is
# on PATH or where Debian puts it, newest first, and otherwise installs Debian's package. Does nothing when the link works.
set -euo pipefail
cd "$(dirname "$0")/.."

complete() { # directory
	[[ -x $1/initdb && -x $1/postgres && -x $1/pg_dump ]]
}

find_programs() {
	local found dir
	if found=$(command -v postgres); then
		dir=$(dirname "$(readlink -f "$found")")
		if complete "$dir"; then
			echo "$dir"
			return
		fi
	fi
	for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
		if complete "$dir"; then
			echo "$dir"
			return
		fi
	done
	return 1
}

install_debian() {
	local root=()
	if ((EUID != 0)); then
		root=(sudo)
	fi
	# The package would make and start a server of its own, which nobody asked for.
	"${root[@]}" apt-get update -qq
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql-common
	"${root[@]}" sed -i 's/^#\? *create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql
}

if complete .postgres; then
	exit
fi
if ! dir=$(find_programs); then
	if ! command -v apt-get >/dev/null; then
		echo "PostgreSQL's server programs (initdb, postgres, pg_dump) are not on PATH: install PostgreSQL 13 or newer" >&2
		exit 1
	fi
	echo "installing PostgreSQL ..."
	log=$(mktemp)
	install_debian >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
	rm "$log"
	if ! dir=$(find_programs); then
		echo "Debian's postgresql is installed, but initdb, postgres or pg_dump is missing: try apt-get install --reinstall" >&2
		exit 1
	fi
fi
ln -sfn "$dir" .postgres
