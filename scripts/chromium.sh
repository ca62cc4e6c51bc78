#!/usr/bin/env bash
# Prints the path of a Chromium or Chrome, for the tests that look at MLflow's pages. Takes what
# NEXPORT_TEST_CHROMIUM names or what is on PATH, and otherwise installs Debian's package.
set -euo pipefail

find_chromium() {
	local name
	for name in "${NEXPORT_TEST_CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
		if [[ -n $name ]] && command -v "$name"; then
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
	"${root[@]}" apt-get update -qq
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium fonts-liberation
}

if find_chromium; then
	exit
fi
if ! command -v apt-get >/dev/null; then
	echo "there is no Chromium or Chrome on PATH: install one, or name its program by NEXPORT_TEST_CHROMIUM" >&2
	exit 1
fi
echo "installing Chromium ..." >&2
log=$(mktemp)
install_debian >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
rm "$log"
find_chromium
