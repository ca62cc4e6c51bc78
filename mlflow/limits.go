package mlflow

import (
	"strconv"
	"strings"

	"github.com/nexport-go/migrate/convert"
)

// logBatch has the limits of runs/log-batch, from mlflow/utils/validation.py (2.22 and 3.17), and
// two that are wise: batches of up to 25 keys cost the same, of 1,000 keys a third more; gateways
// enforce 1,000,000 bytes.
var logBatch = batchLimits{points: 1000, keys: 100, params: 100, tags: 100, bytes: 950_000}

// searchPage is small because a page carries all params and latest metrics of its runs.
const searchPage = 100

// historyPage is the number of points asked for at once where the server pages.
const historyPage = 20_000

// traits are what depends on the server's version.
type traits struct {
	version  string
	keys     convert.KeyRules
	paging   bool // metrics/get-history takes max_results (3.1.1)
	maxParam int
	maxTag   int
	batch    batchLimits
	prefixes bool // of a batch the server stores a beginning: what it has of the end tells of all
	resend   bool // sending points again is as cheap as reading back which are there
	hides    bool // a run that is loaded into is hidden, and marked as loading, by the backend
}

// traitsOf reads the answer of GET /version. Of an unknown server it expects little.
func traitsOf(version string) traits {
	t := traits{version: version, maxParam: convert.DefaultMaxParam, maxTag: convert.DefaultMaxTag, batch: logBatch}
	number := parseVersion(version)
	t.keys.Colon = number >= 2_017_000
	t.paging = number >= 3_001_001
	t.prefixes = number > 0
	if number > 0 && number < 2_009_000 {
		t.maxParam = 500
	}
	return t
}

// parseVersion gives "2.22.5" as 2_022_005, and 0 for what is no version.
func parseVersion(s string) (n int) {
	parts := strings.SplitN(strings.TrimSpace(s), ".", 3)
	for i := range 3 {
		n *= 1000
		if i >= len(parts) {
			continue
		}
		digits := parts[i]
		if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
			digits = digits[:end]
		}
		v, err := strconv.Atoi(digits)
		if err != nil || v > 999 {
			return 0
		}
		n += v
	}
	return n
}
