package mlflow

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	migrate "github.com/nexport-go/migrate"
)

// APIError is an answer of the server that is not the one asked for.
type APIError struct {
	Op         string // what was being done: "create run"
	Method     string
	URL        string // without credentials and query
	Status     int
	Code       string // MLflow's error_code; empty if the answer is not MLflow's JSON
	Message    string // MLflow's message, or the beginning of the answer
	RetryAfter time.Duration
	Hint       string // what to do, where that is known

	elsewhere bool // of another host than the tracking server, which got no credentials
}

// Error names what was done, the answer, and what to do.
func (e *APIError) Error() string {
	s := fmt.Sprintf("%s: %s %s: %d %s", e.Op, e.Method, e.URL, e.Status, http.StatusText(e.Status))
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Is matches the sentinels of package migrate. Refused credentials are fatal, and so is a server that
// refuses its name: no other run would fare better.
func (e *APIError) Is(target error) bool {
	switch target {
	case migrate.ErrNotFound:
		return e.Status == http.StatusNotFound
	case migrate.ErrUnauthorized:
		return e.denied() && !e.elsewhere && !e.wrongHost()
	case migrate.ErrFatal:
		return !e.elsewhere && (e.Status == http.StatusUnauthorized || e.wrongHost())
	}
	return false
}

func (e *APIError) denied() bool {
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden
}

// wrongHost reports the answer of MLflow's host check (mlflow/server/security_utils.py), which has
// nothing to do with credentials.
func (e *APIError) wrongHost() bool {
	return e.Status == http.StatusForbidden && e.Code == "" && strings.Contains(e.Message, "Host header")
}

// Temporary reports whether the same request may succeed later.
func (e *APIError) Temporary() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// errSamePage ends a search in which the server leads in circles.
var errSamePage = errors.New("the server gives the same page again and again")

// errRefused is in errors of a database that does not take a value.
var errRefused = errors.New("the database does not take it")

// isRefusal reports that MLflow, or its database, understood the request and will not do it, or that a
// gateway finds it too large. A part of it may be taken.
func isRefusal(err error) bool {
	var api *APIError
	return errors.As(err, &api) && api.Status == http.StatusBadRequest && api.Code != "" || errors.Is(err, errRefused) || isTooLarge(err)
}

func isTooLarge(err error) bool {
	var api *APIError
	return errors.As(err, &api) && api.Status == http.StatusRequestEntityTooLarge
}

// Error codes of MLflow, from mlflow/protos/databricks.proto.
const (
	codeExists   = "RESOURCE_ALREADY_EXISTS"
	codeNotFound = "RESOURCE_DOES_NOT_EXIST"
)

func hasCode(err error, code string) bool {
	var api *APIError
	return errors.As(err, &api) && api.Code == code
}

// hint tells what to do about an answer, if that is known. Message is still the whole answer.
func (e *APIError) hint(host string) string {
	switch {
	case e.wrongHost():
		return fmt.Sprintf("the server does not know itself as %s: start it with --allowed-hosts %q (MLflow 3.5 and newer check this)", host, host)
	case e.Status == http.StatusUnauthorized:
		return "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, of an account that may edit the experiment"
	case e.Status == http.StatusForbidden:
		return "use an account that may edit the experiment (MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN), " +
			"or load into one of its own (--name-prefix)"
	case e.Status == http.StatusNotFound && !strings.HasPrefix(e.Message, "{"):
		return "is the tracking URI that of an MLflow server?"
	case e.Status >= 300 && e.Status < 400:
		return "the server is elsewhere: give its final address as the tracking URI"
	case e.Status == http.StatusRequestEntityTooLarge:
		return "a proxy in front of the server limits the size of requests: raise it (nginx: client_max_body_size)"
	}
	return ""
}

// strange is the hint for a host that got no credentials and wants some.
func (e *APIError) strange(host, ours string) string {
	if !e.denied() || e.wrongHost() {
		return ""
	}
	return fmt.Sprintf("artifacts of this experiment go to %s, which gets no credentials because they are those of %s: if both are one server, "+
		"give %s as the tracking URI, else load into a new experiment (--name-prefix)", host, ours, host)
}
