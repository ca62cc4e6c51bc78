package neptunetest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

func TestConfig2(t *testing.T) {
	s, c := serve2(t, neptunetest.Options{NoArtifacts: true})
	tree := c.tree(c.do(http.MethodGet, "/api/backend/v1/clients/config?alpha=true", "", "X-Neptune-Api-Token", s.Token()))
	if got := member[string](t, tree, "apiUrl"); got != s.URL {
		t.Errorf("apiUrl %s, want %s", got, s.URL)
	}
	if member[bool](t, tree, "artifacts", "enabled") {
		t.Error("artifacts are enabled")
	}
	if c.statusOf("/api/artifacts/swagger.json") != http.StatusNotFound {
		t.Error("the API of artifacts is described")
	}
}

// TestWrongAPIToken2: servers of 2.x say 400, not 401.
func TestWrongAPIToken2(t *testing.T) {
	s := neptunetest.NewServer(t, neptunetest.Options{Generation: 2})
	c := &client{t: t, url: s.URL}
	for _, path := range []string{"/api/backend/v1/authorization/oauth-token", "/api/backend/v1/clients/config"} {
		for _, token := range []string{"", "eyJ9"} {
			resp := c.do(http.MethodGet, path, "", "X-Neptune-Api-Token", token)
			resp.Body.Close()
			if resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%s with the token %q: %s", path, token, resp.Status)
			}
		}
	}
}

func TestTokensEnd2(t *testing.T) {
	at := newClock()
	s, c := serve2(t, neptunetest.Options{Now: at.now, TokenLife: time.Minute})
	refresh := func(token string) (string, int) {
		form := "grant_type=refresh_token&client_id=neptune-cli&refresh_token=" + token
		resp := c.do(http.MethodPost, "/auth/realms/neptune/protocol/openid-connect/token", form, "Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
		defer resp.Body.Close()
		var out struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
			t.Fatal(err)
		}
		if out.Access != "" {
			c.access = out.Access
		}
		return out.Refresh, resp.StatusCode
	}
	var first struct{ RefreshToken string }
	c.json(c.do(http.MethodGet, "/api/backend/v1/authorization/oauth-token", "", "X-Neptune-Api-Token", s.Token()), &first)
	at.Add(60)
	if got := c.status(); got != http.StatusUnauthorized {
		t.Errorf("after a minute: %d", got)
	}
	second, status := refresh(first.RefreshToken)
	if status != http.StatusOK || c.status() != http.StatusOK {
		t.Errorf("refreshed: %d", status)
	}
	s.RevokeRefreshTokens()
	for _, token := range []string{first.RefreshToken, second, "", "1.x", second + "x"} {
		if _, status := refresh(token); status != http.StatusBadRequest {
			t.Errorf("with %q: %d", token, status)
		}
	}
	c.json(c.do(http.MethodGet, "/api/backend/v1/authorization/oauth-token", "", "X-Neptune-Api-Token", s.Token()), &first)
	if _, status = refresh(first.RefreshToken); status != http.StatusOK {
		t.Errorf("begun anew: %d", status)
	}
	s.ExpireTokens()
	resp := c.do(http.MethodGet, "/api/backend/v1/myOrganizations", "")
	var failure struct{ ErrorType string }
	if err := json.NewDecoder(resp.Body).Decode(&failure); err != nil || failure.ErrorType != "AUTHORIZATION_TOKEN_EXPIRED" {
		t.Errorf("expired: %s, %v, %v", resp.Status, failure, err)
	}
	resp.Body.Close()
}

func TestProjects2(t *testing.T) {
	other := &neptunetest.Project{Workspace: "team", Name: "other", Key: "O"}
	_, c := serve2(t, neptunetest.Options{Projects: []*neptunetest.Project{other}})
	names := func(parameters ...string) (list []string) {
		for _, entry := range member[[]any](t, c.get(backend+"projects", parameters...), "entries") {
			list = append(list, member[string](t, entry, "name"))
		}
		return list
	}
	for want, parameters := range map[string][]string{
		"other proj": {"userRelation", "viewerOrHigher", "sortBy", "lastViewed"},
		"proj":       {"searchTerm", "roj", "sortBy", "lastViewed", "sortDirection", "descending", "limit", "5"},
		"other":      {"organizationIdentifier", "team", "offset", "0", "limit", "1"},
	} {
		if got := strings.Join(names(parameters...), " "); got != want {
			t.Errorf("%v: %s, want %s", parameters, got, want)
		}
	}
	project := c.get(backend+"projects/get", "projectIdentifier", "team/proj")
	if diff := cmp.Diff("P", member[string](t, project, "projectKey")); diff != "" {
		t.Error(diff)
	}
	own := c.get(leaderboard+"attributes", "experimentId", member[string](t, project, "id"))
	if got := member[string](t, own, "attributes", 1, "stringProperties", "value"); got != "P" {
		t.Errorf("sys/id of the project is %q", got)
	}
	if got := c.statusOf(backend+"projects/get", "projectIdentifier", "team/none"); got != http.StatusNotFound {
		t.Errorf("a project that is not there: %d", got)
	}
}

// TestOtherGeneration: a client may ask which generation it has to do with.
func TestOtherGeneration(t *testing.T) {
	_, c := serve(t, neptunetest.Options{})
	for _, path := range []string{"/api/leaderboard/swagger.json", leaderboard + "attributes?experimentId=x"} {
		if resp := c.do(http.MethodGet, path, ""); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s in generation 3: %s", path, resp.Status)
		}
	}
	_, c = serve2(t, neptunetest.Options{})
	if resp := c.do(http.MethodPost, searchPath, `{"pagination":{"limit":1}}`); resp.StatusCode != http.StatusNotFound {
		t.Errorf("in generation 2: %s", resp.Status)
	}
}
