package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"gocloud.dev/pubsub"
	_ "gocloud.dev/pubsub/mempubsub"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/topic"
)

// topics opens topics in this process, and can take them away.
type topics struct {
	sync.Mutex
	away, slow error // before anything is sent; after all was
	sent       int
}

func (f *topics) open(ctx context.Context, url string) (engine.TrailTopic, error) {
	t, err := topic.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	return &faultyTopic{t, f}, nil
}

func (f *topics) set(away, slow error) {
	f.Lock()
	defer f.Unlock()
	f.away, f.slow = away, slow
}

type faultyTopic struct {
	*topic.Topic
	f *topics
}

func (t *faultyTopic) Send(ctx context.Context, messages [][]byte) error {
	t.f.Lock()
	defer t.f.Unlock()
	if t.f.away != nil {
		return t.f.away
	}
	t.f.sent += len(messages)
	return errors.Join(t.Topic.Send(ctx, messages), t.f.slow)
}

// Close does nothing: a topic in this process is one for all that open it.
func (t *faultyTopic) Close() error { return nil }

// heard are the messages of a topic, each once; the topic must have at least n different.
type heard struct {
	sub *pubsub.Subscription
	all map[string]int
}

func hear(t *testing.T, url string) *heard {
	t.Helper()
	// A topic in this process is made by opening it, and drops what nobody listens to.
	to, err := pubsub.OpenTopic(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := pubsub.OpenSubscription(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = sub.Shutdown(context.Background())
		_ = to.Shutdown(context.Background())
	})
	return &heard{sub, map[string]int{}}
}

func (h *heard) wait(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for len(h.all) < n {
		m, err := h.sub.Receive(ctx)
		if err != nil {
			t.Fatalf("%d of %d messages came: %v", len(h.all), n, err)
		}
		m.Ack()
		h.all[string(m.Body)]++
	}
}

// TestTrailTopics sends events to topics in all forms, while topics are away, and after
// reopening the lake.
func TestTrailTopics(t *testing.T) {
	ctx := context.Background()
	mem, c := vfs.NewMem(), newClock()
	f := &topics{}
	open := func(o *engine.Options) { o.OpenTopic = f.open }
	l := openTrailLake(t, mem, c, open)
	defer func() { l.Close() }()
	subs := map[string]*heard{}
	for _, form := range []string{"", "bus", "log"} {
		s := trailSettings()
		s.Name, s.Form, s.Target = "form-"+form+"x", form, "mem://events-"+form
		if form == "bus" {
			s.Pattern = json.RawMessage(`{"source":["aws.s3"],"detail":{"eventName":[{"anything-but":"Do3"}]}}`)
		}
		subs[form] = hear(t, s.Target)
		if _, err := l.CreateTrail(ctx, s); err != nil {
			t.Fatal(err)
		}
		if err := l.StartTrail(ctx, s.Name, false); err != nil {
			t.Fatal(err)
		}
	}
	deliver := func() (failed int) {
		for form := range subs {
			if _, err := l.DeliverTrail(ctx, "form-"+form+"x"); err != nil {
				failed++
				t.Log(err)
			}
		}
		return failed
	}
	large := trailRecord(4, trailAccount, "eu-west-1", "Management", "s3.amazonaws.com")
	large = append(large[:len(large)-1], `,"requestParameters":{"x":"`+strings.Repeat("y", 256<<10)+`"}}`...)
	for n := range 130 {
		if n == 4 {
			appendAll(t, l, "events", large)
			continue
		}
		appendAll(t, l, "events", trailRecord(n, trailAccount, "eu-west-1", "Management", "s3.amazonaws.com"))
	}
	f.set(errors.New("no route"), nil)
	if deliver() != 3 {
		t.Error("a topic that is away was delivered to")
	}
	f.set(nil, errors.New("no answer"))
	if deliver() != 3 {
		t.Error("a topic that does not answer was delivered to")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openTrailLake(t, mem, c, open)
	f.set(nil, nil)
	if deliver() != 0 {
		t.Error("not delivered after all")
	}
	for form, want := range map[string]int{"": 129, "bus": 128, "log": 129} {
		h := subs[form]
		h.wait(t, want)
		got := map[string]bool{}
		for text := range h.all {
			var m struct {
				EventName, Message, LogStreamName string
				Detail                            struct{ EventName string }
			}
			if err := json.Unmarshal([]byte(text), &m); err != nil {
				t.Fatal(err)
			}
			name := m.EventName + m.Detail.EventName
			if form == "log" {
				if m.LogStreamName != trailAccount+"_CloudTrail_eu-west-1" {
					t.Errorf("log stream %q", m.LogStreamName)
				}
				_ = json.Unmarshal([]byte(m.Message), &m)
				name = m.EventName
			}
			got[name] = true
		}
		for n := range 130 {
			name := fmt.Sprint("Do", n)
			if want := n != 4 && (form != "bus" || n != 3); got[name] != want {
				t.Errorf("form %q: %s: %v, not %v", form, name, got[name], want)
			}
		}
		info, err := l.Trail("form-" + form + "x")
		if err != nil || info.Status.Skipped != 1 || info.Status.Events != uint64(want) || info.Status.Waiting != 0 {
			t.Errorf("form %q: %+v, %v", form, info.Status, err)
		}
	}
}

// TestTrailNotices tells a topic of deliveries, also when it was away.
func TestTrailNotices(t *testing.T) {
	ctx := context.Background()
	mem, c := vfs.NewMem(), newClock()
	f := &topics{}
	open := func(o *engine.Options) { o.OpenTopic = f.open }
	l := openTrailLake(t, mem, c, open)
	defer func() { l.Close() }()
	s := trailSettings()
	s.Notify = "mem://told"
	h := hear(t, s.Notify)
	if _, err := l.CreateTrail(ctx, s); err != nil {
		t.Fatal(err)
	}
	if err := l.StartTrail(ctx, "main", false); err != nil {
		t.Fatal(err)
	}
	deliver := func(n int, fails bool) engine.Trail {
		t.Helper()
		for i, region := range []string{"eu-west-1", "us-west-2"} {
			appendAll(t, l, "events", trailRecord(2*n+i, trailAccount, region, "Management", "ec2.amazonaws.com"))
		}
		c.add(7 * time.Minute)
		info, err := l.DeliverTrail(ctx, "main")
		if (err != nil) != fails {
			t.Fatalf("%d: %v", n, err)
		}
		return info
	}
	deliver(0, false)
	f.set(errors.New("no route"), nil)
	// Files come although nobody can be told.
	if st := deliver(1, true).Status; st.Files != 4 || st.DeliveryError != "" || !strings.Contains(st.NotificationError, "no route") || st.Notices != 1 || st.Notification.IsZero() {
		t.Errorf("%+v", st)
	}
	f.set(nil, errors.New("no answer"))
	if st := deliver(2, true).Status; st.Notices != 2 {
		t.Errorf("%+v", st)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f.set(nil, nil)
	l = openTrailLake(t, mem, c, open)
	if st := deliver(3, false).Status; st.Notices != 0 || st.NotificationError != "" {
		t.Errorf("%+v", st)
	}
	h.wait(t, 4)
	var told []string
	for text := range h.all {
		var m struct {
			Bucket string   `json:"s3Bucket"`
			Keys   []string `json:"s3ObjectKey"`
		}
		if err := json.Unmarshal([]byte(text), &m); err != nil || m.Bucket != "audit-bucket" || len(m.Keys) != 2 {
			t.Errorf("%s: %v", text, err)
		}
		told = append(told, m.Keys...)
	}
	keys, _ := delivered(t, mem, "/out/audit-bucket")
	slices.Sort(told)
	slices.Sort(keys)
	if !slices.Equal(told, keys) {
		t.Errorf("told of %q, there are %q", told, keys)
	}
	// What waits when notifications are switched off is not sent, and does not stay.
	f.set(errors.New("no route"), nil)
	deliver(4, true)
	_, err := l.UpdateTrail(ctx, "main", func(s *engine.TrailSettings) error { s.Notify = ""; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if st := deliver(5, false).Status; st.Notices != 0 {
		t.Errorf("%+v", st)
	}
	for _, bad := range []string{"s3://bucket", "https://", "awssns://?region=eu-west-1", "told", "file:/x"} {
		s := trailSettings()
		s.Name, s.Notify = "bad", bad
		if _, err := l.CreateTrail(ctx, s); !errors.Is(err, engine.ErrBadInput) {
			t.Errorf("notify %q: %v", bad, err)
		}
	}
}
