#!/usr/bin/env bash
# Starts a real MLflow in demo/, loads an example archive into it and tells where to look.
set -euo pipefail
cd "$(dirname "$0")/.."

rm -rf demo
mkdir demo
tar -xzf testdata/archives/neptune3-d-small.tar.gz -C demo
port=$(.venv-mlflow3/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url=http://127.0.0.1:$port

(
	cd demo
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false exec setsid ../.venv-mlflow3/bin/mlflow server \
		--host 127.0.0.1 --port "$port" --workers 1 \
		--backend-store-uri sqlite:///mlflow.db --artifacts-destination ./artifacts >server.log 2>&1
) &
server=$!
trap 'kill -- -$server 2>/dev/null || true' EXIT

echo "starting MLflow at $url ..."
for _ in $(seq 240); do
	if .venv-mlflow3/bin/python -c "import urllib.request as u; u.urlopen('$url/health', timeout=2)" 2>/dev/null; then
		break
	fi
	kill -0 $server 2>/dev/null || { cat demo/server.log >&2; exit 1; }
	sleep 0.5
done

bin/nexport summary --data-path demo/data --files-path demo/files
bin/nexport load --data-path demo/data --files-path demo/files --mlflow-tracking-uri "$url"

echo
echo "Six runs of team-a/small-project are in MLflow now. Open $url"
echo "Loading once more finds them complete:"
echo "  bin/nexport load --data-path demo/data --files-path demo/files --mlflow-tracking-uri $url"
if [ -n "${DEMO_ONCE:-}" ]; then
	exit 0
fi
echo "Ctrl-C stops the server; what it holds is in demo/."
wait $server
