// Package demo has a small believable project to try things with: sweeps of an image classifier and of
// a language model, as they look when they come from Neptune 3. Some runs are forks, one diverges,
// one crashes, one is stopped by its user.
//
// Nothing is stored: each value follows from formulas and from generators seeded by the names of
// run and attribute. So every reading, on every machine and at every time, gives the same.
package demo
