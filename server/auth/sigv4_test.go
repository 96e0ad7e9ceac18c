package auth_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/server/auth"
)

const sigBody = `{"MaxResults":5}`

var sigNow = time.Date(2026, 5, 10, 22, 16, 31, 0, time.UTC)

// signedRequest is a request that AWS's Python clients would send, with its signature.
func signedRequest(t testing.TB) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:8433/", strings.NewReader(sigBody))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "CloudTrail_20131101.LookupEvents")
	if err := auth.Sign(r, "AKIAEXAMPLE", "secret", "", "eu-west-1", "cloudtrail", []byte(sigBody), sigNow); err != nil {
		t.Fatal(err)
	}
	return r
}

func verify(r *http.Request, body string, now time.Time, regions ...string) error {
	s, err := auth.BeginSigned(r, now, "cloudtrail", regions)
	if err != nil {
		return err
	}
	return s.Verify(auth.SignerOf("AKIAEXAMPLE", "secret", "", "111122223333", nil), []byte(body))
}

// TestSignatureVector holds the signature against one that was computed apart, with Python's hmac.
func TestSignatureVector(t *testing.T) {
	r := signedRequest(t)
	got := r.Header.Get("Authorization")
	const want = "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260510/eu-west-1/cloudtrail/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature="
	if !strings.HasPrefix(got, want) || got[len(want):] != "7633ae1b35e506123c5ae8631d887b4fba1d35e4853a1864123e2440ecec343b" {
		t.Errorf("got %s", got)
	}
	if err := verify(r, sigBody, sigNow); err != nil {
		t.Error(err)
	}
}

func TestSignaturesRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *http.Request)
		body   string
		at     time.Time
		code   string
		says   string
	}{
		"fine, four minutes late":  {at: sigNow.Add(4 * time.Minute)},
		"fine, four minutes early": {at: sigNow.Add(-4 * time.Minute)},
		"late":                     {at: sigNow.Add(6 * time.Minute), code: auth.SigInvalid, says: "20260510T222231Z"},
		"early":                    {at: sigNow.Add(-6 * time.Minute), code: auth.SigInvalid, says: "20260510T221031Z"},
		"another body":             {body: `{"MaxResults":6}`, code: auth.SigInvalid, says: "does not match"},
		"another target":           {change: func(r *http.Request) { r.Header.Set("X-Amz-Target", "CloudTrail_20131101.DeleteTrail") }, code: auth.SigInvalid},
		"another host":             {change: func(r *http.Request) { r.Host = "other" }, code: auth.SigInvalid},
		"another path":             {change: func(r *http.Request) { r.URL.Path = "/x" }, code: auth.SigInvalid},
		"a query":                  {change: func(r *http.Request) { r.URL.RawQuery = "a=b" }, code: auth.SigInvalid},
		"spaces around a value":    {change: func(r *http.Request) { r.Header.Set("Content-Type", "  application/x-amz-json-1.1 ") }},
		"not signed":               {change: func(r *http.Request) { r.Header.Del("Authorization") }, code: auth.SigIncomplete},
		"presigned": {change: func(r *http.Request) {
			r.Header.Del("Authorization")
			r.URL.RawQuery = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00"
		}, code: auth.SigIncomplete, says: "presigned"},
		"no date":                     {change: func(r *http.Request) { r.Header.Del("X-Amz-Date") }, code: auth.SigIncomplete},
		"two dates":                   {change: func(r *http.Request) { r.Header.Add("X-Amz-Date", "20260510T221631Z") }, code: auth.SigIncomplete},
		"folded":                      {change: func(r *http.Request) { r.Header["Content-Type"] = []string{"application/x-amz-json-1.1\r\n x"} }, code: auth.SigIncomplete},
		"a header that is not signed": {change: func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "x") }, code: auth.SigInvalid, says: "x-amz-security-token"},
		"another algorithm": {change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "HMAC-SHA256", "HMAC-SHA1", 1))
		}, code: auth.SigIncomplete},
		"another service": {change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/cloudtrail/", "/s3/", 1))
		}, code: auth.SigInvalid, says: "service: 'cloudtrail'"},
		"another day": {change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "20260510", "20260509", 1))
		}, code: auth.SigInvalid},
		"another region": {change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "eu-west-1", "us-east-1", 1))
		}, code: auth.SigInvalid},
		"a region that is none": {change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "eu-west-1", "EU!", 1))
		}, code: auth.SigInvalid},
		"host not signed": {change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "host;", "", 1))
		}, code: auth.SigInvalid, says: "host"},
		"the payload hash of another body": {change: func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", strings.Repeat("0", 64)) }, code: auth.SigInvalid},
	} {
		r := signedRequest(t)
		if c.change != nil {
			c.change(r)
		}
		if c.body == "" {
			c.body = sigBody
		}
		if c.at.IsZero() {
			c.at = sigNow
		}
		err := verify(r, c.body, c.at)
		var e *auth.SignatureError
		switch {
		case c.code == "" && err == nil:
		case !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Message, c.says):
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := verify(signedRequest(t), sigBody, sigNow, "us-east-1"); err == nil {
		t.Error("a region that the server does not have was taken")
	}
}

func FuzzAuthorization(f *testing.F) {
	f.Add(signedRequest(f).Header.Get("Authorization"))
	f.Add("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=a;b, Signature=0")
	f.Add("AWS4-HMAC-SHA256 =,=,=")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := auth.ParseAuthorization(text)
		if err == nil && (a.KeyID == "" || a.Region == "" || len(a.SignedHeaders) == 0) {
			t.Errorf("%q gives %+v", text, a)
		}
	})
}
