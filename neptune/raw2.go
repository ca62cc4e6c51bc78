package neptune

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/repeat"
)

// fetch streams the bytes behind a path of the API, or a URL that the API gave. A transfer that is cut goes on where it
// was cut. length is what the listing says, -1 if it does not; name is for errors. The error, also of a Read,
// matches migrate.ErrNotFound, ErrUnauthorized or ErrCorrupt if the server does not give this file; others may still be
// read.
func (r *reader2) fetch(ctx context.Context, name, address string, query url.Values, length int64, accept string) (*download, error) {
	f := newAPIFile(r.source.core, address, query)
	if accept != "" {
		f.call.header = http.Header{"Accept": {accept}}
	}
	d := &download{ctx: ctx, core: r.source.core, origin: f, notes: &r.notes, name: name, length: length, size: -1}
	if err := d.open(); err != nil {
		return nil, ofFile(err)
	}
	return d, nil
}

// apiFile is a file that the API gives with a bearer token, perhaps by a redirect to a storage, which gets none.
type apiFile struct {
	core    *core
	http    *http.Client
	call    call
	token   string // of the last request
	refused int    // how often in a row a token was
	kind    string // Content-Type of the last answer
}

var _ origin = (*apiFile)(nil)

func newAPIFile(c *core, address string, query url.Values) *apiFile {
	f := &apiFile{core: c, call: call{op: "download", method: http.MethodGet, url: address, query: query}}
	f.http = &http.Client{Transport: c.storage.Transport, CheckRedirect: f.redirect}
	return f
}

const maxRedirects = 10

// redirect keeps the bearer token on the API's own host.
func (f *apiFile) redirect(request *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return errors.New("the server redirects again and again")
	}
	if !f.core.api.own(request.URL) {
		request.Header.Del("Authorization")
	}
	return nil
}

func (f *apiFile) request(ctx context.Context) (*http.Request, error) {
	token := ""
	if address, err := url.Parse(f.call.url); err == nil && (!address.IsAbs() || f.core.api.own(address)) {
		refused := ""
		if f.refused > 0 {
			refused = f.token
		}
		if token, err = f.core.api.auth.token(ctx, refused, f.refused > 1); err != nil {
			return nil, err
		}
		if err := f.core.api.pace.wait(ctx); err != nil {
			return nil, err
		}
	}
	f.token = token
	request, err := f.core.api.request(ctx, f.call, token)
	if err != nil {
		return nil, &repeat.Permanent{Err: errors.New("the server gives a link that is no URL")}
	}
	return request, nil
}

func (f *apiFile) do(request *http.Request) (*http.Response, error) {
	response, err := f.http.Do(request)
	if err == nil {
		f.kind = response.Header.Get("Content-Type")
	}
	return response, err
}

// stale reports a token that the API does not take any more, or a link to a storage that was too old.
func (f *apiFile) stale(err error) bool {
	if renewable(err) && f.token != "" {
		f.refused++
		return f.refused <= maxRenewals
	}
	f.refused = 0
	var api *APIError
	return errors.As(err, &api) && api.elsewhere && expired(err)
}

// answered tells answers about the file from those about the account.
func (f *apiFile) answered(e *APIError, response *http.Response) {
	e.elsewhere = response.Request != nil && !f.core.api.own(response.Request.URL)
	if e.elsewhere || e.Code == "" {
		e.Message = "" // XML of a storage, which repeats the link
	}
	if e.elsewhere {
		e.Hint = ""
	}
	e.storage = e.elsewhere || e.Status != http.StatusUnauthorized && !errors.Is(e, migrate.ErrFatal)
}
