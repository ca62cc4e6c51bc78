// Package contents reaches the files that an artifact of Neptune 2.x names. Neptune holds their hashes, and not
// their bytes: these are where they were when they were logged, on a disk or in S3, if they still are.
//
// Who can write to a project can name any file of this machine, and any object that its user can read. So
// nothing is handed out before it is known to have the very hash that the project has on record.
package contents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// File is one that an artifact names.
type File struct {
	Location string // "file:///absolute/path", not escaped, or "s3://bucket/key"
	Hash     string // SHA-1 in hexadecimals of a file, ETag of an object
	Size     int64  // bytes; -1: unknown
}

// Opener opens files. Its zero value is ready; it is safe for concurrent use.
type Opener struct {
	// LoadAWS gives the settings for S3; nil: those that the AWS SDK finds, in AWS_ variables, in the
	// files of ~/.aws and at the machine's own service. It is called when the first object is asked for.
	LoadAWS func(context.Context) (aws.Config, error)
	// Silence is how long a transfer may stand still; 0: a minute.
	Silence time.Duration

	mu    sync.Mutex
	sums  map[string]summed // of files that were read, by their paths
	s3    *objects
	s3err error
}

const (
	filePrefix = "file://"
	s3Prefix   = "s3://"
	// maxSums bounds how many files are remembered.
	maxSums = 10_000
	silence = time.Minute
)

// ErrLater is in errors that say nothing of the file: it may be there, and had later.
var ErrLater = errors.New("it may be had later")

var errNowhere = errors.New("it is neither on a disk nor in S3")

// Check finds out whether Open would give the file, and why not. It reads a file on disk to its end.
func (o *Opener) Check(ctx context.Context, f File) error {
	switch {
	case strings.HasPrefix(f.Location, filePrefix):
		file, err := o.openLocal(ctx, f)
		if err != nil {
			return err
		}
		return file.Close()
	case strings.HasPrefix(f.Location, s3Prefix):
		return o.checkObject(ctx, f)
	}
	return errNowhere
}

// Open opens the file. Its reader ends with an error if it turns out to have other bytes than those that
// were checked, or fewer.
func (o *Opener) Open(ctx context.Context, f File) (io.ReadCloser, error) {
	switch {
	case strings.HasPrefix(f.Location, filePrefix):
		return o.openLocal(ctx, f)
	case strings.HasPrefix(f.Location, s3Prefix):
		return o.openObject(ctx, f)
	}
	return nil, errNowhere
}

func (o *Opener) quiet() time.Duration {
	if o.Silence > 0 {
		return o.Silence
	}
	return silence
}

// differs is the error about a file that is not the one that was logged.
func differs(what string, have, want any) error {
	return fmt.Errorf("it is another one by now: its %s is %v, not %v", what, have, want)
}
