package parquetstore

import (
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow/memory"
	migrate "github.com/nexport-go/migrate"
)

// maxPage is the largest page that is read, whatever a file's footer says.
const maxPage = 512 << 20

// guard turns a panic of f into an error: Arrow panics on some damaged files. Nothing in f may
// call a caller's code, whose panics are not ours to catch.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = corrupt("decoding failed: %v", p)
		}
	}()
	return f()
}

// corrupt is an error that matches ErrCorrupt.
func corrupt(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, migrate.ErrCorrupt)...)
}

// unsupported is what a sound file has and this program cannot read. It matches errors.ErrUnsupported
// and not ErrCorrupt: another copy of the file would not help.
type unsupported string

func (u unsupported) Error() string { return string(u) }

func (unsupported) Is(target error) bool { return target == errors.ErrUnsupported }

func unsupportedf(format string, args ...any) error {
	return unsupported(fmt.Sprintf(format, args...))
}

// inColumn says where err is. All but what is not supported is damage.
func inColumn(name string, err error) error {
	if errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("column %s %w", name, err)
	}
	return corrupt("column %s: %v", name, err)
}

// limited refuses allocations larger than the largest column chunk, which no honest page needs. Its
// panics end in guard.
type limited struct {
	memory.Allocator
	limit int
}

func (l *limited) Allocate(size int) []byte { return l.Allocator.Allocate(l.check(size)) }

func (l *limited) Reallocate(size int, b []byte) []byte {
	return l.Allocator.Reallocate(l.check(size), b)
}

func (l *limited) check(size int) int {
	if size > l.limit {
		panic(fmt.Sprintf("a page of %d bytes", size))
	}
	return size
}
