package neptunetest

// Limits. Requests over them are refused: real servers refuse them, or nobody has seen one take them.
// Sources: tests and defaults of neptune-query 1.5 to 1.14, and the descriptions of the API.
const (
	maxMetadata    = 200       // bytes of X-Neptune-Client-Metadata
	maxSearch      = 10_000    // runs of a search's page; never more are asked for
	maxProjection  = 1_000     // attributes of a search
	maxRunIDs      = 4_900     // runs of a request for definitions; so many were seen to pass
	maxPattern     = 120_000   // bytes of all expressions of a request
	maxFloatSeries = 12_000    // series of a request for floats; so many were seen to pass
	maxFloatPoints = 1_000_000 // points that a request for floats can ask for; never more are asked for
	maxOtherSeries = 2_000     // series of a request for others; one more is refused
	maxSign        = 200       // files of a request for links; never more are asked for
	maxPointBytes  = 16 << 20  // of strings, histograms and files of a page of other series
)

// Limits of Neptune 2. Sources: what the neptune client 1.14 sends, and its comments.
const (
	maxWindow  = 10_000 // runs up to which a search can be paged
	maxPage2   = 1_000  // runs or points of a page; never more are asked for
	maxColumns = 10_000 // attributes of a run in a search without filters
)
