//go:build unix

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
)

// discard starts a server that answers as an MLflow without any runs would, and forgets all.
func discard() (url string, stop func()) {
	var created atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/version":
			io.WriteString(w, "3.17.2")
		case strings.HasSuffix(r.URL.Path, "/experiments/create"):
			io.WriteString(w, `{"experiment_id":"1"}`)
		case strings.HasSuffix(r.URL.Path, "/experiments/get"):
			io.WriteString(w, `{"experiment":{"experiment_id":"1","artifact_location":"mlflow-artifacts:/1","lifecycle_stage":"active"}}`)
		case strings.HasSuffix(r.URL.Path, "/experiments/get-by-name"):
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"none"}`)
		case strings.HasSuffix(r.URL.Path, "/runs/create"):
			id := fmt.Sprintf("%032x", created.Add(1))
			fmt.Fprintf(w, `{"run":{"info":{"run_id":%q,"run_uuid":%[1]q,"experiment_id":"1","status":"RUNNING",`+
				`"lifecycle_stage":"active","artifact_uri":"mlflow-artifacts:/1/%[1]s/artifacts"},"data":{}}}`, id)
		default:
			io.WriteString(w, "{}")
		}
	}))
	return server.URL, server.Close
}
