package neptune

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	migrate "github.com/nexport-go/migrate"
)

// errToken never has the token in it.
var errToken = fmt.Errorf("the API token cannot be read: copy it again, whole, into NEPTUNE_API_TOKEN (%w, %w)",
	migrate.ErrUnauthorized, migrate.ErrFatal)

// tokenAddress returns the address that is inside an API token: base64 of a JSON object with api_url
// and api_address, the first of which wins, as in neptune-query 1.11.0.
func tokenAddress(token string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		if raw, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(token, "=")); err != nil {
			return "", errToken
		}
	}
	var in struct {
		URL     string `json:"api_url"`
		Address string `json:"api_address"`
	}
	if json.Unmarshal(raw, &in) != nil {
		return "", errToken
	}
	if in.URL == "" {
		in.URL = in.Address
	}
	if in.URL == "" {
		return "", errors.New("the API token has no address in it: name the server with --neptune-url")
	}
	return in.URL, nil
}

// parseBase checks an address and gives it without a slash at its end. A path is kept.
func parseBase(address string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("the server's address is no http:// or https:// URL: name the server with --neptune-url")
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u, nil
}
