// Package ui holds the test that looks at a loaded project as a user does: it runs "nexport demo", starts
// the real MLflow on the demo's database, opens its pages in a headless Chromium, and checks the names
// and values on them. Pictures of the pages are left in out/.
//
// NEXPORT_TEST_MLFLOW3 names the Python environment of MLflow (scripts/venv.sh makes it),
// NEXPORT_TEST_CHROMIUM the browser (scripts/chromium.sh installs and names one). Without them the test
// is skipped.
package ui
