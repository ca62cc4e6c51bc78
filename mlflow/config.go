package mlflow

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nexport-go/migrate/convert"
)

// Layouts of experiments, for Config.ExperimentBy.
const (
	ByProject = convert.ByProject // one experiment a project; the default
	ByName    = convert.ByName    // one for each sys/name of a project
)

// Config says where to load to and how. Only TrackingURI is needed.
type Config struct {
	// TrackingURI is a server, http:// or https:// with a path if it has one, or MLflow's own
	// database: sqlite:///file (four slashes for an absolute path) or postgresql://user@host/database.
	TrackingURI string
	Username    string // with Password: Basic authentication, unless TrackingURI has user and password
	Password    string
	Token       string // Bearer, used without any of these
	Workspace   string // of servers with workspaces (3.10); empty: the server's default

	// ArtifactsDir is for databases only: where artifacts of new experiments go, and what stands for
	// mlflow-artifacts: locations, which are below the --artifacts-destination of a server. Empty: where
	// the database has them; for a new one mlruns in the working directory, as for MLflow's clients.
	ArtifactsDir string

	InsecureTLS    bool   // do not check the server's certificate
	CACertPath     string // PEM file or directory; empty: the system's authorities
	ClientCertPath string // PEM file with certificate and key

	StepMultiplier convert.Multiplier // zero: convert.DefaultMultiplier
	NamePrefix     string             // in front of experiment names; another prefix is another copy
	ExperimentBy   string             // ByProject or ByName; empty: ByProject
	SplitForks     bool               // ByName holds for forks too, which else go where their parent is
	NoCheck        bool               // call runs complete without asking the server what it has
	DryRun         bool               // write nothing; see Sink.Plan

	Timeout  time.Duration     // of one request, uploads by their size; 0: DefaultTimeout
	RetryFor time.Duration     // how long a request is repeated; 0: DefaultRetryFor
	TempDir  string            // for text and tables on their way; empty: os.TempDir()
	Client   http.RoundTripper // nil: one made from the TLS fields
	Log      *slog.Logger      // nil discards

	login *url.Userinfo                                   // of TrackingURI; it wins, as with MLflow's client
	sleep func(ctx context.Context, d time.Duration) bool // tests do not wait
}

// DefaultTimeout is that of MLflow's own client.
const DefaultTimeout = 120 * time.Second

// FromEnv reads what MLflow's client reads: the MLFLOW_TRACKING_* variables by getenv, and
// .mlflow/credentials in the directory home. Variables win over the file. It refuses ways of
// authentication that it does not know.
func FromEnv(getenv func(string) string, home string) (Config, error) {
	cfg := Config{
		TrackingURI: getenv("MLFLOW_TRACKING_URI"), Token: getenv("MLFLOW_TRACKING_TOKEN"),
		Username: getenv("MLFLOW_TRACKING_USERNAME"), Password: getenv("MLFLOW_TRACKING_PASSWORD"),
		CACertPath: getenv("MLFLOW_TRACKING_SERVER_CERT_PATH"), ClientCertPath: getenv("MLFLOW_TRACKING_CLIENT_CERT_PATH"),
		InsecureTLS: isTrue(getenv("MLFLOW_TRACKING_INSECURE_TLS")), Workspace: getenv("MLFLOW_WORKSPACE"),
	}
	if name := getenv("MLFLOW_TRACKING_AUTH"); name != "" {
		return cfg, fmt.Errorf("MLFLOW_TRACKING_AUTH=%s names a Python plugin, which cannot be used here: set MLFLOW_TRACKING_TOKEN instead", name)
	}
	if isTrue(getenv("MLFLOW_TRACKING_AWS_SIGV4")) {
		return cfg, errors.New("MLFLOW_TRACKING_AWS_SIGV4 is not supported: load through a proxy that signs the requests")
	}
	if s := getenv("MLFLOW_HTTP_REQUEST_TIMEOUT"); s != "" {
		seconds, err := strconv.ParseFloat(s, 64)
		if err != nil || seconds <= 0 {
			return cfg, fmt.Errorf("MLFLOW_HTTP_REQUEST_TIMEOUT=%s is no number of seconds", s)
		}
		cfg.Timeout = time.Duration(seconds * float64(time.Second))
	}
	if home == "" {
		return cfg, nil
	}
	return cfg, cfg.addCredentials(filepath.Join(home, ".mlflow", "credentials"))
}

func isTrue(s string) bool { return s == "1" || strings.EqualFold(s, "true") }

// server makes the backend for a server.
func (c *Config) server() (to backend, closing func() error, err error) {
	server, err := c.address()
	if err != nil {
		return nil, nil, err
	}
	transport, err := c.transport()
	if err != nil {
		return nil, nil, err
	}
	return &rest{c: newClient(*c, server, transport)}, func() error { return nil }, nil
}

// address parses TrackingURI, moving credentials inside it to where they are not shown.
func (c *Config) address() (*url.URL, error) {
	if c.TrackingURI == "" {
		return nil, errors.New("no tracking URI: name the server with --mlflow-tracking-uri or MLFLOW_TRACKING_URI, as http://host:port")
	}
	u, err := url.Parse(c.TrackingURI)
	if err != nil {
		return nil, errors.New("the tracking URI is no URL: it should look like http://host:port (in a password, % is written %25)")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		// Databases take passwords in several places of their URI, so it is not repeated.
		return nil, fmt.Errorf("tracking URI of scheme %q: only MLflow servers, and their SQLite and PostgreSQL databases, can be loaded into; "+
			"start one with `mlflow server --backend-store-uri ...` and give its http:// address", u.Scheme)
	}
	if _, ok := u.User.Password(); ok {
		c.login = u.User
	} else if u.User != nil {
		c.Username = cmp.Or(c.Username, u.User.Username())
	}
	u.User = nil
	u.Path, u.RawQuery, u.Fragment = strings.TrimRight(u.Path, "/"), "", ""
	return u, nil
}

// transport gives connections that stay open for every worker.
func (c Config) transport() (http.RoundTripper, error) {
	if c.Client != nil {
		return c.Client, nil
	}
	if c.InsecureTLS && c.CACertPath != "" {
		return nil, errors.New("MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH exclude each other")
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	t.ForceAttemptHTTP2 = false
	t.DialContext = dialQuick
	t.TLSClientConfig = &tls.Config{InsecureSkipVerify: c.InsecureTLS} //nolint:gosec // as the user asked
	if c.CACertPath != "" {
		pool, err := readCertificates(c.CACertPath)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig.RootCAs = pool
	}
	if c.ClientCertPath != "" {
		pair, err := tls.LoadX509KeyPair(c.ClientCertPath, c.ClientCertPath)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		t.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

func readCertificates(path string) (*x509.CertPool, error) {
	files := []string{path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*")); err != nil {
			return nil, fmt.Errorf("certificates in %s: %w", path, err)
		}
		files = slices.DeleteFunc(files, func(name string) bool { // /etc/ssl/certs has directories too
			info, err := os.Stat(name)
			return err != nil || !info.Mode().IsRegular()
		})
	}
	pool, found := x509.NewCertPool(), false
	for _, file := range files {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("server certificates: %w", err)
		}
		found = pool.AppendCertsFromPEM(pem) || found
	}
	if !found {
		return nil, fmt.Errorf("%s has no PEM certificates", path)
	}
	return pool, nil
}
