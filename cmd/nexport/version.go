package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(io *stdio) error {
	_, err := fmt.Fprintln(io.out, version())
	return err
}

// version is what the build says: the module's version, the commit, the compiler, the platform.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "nexport (unknown build)"
	}
	parts := []string{"nexport", info.Main.Version}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 && !strings.Contains(info.Main.Version, s.Value[:12]) {
			parts = append(parts, s.Value[:12])
		}
	}
	return strings.Join(append(parts, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH), " ")
}
