//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// The fake Neptune is in a process of its own: this command with serveArg and a spec as JSON. It ends when
// its standard input does.
const (
	serveArg    = "serve-neptune"
	tapePath    = "/bench/tape"
	projectName = "large"
)

// spec is what a fake Neptune serves, and how.
type spec struct {
	Generation           int
	Runs, Series, Points int
	Keep                 bool          // the answers: they cost the server nothing when they are asked for again
	Delay                time.Duration // of each answer
}

func (s spec) total() int { return s.Runs * s.Series * s.Points }

// call is one request that a client sent.
type call struct {
	Method, URI string
	Header      http.Header
	Body        []byte
}

// served is what the process says when it is ready.
type served struct{ URL, Token string }

// serve serves a large project until in ends.
func serve(arg string, in io.Reader, out io.Writer) error {
	var s spec
	if err := json.Unmarshal([]byte(arg), &s); err != nil {
		return err
	}
	project := neptunetest.Large("bench", projectName, s.Runs, s.Series, s.Points)
	fake, err := neptunetest.Start(neptunetest.Options{
		Generation: s.Generation, Projects: []*neptunetest.Project{project}, NoGzip: true, NoRecord: true,
		Complain: func(complaint string) { fmt.Fprintln(os.Stderr, "fake Neptune:", complaint) },
	})
	if err != nil {
		return err
	}
	defer fake.Close()
	front := httptest.NewServer(&front{fake: fake, spec: s, answers: map[string]*httptest.ResponseRecorder{}})
	defer front.Close()
	if err := json.NewEncoder(out).Encode(served{front.URL, fake.Token()}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// front is what clients see of the fake. It remembers requests, and where the spec says so gives the same answer
// to the same request without asking the fake again: that costs next to nothing.
type front struct {
	fake *neptunetest.Server
	spec spec

	mu      sync.Mutex
	calls   []call
	answers map[string]*httptest.ResponseRecorder
}

// ServeHTTP answers as the fake, or tells what was asked since it last told.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.URL.Path == tapePath {
		f.mu.Lock()
		defer f.mu.Unlock()
		json.NewEncoder(w).Encode(f.calls)
		f.calls = nil
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	time.Sleep(f.spec.Delay)
	if !strings.Contains(r.URL.Path, "/leaderboard/") {
		f.fake.ServeHTTP(w, r)
		return
	}
	key := r.URL.RequestURI() + "\n" + string(body)
	f.mu.Lock()
	f.calls = append(f.calls, call{r.Method, r.URL.RequestURI(), r.Header.Clone(), body})
	answer := f.answers[key]
	f.mu.Unlock()
	if !f.spec.Keep {
		f.fake.ServeHTTP(w, r)
		return
	}
	if answer == nil {
		answer = httptest.NewRecorder()
		f.fake.ServeHTTP(answer, r)
		f.mu.Lock()
		f.answers[key] = answer
		f.mu.Unlock()
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

// neptune is the process of a fake Neptune.
type neptune struct {
	served
	process *exec.Cmd
	in      io.Closer
}

func startNeptune(s spec) (*neptune, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	arg, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	n := &neptune{process: exec.Command(self, serveArg, string(arg))}
	n.process.Stderr = os.Stderr
	if n.in, err = n.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := n.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := n.process.Start(); err != nil {
		return nil, err
	}
	if err := json.NewDecoder(out).Decode(&n.served); err != nil {
		n.stop()
		return nil, fmt.Errorf("start the fake Neptune: %w", err)
	}
	return n, nil
}

func (n *neptune) stop() {
	n.in.Close()
	n.process.Wait()
}

// tape gives the requests since the last time.
func (n *neptune) tape() (calls []call, err error) {
	answer, err := http.Get(n.URL + tapePath)
	if err != nil {
		return nil, err
	}
	defer drain(answer.Body)
	return calls, json.NewDecoder(answer.Body).Decode(&calls)
}

// bare sends requests again, so many at once, and throws the answers away.
func (n *neptune) bare(calls []call, atOnce int) (time.Duration, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atOnce, ReadBufferSize: 64 << 10, DisableCompression: true}}
	defer client.CloseIdleConnections()
	work, errs := make(chan call), make(chan error, atOnce)
	begun := time.Now()
	for range atOnce {
		go func() {
			var first error
			for c := range work {
				if err := n.throwAway(client, c); err != nil && first == nil {
					first = err
				}
			}
			errs <- first
		}()
	}
	for _, c := range calls {
		work <- c
	}
	close(work)
	var err error
	for range atOnce {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return time.Since(begun), err
}

func (n *neptune) throwAway(client *http.Client, c call) error {
	request, err := http.NewRequest(c.Method, n.URL+c.URI, bytes.NewReader(c.Body))
	if err != nil {
		return err
	}
	request.Header = c.Header
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", c.Method, c.URI, answer.Status)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}
