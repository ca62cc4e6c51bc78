//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"time"
)

// sent is one recorded request that writes.
type sent struct {
	method, uri string
	body        []byte
}

// tape is what a load sent, by run in the order of sending.
type tape struct {
	mu         sync.Mutex
	experiment string // ID during the recording
	runs       map[string][]sent
	creates    map[string][]byte // body of runs/create by the ID that it gave
}

var runID = regexp.MustCompile(`[0-9a-f]{32}`)

// record loads once through a proxy and keeps all that wrote to runs.
func (b *bencher) record(archive, target string) (*tape, error) {
	t := &tape{runs: map[string][]sent{}, creates: map[string][]byte{}}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		request, err := http.NewRequest(r.Method, target+r.URL.RequestURI(), bytes.NewReader(body))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		request.Header = r.Header.Clone()
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		said, _ := io.ReadAll(answer.Body)
		t.take(sent{r.Method, r.URL.RequestURI(), body}, said)
		w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
		w.WriteHeader(answer.StatusCode)
		w.Write(said)
	}))
	defer proxy.Close()
	if _, _, err := b.load(archive, proxy.URL, "record/", "--no-check"); err != nil {
		return nil, err
	}
	if len(t.creates) != runs {
		return nil, fmt.Errorf("recorded %d runs, want %d", len(t.creates), runs)
	}
	return t, nil
}

func (t *tape) take(s sent, answer []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case strings.HasSuffix(s.uri, "/runs/create"):
		var made struct {
			Run struct {
				Info struct {
					ID         string `json:"run_id"`
					Experiment string `json:"experiment_id"`
				}
			}
		}
		if json.Unmarshal(answer, &made) == nil {
			t.creates[made.Run.Info.ID], t.experiment = s.body, made.Run.Info.Experiment
		}
	case s.method == http.MethodGet, strings.HasSuffix(s.uri, "/search"):
	case strings.Contains(s.uri, "mlflow-artifacts/artifacts/"):
		id := runID.FindString(s.uri)
		t.runs[id] = append(t.runs[id], s)
	default:
		var to struct {
			ID string `json:"run_id"`
		}
		if json.Unmarshal(s.body, &to) == nil && to.ID != "" {
			t.runs[to.ID] = append(t.runs[to.ID], s)
		}
	}
}

// replay sends the recorded bodies of so many runs to new runs of a new experiment, as many at a time as a load.
func (t *tape) replay(url, name string, count int) (time.Duration, error) {
	var experiment struct {
		ID string `json:"experiment_id"`
	}
	body, err := json.Marshal(map[string]string{"name": name})
	if err != nil {
		return 0, err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: jobs}}
	defer client.CloseIdleConnections()
	answer, err := send(client, url, sent{http.MethodPost, "/api/2.0/mlflow/experiments/create", body})
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(answer, &experiment); err != nil {
		return 0, err
	}
	start := time.Now()
	ids := make(chan string)
	errs := make(chan error, jobs)
	for range jobs {
		go func() {
			var first error
			for id := range ids {
				if err := t.replayRun(client, url, id, experiment.ID); err != nil && first == nil {
					first = err
				}
			}
			errs <- first
		}()
	}
	for id := range t.creates {
		if count == 0 {
			break
		}
		ids <- id
		count--
	}
	close(ids)
	for range jobs {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return time.Since(start), err
}

func (t *tape) replayRun(client *http.Client, url, id, experiment string) error {
	create := bytes.Replace(t.creates[id], []byte(`"experiment_id":"`+t.experiment+`"`), []byte(`"experiment_id":"`+experiment+`"`), 1)
	answer, err := send(client, url, sent{http.MethodPost, "/api/2.0/mlflow/runs/create", create})
	if err != nil {
		return err
	}
	now := runID.Find(answer)
	for _, s := range t.runs[id] {
		s.uri = strings.Replace(s.uri, "/"+t.experiment+"/"+id, "/"+experiment+"/"+string(now), 1)
		s.body = bytes.Replace(s.body, []byte(id), now, 1)
		if _, err := send(client, url, s); err != nil {
			return err
		}
	}
	return nil
}

func send(client *http.Client, url string, s sent) ([]byte, error) {
	request, err := http.NewRequest(s.method, url+s.uri, bytes.NewReader(s.body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer drain(answer.Body)
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s %s", s.method, s.uri, answer.Status, body)
	}
	return body, err
}
