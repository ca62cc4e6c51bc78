package neptunetest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	realmPath     = "/auth/realms/neptune"
	refreshPath   = realmPath + "/protocol/openid-connect/token"
	discoveryPath = realmPath + "/.well-known/openid-configuration"
	exchangePath  = "/api/backend/v1/authorization/oauth-token"
	configPath    = "/api/backend/v1/clients/config"
	clientID      = "neptune-cli"
)

// auth gives out access tokens and knows which are good.
type auth struct {
	url      string
	apiToken string
	opts     Options
	life     time.Duration
	now      func() time.Time
	open     map[string]func(*http.Request) answer // paths that need no access token

	mu         sync.Mutex
	age        int // access tokens of an earlier age have expired
	refreshAge int // refresh tokens of an earlier age are revoked
}

func newAuth(serverURL string, opts Options) *auth {
	a := &auth{url: serverURL, opts: opts, life: opts.TokenLife, now: opts.Now}
	token, _ := json.Marshal(map[string]string{ // strings only: no error
		"api_address": serverURL, "api_url": serverURL, "api_key": "00000000-0000-4000-8000-000000000001",
	})
	a.apiToken = base64.StdEncoding.EncodeToString(token)
	a.open = map[string]func(*http.Request) answer{
		exchangePath: a.exchange, configPath: a.config, discoveryPath: a.discovery,
	}
	return a
}

// ExpireTokens makes all access tokens given out so far expire before the time they tell.
func (s *Server) ExpireTokens() {
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	s.auth.age++
}

// RevokeRefreshTokens makes all refresh tokens given out so far worthless: clients have to begin with the API token.
func (s *Server) RevokeRefreshTokens() {
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	s.auth.refreshAge++
}

// exchange gives tokens for an API token.
func (a *auth) exchange(r *http.Request) answer {
	if r.Header.Get("X-Neptune-Api-Token") != a.apiToken {
		if a.opts.Generation == 2 {
			return badToken()
		}
		return failure(http.StatusUnauthorized, "UNAUTHORIZED", "the API token is not valid")
	}
	access, refresh := a.tokens()
	return okJSON(map[string]string{"accessToken": access, "refreshToken": refresh, "username": "tester"})
}

func (a *auth) config(r *http.Request) answer {
	if a.opts.Generation == 2 {
		return a.config2(r)
	}
	return okJSON(map[string]any{
		"apiUrl": a.url, "applicationUrl": a.url, "pyLibVersions": map[string]string{},
		"security": map[string]string{"clientId": clientID, "openIdDiscovery": a.url + discoveryPath},
	})
}

func (a *auth) discovery(*http.Request) answer {
	return okJSON(map[string]string{
		"authorization_endpoint": a.url + realmPath + "/protocol/openid-connect/auth",
		"token_endpoint":         a.url + refreshPath,
	})
}

// refresh gives new tokens for a refresh token. Old refresh tokens stay good: clients with several
// threads use one several times.
func (a *auth) refresh(r *http.Request, body []byte, complainf func(string, ...any)) answer {
	form, err := url.ParseQuery(string(body))
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch {
	case err != nil || kind != "application/x-www-form-urlencoded":
		complainf("POST %s: not a form, Content-Type %q", refreshPath, kind)
	case form.Get("grant_type") != "refresh_token" || form.Get("client_id") != clientID:
		complainf("POST %s: grant_type %q, client_id %q", refreshPath, form.Get("grant_type"), form.Get("client_id"))
	case !a.signed("refresh", form.Get("refresh_token")) || a.revoked(form.Get("refresh_token")):
	default:
		access, refresh := a.tokens()
		return okJSON(map[string]any{
			"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": int(a.life.Seconds()),
		})
	}
	out := okJSON(map[string]string{"error": "invalid_grant", "error_description": "the refresh token is not valid"})
	out.status = http.StatusBadRequest
	return out
}

// claims of an access token. Clients read exp, azp and iss; age is the server's own.
type claims struct {
	Exp int64  `json:"exp"`
	Azp string `json:"azp"`
	Iss string `json:"iss"`
	Age int    `json:"age"`
}

func (a *auth) tokens() (access, refresh string) {
	a.mu.Lock()
	age, refreshAge := a.age, a.refreshAge
	a.mu.Unlock()
	body, _ := json.Marshal(claims{Exp: a.now().Add(a.life).Unix(), Azp: clientID, Iss: a.url + realmPath, Age: age})
	text := rawBase64([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + rawBase64(body)
	refresh = strconv.Itoa(refreshAge)
	return text + "." + a.sign("access", text), refresh + "." + a.sign("refresh", refresh)
}

// revoked says so of a refresh token whose signature is good.
func (a *auth) revoked(token string) bool {
	text, _, _ := strings.Cut(token, ".")
	age, err := strconv.Atoi(text)
	a.mu.Lock()
	defer a.mu.Unlock()
	return err != nil || age < a.refreshAge
}

func rawBase64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// sign needs no secret key: it tells right from wrong, not friend from foe.
func (a *auth) sign(purpose, text string) string {
	mac := hmac.New(sha256.New, []byte(purpose+a.apiToken))
	mac.Write([]byte(text))
	return rawBase64(mac.Sum(nil))
}

// signed reports whether the token ends with the signature of what is before.
func (a *auth) signed(purpose, token string) bool {
	i := strings.LastIndexByte(token, '.')
	return i > 0 && token[i+1:] == a.sign(purpose, token[:i])
}

// check returns the refusal of a request whose access token is not good, else nil.
func (a *auth) check(r *http.Request, expired bool) *answer {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || !a.signed("access", token) {
		f := failure(http.StatusUnauthorized, "UNAUTHORIZED", "no valid access token")
		return &f
	}
	if expired || a.expired(token) {
		f := failure(http.StatusUnauthorized, "AUTHORIZATION_TOKEN_EXPIRED", "the access token has expired")
		return &f
	}
	return nil
}

func (a *auth) expired(token string) bool {
	var c claims
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil || json.Unmarshal(body, &c) != nil {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return c.Age < a.age || a.now().Unix() >= c.Exp
}

func okJSON(v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		return failure(http.StatusInternalServerError, "INTERNAL_SERVER_ERROR", "%v", err)
	}
	return answer{status: http.StatusOK, body: body, kind: kindJSON}
}

// failure is an error answer. code is in it for the backend's endpoints, errorType for the leaderboard's.
func failure(status int, errorType, format string, args ...any) answer {
	if errorType == "" {
		errorType = "INTERNAL_SERVER_ERROR"
	}
	body, _ := json.Marshal(map[string]any{ // always valid
		"code": status, "errorType": errorType, "message": fmt.Sprintf(format, args...),
	})
	return answer{status: status, body: body, kind: kindJSON}
}
