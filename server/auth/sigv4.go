package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"
)

// Signature Version 4 of AWS: a request carries the ID of an access key, and a MAC over
// its method, path, query, some of its headers and the hash of its body, made with a key
// that is derived from the secret for one day, region and service.
//
//	Authorization: AWS4-HMAC-SHA256 Credential=ID/20260510/eu-west-1/cloudtrail/aws4_request,
//	    SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=…64 hexadecimal digits
//	X-Amz-Date: 20260510T221631Z
//	X-Amz-Security-Token: …            with temporary keys
//
// Which headers are signed is the client's choice, but for host and everything that begins
// with x-amz-: a header of those that is not signed could be another one.

const (
	sigAlgorithm   = "AWS4-HMAC-SHA256"
	sigTerminator  = "aws4_request"
	sigTime        = "20060102T150405Z"
	sigDate        = "20060102"
	sigHeader      = "Authorization"
	sigTokenHeader = "X-Amz-Security-Token"
	sigBodyHeader  = "X-Amz-Content-Sha256"

	// SkewMax is how far the clocks of client and server may be apart.
	SkewMax = 5 * time.Minute

	// authorizationMax bounds the header, signedHeadersMax the headers it names, and
	// sigTokenMax a session token: AWS's own are below 2 kB.
	authorizationMax = 4096
	signedHeadersMax = 64
	sigTokenMax      = 4096
)

// SignatureError says why a signed request is refused. Code is that of AWS.
type SignatureError struct {
	Code    string
	Message string
}

// Error returns the message.
func (e *SignatureError) Error() string { return e.Message }

func sigErrorf(code, format string, args ...any) error {
	return &SignatureError{code, fmt.Sprintf(format, args...)}
}

// Codes of signature errors.
const (
	SigIncomplete  = "IncompleteSignature"
	SigInvalid     = "InvalidSignatureException"
	SigUnknownKey  = "UnrecognizedClientException"
	SigExpiredKey  = "ExpiredTokenException"
	incompleteHint = "see AWS Signature Version 4"
)

// Authorization is what the header says.
type Authorization struct {
	KeyID, Date, Region, Service string
	SignedHeaders                []string // in order, in lower case
	Signature                    [sha256.Size]byte
}

// ParseAuthorization reads an Authorization header; errors are [*SignatureError].
func ParseAuthorization(text string) (*Authorization, error) {
	if text == "" {
		return nil, sigErrorf(SigIncomplete, "the request is not signed: it has no Authorization header (%s)", incompleteHint)
	}
	if len(text) > authorizationMax {
		return nil, sigErrorf(SigIncomplete, "the Authorization header has %d bytes, at most %d are taken", len(text), authorizationMax)
	}
	for _, c := range []byte(text) {
		if c < 0x20 || c > 0x7e {
			return nil, sigErrorf(SigIncomplete, "the Authorization header has a byte %#02x", c)
		}
	}
	scheme, rest, _ := strings.Cut(text, " ")
	if scheme != sigAlgorithm {
		return nil, sigErrorf(SigIncomplete, "the Authorization header begins with %q, %s is taken", short(scheme), sigAlgorithm)
	}
	var credential, headers, signature string
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.Trim(part, " "), "=")
		var to *string
		switch name {
		case "Credential":
			to = &credential
		case "SignedHeaders":
			to = &headers
		case "Signature":
			to = &signature
		}
		switch {
		case !ok || to == nil:
			return nil, sigErrorf(SigIncomplete, "the Authorization header has a part %q; there are Credential=, SignedHeaders= and Signature=", short(part))
		case *to != "" || value == "":
			return nil, sigErrorf(SigIncomplete, "the Authorization header must have %s once, with a value", name)
		}
		*to = value
	}
	for _, part := range []struct{ name, value string }{{"Credential", credential}, {"SignedHeaders", headers}, {"Signature", signature}} {
		if part.value == "" {
			return nil, sigErrorf(SigIncomplete, "the Authorization header has no %s", part.name)
		}
	}
	scope := strings.Split(credential, "/")
	if len(scope) != 5 || slices.Contains(scope, "") {
		return nil, sigErrorf(SigIncomplete, "the credential %q is not KEY/DATE/REGION/SERVICE/%s", short(credential), sigTerminator)
	}
	if scope[4] != sigTerminator {
		return nil, sigErrorf(SigInvalid, "Credential should be scoped with a valid terminator: '%s'", sigTerminator)
	}
	a := &Authorization{KeyID: scope[0], Date: scope[1], Region: scope[2], Service: scope[3]}
	if _, err := time.Parse(sigDate, a.Date); err != nil || len(a.Date) != len(sigDate) {
		return nil, sigErrorf(SigIncomplete, "the credential's date %q is not YYYYMMDD", short(a.Date))
	}
	if !isRegion(a.Region) {
		return nil, sigErrorf(SigInvalid, "Credential should be scoped to a valid region, %q is none", short(a.Region))
	}
	for _, c := range []byte(a.KeyID) {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') || len(a.KeyID) > 128 {
			return nil, sigErrorf(SigIncomplete, "%q is not the ID of an access key", short(a.KeyID))
		}
	}
	a.SignedHeaders = strings.Split(headers, ";")
	if len(a.SignedHeaders) > signedHeadersMax {
		return nil, sigErrorf(SigIncomplete, "%d headers are signed, at most %d are taken", len(a.SignedHeaders), signedHeadersMax)
	}
	for i, h := range a.SignedHeaders {
		if h == "" || h != strings.ToLower(h) || strings.ContainsAny(h, " \t") || i > 0 && h <= a.SignedHeaders[i-1] {
			return nil, sigErrorf(SigIncomplete, "SignedHeaders must be names in lower case, in order, each once, with ; between them")
		}
	}
	if n, err := hex.Decode(a.Signature[:], []byte(cutTo(signature, 2*sha256.Size))); err != nil || n != sha256.Size || len(signature) != 2*sha256.Size || signature != strings.ToLower(signature) {
		return nil, sigErrorf(SigIncomplete, "the signature is not 64 hexadecimal digits in lower case")
	}
	return a, nil
}

func cutTo(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// short keeps what a stranger sent from filling messages.
func short(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// isRegion reports whether s has the form of a region.
func isRegion(s string) bool {
	if len(s) < 2 || len(s) > 32 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// SignedRequest is a request of which the signature is to be checked.
type SignedRequest struct {
	*Authorization
	r    *http.Request
	date string // X-Amz-Date
}

// BeginSigned checks everything of a request's signature for which neither key nor body
// are needed: form, service, region (any when regions is empty) and time. Errors are
// [*SignatureError].
func BeginSigned(r *http.Request, now time.Time, service string, regions []string) (*SignedRequest, error) {
	for name, values := range r.Header {
		lower := strings.ToLower(name)
		if (lower == "authorization" || lower == "host" || strings.HasPrefix(lower, "x-amz-")) && len(values) > 1 {
			return nil, sigErrorf(SigIncomplete, "the header %s stands %d times", lower, len(values))
		}
	}
	if q := r.URL.Query(); r.Header.Get(sigHeader) == "" && (q.Has("X-Amz-Signature") || q.Has("X-Amz-Algorithm")) {
		return nil, sigErrorf(SigIncomplete, "the request is presigned, by its query: here requests are signed by an Authorization header (see AWS Signature Version 4)")
	}
	a, err := ParseAuthorization(r.Header.Get(sigHeader))
	if err != nil {
		return nil, err
	}
	for name, values := range r.Header {
		lower := strings.ToLower(name)
		signed := slices.Contains(a.SignedHeaders, lower)
		if strings.HasPrefix(lower, "x-amz-") && !signed {
			return nil, sigErrorf(SigInvalid, "the header %s must be signed", lower)
		}
		if !signed {
			continue
		}
		for _, v := range values {
			if strings.ContainsAny(v, "\r\n\x00") {
				return nil, sigErrorf(SigIncomplete, "the header %s is folded", lower)
			}
		}
	}
	if !slices.Contains(a.SignedHeaders, "host") {
		return nil, sigErrorf(SigInvalid, "the header host must be signed")
	}
	s := &SignedRequest{Authorization: a, r: r, date: r.Header.Get("X-Amz-Date")}
	if s.date == "" {
		return nil, sigErrorf(SigIncomplete, "the request has no X-Amz-Date header")
	}
	at, err := time.Parse(sigTime, s.date)
	if err != nil || len(s.date) != len(sigTime) {
		return nil, sigErrorf(SigIncomplete, "Date must be in ISO-8601 'basic format'. Got '%s'; such as %s", short(s.date), now.UTC().Format(sigTime))
	}
	if s.date[:len(sigDate)] != a.Date {
		return nil, sigErrorf(SigInvalid, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.", a.Date, s.date[:len(sigDate)], s.date)
	}
	if a.Service != service {
		return nil, sigErrorf(SigInvalid, "Credential should be scoped to correct service: '%s'.", service)
	}
	if len(regions) > 0 && !slices.Contains(regions, a.Region) {
		return nil, sigErrorf(SigInvalid, "Credential should be scoped to a valid region: this server has %s, not '%s'.", strings.Join(regions, ", "), a.Region)
	}
	now = now.UTC()
	switch early, late := now.Add(-SkewMax), now.Add(SkewMax); {
	case at.Before(early.Truncate(time.Second)):
		return nil, sigErrorf(SigInvalid, "Signature expired: %s is now earlier than %s (%s - 5 min.)", s.date, early.Format(sigTime), now.Format(sigTime))
	case at.After(late):
		return nil, sigErrorf(SigInvalid, "Signature not yet current: %s is still later than %s (%s + 5 min.)", s.date, late.Format(sigTime), now.Format(sigTime))
	}
	if h := r.Header.Get(sigBodyHeader); h != "" && len(h) != 2*sha256.Size {
		return nil, sigErrorf(SigInvalid, "the body must be signed, %s is %q", sigBodyHeader, short(h))
	}
	if t := r.Header.Get(sigTokenHeader); len(t) > sigTokenMax {
		return nil, sigErrorf(SigUnknownKey, "The security token included in the request is invalid.")
	}
	return s, nil
}

// Expires is when the request would be too old to be taken again.
func (s *SignedRequest) Expires() time.Time {
	at, _ := time.Parse(sigTime, s.date)
	return at.Add(SkewMax + time.Second)
}

// KeyError turns what [Store.Signer] says into what the client is told; other errors are
// returned as they are. A stranger learns no more than that a key is of no use.
func KeyError(err error) error {
	switch {
	case errors.Is(err, ErrKeyExpired):
		return sigErrorf(SigExpiredKey, "The security token included in the request is expired")
	case errors.Is(err, ErrNoKey):
		return sigErrorf(SigUnknownKey, "The security token included in the request is invalid.")
	}
	return err
}

// Verify checks the signature over the request and its body with a key.
func (s *SignedRequest) Verify(k *Signer, body []byte) error {
	hash := sha256.Sum256(body)
	if h := s.r.Header.Get(sigBodyHeader); h != "" && h != hex.EncodeToString(hash[:]) {
		return sigErrorf(SigInvalid, "the body is not that of the header %s", sigBodyHeader)
	}
	canonical, err := canonicalRequest(s.r, s.SignedHeaders, hash[:])
	if err != nil {
		return err
	}
	sum := sha256.Sum256(canonical)
	scope := s.Date + "/" + s.Region + "/" + s.Service + "/" + sigTerminator
	toSign := sigAlgorithm + "\n" + s.date + "\n" + scope + "\n" + hex.EncodeToString(sum[:])
	want := mac(k.signingKey(s.Date, s.Region, s.Service), toSign)
	// Both are checked whatever the other says.
	fits := subtle.ConstantTimeCompare(want, s.Signature[:]) == 1
	token := k.token(s.r.Header.Get(sigTokenHeader))
	switch {
	case !fits:
		return sigErrorf(SigInvalid, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	case !token:
		return sigErrorf(SigUnknownKey, "The security token included in the request is invalid.")
	}
	return nil
}

// signingKeysMax bounds the derived keys that are kept of one access key: some regions on
// two days.
const signingKeysMax = 64

// signingKey derives the key of a day, a region and a service.
func (k *Signer) signingKey(date, region, service string) []byte {
	scope := date + "/" + region + "/" + service
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, ok := k.derived[scope]; ok {
		return key
	}
	key := mac([]byte("AWS4"+string(k.secret)), date)
	for _, part := range []string{region, service, sigTerminator} {
		key = mac(key, part)
	}
	if len(k.derived) >= signingKeysMax {
		clear(k.derived)
	}
	k.derived[scope] = key
	return key
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// canonicalRequest is the text whose hash is signed.
func canonicalRequest(r *http.Request, signed []string, bodyHash []byte) ([]byte, error) {
	query, err := canonicalQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	var b bytes.Buffer
	b.WriteString(r.Method + "\n" + awsEscape(path, true) + "\n" + query + "\n")
	for _, name := range signed {
		var values []string
		switch name {
		case "host":
			values = []string{r.Host}
		case "content-length":
			// Taken out of the headers by net/http.
			values = []string{fmt.Sprint(r.ContentLength)}
		case "transfer-encoding":
			values = r.TransferEncoding
		default:
			values = r.Header.Values(name)
		}
		if len(values) == 0 {
			return nil, sigErrorf(SigInvalid, "the header %s is signed and not there", short(name))
		}
		b.WriteString(name + ":")
		for i, v := range values {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strings.Join(strings.FieldsFunc(v, func(c rune) bool { return c == ' ' || c == '\t' }), " "))
		}
		b.WriteByte('\n')
	}
	b.WriteString("\n" + strings.Join(signed, ";") + "\n" + hex.EncodeToString(bodyHash))
	return b.Bytes(), nil
}

// canonicalQuery orders and escapes the parameters of a query.
func canonicalQuery(raw string) (string, error) {
	if raw == "" {
		return "", nil
	}
	var pairs []string
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err := url.QueryUnescape(name)
		if err != nil {
			return "", sigErrorf(SigIncomplete, "the query of the request is not well-formed")
		}
		v, err := url.QueryUnescape(value)
		if err != nil {
			return "", sigErrorf(SigIncomplete, "the query of the request is not well-formed")
		}
		pairs = append(pairs, awsEscape(n, false)+"="+awsEscape(v, false))
	}
	sort.Slice(pairs, func(i, j int) bool {
		a, av, _ := strings.Cut(pairs[i], "=")
		b, bv, _ := strings.Cut(pairs[j], "=")
		if a != b {
			return a < b
		}
		return av < bv
	})
	return strings.Join(pairs, "&"), nil
}

// awsEscape writes everything but unreserved characters as %XX; slashes of paths stay.
func awsEscape(s string, path bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == '~', path && c == '/':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}

// Sign signs a request, as clients do; it is for tests and for programs of this module
// that ask a server.
func Sign(r *http.Request, id, secret, token, region, service string, body []byte, now time.Time) error {
	date := now.UTC().Format(sigTime)
	r.Header.Set("X-Amz-Date", date)
	if token != "" {
		r.Header.Set(sigTokenHeader, token)
	}
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	signed := []string{"host"}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") || name == "content-type" {
			signed = append(signed, name)
		}
	}
	sort.Strings(signed)
	hash := sha256.Sum256(body)
	canonical, err := canonicalRequest(r, signed, hash[:])
	if err != nil {
		return err
	}
	sum := sha256.Sum256(canonical)
	day := date[:len(sigDate)]
	scope := day + "/" + region + "/" + service + "/" + sigTerminator
	k := SignerOf(id, secret, token, "", nil)
	signature := mac(k.signingKey(day, region, service), sigAlgorithm+"\n"+date+"\n"+scope+"\n"+hex.EncodeToString(sum[:]))
	r.Header.Set(sigHeader, sigAlgorithm+" Credential="+id+"/"+scope+", SignedHeaders="+strings.Join(signed, ";")+", Signature="+hex.EncodeToString(signature))
	return nil
}
