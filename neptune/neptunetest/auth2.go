package neptunetest

import "net/http"

// config2 is what clients of Neptune 2 learn before they have an access token. Unlike Neptune 3 the server wants to see the
// API token.
func (a *auth) config2(r *http.Request) answer {
	if r.Header.Get("X-Neptune-Api-Token") != a.apiToken {
		return badToken()
	}
	return okJSON(object{
		"apiUrl": a.url, "applicationUrl": a.url,
		"pyLibVersions": object{"minRecommendedVersion": nil, "minCompatibleVersion": nil, "maxCompatibleVersion": nil},
		"artifacts":     object{"enabled": !a.opts.NoArtifacts, "apiVersion": 2},
		"multiPartUpload": object{
			"enabled": true, "minChunkSize": 5 << 20, "maxChunkSize": 1 << 30, "maxChunkCount": 1000, "maxSinglePartSize": 5 << 20,
		},
		"sysNameSetByBackend": true,
	})
}

// badToken is how real servers of Neptune 2 refuse API tokens: not by 401.
func badToken() answer {
	return failure(http.StatusBadRequest, "BAD_REQUEST", "parameter X-Neptune-Api-Token is missing or invalid")
}
