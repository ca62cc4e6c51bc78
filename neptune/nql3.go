package neptune

import (
	"strings"

	migrate "github.com/nexport-go/migrate"
)

// System attributes of a run.
const (
	attrID       = "sys/id"
	attrCustomID = "sys/custom_run_id"
	attrName     = "sys/name"
	attrCreated  = "sys/creation_time"
	attrModified = "sys/modification_time"
	attrArchived = "sys/archived"
	attrTrashed  = "sys/trashed"
	attrParent   = "sys/forking/parent"
	attrSize     = "sys/size"
)

// quote makes a string of the query language. Only the backslash and the quote are escaped, as
// neptune-query 1.11.0 does.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// idQuery is true of runs that have one of the IDs, short or custom.
func idQuery(ids []string) string {
	terms := make([]string, 0, 2*len(ids))
	for _, id := range ids {
		terms = append(terms,
			"(`"+attrCustomID+"`:string == "+quote(id)+")",
			"(`"+attrID+"`:string == "+quote(id)+")")
	}
	return strings.Join(terms, " OR ")
}

// both joins two conditions, of which one may be empty.
func both(a, b string) string {
	switch {
	case strings.TrimSpace(a) == "":
		return b
	case b == "":
		return a
	}
	return "(" + a + ") AND (" + b + ")"
}

// maxQueryIDs and maxQueryBytes bound the IDs in one query. Runs chosen by more IDs than maxChosen
// are looked for in the whole listing.
const (
	maxQueryIDs   = 100
	maxQueryBytes = 20_000
	maxChosen     = 5_000
)

// idQueries gives the conditions that find the chosen runs of a project, each run in at least one of
// them; one empty condition, true of all runs, if none are chosen or very many.
func idQueries(project string, refs []migrate.RunRef) []string {
	if len(refs) == 0 || len(refs) > maxChosen {
		return []string{""}
	}
	var (
		queries []string
		ids     []string
		bytes   int
	)
	for _, ref := range refs {
		if ref.Project != "" && ref.Project != project || ref.Scope != migrate.ScopeRun {
			continue
		}
		if len(ids) == maxQueryIDs || len(ids) > 0 && bytes+len(ref.ID) > maxQueryBytes {
			queries, ids, bytes = append(queries, idQuery(ids)), nil, 0
		}
		ids, bytes = append(ids, ref.ID), bytes+len(ref.ID)
	}
	if len(ids) > 0 {
		queries = append(queries, idQuery(ids))
	}
	return queries
}
