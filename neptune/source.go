package neptune

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	migrate "github.com/nexport-go/migrate"
)

// Source reads the runs of a Neptune server, of 2.x the models and model versions too. It is safe for
// concurrent use.
type Source struct {
	*core
	protocol protocol
}

var _ migrate.Source = (*Source)(nil)

// protocol is what differs between the generations.
type protocol interface {
	// list yields what of a project is selected, oldest first within each scope; more is false if the
	// receiver has had enough.
	list(ctx context.Context, project string, sel migrate.Selection, yield func(migrate.RunInfo, error) bool) (more bool, err error)
	// open opens a run without sending anything.
	open(run migrate.RunInfo) migrate.RunReader
	// probe asks for as little as tells that the server is of this generation.
	probe(ctx context.Context, project string) error
	// has reports whether this generation has such objects.
	has(scope migrate.Scope) bool
}

// core is what the protocols share.
type core struct {
	cfg Config
	api *client
	// storage gets files: other hosts, other rules, and no credentials but those in the links.
	storage *http.Client
}

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
	c := &core{cfg: cfg, api: newClient(cfg, base, transport), storage: &http.Client{Transport: transport}}
	if cfg.Generation == Neptune2 {
		return &Source{core: c, protocol: newSource2(c)}, nil
	}
	return &Source{core: c, protocol: newSource3(c)}, nil
}

func newClient(cfg Config, base *url.URL, transport http.RoundTripper) *client {
	c := &client{
		http: &http.Client{Transport: transport, CheckRedirect: noRedirect},
		base: base, timeout: cfg.Timeout, pace: newPacer(cfg.Rate, cfg.sleep),
		auth: newSession(cfg.APIToken, base.Scheme == "https", cfg.now),
	}
	c.retry = retrier{budget: cfg.RetryFor, log: cfg.Log, sleep: cfg.sleep, met: &c.met, pace: c.pace}
	c.auth.generation = cfg.Generation
	c.auth.send = func(ctx context.Context, req call) error { return c.send(ctx, req, "") }
	return c
}

// Generation is the generation of the protocol that the Source speaks.
func (s *Source) Generation() Generation { return s.cfg.Generation }

// OpenRun opens a run. It sends nothing: a run that is not there is an error of Chunks. Of run,
// SysID saves a request and Filter says what need not be asked for.
func (s *Source) OpenRun(_ context.Context, run migrate.RunInfo) (migrate.RunReader, error) {
	if !s.protocol.has(run.Scope) {
		return nil, fmt.Errorf("%s: %s has no such objects: %w", run.RunRef, s.cfg.Generation, migrate.ErrNotFound)
	}
	if err := checkProject(run.Project); err != nil {
		return nil, err
	}
	return s.protocol.open(run), nil
}

// Probe asks whether the server is one of the Source's generation and takes the API token. An error with
// ErrGeneration means that it answers, but not as such a server does.
func (s *Source) Probe(ctx context.Context, project string) error {
	err := s.protocol.probe(ctx, project)
	if errors.Is(err, migrate.ErrNotFound) && !errors.Is(err, ErrGeneration) {
		return fmt.Errorf("project %s: %w", project, err)
	}
	return err
}

// Runs yields the selected objects of the selected projects, oldest first within each scope of each project. Those
// of Config.Projects are listed if the selection names none. A project that cannot be listed does not
// keep the others from it; its error comes last.
func (s *Source) Runs(ctx context.Context, sel migrate.Selection) iter.Seq2[migrate.RunInfo, error] {
	return func(yield func(migrate.RunInfo, error) bool) {
		if len(sel.Scopes) > 0 && !slices.ContainsFunc(sel.Scopes, s.protocol.has) {
			return
		}
		projects, err := s.projects(sel)
		if err != nil {
			yield(migrate.RunInfo{}, err)
			return
		}
		var errs []error
		for _, project := range projects {
			more, err := s.protocol.list(ctx, project, sel, yield)
			if !more {
				return
			}
			errs = append(errs, err)
			if ctx.Err() != nil || errors.Is(err, migrate.ErrFatal) {
				break
			}
		}
		if err := errors.Join(errs...); err != nil {
			yield(migrate.RunInfo{}, err)
		}
	}
}

func (s *Source) projects(sel migrate.Selection) ([]string, error) {
	projects := sel.Projects
	if len(projects) == 0 {
		for _, ref := range sel.Runs {
			if ref.Project != "" {
				projects = append(projects, ref.Project)
			}
		}
	}
	if len(projects) == 0 {
		projects = s.cfg.Projects
	}
	if len(projects) == 0 {
		return nil, errors.New("no project: name one as workspace/project in Config.Projects or Selection.Projects, or set NEPTUNE_PROJECT")
	}
	var distinct []string
	for _, project := range projects {
		if err := checkProject(project); err != nil {
			return nil, err
		}
		if !slices.Contains(distinct, project) {
			distinct = append(distinct, project)
		}
	}
	return distinct, nil
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
			return nil, noEndpoint(err, s.cfg.Generation)
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
