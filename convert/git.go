package convert

import (
	"encoding/json"
	"net/url"
)

// gitPath is where Neptune's client puts the state of the repository that a run was started in.
const gitPath = "source_code/git"

// GitRef is what MLflow has tags for of a git_ref. What is not known is empty.
type GitRef struct {
	Commit string // hash
	Branch string // name of the current one
	Remote string // address, if there is one remote only and no credentials are in it
}

// parseGit reads the JSON text of a git_ref, in the words of Neptune 2's API. Anything else gives an empty
// GitRef: the text is a param all the same.
func parseGit(text string) (ref GitRef) {
	var git struct {
		Commit struct {
			ID string `json:"commitId"`
		} `json:"commit"`
		Branch  string   `json:"currentBranch"`
		Remotes []string `json:"remotes"`
	}
	if json.Unmarshal([]byte(text), &git) != nil {
		return ref
	}
	ref.Commit, ref.Branch = git.Commit.ID, git.Branch
	if len(git.Remotes) == 1 && !hasCredentials(git.Remotes[0]) {
		ref.Remote = git.Remotes[0]
	}
	return ref
}

// hasCredentials is for addresses that MLflow would show as links. A user alone is a token where the
// protocol is HTTP.
func hasCredentials(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return false // git@host:path is no URL
	}
	_, password := u.User.Password()
	return password || u.Scheme == "http" || u.Scheme == "https"
}
