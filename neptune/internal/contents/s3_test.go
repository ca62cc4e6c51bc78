package contents_test

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // S3's ETags are made with it
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/nexport-go/migrate/neptune/internal/contents"
)

// bucket answers as S3 does to a few requests.
type bucket struct {
	name, region string
	objects      map[string][]byte
	cut          int // how many transfers are cut

	mu       sync.Mutex
	requests []string
}

func tagOf(b []byte) string {
	sum := md5.Sum(b) //nolint:gosec
	return hex.EncodeToString(sum[:])
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests = append(b.requests, r.Method+" "+r.URL.Path+" "+r.Header.Get("Range"))
	auth := r.Header.Get("Authorization")
	key, ok := strings.CutPrefix(r.URL.Path, "/"+b.name+"/")
	object, there := b.objects[key]
	switch {
	case !strings.Contains(auth, "Credential=user/"):
		w.WriteHeader(http.StatusForbidden)
	case !strings.Contains(auth, "/"+b.region+"/s3/"):
		w.Header().Set("X-Amz-Bucket-Region", b.region)
		w.WriteHeader(http.StatusMovedPermanently)
	case !ok || !there:
		w.WriteHeader(http.StatusNotFound)
	default:
		w.Header().Set("ETag", `"`+tagOf(object)+`"`)
		if r.Method == http.MethodGet && b.cut > 0 {
			b.cut--
			w = &cutWriter{w, len(object) / 4}
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(object))
	}
}

// cutWriter ends a body early.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		n, _ := w.ResponseWriter.Write(p[:w.left])
		w.left = 0
		return n, errors.New("cut")
	}
	w.left -= len(p)
	return w.ResponseWriter.Write(p)
}

// opener has settings for a server of its own.
func opener(t *testing.T, b *bucket) *contents.Opener {
	t.Helper()
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return &contents.Opener{LoadAWS: func(context.Context) (aws.Config, error) {
		return aws.Config{
			BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "user", SecretAccessKey: "secret"}, nil
			}),
		}, nil
	}}
}

func TestObjects(t *testing.T) {
	object := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
	good := contents.File{Location: "s3://data/d/ü b+c.bin", Hash: tagOf(object), Size: int64(len(object))}
	with := func(change func(*contents.File)) contents.File {
		f := good
		change(&f)
		return f
	}
	for _, test := range []struct {
		name   string
		bucket *bucket
		file   contents.File
		want   string // in the error
	}{
		{"as it was", &bucket{region: "us-east-1"}, good, ""},
		{"of unknown size", &bucket{region: "us-east-1"}, with(func(f *contents.File) { f.Size = -1 }), ""},
		{"of another region", &bucket{region: "eu-west-3"}, good, ""},
		{"cut", &bucket{region: "us-east-1", cut: 3}, good, ""},
		{"another ETag", &bucket{region: "us-east-1"}, with(func(f *contents.File) { f.Hash = "x" }), "its ETag is"},
		{"no ETag", &bucket{region: "us-east-1"}, with(func(f *contents.File) { f.Hash = "" }), "its ETag is"},
		{"another size", &bucket{region: "us-east-1"}, with(func(f *contents.File) { f.Size = 1 }), "its size is"},
		{"not there", &bucket{region: "us-east-1"}, with(func(f *contents.File) { f.Location += "x" }), "S3 answers with 404"},
		{"no key", &bucket{}, with(func(f *contents.File) { f.Location = "s3://data" }), "names no bucket"},
		{"an access point", &bucket{}, with(func(f *contents.File) { f.Location = "s3://arn:aws:s3:x:1:y/z" }), "names no bucket"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.bucket.name, test.bucket.objects = "data", map[string][]byte{"d/ü b+c.bin": object}
			o := opener(t, test.bucket)
			err := o.Check(t.Context(), test.file)
			text, openErr := readAll(t, o, test.file)
			if test.want == "" {
				if err != nil || openErr != nil || text != string(object) {
					t.Errorf("Check: %v; %d bytes, %v", err, len(text), openErr)
				}
				return
			}
			for _, err := range []error{err, openErr} {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("error %v", err)
				}
			}
		})
	}
}

// The right region is learnt once, and what was cut goes on where it was cut.
func TestRequests(t *testing.T) {
	object := bytes.Repeat([]byte("x"), 4096)
	b := &bucket{name: "data", region: "eu-west-3", objects: map[string][]byte{"a": object}, cut: 1}
	o := opener(t, b)
	f := contents.File{Location: "s3://data/a", Hash: tagOf(object), Size: 4096}
	if text, err := readAll(t, o, f); err != nil || text != string(object) {
		t.Fatalf("%d bytes, %v", len(text), err)
	}
	want := "GET /data/a |GET /data/a |GET /data/a bytes=1024-"
	if got := strings.Join(b.requests, "|"); got != want {
		t.Errorf("requests %s", got)
	}
}

func TestNoCredentials(t *testing.T) {
	asked := 0
	o := &contents.Opener{LoadAWS: func(context.Context) (aws.Config, error) {
		asked++
		return aws.Config{}, nil
	}}
	for range 2 {
		err := o.Check(t.Context(), contents.File{Location: "s3://data/a", Hash: "x", Size: 1})
		if err == nil || !strings.Contains(err.Error(), "no AWS credentials") {
			t.Errorf("error %v", err)
		}
	}
	if asked != 1 {
		t.Errorf("looked for credentials %d times", asked)
	}
}

// The settings of the AWS SDK are those that the user has for other programs.
func TestSettingsOfTheSDK(t *testing.T) {
	object := []byte("x")
	b := &bucket{name: "data", region: "eu-north-1", objects: map[string][]byte{"a": object}}
	server := httptest.NewServer(b)
	defer server.Close()
	for key, value := range map[string]string{
		"AWS_ENDPOINT_URL_S3": server.URL, "AWS_ACCESS_KEY_ID": "user", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_REGION": "eu-north-1", "AWS_CONFIG_FILE": "none", "AWS_SHARED_CREDENTIALS_FILE": "none", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(key, value)
	}
	text, err := readAll(t, &contents.Opener{}, contents.File{Location: "s3://data/a", Hash: tagOf(object), Size: 1})
	if err != nil || text != "x" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestObjectThatIsCutForEver(t *testing.T) {
	object := bytes.Repeat([]byte("x"), 3)
	b := &bucket{name: "data", region: "us-east-1", objects: map[string][]byte{"a": object}, cut: 1 << 30}
	if text, err := readAll(t, opener(t, b), contents.File{Location: "s3://data/a", Hash: tagOf(object), Size: 3}); err == nil || !strings.Contains(err.Error(), "cut after") {
		t.Errorf("%q, %v", text, err)
	}
}
