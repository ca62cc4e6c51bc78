package neptune

import (
	"strings"
	"time"

	migrate "github.com/nexport-go/migrate"
)

// notTrashed is true of what is not in the trash, as the Python client 1.14 writes it.
const notTrashed = "(`" + attrTrashed + "`:bool = false)"

// and joins conditions, of which any may be empty. Each is put into parentheses, so that an OR in one does not
// reach into the others.
func and(conditions ...string) string {
	var parts []string
	for _, c := range conditions {
		if c = strings.TrimSpace(c); c != "" {
			parts = append(parts, c)
		}
	}
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return "((" + strings.Join(parts, ") AND (") + "))"
}

// isID is true of the object with this short ID.
func isID(id string) string { return "(`" + attrID + "`:string = \"" + id + "\")" }

// after is true of what was created after a time in ms since 1970 UTC.
func after(ms int64) string { return "(`" + attrCreated + "`:datetime > \"" + stamp(ms) + "\")" }

// during is true of what was created within a millisecond.
func during(ms int64) string {
	return "(" + after(ms-1) + " AND (`" + attrCreated + "`:datetime < \"" + stamp(ms+1) + "\"))"
}

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

// plainID reports an ID that can be written into a query, which knows no escapes. Others are not given out.
func plainID(id string) bool {
	return id != "" && strings.IndexFunc(id, func(c rune) bool { return c < ' ' || strings.ContainsRune("\"'`\\", c) }) < 0
}

// idConditions gives the conditions that find the chosen objects of a project and scope, each in one of them; one empty
// condition, true of all, if none are chosen or very many.
func idConditions(project string, scope migrate.Scope, refs []migrate.RunRef) []string {
	if len(refs) == 0 || len(refs) > maxChosen {
		return []string{""}
	}
	var conditions, terms []string
	size := 0
	flush := func() {
		if len(terms) > 0 {
			conditions, terms, size = append(conditions, strings.Join(terms, " OR ")), nil, 0
		}
	}
	for _, ref := range refs {
		if ref.Project != "" && ref.Project != project || ref.Scope != scope || !plainID(ref.ID) {
			continue
		}
		if len(terms) == maxQueryIDs || size+len(ref.ID) > maxQueryBytes {
			flush()
		}
		terms, size = append(terms, isID(ref.ID)), size+len(ref.ID)
	}
	flush()
	return conditions
}
