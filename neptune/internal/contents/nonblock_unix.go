//go:build unix

package contents

import "syscall"

// nonblock keeps the opening of a FIFO that nobody writes to from waiting.
const nonblock = syscall.O_NONBLOCK
