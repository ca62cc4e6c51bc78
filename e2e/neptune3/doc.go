// Package neptune3 holds the test that keeps neptunetest honest: the unmodified neptune-query client reads
// from the fake server, and a checker in Python (check.py), which shares no code with it, compares with the world
// that was seeded.
//
// The test needs the Python environment of scripts/neptune3.txt; NEXPORT_TEST_NEPTUNE3 names its directory. "make e2e"
// sets it. Without it the test is skipped.
package neptune3
