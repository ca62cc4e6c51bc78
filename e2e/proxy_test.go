//go:build unix

package e2e_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
)

// fault is what the proxy does to one request.
type fault int

const (
	none         fault = iota
	refused            // 500, not forwarded
	busy               // 429 with Retry-After, not forwarded
	unavailable        // 503, not forwarded
	cutBefore          // connection closed, not forwarded
	cutAfter           // forwarded, connection closed instead of an answer
	lostAfter          // forwarded, 500 instead of the answer
	halfAnswered       // forwarded, answer cut in the middle
	faults
)

// proxy stands in front of an MLflow server and does to each request what choose says. Requests
// are numbered from 1.
type proxy struct {
	*httptest.Server
	target string
	choose func(number int, r *http.Request) fault
	client http.Client

	mu   sync.Mutex
	seen int
	done map[fault]int
}

func newProxy(t *testing.T, target string, choose func(number int, r *http.Request) fault) *proxy {
	t.Helper()
	p := &proxy{target: target, choose: choose, done: map[fault]int{}}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// seeded chooses a fault for one request in every, at random.
func seeded(seed uint64, every int) func(int, *http.Request) fault {
	random := rand.New(rand.NewPCG(seed, 1))
	return func(int, *http.Request) fault {
		if random.IntN(every) != 0 {
			return none
		}
		return 1 + fault(random.IntN(int(faults)-1))
	}
}

func (p *proxy) next(r *http.Request) fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen++
	f := p.choose(p.seen, r)
	p.done[f]++
	return f
}

// requests says how many there were, and what was done to them.
func (p *proxy) requests() (total int, done map[fault]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen, p.done
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	switch f := p.next(r); f {
	case refused:
		http.Error(w, `{"error_code":"INTERNAL_ERROR","message":"made by the test"}`, http.StatusInternalServerError)
	case busy:
		w.Header().Set("Retry-After", "1")
		http.Error(w, `{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"made by the test"}`, http.StatusTooManyRequests)
	case unavailable:
		http.Error(w, "made by the test", http.StatusServiceUnavailable)
	case cutBefore:
		cut(w, nil)
	default:
		p.forward(w, r, body, f)
	}
}

// forward lets the request reach the server, and passes the answer on as far as f says.
func (p *proxy) forward(w http.ResponseWriter, r *http.Request, body []byte, f fault) {
	// Not the client's context: the server gets the request even if the client has died since.
	request, err := http.NewRequest(r.Method, p.target+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	request.Header = r.Header.Clone()
	answer, err := p.client.Do(request)
	if err != nil {
		cut(w, nil) // as it would be without the proxy
		return
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		cut(w, nil)
		return
	}
	switch f {
	case cutAfter:
		cut(w, nil)
	case lostAfter:
		http.Error(w, "made by the test", http.StatusInternalServerError)
	case halfAnswered:
		head := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(said)+1) + "\r\n\r\n"
		cut(w, append([]byte(head), said[:len(said)/2]...))
	default:
		for k, v := range answer.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(answer.StatusCode)
		w.Write(said)
	}
}

// cut writes raw bytes and closes the connection.
func cut(w http.ResponseWriter, raw []byte) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok && raw == nil {
		tcp.SetLinger(0) // a reset, as from a crash
	}
	conn.Write(raw)
	conn.Close()
}
