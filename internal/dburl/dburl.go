// Package dburl takes addresses of databases apart as SQLAlchemy does, with which MLflow reads them.
package dburl

import (
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// URL is dialect+driver://user:password@host:port/database?query. Its parts are decoded.
type URL struct {
	Dialect, Driver string
	User, Password  string
	Host            string // without the brackets of IPv6
	Port            string
	Database        string
	Query           url.Values

	raw string // the database as it is written
}

// Errors of Parse repeat nothing of the address, any part of which may be a password.
var (
	ErrForm = errors.New("is not understood")
	ErrAt   = errors.New("has more than one @: write %40 for each but the one before the host")
)

// form is that of SQLAlchemy (sqlalchemy/engine/url.py of 2.1.9, _parse_url). A password ends at the first @
// and may have slashes, colons and question marks.
var form = regexp.MustCompile(`^(?P<name>[\w+]+)://` +
	`(?:(?P<user>[^:/]*)(?P<password>:[^@]*)?@)?` +
	`(?:(?:\[(?P<ipv6>[^/?]+)\]|(?P<host>[^/:?]+))?(?::(?P<port>[^/?]*))?)?` +
	`(?:/(?P<database>[^?]*))?` +
	`(?:\?(?P<query>.*))?$`)

// Parse takes an address apart. It refuses what may be a password with an @ in it, the end of which would be
// taken for a host or a database, and shown.
func Parse(address string) (URL, error) {
	m := form.FindStringSubmatch(address)
	if m == nil {
		return URL{}, ErrForm
	}
	part := func(name string) string { return m[form.SubexpIndex(name)] }
	user, rest := part("user")+part("password"), part("port")+part("database")+part("query")
	if strings.Contains(part("host"), "@") || strings.Contains(user, ":") && strings.Contains(rest, "@") {
		return URL{}, ErrAt
	}
	u := URL{
		User: unquote(part("user")), Password: unquote(strings.TrimPrefix(part("password"), ":")),
		Host: part("ipv6") + part("host"), Port: part("port"),
		Database: unquote(part("database")), raw: part("database"), Query: query(part("query")),
	}
	u.Dialect, u.Driver, _ = strings.Cut(part("name"), "+")
	if _, err := strconv.ParseUint(u.Port, 10, 16); err != nil && u.Port != "" {
		return URL{}, ErrForm
	}
	return u, nil
}

// query is Python's parse_qsl: it leaves out what has no value.
func query(text string) url.Values {
	values := url.Values{}
	for pair := range strings.SplitSeq(strings.ReplaceAll(text, "+", " "), "&") {
		if key, value, _ := strings.Cut(pair, "="); value != "" {
			values.Add(unquote(key), unquote(value))
		}
	}
	return values
}

var (
	escape  = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	escapes = regexp.MustCompile(`(?:%[0-9A-Fa-f]{2})+`)
)

// unquote is Python's: wrong escapes stay, and bytes that are no UTF-8 become replacement characters.
func unquote(s string) string {
	return escapes.ReplaceAllStringFunc(s, func(escaped string) string {
		text, _ := url.PathUnescape(escaped)
		return string([]rune(text))
	})
}

// File gives the path of an SQLite database with slashes, and false if there is none: in memory, of a
// driver whose files are different, or in SQLite's own form of an address.
//
// SQLAlchemy takes escapes as they are before 2.1 and decodes them since. So the path is as it is written
// if there is such a file, and else decoded, which is what the newest MLflow opens or makes.
func (u URL) File() (string, bool) {
	plain := u.Dialect == "sqlite" && (u.Driver == "" || u.Driver == "pysqlite" || u.Driver == "aiosqlite")
	if !plain || u.User+u.Password+u.Host+u.Port != "" {
		return "", false
	}
	file := u.Database
	if info, err := os.Stat(filepath.FromSlash(u.raw)); err == nil && !info.IsDir() {
		file = u.raw
	}
	return file, file != "" && !strings.Contains(file, ":memory:") && !strings.HasPrefix(file, "file:")
}

// SQLite is the address by which the newest MLflow opens a file. Others than those with escapes in their
// names have the same one for every MLflow.
func SQLite(path string) string {
	path = escape.ReplaceAllStringFunc(filepath.ToSlash(path), func(s string) string { return "%25" + s[1:] })
	return "sqlite:///" + strings.ReplaceAll(path, "?", "%3F")
}

// Shown is an address without user, password and options; that of a file is as SQLite has it.
func Shown(address string) string {
	u, err := Parse(address)
	if err != nil {
		scheme, _, _ := strings.Cut(address, ":")
		return scheme + "://"
	}
	if file, ok := u.File(); ok {
		return SQLite(file)
	}
	name, _, _ := strings.Cut(address, "://")
	host := u.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if u.Port != "" {
		host = strings.TrimSuffix(net.JoinHostPort(u.Host, u.Port), ":")
	}
	return strings.TrimRight(name+"://"+host+"/"+u.raw, "/")
}
