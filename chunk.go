package migrate

import (
	"math"
	"strconv"
)

// Chunk is a piece of one attribute, as columns of equal length. Scalars are a chunk of one
// value, a file set has one value per member, and none if it is empty; only series have Steps and Times. An artifact is two
// chunks: its hash as Strings, then Files, of which the first is the list of its files, as JSON.
type Chunk struct {
	Path   string
	Kind   Kind
	Steps  []Step
	Times  []int64 // ms since 1970 UTC, or NoTime
	Values Values
}

// Len is the number of values.
func (c Chunk) Len() int { return c.Values.Len() }

// Values is one column of a Chunk: Ints, Floats, Strings, Bools, Datetimes, StringSets,
// Histograms or Files. The set is closed, so that a type switch over it can be complete.
type Values interface {
	Len() int
	sealed()
}

// The columns.
type (
	Ints       []int64
	Floats     []float64
	Strings    []string
	Bools      []bool
	Datetimes  []int64    // ms since 1970 UTC
	StringSets [][]string // each in the order of the source
	Histograms []Histogram
	Files      []FileRef
)

// Histogram is one value of a histogram series: len(Edges) is len(Values)+1.
type Histogram struct {
	Type   string // "COUNTING" or as the source says
	Edges  []float64
	Values []float64
}

// FileRef names bytes to the RunReader that yielded it.
type FileRef struct {
	Key         string // the reader's own handle; empty if the source holds no bytes
	Name        string // slash-separated path inside the attribute, or its file name; may be empty
	Description string // of an image of Neptune 2; may be empty
	MIME        string // empty if unknown
	Size        int64  // -1 if unknown
}

// NoTime stands in Times where a point has none.
const NoTime int64 = math.MinInt64

func (v Ints) Len() int       { return len(v) }
func (v Floats) Len() int     { return len(v) }
func (v Strings) Len() int    { return len(v) }
func (v Bools) Len() int      { return len(v) }
func (v Datetimes) Len() int  { return len(v) }
func (v StringSets) Len() int { return len(v) }
func (v Histograms) Len() int { return len(v) }
func (v Files) Len() int      { return len(v) }

func (Ints) sealed()       {}
func (Floats) sealed()     {}
func (Strings) sealed()    {}
func (Bools) sealed()      {}
func (Datetimes) sealed()  {}
func (StringSets) sealed() {}
func (Histograms) sealed() {}
func (Files) sealed()      {}

// Step is a series' step in millionths: the archive's decimal(18,6) without its point. It holds
// steps up to 9.2e12.
type Step int64

// StepUnit is the Step of 1.
const StepUnit Step = 1_000_000

// StepOf gives the Step nearest to f; ok is false if f is not finite or too large.
func StepOf(f float64) (s Step, ok bool) {
	// Splitting first keeps the whole part exact: f*1e6 as one product would round it.
	whole, frac := math.Modf(f)
	if !(math.Abs(whole) <= maxWholeStep) {
		return 0, false
	}
	return Step(whole)*StepUnit + Step(math.RoundToEven(frac*float64(StepUnit))), true
}

const maxWholeStep = float64(math.MaxInt64/int64(StepUnit) - 1)

// String gives the exact decimal, without superfluous zeros: "12", "0.5", "-3.000001".
func (s Step) String() string { return string(s.Append(nil)) }

// Append appends the text of String to b.
func (s Step) Append(b []byte) []byte {
	u := uint64(s)
	if s < 0 {
		b, u = append(b, '-'), -u
	}
	b = strconv.AppendUint(b, u/uint64(StepUnit), 10)
	frac := u % uint64(StepUnit)
	if frac == 0 {
		return b
	}
	b = append(b, '.')
	for unit := uint64(StepUnit) / 10; frac > 0; unit /= 10 {
		b = append(b, byte('0'+frac/unit))
		frac %= unit
	}
	return b
}
