package neptunetest_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// one installs a fault for the next request.
func one(s *neptunetest.Server, f neptunetest.Fault) {
	s.SetFault(func(n int, _ *http.Request) neptunetest.Fault {
		if n == 0 {
			return f
		}
		return neptunetest.Fault{}
	})
}

// try sends a request that may fail, and reads the answer.
func try(t *testing.T, c *client, link string) (status int, header http.Header, body []byte, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c != nil {
		r.Header.Set("Authorization", "Bearer "+c.access)
	}
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // repeats nothing by itself
	resp, err := fresh.Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, body, err
}

func TestFaults(t *testing.T) {
	s, c := serve(t, neptunetest.Options{}, run("P-1", attr("f", neptunetest.GeneratedFile("n", "", 100_000, 1))))
	links, _ := c.sign(storagePath(t, c))
	api := s.URL + "/api/backend/v1/projects"
	whole := func() { // the fault was one request's
		t.Helper()
		if status, _, _, err := try(t, c, api); status != 200 || err != nil {
			t.Errorf("the request after: %d, %v", status, err)
		}
	}

	one(s, neptunetest.Fault{Status: 429, RetryAfter: "7"})
	if status, header, _, err := try(t, c, api); status != 429 || header.Get("Retry-After") != "7" || err != nil {
		t.Errorf("429: %d %v, %v", status, header, err)
	}
	whole()
	one(s, neptunetest.Fault{Status: 502, Body: "<html>"})
	if status, _, body, _ := try(t, c, api); status != 502 || string(body) != "<html>" {
		t.Errorf("502: %d %q", status, body)
	}
	whole()
	one(s, neptunetest.Fault{Reset: true})
	if status, _, _, err := try(t, c, api); err == nil {
		t.Errorf("reset: answered with %d", status)
	}
	whole()
	for name, link := range map[string]string{"answer": api, "file": links[0]} {
		client := map[string]*client{"answer": c}[name]
		one(s, neptunetest.Fault{Cut: true})
		if status, _, body, err := try(t, client, link); status != 200 || !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 {
			t.Errorf("cut %s: %d, %d bytes, %v", name, status, len(body), err)
		}
		whole()
	}
	one(s, neptunetest.Fault{ExpiredToken: true})
	if status, _, _, _ := try(t, c, api); status != 401 {
		t.Errorf("expired token: %d", status)
	}
	whole()
	one(s, neptunetest.Fault{ExpiredLink: true})
	if status, _, _, _ := try(t, nil, links[0]); status != 400 {
		t.Errorf("expired link: %d", status)
	}
	whole()
	one(s, neptunetest.Fault{Delay: time.Millisecond, Slow: time.Millisecond})
	if status, _, body, err := try(t, nil, links[0]); status != 200 || len(body) != 100_000 || err != nil {
		t.Errorf("slow: %d, %d bytes, %v", status, len(body), err)
	}
}

// TestHang: a request that is never answered ends with the server, or with the client's patience.
func TestHang(t *testing.T) {
	s, err := neptunetest.Start(neptunetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan struct{})
	s.SetFault(func(int, *http.Request) neptunetest.Fault {
		close(arrived)
		return neptunetest.Fault{Hang: true}
	})
	done := make(chan error, 1)
	go func() {
		resp, err := http.Get(s.URL)
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	<-arrived
	s.Close()
	if err := <-done; err == nil {
		t.Error("a request that hangs was answered")
	}
}
