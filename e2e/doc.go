// Package e2e holds the end-to-end tests: the real command loads archives into real MLflow servers
// of both lines, and a checker written apart from it (check.py, in Python) reads everything back.
//
// The tests need the Python environments that scripts/venv.sh makes; NEXPORT_TEST_MLFLOW3 and
// NEXPORT_TEST_MLFLOW2 name their directories. "make e2e" sets both. Without them the tests that
// need a server are skipped.
package e2e
