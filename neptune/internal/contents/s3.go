package contents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
)

const (
	// signIn is how long credentials are looked for.
	signIn = 10 * time.Second
	// anyRegion is asked about a bucket if no region is set; it tells the right one.
	anyRegion = "us-east-1"
	// maxResumes is how often a transfer is taken up again without a byte having come.
	maxResumes = 5
)

// objects is the access to S3.
type objects struct {
	client  *s3.Client
	mu      sync.Mutex
	regions map[string]string // by bucket, where it is not the client's
}

// buckets are names of buckets, and not ARNs: those would lead elsewhere.
var buckets = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// maxBucket is the longest name of a bucket.
const maxBucket = 255

func splitObject(location string) (bucket, key string, err error) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(location, s3Prefix), "/")
	if len(bucket) < 3 || len(bucket) > maxBucket || !buckets.MatchString(bucket) || key == "" {
		return "", "", errors.New("its location names no bucket and key")
	}
	return bucket, key, nil
}

// objects signs in once. That there are no credentials is remembered, since finding it out can take
// seconds.
func (o *Opener) objects(ctx context.Context) (*objects, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.s3 != nil || o.s3err != nil {
		return o.s3, o.s3err
	}
	load := o.LoadAWS
	if load == nil {
		load = func(ctx context.Context) (aws.Config, error) {
			// What the SDK has to say comes back as an error; it would write to standard error as well.
			return config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{}))
		}
	}
	within, cancel := context.WithTimeout(ctx, signIn)
	defer cancel()
	cfg, err := load(within)
	if err == nil && cfg.Credentials == nil {
		err = errors.New("there are none")
	}
	if err == nil {
		_, err = cfg.Credentials.Retrieve(within)
	}
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		o.s3err = fmt.Errorf("there are no AWS credentials to read it with, set AWS_PROFILE or the like: %w", err)
		return nil, o.s3err
	}
	o.s3 = &objects{client: newClient(cfg), regions: map[string]string{}}
	return o.s3, nil
}

func newClient(cfg aws.Config) *s3.Client {
	if cfg.Region == "" {
		cfg.Region = anyRegion
	}
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = o.BaseEndpoint != nil // other servers than Amazon's have no host for each bucket
		o.DisableLogOutputChecksumValidationSkipped = true
	})
}

// inRegion sends a request to the region of a bucket. The wrong one answers with the name of the right one.
func inRegion[T any](s *objects, bucket string, send func(...func(*s3.Options)) (T, error)) (T, error) {
	s.mu.Lock()
	region := s.regions[bucket]
	s.mu.Unlock()
	at := func(o *s3.Options) {
		if region != "" {
			o.Region = region
		}
	}
	out, err := send(at)
	var failed *awshttp.ResponseError
	if err == nil || !errors.As(err, &failed) || failed.Response == nil {
		return out, err
	}
	named := failed.Response.Header.Get("X-Amz-Bucket-Region")
	if named == "" || named == region || region == "" && named == s.client.Options().Region || failed.HTTPStatusCode() == http.StatusNotFound {
		return out, err
	}
	region = named
	if out, err = send(at); err == nil {
		s.mu.Lock()
		s.regions[bucket] = region
		s.mu.Unlock()
	}
	return out, err
}

// checkObject compares an object's head with what is on record.
func (o *Opener) checkObject(ctx context.Context, f File) error {
	bucket, key, err := splitObject(f.Location)
	if err != nil {
		return err
	}
	store, err := o.objects(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.quiet())
	defer cancel()
	head, err := inRegion(store, bucket, func(opts ...func(*s3.Options)) (*s3.HeadObjectOutput, error) {
		return store.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key}, opts...)
	})
	if err != nil {
		return s3Error(err)
	}
	if tag := strings.Trim(aws.ToString(head.ETag), `"`); tag != f.Hash || tag == "" {
		return differs("ETag", tag, f.Hash)
	}
	if f.Size >= 0 && head.ContentLength != nil && *head.ContentLength != f.Size {
		return differs("size", *head.ContentLength, f.Size)
	}
	return nil
}

// s3Error says in short what S3 answered.
func s3Error(err error) error {
	var failed *awshttp.ResponseError
	if errors.As(err, &failed) && failed.Response != nil {
		code := failed.HTTPStatusCode()
		if code == http.StatusPreconditionFailed {
			return errors.New("it is another one by now: its ETag is not the one on record")
		}
		err := fmt.Errorf("S3 answers with %d %s", code, http.StatusText(code))
		if code >= http.StatusInternalServerError || code == http.StatusTooManyRequests {
			err = fmt.Errorf("%w: %w", err, ErrLater)
		}
		return err
	}
	return fmt.Errorf("S3 does not answer: %w: %w", err, ErrLater)
}

// openObject opens an object that has the ETag on record.
func (o *Opener) openObject(ctx context.Context, f File) (io.ReadCloser, error) {
	bucket, key, err := splitObject(f.Location)
	if err != nil {
		return nil, err
	}
	store, err := o.objects(ctx)
	if err != nil {
		return nil, err
	}
	if f.Hash == "" {
		return nil, differs("ETag", "unknown", "empty")
	}
	r := &objectReader{ctx: ctx, store: store, bucket: bucket, key: key, tag: `"` + f.Hash + `"`, silence: o.quiet()}
	if err := r.open(); err != nil {
		return nil, err
	}
	if f.Size >= 0 && r.size != f.Size {
		r.Close()
		return nil, differs("size", r.size, f.Size)
	}
	return r, nil
}

// objectReader reads an object over as many requests as it takes.
type objectReader struct {
	ctx              context.Context
	store            *objects
	bucket, key, tag string
	silence          time.Duration

	off, size int64
	resumes   int
	body      io.ReadCloser
	cancel    context.CancelFunc
	timer     *time.Timer
}

func (r *objectReader) open() error {
	ctx, cancel := context.WithCancel(r.ctx)
	timer := time.AfterFunc(r.silence, cancel)
	in := &s3.GetObjectInput{Bucket: &r.bucket, Key: &r.key, IfMatch: &r.tag}
	if r.off > 0 {
		in.Range = aws.String("bytes=" + strconv.FormatInt(r.off, 10) + "-")
	}
	out, err := inRegion(r.store, r.bucket, func(opts ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
		return r.store.client.GetObject(ctx, in, opts...)
	})
	if err != nil {
		timer.Stop()
		cancel()
		return s3Error(err)
	}
	r.body, r.cancel, r.timer = out.Body, cancel, timer
	switch length := aws.ToInt64(out.ContentLength); {
	case r.off == 0:
		r.size = length
	case r.off+length != r.size:
		r.Close()
		return errors.New("S3 answers with another part of the object than asked for")
	}
	return nil
}

// Read goes on where a transfer was cut.
func (r *objectReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, err := r.body.Read(p)
		r.off += int64(n)
		if n > 0 {
			r.resumes = 0
			r.timer.Reset(r.silence)
			return n, nil
		}
		switch {
		case err == nil:
			continue
		case err == io.EOF && r.off == r.size:
			return 0, io.EOF
		case r.ctx.Err() != nil:
			return 0, context.Cause(r.ctx)
		case r.resumes == maxResumes:
			return 0, fmt.Errorf("cut after %d of %d bytes, again and again: %w", r.off, r.size, err)
		}
		r.resumes++
		r.Close()
		if err := r.open(); err != nil {
			return 0, err
		}
	}
}

// Close ends the transfer.
func (r *objectReader) Close() error {
	r.timer.Stop()
	r.cancel()
	return r.body.Close()
}
