package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server/api"
	"github.com/cairndb/cairn/server/auth"
)

const account, region = "111122223333", "eu-west-1"

// fixture is an API on a lake of its own, with a key of an admin.
type fixture struct {
	t     testing.TB
	lake  *engine.Lake
	users *auth.Store
	api   *api.API
	http  *httptest.Server
	key   *auth.NewAccessKey
	tick  atomic.Int64 // seconds that the clock is ahead, so that no two requests are the same
}

type signers struct{ users *auth.Store }

func (s signers) Signer(ctx context.Context, id string, _ netip.Addr) (*auth.Signer, error) {
	return s.users.Signer(ctx, id, auth.Origin{})
}
func (s signers) Failed(ctx context.Context, id string, _ netip.Addr, why string) {
	s.users.Failed(ctx, id, auth.Origin{}, why)
}

func newFixture(t testing.TB, adjust func(*api.Config)) *fixture {
	t.Helper()
	ctx := context.Background()
	lake, err := engine.Open(t.TempDir(), &engine.Options{EventHistory: true, DigestInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	users, err := auth.Open(ctx, lake, auth.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, lake: lake, users: users}
	f.key = f.newKey("admin", auth.Grants{Role: "admin"}, account)
	cfg := api.Config{Lake: lake, Signers: signers{users}}
	if adjust != nil {
		adjust(&cfg)
	}
	if f.api, err = api.New(cfg); err != nil {
		t.Fatal(err)
	}
	f.api.Start()
	f.http = httptest.NewUnstartedServer(f.api)
	f.http.Config.ConnContext = auth.ConnContext
	f.http.Listener = auth.WatchHeads(f.http.Listener)
	f.http.Start()
	t.Cleanup(func() {
		f.http.Close()
		f.api.Close()
		if err := lake.Close(); err != nil {
			t.Errorf("closing the lake: %v", err)
		}
	})
	return f
}

var superuser = auth.Superuser("test")

func (f *fixture) newKey(name string, g auth.Grants, account string) *auth.NewAccessKey {
	f.t.Helper()
	ctx := context.Background()
	if _, err := f.lake.Principal(ctx, name); err != nil {
		if _, err := f.users.Add(ctx, superuser, auth.Origin{}, name, g, ""); err != nil {
			f.t.Fatal(err)
		}
	}
	k, err := f.users.AddAccessKey(ctx, superuser, auth.Origin{}, name, auth.AccessKeyOptions{Account: account})
	if err != nil {
		f.t.Fatal(err)
	}
	return k
}

// request makes a signed request; body is JSON text.
func (f *fixture) request(k *auth.NewAccessKey, op, body string) *http.Request {
	f.t.Helper()
	r, err := http.NewRequest(http.MethodPost, f.http.URL+"/", strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "CloudTrail_20131101."+op)
	// A header that tells requests of the same second apart.
	r.Header.Set("X-Amz-Meta-Count", fmt.Sprint(f.tick.Add(1)))
	if err := auth.Sign(r, k.AccessKeyID, k.SecretAccessKey, k.SessionToken, region, "cloudtrail", []byte(body), time.Now()); err != nil {
		f.t.Fatal(err)
	}
	return r
}

type object = map[string]any

// send sends a request and returns status, headers and body.
func (f *fixture) send(r *http.Request) (int, http.Header, object) {
	f.t.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	var out object
	if err := json.Unmarshal(b, &out); err != nil {
		f.t.Fatalf("the answer is not a JSON object: %v: %.200s", err, b)
	}
	return res.StatusCode, res.Header, out
}

// as calls an operation with a key; code is "" when it succeeds.
func (f *fixture) as(k *auth.NewAccessKey, op string, in object) (out object, code string) {
	f.t.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		f.t.Fatal(err)
	}
	status, _, out := f.send(f.request(k, op, string(b)))
	if status != http.StatusOK {
		code, _ = out["__type"].(string)
		if code == "" || out["message"] == "" {
			f.t.Errorf("%s: status %d with %v", op, status, out)
		}
		return out, code
	}
	if why := api.CheckAnswer(op, out); why != nil {
		f.t.Errorf("%s: the answer is not of its shape: %v", op, why)
	}
	return out, ""
}

func (f *fixture) call(op string, in object) object {
	f.t.Helper()
	out, code := f.as(f.key, op, in)
	if code != "" {
		f.t.Fatalf("%s: %s: %v", op, code, out["message"])
	}
	return out
}

// fails calls an operation that must fail with a code, and returns the message.
func (f *fixture) fails(op string, in object, want string) string {
	f.t.Helper()
	out, code := f.as(f.key, op, in)
	if code != want {
		f.t.Errorf("%s %v: got %q, want %q: %v", op, in, code, want, out["message"])
	}
	message, _ := out["message"].(string)
	return message
}

// put calls PutAuditEvents.
func (f *fixture) put(k *auth.NewAccessKey, channel, externalID string, events []object) (out object, code string) {
	f.t.Helper()
	body, err := json.Marshal(object{"auditEvents": events})
	if err != nil {
		f.t.Fatal(err)
	}
	q := url.Values{"channelArn": {channel}}
	if externalID != "" {
		q.Set("externalId", externalID)
	}
	r, err := http.NewRequest(http.MethodPost, f.http.URL+"/PutAuditEvents?"+q.Encode(), bytes.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if err := auth.Sign(r, k.AccessKeyID, k.SecretAccessKey, k.SessionToken, region, "cloudtrail-data", body, time.Now()); err != nil {
		f.t.Fatal(err)
	}
	status, h, out := f.send(r)
	if status != http.StatusOK {
		code, _ = out["__type"].(string)
		if code == "" || h.Get("X-Amzn-ErrorType") != code {
			f.t.Errorf("status %d with %v and header %q", status, out, h.Get("X-Amzn-ErrorType"))
		}
	}
	return out, code
}

// resign signs a request anew.
func resign(f *fixture, r *http.Request, body string) {
	f.t.Helper()
	r.Header.Del("Authorization")
	if err := auth.Sign(r, f.key.AccessKeyID, f.key.SecretAccessKey, f.key.SessionToken, region, "cloudtrail", []byte(body), time.Now()); err != nil {
		f.t.Fatal(err)
	}
}
