package neptune

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/internal/repeat"
)

// Config says which server to read and how. Only APIToken is needed.
type Config struct {
	// APIToken is what Neptune's clients take as NEPTUNE_API_TOKEN. The address of the server is in it.
	APIToken   string
	Generation Generation // of the server; 0: Neptune3
	URL        string     // the server's address where the one in the token cannot be reached
	Projects   []string   // "workspace/name"; read when a Selection names none

	CABundle    string // PEM file of authorities; empty: the system's
	ClientCert  string // PEM file with a client certificate
	ClientKey   string // PEM file of its key; empty: in ClientCert too
	InsecureTLS bool   // do not check the server's certificate

	// RunsQuery is a condition in Neptune's query language that runs must meet, such as
	// `sys/tags`:stringSet CONTAINS "best". The server evaluates it. Models are not asked for it.
	RunsQuery       string
	IncludeArchived bool // archived and trashed runs too
	IncludePreviews bool // points of float series that the server has not finished averaging too

	// TempDir is for zips of file sets of Neptune 2.x while they are unpacked; empty: the system's.
	TempDir string
	// NoArtifactContents leaves out the contents of artifacts of Neptune 2.x, which it never held itself:
	// files of this machine, and objects in S3 by the settings that the AWS SDK finds, where they have the
	// hash that Neptune has on record.
	NoArtifactContents bool

	Rate     float64           // requests a second over all workers; 0: as fast as the server answers
	Timeout  time.Duration     // of silence of the server; 0: DefaultTimeout
	RetryFor time.Duration     // how long a request is repeated; 0: DefaultRetryFor
	Client   http.RoundTripper // nil: one made from the TLS fields, with the standard proxy variables
	Log      *slog.Logger      // nil discards

	located bool // URL is that of the token

	sleep  func(ctx context.Context, d time.Duration) bool // tests do not wait
	now    func() time.Time
	window int // how far a search of Neptune 2.x is paged; 0: searchWindow
}

// FromEnv reads what Neptune's clients read, by getenv: NEPTUNE_API_TOKEN and NEPTUNE_PROJECT; those of 3.x
// NEPTUNE_VERIFY_SSL and NEPTUNE_HTTP_REQUEST_TIMEOUT_SECONDS, and that of 2.x
// NEPTUNE_ALLOW_SELF_SIGNED_CERTIFICATE, of any value, and NEPTUNE_REQUEST_TIMEOUT, in seconds.
func FromEnv(getenv func(string) string) (Config, error) {
	cfg := Config{APIToken: strings.TrimSpace(getenv("NEPTUNE_API_TOKEN"))}
	if project := strings.TrimSpace(getenv("NEPTUNE_PROJECT")); project != "" {
		cfg.Projects = []string{project}
	}
	cfg.InsecureTLS = getenv("NEPTUNE_ALLOW_SELF_SIGNED_CERTIFICATE") != ""
	if s := getenv("NEPTUNE_VERIFY_SSL"); s != "" {
		cfg.InsecureTLS = s != "1" && !strings.EqualFold(s, "true")
	}
	for _, name := range []string{"NEPTUNE_REQUEST_TIMEOUT", "NEPTUNE_HTTP_REQUEST_TIMEOUT_SECONDS"} {
		s := getenv(name)
		if s == "" {
			continue
		}
		seconds, err := strconv.ParseFloat(s, 64)
		if err != nil || !(seconds > 0 && seconds < 1e6) {
			return cfg, fmt.Errorf("%s=%s is no number of seconds", name, s)
		}
		cfg.Timeout = time.Duration(seconds * float64(time.Second))
	}
	return cfg, nil
}

// withDefaults fills in what the zero value stands for.
func (c Config) withDefaults() (Config, error) {
	c.APIToken = strings.TrimSpace(c.APIToken)
	if c.APIToken == "" {
		return c, fmt.Errorf("no API token: set NEPTUNE_API_TOKEN (%w)", migrate.ErrUnauthorized)
	}
	if c.URL == "" {
		address, err := tokenAddress(c.APIToken)
		if err != nil {
			return c, err
		}
		c.URL, c.located = address, true
	}
	for _, project := range c.Projects {
		if err := checkProject(project); err != nil {
			return c, err
		}
	}
	switch c.Generation {
	case 0:
		c.Generation = Neptune3
	case Neptune2, Neptune3:
	default:
		return c, fmt.Errorf("there is no generation %d of Neptune", int(c.Generation))
	}
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	if c.RetryFor <= 0 {
		c.RetryFor = DefaultRetryFor
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.sleep == nil {
		c.sleep = repeat.Sleep
	}
	if c.window == 0 {
		c.window = searchWindow
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c, nil
}

func checkProject(name string) error {
	workspace, project, ok := strings.Cut(name, "/")
	if !ok || workspace == "" || project == "" || strings.Contains(project, "/") {
		return fmt.Errorf("project %q: a project is named as workspace/project", name)
	}
	return nil
}

// transport gives connections that stay open for every worker.
func (c Config) transport() (http.RoundTripper, error) {
	if c.Client != nil {
		return c.Client, nil
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, 64
	t.ForceAttemptHTTP2 = false
	t.ReadBufferSize = 16 << 10
	t.TLSClientConfig = &tls.Config{InsecureSkipVerify: c.InsecureTLS} //nolint:gosec // as the user asked
	if c.CABundle != "" {
		pem, err := os.ReadFile(c.CABundle)
		if err != nil {
			return nil, fmt.Errorf("authorities' certificates: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no PEM certificates", c.CABundle)
		}
		t.TLSClientConfig.RootCAs = pool
	}
	if c.ClientKey != "" && c.ClientCert == "" {
		return nil, errors.New("a client key needs the client certificate that it belongs to")
	}
	if c.ClientCert != "" {
		key := c.ClientKey
		if key == "" {
			key = c.ClientCert
		}
		pair, err := tls.LoadX509KeyPair(c.ClientCert, key)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		t.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}
