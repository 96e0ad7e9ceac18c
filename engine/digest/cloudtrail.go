package digest

import (
	"bytes"
	"crypto"
	"crypto/md5"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Digests of delivered files in CloudTrail's form. Such a digest lists the log files that
// were delivered for one account and region between two times, with the hash of each, and
// names the digest before it. It is JSON, stored compressed; hashes and signatures are of
// the bytes before compression. The signature is RSA, PKCS #1 v1.5 with SHA-256, in
// lower-case hexadecimal, over four lines:
//
//	digestEndTime
//	bucket/key of the digest
//	SHA-256 of the document, hexadecimal
//	signature of the digest before, or null
//
// without a newline at the end. It travels beside the document, as metadata of the object.

const (
	// TrailTimeLayout is how times are written in documents.
	TrailTimeLayout = "2006-01-02T15:04:05Z"

	// TrailSignatureAlgorithm and TrailHashAlgorithm are what documents call them.
	TrailSignatureAlgorithm = "SHA256withRSA"
	TrailHashAlgorithm      = "SHA-256"

	// TrailDocumentMax bounds a document: an hour of a busy region has some thousand files
	// of about 600 bytes each.
	TrailDocumentMax = 256 << 20

	trailKeyBits = 2048
)

// The metadata of a digest's object. Names are in lower case, as they must be sent.
const (
	MetaSignature = "signature"
	MetaAlgorithm = "signature-algorithm"
	MetaBackfill  = "backfill-generation-timestamp"
)

// TrailDigest is a document. The order of its members is that of the JSON.
type TrailDigest struct {
	Account               string      `json:"awsAccountId"`
	Start                 string      `json:"digestStartTime"`
	End                   string      `json:"digestEndTime"`
	Bucket                string      `json:"digestS3Bucket"`
	Object                string      `json:"digestS3Object"`
	Fingerprint           string      `json:"digestPublicKeyFingerprint"`
	SignatureAlgorithm    string      `json:"digestSignatureAlgorithm"`
	Newest                *string     `json:"newestEventTime"`
	Oldest                *string     `json:"oldestEventTime"`
	PreviousBucket        *string     `json:"previousDigestS3Bucket"`
	PreviousObject        *string     `json:"previousDigestS3Object"`
	PreviousHash          *string     `json:"previousDigestHashValue"`
	PreviousHashAlgorithm *string     `json:"previousDigestHashAlgorithm"`
	PreviousSignature     *string     `json:"previousDigestSignature"`
	Files                 []TrailFile `json:"logFiles"`
}

// TrailFile is a delivered file in a document.
type TrailFile struct {
	Bucket        string `json:"s3Bucket"`
	Object        string `json:"s3Object"`
	Hash          string `json:"hashValue"`
	HashAlgorithm string `json:"hashAlgorithm"`
	Newest        string `json:"newestEventTime"`
	Oldest        string `json:"oldestEventTime"`
}

// Sign completes the document with the key's name and returns its bytes and signature.
func (d *TrailDigest) Sign(key *TrailKey) (document []byte, signature string, err error) {
	if key.private == nil {
		return nil, "", errors.New("signing a trail's digest: the private key is not at hand")
	}
	d.Fingerprint, d.SignatureAlgorithm = key.Fingerprint(), TrailSignatureAlgorithm
	if d.Files == nil {
		d.Files = []TrailFile{} // an empty hour has an empty list, not null
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(d); err != nil {
		return nil, "", fmt.Errorf("writing a trail's digest: %w", err)
	}
	document = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	sum := sha256.Sum256(d.signed(document))
	sig, err := rsa.SignPKCS1v15(nil, key.private, crypto.SHA256, sum[:])
	if err != nil {
		return nil, "", fmt.Errorf("signing a trail's digest: %w", err)
	}
	return document, hex.EncodeToString(sig), nil
}

// Sign signs a text (PKCS #1 v1.5, SHA-256).
func (k *TrailKey) Sign(text []byte) ([]byte, error) {
	if k.private == nil {
		return nil, errors.New("signing: the private key is not at hand")
	}
	sum := sha256.Sum256(text)
	sig, err := rsa.SignPKCS1v15(nil, k.private, crypto.SHA256, sum[:])
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return sig, nil
}

// signed returns what is signed of a document.
func (d *TrailDigest) signed(document []byte) []byte {
	sum := sha256.Sum256(document)
	previous := "null"
	if d.PreviousSignature != nil {
		previous = *d.PreviousSignature
	}
	return fmt.Appendf(nil, "%s\n%s/%s\n%x\n%s", d.End, d.Bucket, d.Object, sum, previous)
}

// ParseTrailDigest reads a document, as strictly as the AWS CLI does: it must be a JSON
// object with the members that its verification needs; others may be missing.
func ParseTrailDigest(document []byte) (*TrailDigest, error) {
	if len(document) > TrailDocumentMax {
		return nil, fmt.Errorf("reading a trail's digest: %d bytes are too many", len(document))
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(document, &members); err != nil {
		return nil, fmt.Errorf("reading a trail's digest: %w", err)
	}
	for _, name := range []string{"digestPublicKeyFingerprint", "digestS3Bucket", "digestS3Object", "previousDigestSignature", "digestEndTime", "digestStartTime", "logFiles"} {
		if _, ok := members[name]; !ok {
			return nil, fmt.Errorf("reading a trail's digest: it has no %s", name)
		}
	}
	d := &TrailDigest{}
	if err := json.Unmarshal(document, d); err != nil {
		return nil, fmt.Errorf("reading a trail's digest: %w", err)
	}
	for _, at := range []string{d.Start, d.End} {
		if _, err := time.Parse(TrailTimeLayout, at); err != nil {
			return nil, fmt.Errorf("reading a trail's digest: %q is not a time", at)
		}
	}
	return d, nil
}

// Verify verifies a signature of the document by a key; the error is ErrSignature.
func (d *TrailDigest) Verify(document []byte, signature string, key *TrailKey) error {
	sig, err := hex.DecodeString(signature)
	if err != nil {
		return ErrSignature
	}
	sum := sha256.Sum256(d.signed(document))
	if rsa.VerifyPKCS1v15(key.public, crypto.SHA256, sum[:], sig) != nil {
		return ErrSignature
	}
	return nil
}

// TrailKey is an RSA key that signs digests of trails.
type TrailKey struct {
	// Number counts a lake's keys from 1; 0 when it is not known.
	Number int
	// DER is the PKCS #1 form of the public key.
	DER []byte
	// Start and End are the times between which the key's digests end.
	Start, End time.Time

	public  *rsa.PublicKey
	private *rsa.PrivateKey
}

// Fingerprint returns the name of the key in documents: the hexadecimal MD5 of DER.
// It names, it does not protect.
func (k *TrailKey) Fingerprint() string {
	sum := md5.Sum(k.DER)
	return hex.EncodeToString(sum[:])
}

// ParseTrailKey reads a public key in PKCS #1 form.
func ParseTrailKey(der []byte, start, end time.Time) (*TrailKey, error) {
	public, err := x509.ParsePKCS1PublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("reading a trail's public key: %w", err)
	}
	if public.N.BitLen() < 1024 || public.N.BitLen() > 8192 {
		return nil, fmt.Errorf("reading a trail's public key: %d bits", public.N.BitLen())
	}
	return &TrailKey{DER: bytes.Clone(der), Start: start, End: end, public: public}, nil
}

// GenerateTrailKey makes a key.
func GenerateTrailKey(random io.Reader, number int, start, end time.Time) (*TrailKey, error) {
	private, err := rsa.GenerateKey(random, trailKeyBits)
	if err != nil {
		return nil, fmt.Errorf("making a key for trails: %w", err)
	}
	return &TrailKey{Number: number, DER: x509.MarshalPKCS1PublicKey(&private.PublicKey), Start: start.UTC(), End: end.UTC(),
		public: &private.PublicKey, private: private}, nil
}

// StoredTrailKey is a key as a lake keeps it.
type StoredTrailKey struct {
	Key     TrailKey // without the private part
	Scheme  string
	Wrapped []byte
}

type storedTrailDocument struct {
	Number  int    `json:"number"`
	Public  []byte `json:"public"`
	Start   string `json:"start"`
	End     string `json:"end"`
	Scheme  string `json:"scheme"`
	Wrapped []byte `json:"wrapped"`
}

func (k *TrailKey) wrapContext() []byte {
	return fmt.Appendf(nil, "cairn trail key %d %s", k.Number, k.Fingerprint())
}

// WrapTrailKey makes a key ready to be stored.
func WrapTrailKey(k *TrailKey, w Wrapper) (*StoredTrailKey, error) {
	wrapped, err := w.Wrap(x509.MarshalPKCS1PrivateKey(k.private), k.wrapContext())
	if err != nil {
		return nil, err
	}
	public := *k
	public.private = nil
	return &StoredTrailKey{Key: public, Scheme: w.Scheme(), Wrapped: wrapped}, nil
}

// Open unwraps the private part.
func (s *StoredTrailKey) Open(w Wrapper) (*TrailKey, error) {
	if s.Scheme != w.Scheme() {
		return nil, fmt.Errorf("unwrapping trail key %d: it is wrapped by %s, at hand is %s", s.Key.Number, s.Scheme, w.Scheme())
	}
	der, err := w.Unwrap(s.Wrapped, s.Key.wrapContext())
	if err != nil {
		return nil, err
	}
	private, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil || !private.PublicKey.Equal(s.Key.public) {
		return nil, fmt.Errorf("unwrapping trail key %d: it does not belong to the public key", s.Key.Number)
	}
	k := s.Key
	k.private = private
	return &k, nil
}

// Encode returns the form in which a lake keeps the key.
func (s *StoredTrailKey) Encode() []byte {
	b, err := json.Marshal(&storedTrailDocument{Number: s.Key.Number, Public: s.Key.DER, Start: s.Key.Start.Format(TrailTimeLayout),
		End: s.Key.End.Format(TrailTimeLayout), Scheme: s.Scheme, Wrapped: s.Wrapped})
	if err != nil {
		panic(err) // strings and numbers always have a JSON form
	}
	return b
}

// DecodeStoredTrailKey reads what Encode has written.
func DecodeStoredTrailKey(b []byte) (*StoredTrailKey, error) {
	fail := func(err error) (*StoredTrailKey, error) { return nil, fmt.Errorf("reading a key of trails: %w", err) }
	var d storedTrailDocument
	if err := strictJSON(b, &d); err != nil {
		return fail(err)
	}
	start, err := time.Parse(TrailTimeLayout, d.Start)
	if err != nil {
		return fail(err)
	}
	end, err := time.Parse(TrailTimeLayout, d.End)
	if err != nil {
		return fail(err)
	}
	k, err := ParseTrailKey(d.Public, start, end)
	if err != nil {
		return fail(err)
	}
	k.Number = d.Number
	s := &StoredTrailKey{Key: *k, Scheme: d.Scheme, Wrapped: d.Wrapped}
	if !bytes.Equal(s.Encode(), b) {
		return fail(errors.New("it is not in the one spelling that such keys have"))
	}
	return s, nil
}

// trailKeysDocument is how public keys of trails travel: what ListPublicKeys returns.
type trailKeysDocument struct {
	PublicKeyList []trailKeyDocument
}

type trailKeyDocument struct {
	Value             []byte
	ValidityStartTime string
	ValidityEndTime   string
	Fingerprint       string
}

// FormatTrailKeys returns public keys as JSON, with the members of the CloudTrail API's
// ListPublicKeys and times as text.
func FormatTrailKeys(keys []*TrailKey) []byte {
	d := trailKeysDocument{PublicKeyList: []trailKeyDocument{}}
	for _, k := range keys {
		d.PublicKeyList = append(d.PublicKeyList, trailKeyDocument{Value: k.DER, ValidityStartTime: k.Start.UTC().Format(TrailTimeLayout),
			ValidityEndTime: k.End.UTC().Format(TrailTimeLayout), Fingerprint: k.Fingerprint()})
	}
	b, err := json.MarshalIndent(&d, "", "  ")
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return append(b, '\n')
}

// ParseTrailKeys reads what FormatTrailKeys has written, or what the AWS CLI's
// list-public-keys prints. A fingerprint that is not the key's is an error.
func ParseTrailKeys(b []byte) ([]*TrailKey, error) {
	var d struct {
		PublicKeyList []struct {
			Value                              []byte
			ValidityStartTime, ValidityEndTime json.RawMessage
			Fingerprint                        string
		}
	}
	if len(b) > RingBytesMax {
		return nil, fmt.Errorf("reading public keys of trails: %d bytes are too many", len(b))
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("reading public keys of trails: %w", err)
	}
	var out []*TrailKey
	for i, k := range d.PublicKeyList {
		start, err1 := keyTime(k.ValidityStartTime)
		end, err2 := keyTime(k.ValidityEndTime)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("reading public key %d of trails: %w", i, err)
		}
		key, err := ParseTrailKey(k.Value, start, end)
		if err != nil {
			return nil, err
		}
		if key.Fingerprint() != k.Fingerprint {
			return nil, fmt.Errorf("reading public key %d of trails: its fingerprint is %s, not %s", i, key.Fingerprint(), k.Fingerprint)
		}
		out = append(out, key)
	}
	return out, nil
}

// keyTime reads a time as text or as seconds since 1970.
func keyTime(raw json.RawMessage) (time.Time, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return time.Parse(time.RFC3339, text)
	}
	var seconds float64
	if err := json.Unmarshal(raw, &seconds); err != nil || seconds < -1e12 || seconds > 1e12 {
		return time.Time{}, fmt.Errorf("%.100q is not a time", raw)
	}
	return time.UnixMilli(int64(seconds * 1000)).UTC(), nil
}
