package neptunetest

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Fault is what happens to a request. The zero value is nothing; most can be combined.
type Fault struct {
	Status     int    // answer with this status, 200 too, instead of carrying the request out
	Body       string // of that answer, sense or nonsense; empty: an error in JSON
	RetryAfter string // header of that answer: seconds, or a date, which neptune-query cannot read

	ExpiredToken bool // answer as if the access token had expired
	ExpiredLink  bool // answer as if the signed link had expired

	Delay time.Duration // before anything is done
	Hang  bool          // never answer
	Reset bool          // reset the connection instead of answering
	Cut   bool          // end the connection in the middle of the answer's body
	Slow  time.Duration // before each 16 KiB of the answer's body
}

// SetFault installs faults: fault is asked for each request, from several goroutines, and may read its body;
// n counts from 0 since SetFault. Nil ends them.
func (s *Server) SetFault(fault func(n int, r *http.Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.count
	s.fault = nil
	if fault != nil {
		s.fault = func(n int, r *http.Request) Fault { return fault(n-first, r) }
	}
}

func (f Fault) answer() answer {
	a := answer{status: f.Status, body: []byte(f.Body), kind: kindJSON}
	if f.Body == "" {
		a = failure(f.Status, faultTypes[f.Status], "fault of the test")
	}
	if f.RetryAfter != "" {
		a.header = map[string]string{"Retry-After": f.RetryAfter}
	}
	return a
}

var faultTypes = map[int]string{
	http.StatusUnauthorized:        "UNAUTHORIZED",
	http.StatusForbidden:           "ACCESS_DENIED",
	http.StatusTooManyRequests:     "TOO_MANY_REQUESTS_PER_USER",
	http.StatusServiceUnavailable:  "SERVICE_UNAVAILABLE",
	http.StatusInternalServerError: "INTERNAL_SERVER_ERROR",
}

// delay waits as the fault says and reports whether there is still somebody to answer.
func (s *Server) delay(r *http.Request, f Fault) bool {
	if !f.Hang && f.Delay == 0 {
		return true
	}
	var after <-chan time.Time // nil: never
	if !f.Hang {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		after = timer.C
	}
	select {
	case <-after:
		return true
	case <-r.Context().Done():
	case <-s.closing:
	}
	return false
}

// reset ends the connection so that the client sees a reset, not an end.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // only then a reset is sent; without it the connection still ends
	}
	_ = conn.Close()
}

// faultWriter cuts or slows a body.
type faultWriter struct {
	http.ResponseWriter
	fault Fault
	done  <-chan struct{}
	left  int64 // bytes until the cut; negative: half of what is written first
}

const slowPiece = 16 << 10

// WriteHeader finds where to cut: Content-Length is known by now.
func (w *faultWriter) WriteHeader(status int) {
	if w.fault.Cut {
		length, err := strconv.ParseInt(w.Header().Get("Content-Length"), 10, 64)
		w.left = length / 2
		if err != nil { // a zip whose length nobody knows
			w.left = -1
		}
	}
	w.ResponseWriter.WriteHeader(status)
	if w.fault.Cut && w.left == 0 {
		w.cut()
	}
}

func (w *faultWriter) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		piece := p
		if w.fault.Slow > 0 && len(piece) > slowPiece {
			piece = piece[:slowPiece]
		}
		if err := w.writePiece(piece); err != nil {
			return written, err
		}
		written += len(piece)
		p = p[len(piece):]
	}
	return written, nil
}

func (w *faultWriter) writePiece(p []byte) error {
	if w.fault.Slow > 0 {
		select {
		case <-time.After(w.fault.Slow):
		case <-w.done:
			return fmt.Errorf("the client went away")
		}
		defer w.flush()
	}
	if w.fault.Cut {
		if w.left < 0 {
			w.left = int64(len(p) / 2)
		}
		if int64(len(p)) >= w.left {
			_, _ = w.ResponseWriter.Write(p[:w.left]) // the connection ends anyhow
			w.cut()
		}
		w.left -= int64(len(p))
	}
	_, err := w.ResponseWriter.Write(p)
	return err
}

// cut ends the connection after what was written so far.
func (w *faultWriter) cut() {
	w.flush()
	panic(http.ErrAbortHandler)
}

func (w *faultWriter) flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }
