package neptune

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	migrate "github.com/nexport-go/migrate"
)

// Source reads the runs of a Neptune 3.x server. It is safe for concurrent use.
type Source struct {
	cfg Config
	api *client
	// storage gets files: other hosts, other rules, and no credentials but those in the links.
	storage *http.Client
	gather  *gatherer
}

var _ migrate.Source = (*Source)(nil)

// New makes a Source. It sends nothing; a bad API token that can be told from its form is an
// error here.
func New(cfg Config) (*Source, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	base, err := parseBase(cfg.URL)
	if err != nil {
		return nil, err
	}
	transport, err := cfg.transport()
	if err != nil {
		return nil, err
	}
	return &Source{
		cfg: cfg, api: newClient(cfg, base, transport), storage: &http.Client{Transport: transport},
		gather: newGatherer(),
	}, nil
}

func newClient(cfg Config, base *url.URL, transport http.RoundTripper) *client {
	c := &client{
		http: &http.Client{Transport: transport, CheckRedirect: noRedirect},
		base: base, timeout: cfg.Timeout, pace: newPacer(cfg.Rate, cfg.sleep),
		auth: newSession(cfg.APIToken, base.Scheme == "https", cfg.now),
	}
	c.retry = retrier{budget: cfg.RetryFor, log: cfg.Log, sleep: cfg.sleep, met: &c.met, pace: c.pace}
	c.auth.send = func(ctx context.Context, req call) error { return c.send(ctx, req, "") }
	return c
}

// OpenRun opens a run. It sends nothing: a run that is not there is an error of Chunks. Of run,
// SysID saves a request and Filter says what need not be asked for.
func (s *Source) OpenRun(_ context.Context, run migrate.RunInfo) (migrate.RunReader, error) {
	if run.Scope != migrate.ScopeRun {
		return nil, fmt.Errorf("%s: Neptune 3.x has only runs: %w", run.RunRef, migrate.ErrNotFound)
	}
	if err := checkProject(run.Project); err != nil {
		return nil, err
	}
	return newReader(s, run), nil
}

// projectsPage is how many projects are asked for at once, as by the 1.x client.
const projectsPage = 200

// Projects lists the projects of a workspace that the account can see, archived ones too, as
// "workspace/name". GET /api/backend/v1/projects, as the 1.x client does.
func (s *Source) Projects(ctx context.Context, workspace string) ([]string, error) {
	var names []string
	seen := map[string]bool{}
	for offset := 0; ; {
		var page struct {
			Entries []struct {
				Workspace string `json:"organizationName"`
				Name      string `json:"name"`
			} `json:"entries"`
			Total int `json:"matchingItemCount"`
		}
		query := url.Values{
			"organizationIdentifier": {workspace},
			"offset":                 {strconv.Itoa(offset)}, "limit": {strconv.Itoa(projectsPage)},
		}
		if err := s.api.getJSON(ctx, "list the projects of "+workspace, "/api/backend/v1/projects", query, &page); err != nil {
			return nil, generation(err)
		}
		for _, p := range page.Entries {
			if name := p.Workspace + "/" + p.Name; !seen[name] && checkProject(name) == nil {
				seen[name] = true
				names = append(names, name)
			}
		}
		if offset += len(page.Entries); len(page.Entries) == 0 || offset >= page.Total {
			return names, nil
		}
	}
}

// Probe asks whether the server is one of Neptune 3.x and takes the API token. An error with
// ErrGeneration means that it answers, but not as such a server does.
func (s *Source) Probe(ctx context.Context, project string) error {
	_, err := s.search(ctx, project, search{limit: 1, paths: []string{attrID}})
	if errors.Is(err, migrate.ErrNotFound) && !errors.Is(err, ErrGeneration) {
		return fmt.Errorf("project %s: %w", project, err)
	}
	return err
}

// generation adds what it means that an endpoint of 3.x is not there.
func generation(err error) error {
	var api *APIError
	if errors.As(err, &api) && api.Code == "" &&
		(api.Status == http.StatusNotFound || api.Status == http.StatusMethodNotAllowed) {
		return fmt.Errorf("%w; %w", err, ErrGeneration)
	}
	return err
}
