package neptune

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	migrate "github.com/nexport-go/migrate"
)

// APIError is an answer of the server that is not the one asked for.
type APIError struct {
	Op         string // what was being done: "list runs"
	Method     string
	URL        string // without credentials and query
	Status     int
	Code       string // Neptune's errorType; empty if the answer is not Neptune's JSON
	Message    string // Neptune's message, or the beginning of the answer
	RetryAfter time.Duration
	Hint       string // what to do, where that is known

	elsewhere bool // it is the answer of another host than the API's
	storage   bool // it is the answer of a storage, for which Neptune's credentials mean nothing
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

// codeExpired is given with any status to a bearer token that has ended.
const codeExpired = "AUTHORIZATION_TOKEN_EXPIRED"

// codeDenied is also the answer about a project that does not exist.
const codeDenied = "ACCESS_DENIED"

// Is matches the sentinels of package migrate. Only refused credentials are fatal: without access
// to one project, others may still be read.
func (e *APIError) Is(target error) bool {
	if e.storage {
		return target == migrate.ErrNotFound && e.Status == http.StatusNotFound ||
			target == migrate.ErrUnauthorized && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
	}
	switch target {
	case migrate.ErrNotFound:
		return e.Status == http.StatusNotFound || e.Code == codeDenied || strings.HasSuffix(e.Code, "_NOT_FOUND")
	case migrate.ErrUnauthorized:
		return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden || e.Code == codeDenied || e.Code == codeExpired
	case migrate.ErrFatal:
		return e.Status == http.StatusUnauthorized || e.Code == codeExpired
	}
	return false
}

// Temporary reports whether the same request may succeed later.
func (e *APIError) Temporary() bool {
	return e.Status == http.StatusRequestTimeout || e.Status == http.StatusTooManyRequests ||
		e.Status >= 500 && e.Status != http.StatusNotImplemented
}

// refusal reports that the server was reached and does not answer this one request, so that a part of
// it may fare better. Credentials are no reason for that.
func refusal(err error) bool {
	var api *APIError
	if errors.As(err, &api) {
		if api.Code == codeExpired {
			return false
		}
		switch api.Status {
		case http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable:
			return false
		}
		return true
	}
	var garbled *garbledError
	return errors.As(err, &garbled) || errors.Is(err, errTooLarge)
}

// garbledError is an answer with status 200 that cannot be decoded. It is asked for again a few
// times.
type garbledError struct{ err error }

func (e *garbledError) Error() string { return "undecodable answer: " + e.err.Error() }
func (e *garbledError) Unwrap() error { return e.err }

// failure makes an APIError of an answer's head and the beginning of its body.
func failure(op string, request *http.Request, response *http.Response, body []byte) *APIError {
	e := &APIError{
		Op: op, Method: request.Method, URL: plainURL(request.URL), Status: response.StatusCode,
		Message: strings.TrimSpace(string(body)), RetryAfter: retryAfter(response.Header.Get("Retry-After")),
	}
	var answer struct {
		ErrorType string `json:"errorType"`
		Message   string `json:"message"`
		Title     string `json:"title"`
	}
	if json.Unmarshal(body, &answer) == nil && (answer.ErrorType != "" || answer.Message != "" || answer.Title != "") {
		e.Code, e.Message = answer.ErrorType, answer.Message
		switch {
		case answer.Message == "":
			e.Message = answer.Title
		case answer.Title != "" && answer.Title != answer.Message:
			e.Message = answer.Title + ": " + answer.Message
		}
	} else if strings.HasPrefix(e.Message, "<") {
		e.Message = "" // HTML of a proxy or of another program, XML of a storage
	}
	e.Hint = hint(e)
	return e
}

// hint tells what to do about an answer, if that is known.
func hint(e *APIError) string {
	switch {
	case e.Code == codeDenied:
		return "the project does not exist, or the API token's account cannot see it: check the name, workspace/project"
	case e.Status == http.StatusForbidden && e.Code != codeExpired:
		return "the API token's account may not see this: check its role in the project, and the project's name, workspace/project"
	case e.Status == http.StatusUnauthorized, e.Code == codeExpired:
		return "set NEPTUNE_API_TOKEN to a valid API token of this server"
	case e.Status >= 300 && e.Status < 400:
		return "the server is elsewhere: give its final address with --neptune-url"
	}
	return ""
}

// plainURL leaves out what may be secret: user, password and query.
func plainURL(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }

// redact takes the query out of a URL in an error.
func redact(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		if u, parseErr := url.Parse(failed.URL); parseErr == nil {
			failed.URL = plainURL(u)
		} else {
			failed.URL = "(unreadable)"
		}
	}
	return err
}
