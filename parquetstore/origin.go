package parquetstore

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	migrate "github.com/nexport-go/migrate"
)

// ErrOtherServer is what PutRun and SetAside return if the archive's copy of a run came from a server of another name than
// Config.Source. Two servers may have projects and runs of the same names: one's must not replace the other's.
var ErrOtherServer = errors.New("the archive has a run of this name from another server")

// checkOrigin refuses to touch a copy that came from another server.
func (c *Config) checkOrigin(m *Manifest) error {
	if m == nil {
		return nil // nobody knows
	}
	was, now := serverOf(m.Source), serverOf(c.Source)
	if was == "" || now == "" || was == now {
		return nil
	}
	for _, moved := range c.MovedFrom {
		if !strings.Contains(moved, "://") {
			moved = "https://" + moved
		}
		if was == serverOf(moved) {
			return nil
		}
	}
	return fmt.Errorf("%w: %s, not %s; use an archive of its own for each server, or --moved-from %s if this is the same server under a new name (%w)",
		ErrOtherServer, was, now, was, migrate.ErrFatal)
}

// serverOf is the host of a source that begins with its address. It is empty for other texts, and for addresses of
// the machine itself: these are tunnels to servers of any name.
func serverOf(source string) string {
	address, _, _ := strings.Cut(source, " ")
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	host := strings.ToLower(u.Hostname())
	if host == "localhost" || net.ParseIP(host).IsLoopback() {
		return ""
	}
	return host
}
