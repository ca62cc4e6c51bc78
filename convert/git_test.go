package convert_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

func TestGit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want convert.GitRef
	}{
		"all": {
			`{"commit":{"commitId":"1a2b","message":"m"},"currentBranch":"main","remotes":["git@host:a/b.git"],"repositoryDirty":true}`,
			convert.GitRef{Commit: "1a2b", Branch: "main", Remote: "git@host:a/b.git"},
		},
		"detached, no remote": {`{"commit":{"commitId":"1a2b"},"currentBranch":null,"remotes":[]}`, convert.GitRef{Commit: "1a2b"}},
		"two remotes":         {`{"remotes":["https://host/a","https://host/b"]}`, convert.GitRef{}},
		"https":               {`{"remotes":["https://host/a/b.git"]}`, convert.GitRef{Remote: "https://host/a/b.git"}},
		"user of ssh":         {`{"remotes":["ssh://git@host/a"]}`, convert.GitRef{Remote: "ssh://git@host/a"}},
		"password":            {`{"remotes":["ssh://git:secret@host/a"]}`, convert.GitRef{}},
		"token":               {`{"remotes":["https://token@host/a"]}`, convert.GitRef{}},
		"other types":         {`{"commit":"1a2b","currentBranch":"main"}`, convert.GitRef{}},
		"no JSON":             {"1a2b", convert.GitRef{}},
		"nothing":             {"", convert.GitRef{}},
	} {
		t.Run(name, func(t *testing.T) {
			m := metaOf(migrate.Chunk{Path: "source_code/git", Kind: migrate.KindGitRef, Values: migrate.Strings{c.text}})
			if diff := cmp.Diff(c.want, m.Git); diff != "" {
				t.Error(diff)
			}
		})
	}
}
