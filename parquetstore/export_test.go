package parquetstore

// Limits makes parts and row groups small.
func (c Config) Limits(partBytes int64, groupRows, groupBytes int) Config {
	c.partBytes, c.groupRows, c.groupBytes = partBytes, groupRows, groupBytes
	return c
}

// Fault makes changes on disk fail: f is asked before each.
func (c Config) Fault(f func(op, name string) error) Config {
	c.fault = f
	return c
}

// Names for tests.
var (
	DigestedName = digestedName
	FileName     = fileName
	NameFile     = nameFile
)
