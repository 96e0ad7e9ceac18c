package engine_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestTrailStreams sends events to a file of JSON lines and to a webhook that refuses the
// first request.
func TestTrailStreams(t *testing.T) {
	ctx := context.Background()
	mem, c := vfs.NewMem(), newClock()
	if err := mem.MkdirAll("/out", 0o755); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	requests := 0
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := hmac.New(sha256.New, []byte("secret"))
		h.Write(body)
		if r.Header.Get("X-Cairn-Signature") != "sha256="+hex.EncodeToString(h.Sum(nil)) {
			t.Error("the signature is wrong")
		}
		if requests++; requests == 1 {
			http.Error(w, "later", http.StatusServiceUnavailable)
			return
		}
		got.Write(body)
	}))
	defer hook.Close()
	l := openTrailLake(t, mem, c, nil)
	defer l.Close()
	file, web := trailSettings(), trailSettings()
	file.Target = "jsonl:/out/events.jsonl"
	web.Name, web.Target, web.Form = "web", hook.URL+"/in#secret", "bus"
	web.Pattern = json.RawMessage(`{"detail":{"eventName":[{"suffix":"1"}]}}`)
	for _, s := range []string{"main", "web"} {
		settings := file
		if s == "web" {
			settings = web
		}
		if _, err := l.CreateTrail(ctx, settings); err != nil {
			t.Fatal(err)
		}
		if err := l.StartTrail(ctx, s, false); err != nil {
			t.Fatal(err)
		}
	}
	var want string
	for n := range 12 {
		r := trailRecord(n, trailAccount, "eu-west-1", "Management", "s3.amazonaws.com")
		want += string(r) + "\n"
		appendAll(t, l, "events", r)
	}
	c.add(time.Minute)
	if _, err := l.DeliverTrail(ctx, "main"); err != nil {
		t.Fatal(err)
	}
	f, err := mem.Open("/out/events.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || string(b) != want {
		t.Errorf("the file has %s, %v", b, err)
	}
	if _, err := l.DeliverTrail(ctx, "web"); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a webhook that refuses: %v", err)
	}
	info, err := l.DeliverTrail(ctx, "web")
	if err != nil || info.Status.Events != 2 {
		t.Errorf("%+v, %v", info.Status, err)
	}
	lines := strings.Split(strings.TrimSpace(got.String()), "\n")
	var e struct {
		Version, ID, Source, Account, Time, Region string
		DetailType                                 string `json:"detail-type"`
		Resources                                  []string
		Detail                                     struct{ EventName string }
	}
	if len(lines) != 2 || json.Unmarshal([]byte(lines[0]), &e) != nil || e.Version != "0" || e.Source != "aws.s3" || e.Account != trailAccount || e.Region != "eu-west-1" ||
		e.DetailType != "AWS API Call via CloudTrail" || e.Resources == nil || e.Detail.EventName != "Do1" || e.Time != "2026-05-01T10:00:01Z" {
		t.Errorf("the webhook has %+v of %s", e, got.String())
	}
}
