package neptunetest

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// listProjects answers GET projects, of one workspace or of all.
func (s *Server) listProjects(c *call) answer {
	workspace := c.query("organizationIdentifier",
		"offset", "limit", "userRelation", "searchTerm", "sortBy", "sortDirection", "archived")
	var found []*projectIndex
	there := workspace == ""
	for _, p := range s.index.projects {
		if workspace == "" || p.Workspace == workspace {
			there = true
			if c.wantsArchived(p.Archived) && strings.Contains(p.Name, c.r.URL.Query().Get("searchTerm")) {
				found = append(found, p)
			}
		}
	}
	if !there {
		return failure(http.StatusNotFound, "ORGANIZATION_NOT_FOUND", "no workspace %q", workspace)
	}
	slices.SortFunc(found, func(a, b *projectIndex) int { return cmp.Compare(a.ID(), b.ID()) })
	offset, limit := c.number("offset", 0), c.number("limit", len(found))
	entries := []any{}
	for _, p := range found[min(offset, len(found)):min(offset+limit, len(found))] {
		entries = append(entries, projectJSON(p))
	}
	return okJSON(map[string]any{
		"entries": entries, "matchingItemCount": len(found), "totalItemCount": len(s.index.projects),
	})
}

func (c *call) wantsArchived(archived bool) bool {
	want := c.r.URL.Query().Get("archived")
	return want == "" || want == strconv.FormatBool(archived)
}

// number reads a query parameter that is not negative.
func (c *call) number(name string, otherwise int) int {
	text := c.r.URL.Query().Get(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1<<31-1 {
		must(bad("query parameter %s=%q", name, text))
	}
	return n
}

func (s *Server) getProject(c *call) answer {
	return okJSON(projectJSON(c.project("projectIdentifier")))
}

// projectJSON has all fields that the API's description requires.
func projectJSON(p *projectIndex) map[string]any {
	return map[string]any{
		"id": uuid("project", p.ID()), "organizationId": uuid("workspace", p.Workspace),
		"organizationName": p.Workspace, "organizationType": "team", "name": p.Name, "projectKey": p.Key,
		"visibility": "priv", "timeOfCreation": "2024-01-01T00:00:00.000Z", "lastActivity": "2024-01-01T00:00:00.000Z",
		"userCount": 1, "featured": false, "codeAccess": "default", "userRoleInProject": "member",
		"avatarUrl": "", "avatarSource": "default", "version": 4, "archived": p.Archived,
	}
}

// organizations answers GET myOrganizations with all workspaces.
func (s *Server) organizations(c *call) answer {
	c.query("")
	names := map[string]bool{}
	list := []any{}
	for _, p := range s.index.projects {
		if !names[p.Workspace] {
			names[p.Workspace] = true
			list = append(list, map[string]any{"id": uuid("workspace", p.Workspace), "name": p.Workspace})
		}
	}
	return okJSON(list)
}
