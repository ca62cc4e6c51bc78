package neptunetest_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// clock can be moved.
type clock struct{ atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.Store(1_700_000_000)
	return c
}

func (c *clock) now() time.Time { return time.Unix(c.Load(), 0) }

func TestTokenTellsAddress(t *testing.T) {
	s := neptunetest.NewServer(t, neptunetest.Options{Prefix: "/neptune/"})
	raw, err := base64.StdEncoding.DecodeString(s.Token())
	if err != nil {
		t.Fatal(err)
	}
	var token struct {
		URL     string `json:"api_url"`
		Address string `json:"api_address"`
	}
	if err := json.Unmarshal(raw, &token); err != nil {
		t.Fatal(err)
	}
	if token.URL != s.URL || token.Address != s.URL || !strings.HasSuffix(s.URL, "/neptune") {
		t.Errorf("token %+v of the server at %s", token, s.URL)
	}
	newClient(t, s) // the prefix works
}

func TestOutsideOfPrefix(t *testing.T) {
	var said complaints
	s := neptunetest.NewServer(t, neptunetest.Options{Prefix: "/neptune", Complain: said.add})
	c := &client{t: t, url: strings.TrimSuffix(s.URL, "/neptune")}
	if c.status() != http.StatusNotFound || len(said.take()) != 1 {
		t.Error("a path outside of the prefix is served")
	}
}

func TestWrongAPIToken(t *testing.T) {
	s := neptunetest.NewServer(t, neptunetest.Options{})
	c := &client{t: t, url: s.URL}
	resp := c.do(http.MethodGet, "/api/backend/v1/authorization/oauth-token", "", "X-Neptune-Api-Token", "eyJ9")
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %s", resp.Status)
	}
}

// status asks for the list of projects.
func (c *client) status() int {
	c.t.Helper()
	resp := c.do(http.MethodGet, "/api/backend/v1/projects?organizationIdentifier=team&offset=0&limit=200", "")
	resp.Body.Close()
	return resp.StatusCode
}

func TestAccessTokensExpire(t *testing.T) {
	at := newClock()
	s, c := serve(t, neptunetest.Options{Now: at.now, TokenLife: time.Minute})
	statuses := func(want int) {
		t.Helper()
		if got := c.status(); got != want {
			t.Errorf("status %d, want %d", got, want)
		}
	}
	statuses(200)
	at.Add(60)
	statuses(401)
	c = newClient(t, s)
	statuses(200)
	s.ExpireTokens()
	statuses(401)
	c = newClient(t, s)
	statuses(200)
	c.access += "x"
	statuses(401)
	c.access = ""
	statuses(401)
}

func TestRefresh(t *testing.T) {
	s, c := serve(t, neptunetest.Options{})
	var config struct {
		Security struct{ ClientID, OpenIDDiscovery string }
	}
	c.json(c.do(http.MethodGet, "/api/backend/v1/clients/config", ""), &config)
	var discovery struct {
		Endpoint string `json:"token_endpoint"`
	}
	c.json(c.do(http.MethodGet, strings.TrimPrefix(config.Security.OpenIDDiscovery, s.URL), ""), &discovery)
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(c.access, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var who struct{ Azp, Iss string }
	if err := json.Unmarshal(claims, &who); err != nil {
		t.Fatal(err)
	}
	if who.Iss+"/protocol/openid-connect/token" != discovery.Endpoint || who.Azp != config.Security.ClientID {
		t.Errorf("claims %+v, config %+v, discovery %+v", who, config, discovery)
	}
	var exchanged struct{ RefreshToken string }
	c.json(c.do(http.MethodGet, "/api/backend/v1/authorization/oauth-token", "", "X-Neptune-Api-Token", s.Token()), &exchanged)
	refresh := func(token string) *http.Response {
		form := url.Values{"grant_type": {"refresh_token"}, "client_id": {who.Azp}, "refresh_token": {token}, "expires_in": {"-1"}}
		return c.do(http.MethodPost, strings.TrimPrefix(discovery.Endpoint, s.URL), form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	}
	s.ExpireTokens()
	var out struct {
		Access string `json:"access_token"`
	}
	c.json(refresh(exchanged.RefreshToken), &out)
	if c.access = out.Access; c.status() != http.StatusOK {
		t.Error("the refreshed token is not good")
	}
	resp := refresh("refresh.nothing")
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a wrong refresh token: %s", resp.Status)
	}
}

func TestProjects(t *testing.T) {
	_, c := serve(t, neptunetest.Options{Projects: []*neptunetest.Project{
		{Workspace: "team", Name: "b", Archived: true}, {Workspace: "team", Name: "a"}, {Workspace: "other", Name: "x"},
	}})
	list := func(query string) (names []string, matching int) {
		var out struct {
			Entries           []struct{ Name, OrganizationName string }
			MatchingItemCount int
		}
		c.json(c.do(http.MethodGet, "/api/backend/v1/projects"+query, ""), &out)
		for _, e := range out.Entries {
			names = append(names, e.OrganizationName+"/"+e.Name)
		}
		return names, out.MatchingItemCount
	}
	for query, want := range map[string]string{
		"?organizationIdentifier=team&offset=0&limit=200": "team/a team/b team/proj",
		"?organizationIdentifier=team&offset=1&limit=1":   "team/b",
		"?organizationIdentifier=team&offset=9&limit=200": "",
		"": "other/x team/a team/b team/proj",
		"/listForOrganization?organizationIdentifier=team&archived=false": "team/a team/proj",
	} {
		names, _ := list(query)
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	if _, n := list("?organizationIdentifier=team&limit=1"); n != 3 {
		t.Errorf("matchingItemCount %d, want 3", n)
	}
	for path, want := range map[string]int{
		"/api/backend/v1/projects/get?projectIdentifier=team%2Fproj": 200,
		"/api/backend/v1/projects/get?projectIdentifier=team%2Fnone": 403,
		"/api/backend/v1/projects?organizationIdentifier=nobody":     404,
		"/api/backend/v1/myOrganizations":                            200,
	} {
		resp := c.do(http.MethodGet, path, "")
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, resp.Status, want)
		}
	}
}
