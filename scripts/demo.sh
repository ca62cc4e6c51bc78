#!/usr/bin/env bash
# Makes the demo in demo/ and shows it in a real MLflow.
set -euo pipefail
cd "$(dirname "$0")/.."

bin/nexport demo demo
port=$(.venv-mlflow3/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
echo
echo "MLflow will be at http://127.0.0.1:$port in a moment; Ctrl-C stops it."
cd demo
MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false exec ../.venv-mlflow3/bin/mlflow server \
	--host 127.0.0.1 --port "$port" --backend-store-uri sqlite:///mlflow.db
