// Package neptune2 holds the test that keeps the second generation of neptunetest honest: the unmodified neptune client
// 1.14 reads from the fake server, and a checker in Python (check.py), which shares no code with it, compares with the
// world that was seeded.
//
// The test needs the Python environment of scripts/neptune2.txt; NEXPORT_TEST_NEPTUNE2 names its directory. "make e2e"
// sets it. Without it the test is skipped.
package neptune2
