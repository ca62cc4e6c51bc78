//go:build unix && !linux

package main

// maxrssUnit is the unit of Rusage.Maxrss.
const maxrssUnit = 1
