package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/event/generate"
)

// historyEvent is an event of a time, a number and a category.
func historyEvent(at time.Time, i int, category string) []byte {
	return []byte(fmt.Sprintf(`{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","userName":"u%d"},"eventTime":%q,"eventSource":"iam.amazonaws.com","eventName":"CreateUser","awsRegion":"us-east-1","recipientAccountId":"11111111111%d","eventID":"%08x-0000-4000-8000-000000000000","readOnly":false,"eventCategory":%q}`,
		i%3, at.UTC().Format("2006-01-02T15:04:05Z"), i%2, i, category))
}

// idsOf reads all pages of a lookup and returns the first eight digits of the events' IDs.
func idsOf(t *testing.T, look func(context.Context, LookupRequest) (*LookupResult, error), req LookupRequest) []string {
	t.Helper()
	var out []string
	for {
		page, err := look(context.Background(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			out = append(out, strings.TrimLeft(e.EventID[:8], "0"))
		}
		if req.Token = page.Next; req.Token == "" {
			return out
		}
	}
}

func TestEventHistory(t *testing.T) {
	ctx := context.Background()
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	l := openTest(t, vfs.NewMem(), Options{Clock: func() time.Time { return now }, SegmentRows: 16, MemtableRows: 16, RetainInterval: -1, DigestInterval: -1})
	a, err := l.CreateStore(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.CreateStore(ctx, "b")
	if err != nil {
		t.Fatal(err)
	}
	at := func(day int) time.Time { return now.AddDate(0, 0, -day) }
	// In a: 1 to 4; in b: the same 2, another event of the time of 3, and what is no history.
	appendTest(t, a, [][]byte{historyEvent(at(10), 1, "Management"), historyEvent(at(20), 2, "Management"), historyEvent(at(30), 3, "Management"), historyEvent(at(90), 4, "Management")})
	appendTest(t, b, [][]byte{historyEvent(at(20), 2, "Management"), historyEvent(at(30), 5, "Management"), historyEvent(at(1), 6, "Data"), historyEvent(at(91), 7, "Management")})
	// Offered to the lake: into a and b, and into the history, which is made for it.
	if l.storeCalled(HistoryStore) != nil {
		t.Error("there is a history already")
	}
	verdicts, err := l.Append(ctx, [][]byte{historyEvent(at(2), 8, "Management"), historyEvent(at(3), 9, "Data")})
	if err != nil {
		t.Fatal(err)
	}
	if len(verdicts[0]) != 3 || len(verdicts[1]) != 2 {
		t.Errorf("%+v", verdicts)
	}
	all := "8 1 2 3 5 4"
	for _, limit := range []int{1, 2, 3, 50} {
		if got := strings.Join(idsOf(t, l.LookupEvents, LookupRequest{Limit: limit}), " "); got != all {
			t.Errorf("pages of %d: %s, want %s", limit, got, all)
		}
		if got := strings.Join(idsOf(t, l.LookupAll, LookupRequest{Limit: limit}), " "); got != "6 8 9 1 2 3 5 4 7" {
			t.Errorf("all in pages of %d: %s", limit, got)
		}
	}
	for _, c := range []struct {
		name string
		req  LookupRequest
		want string
	}{
		{"both ends", LookupRequest{Start: at(30), End: at(10)}, "1 2 3 5"},
		{"user", LookupRequest{Attributes: map[string]string{"Username": "u2"}}, "8 2 5"},
		{"user and account", LookupRequest{Attributes: map[string]string{"Username": "u2"}, Account: "111111111110"}, "8 2"},
		{"region", LookupRequest{Region: "eu-west-1"}, ""},
		{"an ID that two stores have", LookupRequest{Attributes: map[string]string{"eventid": "00000002-0000-4000-8000-000000000000"}}, "2"},
	} {
		if got := strings.Join(idsOf(t, l.LookupEvents, c.req), " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	// A view without the older store has the event of the other one.
	v := l.As(Scope{Stores: []string{"b", HistoryStore}, Accounts: []string{All}})
	if got := strings.Join(idsOf(t, v.LookupEvents, LookupRequest{}), " "); got != "8 2 5" {
		t.Errorf("a view of b: %s", got)
	}
	v = l.As(Scope{Stores: []string{All}, Accounts: []string{"111111111111"}})
	if got := strings.Join(idsOf(t, v.LookupEvents, LookupRequest{Limit: 1}), " "); got != "1 3 5" {
		t.Errorf("a view of an account: %s", got)
	}
	// Deleting a store takes its events out of sight, and no others.
	if err := l.DeleteStore(ctx, "a", false); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(idsOf(t, l.LookupEvents, LookupRequest{}), " "); got != "8 2 5" {
		t.Errorf("without a: %s", got)
	}
	for _, bad := range []LookupRequest{
		{Category: "Data"}, {Category: "nonsense"}, {Category: "insight", Attributes: map[string]string{"Username": "x"}}, {Attributes: map[string]string{"EventName": ""}}, {Token: "AAAA"},
	} {
		if _, err := l.LookupEvents(ctx, bad); !errors.Is(err, ErrBadInput) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestLookupInsights(t *testing.T) {
	ctx := context.Background()
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	l := openTest(t, vfs.NewMem(), Options{Clock: func() time.Time { return now }})
	s, err := l.CreateStoreOf(ctx, "insights", event.Insights)
	if err != nil {
		t.Fatal(err)
	}
	appendTest(t, s, [][]byte{
		[]byte(`{"eventVersion":"1.08","eventTime":"2026-05-30T00:00:00Z","eventID":"00000001-0000-4000-8000-000000000000","eventCategory":"Insight","eventType":"AwsCloudTrailInsight","insightEventName":"PutObject","insightEventSource":"s3.amazonaws.com","insightState":"Start"}`),
	})
	appendTest(t, storeTest(t, l), [][]byte{
		[]byte(`{"eventVersion":"1.07","eventTime":"2026-05-31T00:00:00Z","eventID":"00000002-0000-4000-8000-000000000000","eventType":"AwsCloudTrailInsight","insightDetails":{"state":"End","eventSource":"ec2.amazonaws.com","eventName":"RunInstances"}}`),
		historyEvent(now, 3, "Management"),
	})
	for name, want := range map[string]string{"": "2 1", "PutObject": "1", "RunInstances": "2", "CreateUser": ""} {
		req := LookupRequest{Category: "insight"}
		if name != "" {
			req.Attributes = map[string]string{"EventName": name}
		}
		if got := strings.Join(idsOf(t, l.LookupEvents, req), " "); got != want {
			t.Errorf("insights of %q: %s, want %s", name, got, want)
		}
	}
}

// Lookups of every attribute, in any order of arrival, find what reading all records finds.
func TestLookupModel(t *testing.T) {
	forever := uint32(Forever)
	for _, o := range []Options{{}, {SegmentRows: 700, MemtableRows: 700}} {
		g, err := generate.New(generate.Options{Events: 1500})
		if err != nil {
			t.Fatal(err)
		}
		fs := vfs.NewMem()
		if _, err := g.WriteFiles(context.Background(), fs, "logs", nil); err != nil {
			t.Fatal(err)
		}
		l := openTest(t, fs, o)
		if _, err := l.Import(context.Background(), ImportOptions{Paths: []string{"logs/AWSLogs"}, Days: &forever}); err != nil {
			t.Fatal(err)
		}
		s, err := l.Store(DefaultStore)
		if err != nil {
			t.Fatal(err)
		}
		appendTest(t, s, [][]byte{historyEvent(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), 1, "Management"), historyEvent(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), 2, "Data")})
		var events []LookupEvent
		for seq := range s.Events() {
			rec, err := s.Record(context.Background(), seq)
			if err != nil {
				t.Fatal(err)
			}
			var e LookupEvent
			if err := e.fill(s.Name(), seq, rec); err != nil {
				t.Fatal(err)
			}
			events = append(events, e)
		}
		sort.Slice(events, func(i, j int) bool {
			a, b := &events[i], &events[j]
			return a.EventTime.After(b.EventTime) || a.EventTime.Equal(b.EventTime) && a.Seq > b.Seq
		})
		rng := rand.New(rand.NewPCG(7, 7))
		for range 30 {
			// The values of some event, so that something is found.
			e := &events[rng.IntN(len(events))]
			attributes := map[string]string{"EventId": e.EventID, "EventName": e.EventName, "EventSource": e.EventSource, "ReadOnly": e.ReadOnly, "Username": e.Username, "AccessKeyId": e.AccessKeyID}
			if len(e.Resources) > 0 {
				r := e.Resources[rng.IntN(len(e.Resources))]
				attributes["ResourceType"], attributes["ResourceName"] = r.Type, r.Name
				if short := event.ShortNames(r.Name); len(short) > 0 && rng.IntN(2) == 0 {
					attributes["ResourceName"] = short[rng.IntN(len(short))]
				}
			}
			req := LookupRequest{Attributes: map[string]string{}, Limit: 1 + rng.IntN(200)}
			for name, value := range attributes {
				if value != "" && rng.IntN(4) == 0 {
					req.Attributes[name] = value
				}
			}
			if rng.IntN(3) == 0 {
				req.Start, req.End = e.EventTime.Add(-time.Hour), e.EventTime
			}
			var want, got []uint64
			for i := range events {
				x := &events[i]
				ok := (req.Start.IsZero() || !x.EventTime.Before(req.Start)) && (req.End.IsZero() || !x.EventTime.After(req.End))
				for name, value := range req.Attributes {
					ok = ok && attributeNames[strings.ToLower(name)].has(x.Record, value)
				}
				if ok {
					want = append(want, x.Seq)
				}
			}
			for {
				page, err := s.Lookup(context.Background(), req)
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range page.Events {
					got = append(got, x.Seq)
				}
				if req.Token = page.Next; req.Token == "" {
					break
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%v, %v to %v: %d events, want %d", req.Attributes, req.Start, req.End, len(got), len(want))
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLookupNew(t *testing.T) {
	ctx := context.Background()
	l := openTest(t, vfs.NewMem(), Options{})
	a := storeTest(t, l)
	appendTest(t, a, testEvents(0, 5))
	req := LookupRequest{Attributes: map[string]string{"Username": "user1"}}
	r, err := l.LookupNew(ctx, req, "", nil, 0)
	if err != nil || len(r.Events) != 0 || r.Cursor[a.ID()] != 5 {
		t.Fatalf("%+v, %v", r, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b, err := l.CreateStore(ctx, "b")
		if err == nil {
			_, err = a.Append(ctx, testEvents(5, 20))
		}
		if err == nil {
			_, err = b.Append(ctx, testEvents(8, 30)) // user1 in 8, 15: in a already; in 22, 29
		}
		if err != nil {
			t.Error(err)
		}
	}()
	var got []string
	for len(got) < 4 {
		if r, err = l.LookupNew(ctx, req, "", r.Cursor, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		if len(r.Events) == 0 {
			t.Fatal("nothing comes")
		}
		for _, e := range r.Events {
			got = append(got, strings.TrimLeft(e.EventID[:8], "0"))
		}
	}
	<-done
	sort.Strings(got)
	if strings.Join(got, " ") != "16 1d 8 f" {
		t.Errorf("followed %v", got)
	}
	if r, err = l.LookupNew(ctx, req, "", r.Cursor, time.Millisecond); err != nil || len(r.Events) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestLookupIndexesStay: what a lookup by resources needs is made once, with room for it: making it must not drive
// out of the cache what it has made for other segments.
func TestLookupIndexesStay(t *testing.T) {
	ctx := context.Background()
	l := openTest(t, vfs.NewMem(), Options{SegmentRows: 2048, CacheBytes: 16 << 20, NoMerge: true})
	s := storeTest(t, l)
	g, err := generate.New(generate.Options{Events: 8 * 2048})
	if err != nil {
		t.Fatal(err)
	}
	var batch [][]byte
	err = g.Each(func(raw []byte, _ int64) error {
		if batch = append(batch, slices.Clone(raw)); len(batch) == 2048 {
			appendTest(t, s, batch)
			batch = nil
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for sealed := false; !sealed; {
		sn := s.snapshot()
		sealed = len(sn.segments) == 8
		sn.release()
		<-sleep()
	}
	ask := func() (misses int64) {
		before := l.cache.Stats().Misses
		if _, err := s.Lookup(ctx, LookupRequest{Attributes: map[string]string{"ResourceType": "none-has-this"}}); err != nil {
			t.Fatal(err)
		}
		return l.cache.Stats().Misses - before
	}
	first := ask()
	if again := ask(); again != 0 {
		t.Errorf("asked again, %d parts of the segments were read and made again, %d at first", again, first)
	}
}
