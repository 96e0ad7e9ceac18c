package engine

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/insight"
)

// TestSendNotices tells a webhook of what is found; what it does not take comes again, with what
// came meanwhile.
func TestSendNotices(t *testing.T) {
	l := openTest(t, vfs.NewMem(), Options{})
	bodies := make(chan string, 8)
	refuse := true
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if bodies <- string(b); refuse {
			refuse = false
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer hook.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	followed, err := l.Notices()
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- l.SendNotices(ctx, hook.URL) }()
	// The sender begins with what comes after it has begun.
	first := ""
	wait(t, "a notice", func() bool {
		l.notice(nil, []Insight{{ID: "one", Type: insight.CallRate, EventName: "RunInstances", Provisional: true}})
		select {
		case first = <-bodies:
			return true
		default:
			return false
		}
	})
	if !strings.Contains(first, `"eventName":"RunInstances"`) || !strings.HasSuffix(first, "}\n") {
		t.Errorf("sent: %s", first)
	}
	l.notice(nil, []Insight{{ID: "two", Provisional: true}})
	again := <-bodies
	if !strings.HasPrefix(again, first) {
		t.Errorf("after a refusal:\n%s", again)
	}
	for !strings.Contains(again, `"two"`) {
		again = <-bodies
	}
	if n := len(followed.Take()); n < 2 {
		t.Errorf("a cursor is told of %d", n)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, wrong := range []string{"", "ftp://host/x", "http://", "/path"} {
		if err := l.SendNotices(context.Background(), wrong); !errors.Is(err, ErrBadInput) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// TestNoticesAreFew keeps the latest notices only.
func TestNoticesAreFew(t *testing.T) {
	l := openTest(t, vfs.NewMem(), Options{})
	n, err := l.Notices()
	if err != nil {
		t.Fatal(err)
	}
	for range noticesKept + 5 {
		l.insights.notices.add(Insight{})
	}
	if got := len(n.Take()); got != noticesKept || len(n.Take()) > 0 {
		t.Errorf("%d are kept", got)
	}
	done := make(chan error)
	go func() { done <- n.Wait(context.Background()) }()
	l.Close()
	if err := <-done; !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
}
