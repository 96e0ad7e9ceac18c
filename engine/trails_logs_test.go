package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
)

// logEvents are the messages of a log service's file, each with its stream.
func logEvents(t *testing.T, mem vfs.FS, name string) (out []string) {
	t.Helper()
	f, err := mem.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n") {
		var e struct {
			Timestamp     int64
			LogStreamName string
			Message       string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Timestamp == 0 {
			t.Fatalf("%q: %v", line, err)
		}
		out = append(out, e.LogStreamName+" "+e.Message)
	}
	return out
}

// TestTrailLogs gives the events of a trail to a log service beside its files: it begins and ends
// with settings and logging, across openings, and neither target holds the other up.
func TestTrailLogs(t *testing.T) {
	ctx := context.Background()
	mem, c := vfs.NewMem(), newClock()
	if err := mem.MkdirAll("/out", 0o755); err != nil {
		t.Fatal(err)
	}
	l := openTrailLake(t, mem, c, nil)
	defer func() { l.Close() }()
	s := trailSettings()
	if _, err := l.CreateTrail(ctx, s); err != nil {
		t.Fatal(err)
	}
	if err := l.StartTrail(ctx, "main", false); err != nil {
		t.Fatal(err)
	}
	var want []string
	n := 0
	bring := func(told bool) {
		t.Helper()
		r := trailRecord(n, trailAccount, "eu-west-1", "Management", "s3.amazonaws.com")
		n++
		appendAll(t, l, "events", r)
		if told {
			want = append(want, trailAccount+"_CloudTrail_eu-west-1 "+string(r))
		}
	}
	update := func(fn func(s *engine.TrailSettings)) error {
		_, err := l.UpdateTrail(ctx, "main", func(s *engine.TrailSettings) error { fn(s); return nil })
		return err
	}
	deliver := func() engine.Trail {
		t.Helper()
		c.add(time.Minute)
		i, err := l.DeliverTrail(ctx, "main")
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	check := func(what string) {
		t.Helper()
		if got := logEvents(t, mem, "/out/group.jsonl"); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: the log service has %d events, not %d: %q", what, len(got), len(want), got)
		}
	}
	bring(false) // before there is a log service
	if err := update(func(s *engine.TrailSettings) { s.Logs = "jsonl:/out/group.jsonl" }); err != nil {
		t.Fatal(err)
	}
	bring(true)
	if i := deliver(); i.Status.Logs == nil || i.Status.Logs.Events != 1 || i.Status.Events != 2 || i.Status.Logs.Delivery.IsZero() || !i.Status.Logs.Logging {
		t.Errorf("%+v, %+v", i.Status, i.Status.Logs)
	}
	check("begun")
	// What waits when the lake is closed is delivered by the next opening.
	bring(true)
	l.Close()
	l = openTrailLake(t, mem, c, nil)
	if i := deliver(); i.Status.Logs == nil || i.Status.Logs.Events != 2 {
		t.Errorf("%+v", i.Status.Logs)
	}
	check("opened again")
	// Stopped and started for both.
	bring(true)
	if err := l.StopTrail(ctx, "main"); err != nil {
		t.Fatal(err)
	}
	bring(false)
	if err := l.StartTrail(ctx, "main", false); err != nil {
		t.Fatal(err)
	}
	bring(true)
	if i := deliver(); i.Status.Events != uint64(n-1) {
		t.Errorf("%d events in files, not %d", i.Status.Events, n-1)
	}
	check("stopped and started")
	// A log service that fails holds no files up; it gets everything when it is back.
	var back atomic.Bool
	var bodies strings.Builder
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !back.Load() {
			http.Error(w, "later", http.StatusInternalServerError)
			return
		}
		b, _ := io.ReadAll(r.Body)
		bodies.Write(b)
	}))
	defer hook.Close()
	if err := update(func(s *engine.TrailSettings) { s.Logs = hook.URL + "/group" }); err != nil {
		t.Fatal(err)
	}
	bring(false)
	c.add(time.Minute)
	if _, err := l.DeliverTrail(ctx, "main"); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("a log service that fails: %v", err)
	}
	i, err := l.Trail("main")
	if err != nil || i.Status.DeliveryError != "" || i.Status.Waiting != 0 || i.Status.Logs.Waiting != 1 || !strings.Contains(i.Status.Logs.DeliveryError, "500") {
		t.Errorf("%+v, %+v, %v", i.Status, i.Status.Logs, err)
	}
	back.Store(true)
	c.add(24 * time.Hour)
	if i := deliver(); i.Status.Logs.Waiting != 0 || i.Status.Logs.DeliveryError != "" {
		t.Errorf("%+v", i.Status.Logs)
	}
	if got := strings.Count(bodies.String(), "\n"); got != 1 {
		t.Errorf("the webhook has %d events: %s", got, bodies.String())
	}
	// Switched off, and on again: from then on.
	for _, logs := range []string{"", "jsonl:/out/group.jsonl"} {
		if err := update(func(s *engine.TrailSettings) { s.Logs = logs }); err != nil {
			t.Fatal(err)
		}
		bring(logs != "")
		deliver()
	}
	check("switched on again")
	for _, bad := range []string{"file:/out", "s3://bucket", "jsonl:out", "jsonl:/out/../x", "https://"} {
		if err := update(func(s *engine.TrailSettings) { s.Logs = bad }); err == nil || !strings.Contains(err.Error(), "Logs") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if err := l.DeleteTrail(ctx, "main"); err != nil {
		t.Fatal(err)
	}
	l.Close()
	l = openTrailLake(t, mem, c, nil)
	if list, err := l.Trails(); err != nil || len(list) != 0 {
		t.Errorf("after deletion: %v, %v", list, err)
	}
}
