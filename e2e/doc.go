// Package e2e holds the end-to-end tests: the real command loads archives into real MLflow servers
// of both lines, and into databases that such servers then show; a checker written apart from it (check.py, in
// Python) reads everything back. What a database holds is also compared with that of a load which nothing
// disturbed.
//
// The way from Neptune is tested with the fake server of neptunetest, in both generations: what it holds is exported, and a checker in
// Python (world.py, with world2.py for what Neptune 2 alone has) compares the archive with what was seeded, and tool.py with
// archives that the Python tool wrote of the same. make_world.py and make_world2.py write worlds of what is hard to keep. Faults, kills, full
// disks and second exports end in archives that equal those of undisturbed ones; migrate is checked to its end in MLflow.
//
// The tests need the Python environments that scripts/venv.sh makes; NEXPORT_TEST_MLFLOW3 and
// NEXPORT_TEST_MLFLOW2 name their directories. "make e2e" sets both, and
// NEXPORT_TEST_POSTGRES for the programs of PostgreSQL (scripts/postgres.sh). Without them the tests that
// need a server are skipped.
package e2e
