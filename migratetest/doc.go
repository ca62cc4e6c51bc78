// Package migratetest has what every Source, Sink and Store should pass, and a Store in memory.
//
//	func TestStore(t *testing.T) {
//		migratetest.TestStore(t, func(t *testing.T) migrate.Store { return mine.Open(t.TempDir()) })
//	}
//
// [Memory] is the reference implementation: the contracts hold for it by construction, it is
// short, and tests of anything else can use it as the other side.
package migratetest
