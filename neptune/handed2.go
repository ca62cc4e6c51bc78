package neptune

import (
	"os"
	"sync"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/setzip"
)

// handed is what is kept for files while the chunks that name them are on their way to the receiver, and
// until it asks for the next chunk: zips of file sets, and bytes that came with the chunk.
type handed struct {
	mu   sync.Mutex
	zips map[string]*unpacked // by attribute
	kept map[string][]byte    // by key
	room int                  // bytes that are kept
}

// maxRoom bounds the bytes that are kept for one run.
const maxRoom = 16 << 20

// keep keeps the bytes of a file if there is room for them.
func (h *handed) keep(key string, b []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.room+len(b) > maxRoom {
		return false
	}
	if h.kept == nil {
		h.kept = map[string][]byte{}
	}
	h.room += len(b) - len(h.kept[key])
	h.kept[key] = b
	return true
}

// full reports that there is no room for what may come next.
func (h *handed) full(next int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.room+next > maxRoom
}

// bytes gives what is kept of a file.
func (h *handed) bytes(key string) (b []byte, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b, ok = h.kept[key]
	return b, ok
}

// consumed lets go of what is kept for a chunk's files.
func (h *handed) consumed(c migrate.Chunk) {
	files, ok := c.Values.(migrate.Files)
	if !ok {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ref := range files {
		h.room -= len(h.kept[ref.Key])
		delete(h.kept, ref.Key)
	}
	if z := h.zips[c.Path]; z != nil && c.Kind == migrate.KindFileSet {
		h.release(c.Path, z)
	}
}

// clear lets go of everything, when no more chunks will be received.
func (h *handed) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.kept)
	h.room = 0
	for attr, z := range h.zips {
		z.chunks = 0
		h.drop(attr, z)
	}
}

// put keeps a zip, for the job that sends its chunks and for each of these; see sends and release.
func (h *handed) put(attr string, z *unpacked) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.zips == nil {
		h.zips = map[string]*unpacked{}
	}
	if before := h.zips[attr]; before != nil {
		before.chunks = 0
		h.drop(attr, before)
	}
	z.chunks++
	h.zips[attr] = z
}

// sends announces a chunk with members of a zip.
func (h *handed) sends(z *unpacked) {
	h.mu.Lock()
	defer h.mu.Unlock()
	z.chunks++
}

// sent says that all chunks of a zip were sent.
func (h *handed) sent(attr string, z *unpacked) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.release(attr, z)
}

// release is called with the lock, as drop is.
func (h *handed) release(attr string, z *unpacked) {
	z.chunks--
	h.drop(attr, z)
}

func (h *handed) drop(attr string, z *unpacked) {
	if z.chunks > 0 {
		return
	}
	if h.zips[attr] == z {
		delete(h.zips, attr)
	}
	if z.readers == 0 {
		z.close()
	}
}

// borrow gives the zip of an attribute; it stays open until what it returns is called.
func (h *handed) borrow(attr string) (z *unpacked, done func(), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	z, ok = h.zips[attr]
	if !ok {
		return nil, nil, false
	}
	z.readers++
	return z, sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		z.readers--
		h.drop(attr, z)
	}), true
}

// unpacked is the zip of a file set in a temporary file.
type unpacked struct {
	*setzip.Set
	file    *os.File
	name    string // of the file, if it could not be removed while it is open
	chunks  int    // that are on their way, and 1 for their sender
	readers int
	closed  bool
}

func (z *unpacked) close() {
	if z.closed {
		return
	}
	z.closed = true
	z.file.Close()
	if z.name != "" {
		os.Remove(z.name)
	}
}
