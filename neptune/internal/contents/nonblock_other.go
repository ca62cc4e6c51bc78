//go:build !unix

package contents

// nonblock is of Unix: elsewhere files are not FIFOs.
const nonblock = 0
