package api

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine"
)

// Results of queries are delivered to a bucket as CloudTrail delivers them:
//
//	[PREFIX/]AWSLogs/ACCOUNT/CloudTrail-Lake/Query/YYYY/MM/DD/QUERY-ID/result_1.csv.gz
//	                                                                  /result_sign.json
//
// The second has the SHA-256 of the first, compressed, and an RSA signature over it, with a
// key that ListPublicKeys gives.

// s3Place is a bucket and a prefix in it.
type s3Place struct{ bucket, prefix string }

// parseS3 reads s3://bucket[/prefix].
func parseS3(uri string) (s3Place, error) {
	rest, ok := strings.CutPrefix(uri, "s3://")
	if !ok {
		return s3Place{}, fail("InvalidS3BucketName", "%q is not s3://BUCKET or s3://BUCKET/PREFIX", shorten(uri))
	}
	bucket, prefix, _ := strings.Cut(rest, "/")
	if err := checkBucketName(bucket); err != nil {
		return s3Place{}, err
	}
	prefix = strings.TrimSuffix(prefix, "/")
	return s3Place{bucket, prefix}, checkKeyPrefix(prefix)
}

// checkBucketName checks a name by the rules of S3.
func checkBucketName(name string) error {
	bad := func(why string) error {
		return fail("InvalidS3BucketName", "the bucket name %q %s", shorten(name), why)
	}
	if len(name) < 3 || len(name) > 63 {
		return bad("must have 3 to 63 characters")
	}
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || digit(c) || c == '-' || c == '.') {
			return bad("may have small letters, digits, - and . only")
		}
	}
	if c := name[0]; c == '-' || c == '.' {
		return bad("must begin with a letter or digit")
	}
	if c := name[len(name)-1]; c == '-' || c == '.' {
		return bad("must end with a letter or digit")
	}
	if strings.Contains(name, "..") || strings.Contains(name, ".-") || strings.Contains(name, "-.") {
		return bad("must not have . beside . or -")
	}
	if strings.Trim(name, "0123456789.") == "" && strings.Count(name, ".") == 3 {
		return bad("must not look like an IP address")
	}
	return nil
}

// keyPrefixMax bounds prefixes of keys.
const keyPrefixMax = 200

// checkKeyPrefix refuses prefixes that lead out of themselves.
func checkKeyPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	if len(prefix) > keyPrefixMax {
		return fail("InvalidS3Prefix", "the prefix has %d characters, at most %d are taken", len(prefix), keyPrefixMax)
	}
	for part := range strings.SplitSeq(prefix, "/") {
		if part == "" || part == "." || part == ".." {
			return fail("InvalidS3Prefix", "the prefix %q has an empty part, or one that leads elsewhere", shorten(prefix))
		}
		for i := range len(part) {
			if c := part[i]; !alnum(c) && !in(c, "!_.*'()@=+-") {
				return fail("InvalidS3Prefix", "the prefix %q has a character that keys cannot have everywhere", shorten(prefix))
			}
		}
	}
	return nil
}

// openBucket opens a bucket that there is.
func (s *API) openBucket(ctx context.Context, name string) (engine.Bucket, io.Closer, error) {
	if s.cfg.Buckets == nil {
		return nil, nil, fail("S3BucketDoesNotExist", "there is no bucket %q: this server was started without buckets (setting buckets)", name)
	}
	b, closer, err := s.cfg.Buckets(ctx, name)
	if err == nil {
		// A service tells when it is asked for something.
		err = b.List(ctx, "AWSLogs/", func(string, int64) error { return errFirst })
		if errors.Is(err, errFirst) {
			err = nil
		}
		if err != nil {
			closer.Close()
		}
	}
	switch {
	case err == nil:
		return b, closer, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, fail("S3BucketDoesNotExist", "there is no bucket %q", name)
	}
	s.log.Warn("a bucket cannot be used", "bucket", name, "error", err)
	return nil, nil, fail("InsufficientS3BucketPolicy", "the server may not use bucket %q; its log says why", name)
}

var errFirst = errors.New("the first is enough")

// deliverable checks where a result is to go.
func (c *call) deliverable(uri string) error {
	place, err := parseS3(uri)
	if err != nil {
		return err
	}
	_, closer, err := c.s.openBucket(c.ctx, place.bucket)
	if err != nil {
		return err
	}
	return closer.Close()
}

// signFile is result_sign.json.
type signFile struct {
	Version     string       `json:"version"`
	Region      string       `json:"region"`
	Files       []signedFile `json:"files"`
	Hash        string       `json:"hashAlgorithm"`
	Algorithm   string       `json:"signatureAlgorithm"`
	Completed   string       `json:"queryCompleteTime"`
	Signature   string       `json:"hashSignature"`
	Fingerprint string       `json:"publicKeyFingerprint"`
}

type signedFile struct {
	Hash string `json:"fileHashValue"`
	Name string `json:"fileName"`
}

// deliver writes the result of a query to its bucket, and returns the delivery's status.
func (s *API) deliver(ctx context.Context, q *savedQuery) string {
	place, err := parseS3(q.Delivery)
	if err != nil {
		return "FAILED"
	}
	b, closer, err := s.openBucket(ctx, place.bucket)
	if err != nil {
		var e *Error
		if errors.As(err, &e) && e.Code == "S3BucketDoesNotExistException" {
			return "RESOURCE_NOT_FOUND"
		}
		return "ACCESS_DENIED"
	}
	defer closer.Close()
	dir := fmt.Sprintf("AWSLogs/%s/CloudTrail-Lake/Query/%s/%s/", q.Account, q.Ended.UTC().Format("2006/01/02"), q.ID)
	if place.prefix != "" {
		dir = place.prefix + "/" + dir
	}
	const name = "result_1.csv.gz"
	hash, err := s.deliverRows(ctx, b, dir+name, q)
	if err != nil {
		s.log.Error("the result of a query was not delivered", "query", q.ID, "bucket", place.bucket, "error", err)
		return "FAILED"
	}
	sign := signFile{Version: "1.0", Region: q.Region, Files: []signedFile{{hash, name}}, Hash: "SHA-256", Algorithm: "SHA256withRSA",
		Completed: q.Ended.UTC().Format(time.RFC3339)}
	signature, fingerprint, err := s.lake.SignResult([]byte(hash), q.Ended)
	if err == nil {
		sign.Signature, sign.Fingerprint = hex.EncodeToString(signature), fingerprint
		var text []byte
		if text, err = json.Marshal(sign); err == nil {
			err = b.Write(ctx, dir+"result_sign.json", strings.NewReader(string(text)))
		}
	}
	if err != nil {
		s.log.Error("the result of a query was not signed", "query", q.ID, "bucket", place.bucket, "error", err)
		return "FAILED_SIGNING_FILE"
	}
	return "SUCCESS"
}

// deliverRows writes the rows as compressed CSV and returns the hash of what was written.
func (s *API) deliverRows(ctx context.Context, b engine.Bucket, key string, q *savedQuery) (string, error) {
	hash := sha256.New()
	r, w := io.Pipe()
	go func() {
		z := gzip.NewWriter(io.MultiWriter(w, hash))
		out := csv.NewWriter(z)
		err := out.Write(q.Columns)
		if err == nil {
			cells := make([]string, len(q.Columns))
			err = s.frames(q.ID, 0, func(rows []json.RawMessage) (bool, error) {
				if err := ctx.Err(); err != nil {
					return false, err
				}
				for _, row := range rows {
					var list []map[string]string
					if err := json.Unmarshal(row, &list); err != nil {
						return false, err
					}
					for i := range cells {
						cells[i] = ""
						if i < len(list) {
							for _, v := range list[i] {
								cells[i] = v
							}
						}
					}
					if err := out.Write(cells); err != nil {
						return false, err
					}
				}
				return true, nil
			})
		}
		out.Flush()
		w.CloseWithError(errors.Join(err, out.Error(), z.Close()))
	}()
	err := b.Write(ctx, key, r)
	r.CloseWithError(errors.New("the bucket takes no more"))
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
