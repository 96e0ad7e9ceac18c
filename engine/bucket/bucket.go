// Package bucket opens object stores by URL, for backups and whatever else is kept
// outside a lake.
//
//	b, err := bucket.Open(ctx, "s3://audit-backups/lake1?region=eu-west-1")
//	defer b.Close()
//
// What follows the bucket's name is a prefix of all objects. Credentials come from
// where the cloud's own tools find them; the query is that of gocloud.dev/blob
// (endpoint, use_path_style and so on, for S3-compatible stores). S3 is built in; a
// program that imports other drivers of gocloud.dev/blob can open their URLs as well.
// Directories are not for this package: engine.DirBucket syncs what it writes.
//
// A Bucket may be used from many goroutines.
package bucket

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob" // s3://
	"gocloud.dev/gcerrors"
)

// Bucket is an open object store.
type Bucket struct {
	b   *blob.Bucket
	url string
}

// IsURL reports whether a target names an object store and not a directory.
func IsURL(target string) bool { return strings.Contains(target, "://") }

// Open opens the object store that a URL names.
func Open(ctx context.Context, target string) (*Bucket, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("opening bucket: %w", err)
	}
	prefix := strings.Trim(u.Path, "/")
	u.Path = ""
	b, err := blob.OpenBucket(ctx, u.String())
	if err != nil {
		return nil, fmt.Errorf("opening bucket %s://%s: %w", u.Scheme, u.Host, err)
	}
	if prefix != "" {
		b = blob.PrefixedBucket(b, prefix+"/")
	}
	return &Bucket{b: b, url: u.Scheme + "://" + u.Host + "/" + prefix}, nil
}

// String names the bucket, without what its query says.
func (b *Bucket) String() string { return b.url }

// Close gives up the connection.
func (b *Bucket) Close() error { return b.b.Close() }

// Object is how an object is written, beside its bytes.
type Object struct {
	ContentType, ContentEncoding string
	// Metadata is sent as it is; names must be in lower case.
	Metadata map[string]string
	// KMSKeyID asks an S3 store to encrypt with a key of its own; ACL gives a canned ACL.
	KMSKeyID, ACL string
	// KMSContext is the encryption context that goes with KMSKeyID.
	KMSContext map[string]string
}

// WriteObject stores an object whole or not at all.
func (b *Bucket) WriteObject(ctx context.Context, name string, body []byte, o Object) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opts := &blob.WriterOptions{ContentType: o.ContentType, ContentEncoding: o.ContentEncoding, Metadata: o.Metadata}
	if o.KMSKeyID != "" || o.ACL != "" {
		opts.BeforeWrite = func(as func(any) bool) error {
			var in *transfermanager.UploadObjectInput
			if !as(&in) {
				return fmt.Errorf("%s cannot encrypt with a key of the caller's, nor set an ACL", b.url)
			}
			if o.KMSKeyID != "" {
				in.ServerSideEncryption, in.SSEKMSKeyID = types.ServerSideEncryptionAwsKms, &o.KMSKeyID
				if len(o.KMSContext) > 0 {
					text, err := json.Marshal(o.KMSContext)
					if err != nil {
						return err
					}
					encoded := base64.StdEncoding.EncodeToString(text)
					in.SSEKMSEncryptionContext = &encoded
				}
			}
			if o.ACL != "" {
				in.ACL = types.ObjectCannedACL(o.ACL)
			}
			return nil
		}
	}
	w, err := b.b.NewWriter(ctx, name, opts)
	if err != nil {
		return b.wrap("writing", name, err)
	}
	if _, err := w.Write(body); err != nil {
		cancel()
		_ = w.Close()
		return b.wrap("writing", name, err)
	}
	return b.wrap("writing", name, w.Close())
}

// Size returns the length of an object; fs.ErrNotExist when there is none.
func (b *Bucket) Size(ctx context.Context, name string) (int64, error) {
	a, err := b.b.Attributes(ctx, name)
	if err != nil {
		return 0, b.wrap("looking for", name, err)
	}
	return a.Size, nil
}

// Get returns an object of at most limit bytes and its metadata; fs.ErrNotExist when
// there is none.
func (b *Bucket) Get(ctx context.Context, name string, limit int64) ([]byte, map[string]string, error) {
	r, err := b.b.NewReader(ctx, name, nil)
	if err != nil {
		return nil, nil, b.wrap("reading", name, err)
	}
	defer r.Close()
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("it has more than %d bytes", limit)
	}
	if err != nil {
		return nil, nil, b.wrap("reading", name, err)
	}
	if meta, ok := metadataOf(r); ok {
		return body, meta, nil
	}
	a, err := b.b.Attributes(ctx, name)
	if err != nil {
		return nil, nil, b.wrap("reading the metadata of", name, err)
	}
	return body, a.Metadata, nil
}

// metadataOf returns the metadata that S3 has sent with an object, which saves asking for them;
// ok is false for other stores, and when a name or value is escaped, for Attributes knows how.
func metadataOf(r *blob.Reader) (meta map[string]string, ok bool) {
	var sent s3.GetObjectOutput
	if !r.As(&sent) {
		return nil, false
	}
	meta = make(map[string]string, len(sent.Metadata))
	for k, v := range sent.Metadata {
		if strings.ContainsAny(k+v, "%+") || strings.Contains(k, "__0x") {
			return nil, false
		}
		meta[strings.ToLower(k)] = v
	}
	return meta, true
}

// Write stores an object whole or not at all.
func (b *Bucket) Write(ctx context.Context, name string, content io.Reader) error {
	// Cancelling before closing is how an upload is given up; closing would store
	// what has come so far.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := b.b.NewWriter(ctx, name, &blob.WriterOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return b.wrap("writing", name, err)
	}
	if _, err := io.Copy(w, content); err != nil {
		cancel()
		_ = w.Close()
		return b.wrap("writing", name, err)
	}
	return b.wrap("writing", name, w.Close())
}

// Read opens an object; fs.ErrNotExist when there is none.
func (b *Bucket) Read(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := b.b.NewReader(ctx, name, nil)
	if err != nil {
		return nil, b.wrap("reading", name, err)
	}
	return r, nil
}

// List calls fn with the objects whose names begin with prefix.
func (b *Bucket) List(ctx context.Context, prefix string, fn func(name string, size int64) error) error {
	it := b.b.List(&blob.ListOptions{Prefix: prefix})
	for {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return b.wrap("listing", prefix, err)
		}
		if err := fn(o.Key, o.Size); err != nil {
			return err
		}
	}
}

// wrap names what was being done. An object that is missing is fs.ErrNotExist.
func (b *Bucket) wrap(what, name string, err error) error {
	if err == nil {
		return nil
	}
	if gcerrors.Code(err) == gcerrors.NotFound {
		return fmt.Errorf("%s %s in %s: %w (%w)", what, name, b.url, fs.ErrNotExist, err)
	}
	return fmt.Errorf("%s %s in %s: %w", what, name, b.url, err)
}
