package neptune

import (
	"slices"
	"testing"
)

// Whatever is in the parts of a key, they come out as they went in; and no key makes splitKey panic.
func FuzzKeys(f *testing.F) {
	f.Add("s", "a:b", "c")
	f.Add("", "9:", ":")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, parts := range [][]string{{a}, {a, b}, {a, b, c}} {
			got, ok := splitKey(joinKey(keyContent, parts...), len(parts))
			if !ok || !slices.Equal(got, parts) {
				t.Errorf("%q became %q, %t", parts, got, ok)
			}
		}
		for n := range 4 {
			splitKey(a, n)
		}
	})
}
