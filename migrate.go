package migrate

import (
	"context"
	"io"
	"iter"
	"log/slog"
)

// Source lists runs and opens them. It is safe for concurrent use.
type Source interface {
	// Runs yields each selected run once, oldest first where the order is known. A pair is a
	// run and nil, or a zero run and an error; an error ends the sequence.
	Runs(ctx context.Context, sel Selection) iter.Seq2[RunInfo, error]
	// OpenRun opens the run that run.RunRef names; the other fields are hints. It is cheap:
	// the data is read by Chunks. The error matches ErrNotFound when there is no such run.
	OpenRun(ctx context.Context, run RunInfo) (RunReader, error)
}

// RunReader reads one run. It holds nothing open between calls, so there is no Close.
type RunReader interface {
	// Chunks yields the attributes that want accepts (nil accepts all), those without steps
	// first. The chunks of one attribute are adjacent and in step order, each of at most
	// MaxChunkPoints points and about MaxChunkBytes. A chunk belongs to the receiver. An error
	// ends the sequence and means that the run was not read to its end; one attribute that
	// cannot be read is a Problem instead. Calling Chunks again reads again.
	Chunks(ctx context.Context, want Want) iter.Seq2[Chunk, error]
	// OpenFile opens the bytes of a file that Chunks yielded. It may be called while Chunks is
	// being ranged over, concurrently, and again to retry. A transfer that is cut short is an
	// error, never an early io.EOF.
	OpenFile(ctx context.Context, ref FileRef) (io.ReadCloser, error)
	// Problems returns what the calls so far met, each thing once.
	Problems() []Problem
}

// Want chooses attributes by path and kind.
type Want func(path string, kind Kind) bool

// Sink receives whole runs, several at once, never the same run twice at a time.
type Sink interface {
	// PutRun copies run. A run that is complete already is answered with Existed, without
	// reading r; one that was cut off earlier is completed. Nothing is duplicated, and nothing
	// looks complete before nil is returned. If the job moves the run's parent too, that
	// PutRun has returned before. r must not be kept.
	PutRun(ctx context.Context, run RunInfo, r RunReader) (Result, error)
}

// Store gives back unchanged what it received.
type Store interface {
	Source
	Sink
}

// Finder is an optional ability of a Store: say of one run what Runs says of it. The error matches
// ErrNotFound if the store does not have it. With one, a job that loads what it has just stored goes by
// the store's copy: the source may know of a later version that the store did not take.
type Finder interface {
	Run(ctx context.Context, ref RunRef) (RunInfo, error)
}

// Verifier is an optional ability of a Sink: compare what it holds of run with r and change
// nothing. What differs is returned; the error means that the comparison could not be made.
type Verifier interface {
	VerifyRun(ctx context.Context, run RunInfo, r RunReader) ([]Problem, error)
}

// Finisher is an optional ability of a Sink: do what can only be done when the last run has been put. A job that
// was not cut off calls it once, and ends with its error.
type Finisher interface {
	Finish(ctx context.Context) error
}

// Job says what to move. Source and Store export, Store and Sink load, all three do both in one
// pass: then Sink reads what Store holds, never Source, and is told what Store knows if that is a Finder. Source and Sink alone move directly.
type Job struct {
	Source      Source
	Store       Store
	Sink        Sink
	Selection   Selection
	Concurrency int          // runs in flight; 0 means DefaultConcurrency
	StopOnError bool         // end at the first run that fails, instead of collecting it
	Observe     func(Event)  // progress; calls come one at a time and must return quickly
	Log         *slog.Logger // nil discards
}

// Result is a Sink's answer for one run. The zero value means: all of it was moved now.
type Result struct {
	Existed  bool      // the target held the whole run already
	Target   string    // where it is now: an MLflow run ID, a path
	Problems []Problem // met by the sink; those of the reader need not be repeated
}

const (
	// MaxChunkPoints is the largest number of points in a Chunk.
	MaxChunkPoints = 1 << 16
	// MaxChunkBytes is about the largest size of a Chunk; a single longer value is not split.
	MaxChunkBytes = 4 << 20
	// DefaultConcurrency is the number of runs in flight when a Job names none.
	DefaultConcurrency = 4
)
