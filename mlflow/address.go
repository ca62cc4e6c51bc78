package mlflow

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nexport-go/migrate/internal/dburl"
)

// postgresConfig takes the addresses that SQLAlchemy takes, whatever Python driver they name. What they do
// not say comes from the PG* variables and from .pgpass, as for all of PostgreSQL's programs.
func postgresConfig(uri string) (*pgx.ConnConfig, error) {
	u, err := dburl.Parse(uri)
	if err != nil {
		return nil, fmt.Errorf("the tracking URI %w: it should look like postgresql://user@host:5432/database", err)
	}
	settings, err := libpqSettings(u)
	if err != nil {
		return nil, err
	}
	password, addresses := take(settings, "password"), take(settings, "hostaddr")
	if settings["host"] == "" && addresses != "" {
		settings["host"] = addresses
	}
	// Without the password: what pgx cannot parse it may show.
	config, err := pgx.ParseConfig(keywords(settings))
	if err != nil {
		return nil, misunderstood(err)
	}
	config.Password = cmp.Or(password, config.Password)
	if addresses != "" {
		config.LookupFunc = fixedAddresses(settings["host"], addresses)
	}
	return config, adapt(config)
}

// misunderstood shows the cause alone: pgx's own message has the whole address.
func misunderstood(err error) error {
	if cause := errors.Unwrap(err); cause != nil {
		return fmt.Errorf("an option of the tracking URI, or of the PG* variables: %w", cause)
	}
	return errors.New("the tracking URI is not understood: it should look like postgresql://user@host:5432/database")
}

// libpqSettings are what SQLAlchemy gives to Python's driver, which gives it to libpq. Options win
// (sqlalchemy/dialects/postgresql/_psycopg_common.py, create_connect_args).
func libpqSettings(u dburl.URL) (map[string]string, error) {
	settings := map[string]string{"user": u.User, "password": u.Password, "host": u.Host, "port": u.Port, "dbname": u.Database}
	for name := range u.Query {
		if !optionName.MatchString(name) {
			return nil, errors.New("the tracking URI has an option whose name is none of PostgreSQL's")
		}
		settings[name] = u.Query.Get(name)
	}
	if database := take(settings, "database"); database != "" { // which is what Python's drivers call it
		settings["dbname"] = database
	}
	if err := severalHosts(settings, u.Query["host"], u.Query["port"]); err != nil {
		return nil, err
	}
	maps.DeleteFunc(settings, func(_, value string) bool { return value == "" })
	return settings, nil
}

var (
	optionName  = regexp.MustCompile(`^[A-Za-z0-9_.]+$`)
	hostAndPort = regexp.MustCompile(`^[a-zA-Z0-9.-]*:\d*$`)
)

// severalHosts translates ?host=a:1&host=b:2, which is SQLAlchemy's, to libpq's host=a,b port=1,2, which
// SQLAlchemy takes too (sqlalchemy/dialects/postgresql/base.py, _split_multihost_from_url).
func severalHosts(settings map[string]string, hosts, ports []string) error {
	if len(hosts) < 2 && (len(ports) > 0 || len(hosts) == 0 || !hostAndPort.MatchString(hosts[0])) {
		if len(ports) > 1 {
			settings["port"] = strings.Join(ports, ",")
		}
		return nil
	}
	if len(ports) > 0 {
		return errors.New("the tracking URI names hosts in two ways: give host=a:1&host=b:2, or host=a,b&port=1,2")
	}
	names := make([]string, len(hosts))
	ports = make([]string, len(hosts))
	for i, host := range hosts {
		names[i], ports[i], _ = strings.Cut(host, ":")
	}
	settings["host"] = strings.Join(names, ",")
	settings["port"] = cmp.Or(strings.Join(ports, ","), settings["port"])
	return nil
}

func take(settings map[string]string, name string) string {
	value := settings[name]
	delete(settings, name)
	return value
}

// keywords are in libpq's form of name = 'value'.
func keywords(settings map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "%s='%s' ", name, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(settings[name]))
	}
	return b.String()
}

// fixedAddresses is libpq's hostaddr: where to connect to, while host is the name in the certificate.
func fixedAddresses(hosts, addresses string) pgconn.LookupFunc {
	known := map[string][]string{}
	names := strings.Split(hosts, ",")
	for i, address := range strings.Split(addresses, ",") {
		if i < len(names) && address != "" {
			known[names[i]] = append(known[names[i]], address)
		}
	}
	return func(ctx context.Context, host string) ([]string, error) {
		if found := known[host]; found != nil {
			return found, nil
		}
		return net.DefaultResolver.LookupHost(ctx, host)
	}
}

// adapt does what libpq does with those of its options that pgx does not know and would send to the server,
// which refuses them (PostgreSQL 18's manual, 32.1.2). They may also come from a service file.
func adapt(config *pgx.ConnConfig) error {
	params := config.RuntimeParams
	if err := impossible(config); err != nil {
		return err
	}
	for _, name := range ignored {
		delete(params, name)
	}
	// Of any other encoding pgx knows nothing.
	params["client_encoding"] = "UTF8"
	params["application_name"] = cmp.Or(params["application_name"], "nexport")
	return limitTLS(config, take(params, "ssl_min_protocol_version"), take(params, "ssl_max_protocol_version"))
}

// ignored options are about when a silent connection counts as lost, which Go decides in its own way, about
// GSSAPI, which is not used, or of no consequence for what is loaded.
var ignored = []string{
	"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
	"gssencmode", "gsslib", "gssdelegation", "requirepeer", "sslcompression", "sslkeylogfile",
	"fallback_application_name", "load_balance_hosts", "replication",
}

// impossible refuses demands for a protection that is not there.
func impossible(config *pgx.ConnConfig) error {
	params := config.RuntimeParams
	network, _ := pgconn.NetworkAddress(config.Host, config.Port)
	for name, demanded := range map[string]bool{
		"gssencmode":  params["gssencmode"] == "require",
		"requirepeer": params["requirepeer"] != "" && network == "unix",
		"sslcrl":      params["sslcrl"] != "",
		"sslcrldir":   params["sslcrldir"] != "",
	} {
		if demanded {
			return fmt.Errorf("the tracking URI asks for %s, which cannot be kept here: leave it out to load without", name)
		}
	}
	return nil
}

var tlsVersions = map[string]uint16{
	"tlsv1": tls.VersionTLS10, "tlsv1.1": tls.VersionTLS11, "tlsv1.2": tls.VersionTLS12, "tlsv1.3": tls.VersionTLS13,
}

func limitTLS(config *pgx.ConnConfig, least, most string) error {
	lowest, highest := tlsVersions[strings.ToLower(least)], tlsVersions[strings.ToLower(most)]
	if least != "" && lowest == 0 || most != "" && highest == 0 {
		return errors.New("ssl_min_protocol_version and ssl_max_protocol_version of the tracking URI are TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3")
	}
	each := []*tls.Config{config.TLSConfig}
	for _, other := range config.Fallbacks {
		each = append(each, other.TLSConfig)
	}
	for _, c := range each {
		if c != nil {
			c.MinVersion, c.MaxVersion = cmp.Or(lowest, c.MinVersion), cmp.Or(highest, c.MaxVersion)
		}
	}
	return nil
}
