package neptune

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/repeat"
)

// refreshMargin is how long before its end a bearer token is renewed, that of neptune-query.
const refreshMargin = 30 * time.Second

// maxLife is the longest a token is used without asking.
const maxLife = 30 * 24 * time.Hour

// session keeps the bearer token. Whoever finds it outdated renews it, once for all.
type session struct {
	apiToken   string
	send       func(context.Context, call) error // once, without a bearer token
	now        func() time.Time
	locate     func(context.Context) bool // before the first exchange: where to? false if that is not known yet; may be nil
	secure     bool                       // the API is https, so no token goes over http
	generation Generation                 // for what is said of refusals

	lock    chan struct{} // of one place, so that waiting ends with its context
	access  string
	refresh string
	until   time.Time // zero: until the server refuses it
	client  string
	address string // of the token endpoint; empty: none that can be used
}

func newSession(apiToken string, secure bool, now func() time.Time) *session {
	return &session{apiToken: apiToken, secure: secure, now: now, lock: make(chan struct{}, 1)}
}

// token returns a bearer token other than refused. anew says that a refreshed one will not do.
func (s *session) token(ctx context.Context, refused string, anew bool) (string, error) {
	select {
	case s.lock <- struct{}{}:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	defer func() { <-s.lock }()
	if s.access != "" && s.access != refused && (s.until.IsZero() || s.now().Before(s.until)) {
		return s.access, nil
	}
	if s.access != "" && !anew && s.refresh != "" && s.address != "" {
		if err := s.renew(ctx); err == nil {
			return s.access, nil
		}
		s.address = "" // it may not be reachable from here; the exchange always is
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if s.locate != nil && s.locate(ctx) {
		s.locate = nil
	}
	if err := s.exchange(ctx); err != nil {
		return "", err
	}
	s.locate = nil
	return s.access, nil
}

// exchange trades the API token for a pair of tokens: GET authorization/oauth-token.
func (s *session) exchange(ctx context.Context) error {
	var out struct {
		Access  string `json:"accessToken"`
		Refresh string `json:"refreshToken"`
	}
	err := s.send(ctx, call{
		op: "exchange the API token", method: http.MethodGet, url: "/api/backend/v1/authorization/oauth-token",
		header: http.Header{"X-Neptune-Api-Token": {s.apiToken}}, bare: true, read: into(&out),
	})
	if err != nil {
		return s.refused(err)
	}
	if out.Access == "" {
		return &repeat.Permanent{Err: fmt.Errorf("exchange the API token: the answer has no access token in it; %w", otherGeneration{s.generation})}
	}
	s.keep(out.Access, out.Refresh)
	return nil
}

// refused says what the answer to an exchange means. An API token of another server gives 400, and a server of
// another kind 404.
func (s *session) refused(err error) error {
	var api *APIError
	if !errors.As(err, &api) || api.Temporary() {
		return err
	}
	api.Message = strings.ReplaceAll(api.Message, s.apiToken, "(token)")
	switch {
	case api.Status == http.StatusUnauthorized, api.Status == http.StatusForbidden,
		api.Status == http.StatusBadRequest && s.generation == Neptune2: // which answers so to a token that it does not know
		api.Hint = "the server does not know this API token: set NEPTUNE_API_TOKEN to a valid one of this server"
		return fmt.Errorf("%w: %w (%w)", migrate.ErrFatal, err, migrate.ErrUnauthorized)
	}
	switch api.Status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return fmt.Errorf("%w: %w; is the API token one of this server? %w", migrate.ErrFatal, err, otherGeneration{s.generation})
	}
	return fmt.Errorf("%w: %w", migrate.ErrFatal, err)
}

// renew uses the refresh token: an OAuth 2.0 refresh (RFC 6749, 6) at the issuer of the bearer token.
func (s *session) renew(ctx context.Context) error {
	var out struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {s.refresh}, "client_id": {s.client}}
	err := s.send(ctx, call{
		op: "refresh the token", method: http.MethodPost, url: s.address, body: []byte(form.Encode()),
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, bare: true, read: into(&out),
	})
	if err == nil && out.Access == "" {
		err = errors.New("refresh the token: the answer has none")
	}
	if err != nil {
		return err
	}
	if out.Refresh == "" {
		out.Refresh = s.refresh
	}
	s.keep(out.Access, out.Refresh)
	return nil
}

// keep stores tokens and what the bearer token says of itself. One that is no JWT is used until the
// server refuses it.
func (s *session) keep(access, refresh string) {
	s.access, s.refresh, s.until, s.client, s.address = access, refresh, time.Time{}, "", ""
	claims, ok := parseClaims(access)
	if !ok {
		return
	}
	if claims.Expires > 0 {
		s.until = claims.until(s.now())
	}
	issuer, err := url.Parse(claims.Issuer)
	if err != nil || claims.Client == "" || issuer.Host == "" || issuer.Scheme != "https" && (s.secure || issuer.Scheme != "http") {
		return
	}
	s.client, s.address = claims.Client, strings.TrimRight(claims.Issuer, "/")+"/protocol/openid-connect/token"
}

// claims are those of a Keycloak access token that matter here.
type claims struct {
	Expires float64 `json:"exp"` // seconds since 1970
	Issued  float64 `json:"iat"` // as Expires; 0 if it does not say
	Client  string  `json:"azp"`
	Issuer  string  `json:"iss"`
}

// parseClaims reads a JWT without checking its signature, which is the server's affair.
func parseClaims(token string) (c claims, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	return c, err == nil && json.Unmarshal(raw, &c) == nil
}

// until is when to renew a token received now. Where the token says how long it lives, the local
// clock need not be right.
func (c claims) until(now time.Time) time.Time {
	seconds := c.Expires - float64(now.Unix())
	if c.Issued > 0 && c.Expires > c.Issued {
		seconds = c.Expires - c.Issued
	}
	life := time.Duration(min(seconds, maxLife.Seconds()) * float64(time.Second))
	if seconds <= 0 {
		return now // to be renewed before the next request
	}
	return now.Add(life - min(refreshMargin, life/4))
}
