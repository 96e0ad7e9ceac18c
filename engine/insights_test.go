package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/insight"
)

// insightDay is the first day of the events of these tests.
var insightDay = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// call makes a record; n tells it from others.
func call(n int, at time.Time, name, arn, code string, readOnly bool) []byte {
	more := ""
	if code != "" {
		more = fmt.Sprintf(`,"errorCode":%q`, code)
	}
	return fmt.Appendf(nil, `{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","arn":%q,"accountId":"111122223333"},"eventTime":%q,"eventSource":"ec2.amazonaws.com","eventName":%q,"awsRegion":"eu-west-1","userAgent":"aws-cli/2","requestParameters":null,"eventID":"%08x-0000-4000-8000-%012x","readOnly":%v,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"%s}`,
		arn, at.UTC().Format(time.RFC3339), name, n, n, readOnly, more)
}

// traffic is some weeks of calls: a steady writer, a reader, and a burst by somebody else in the last week, with
// refusals in it.
func traffic(days int) (records [][]byte) {
	n := 0
	add := func(at time.Time, name, arn, code string, readOnly bool) {
		n++
		records = append(records, call(n, at, name, arn, code, readOnly))
	}
	r := rand.New(rand.NewPCG(3, 4))
	for m := range days * 24 * 6 { // every ten minutes or so
		at := insightDay.Add(time.Duration(m) * 10 * time.Minute)
		for range r.IntN(4) {
			add(at.Add(time.Duration(r.IntN(600))*time.Second), "RunInstances", "arn:aws:sts::111122223333:assumed-role/deploy/s"+fmt.Sprint(m%9), "", false)
		}
		if m%7 == 0 {
			add(at, "DescribeInstances", "arn:aws:iam::111122223333:user/mon", "", true)
		}
	}
	burst := insightDay.AddDate(0, 0, days-2).Add(14*time.Hour + 7*time.Minute)
	for i := range 120 {
		code := ""
		if i%2 == 1 {
			code = "Client.UnauthorizedOperation"
		}
		add(burst.Add(time.Duration(i)*5*time.Second), "RunInstances", "arn:aws:sts::111122223333:assumed-role/intruder/x", code, false)
	}
	return records
}

// insightLake opens a lake whose clock stands at a time after all events.
func insightLake(t testing.TB, fs vfs.FS, now func() time.Time, o Options) *Lake {
	t.Helper()
	o.Clock, o.DigestInterval, o.RetainInterval = now, -1, -1
	if o.InsightInterval == 0 {
		o.InsightInterval = -1
	}
	return openTest(t, fs, o)
}

func stands(t time.Time) func() time.Time { return func() time.Time { return t } }

func enableTest(t testing.TB, l *Lake, n InsightSettings) {
	t.Helper()
	if n.Store == "" {
		n.Store = DefaultStore
	}
	storeTest(t, l)
	if _, err := l.EnableInsights(context.Background(), n); err != nil {
		t.Fatal(err)
	}
}

func detectTest(t testing.TB, l *Lake) *InsightReport {
	t.Helper()
	r, err := l.DetectInsights(context.Background(), DefaultStore, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// recordsOf returns all records of the store of insights, and those of them that count.
func recordsOf(t testing.TB, l *Lake) (all, count []string) {
	t.Helper()
	s, err := l.Store(InsightsStore)
	if err != nil {
		t.Fatal(err)
	}
	sn := s.snapshot()
	defer sn.release()
	byID := map[string]string{}
	err = eachInsightRecord(context.Background(), sn, 0, nil, func(seq uint64, f *recordFields) error {
		raw, err := s.Record(context.Background(), seq)
		all = append(all, string(raw))
		switch {
		case f.Addendum == nil:
			byID[f.EventID] = string(raw)
		case f.Addendum.Reason == insight.Withdrawn:
			delete(byID, f.Addendum.OriginalEventID)
		default:
			for _, r := range all {
				if strings.Contains(r, `"eventID":"`+f.Addendum.OriginalEventID) {
					byID[f.Addendum.OriginalEventID] = r
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range byID {
		count = append(count, r)
	}
	slices.Sort(count)
	return all, count
}

func TestInsightsOfAStore(t *testing.T) {
	l := insightLake(t, vfs.NewMem(), stands(insightDay.AddDate(0, 0, 40)), Options{SegmentRows: 1000, MemtableRows: 700})
	ctx := context.Background()
	if _, err := l.DetectInsights(ctx, DefaultStore, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("without a store: %v", err)
	}
	enableTest(t, l, InsightSettings{})
	appendTest(t, storeTest(t, l), traffic(30))
	r := detectTest(t, l)
	if r.Starts != 2 || r.Ends != 2 || r.Destination != InsightsStore || !r.Everything || r.Series != 2 {
		t.Fatalf("%+v", r)
	}
	if again := detectTest(t, l); again.Starts+again.Ends+again.Withdrawn != 0 {
		t.Errorf("the second time: %+v", again)
	}
	list, err := l.Insights(ctx, InsightFilter{})
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	burst := insightDay.AddDate(0, 0, 28).Add(14*time.Hour + 7*time.Minute)
	for _, in := range list {
		top := in.Attributions[0].Insight[0]
		if in.Start.Sub(burst).Abs() > 2*time.Minute || in.End.Sub(burst.Add(9*time.Minute)).Abs() > 4*time.Minute || in.Store != DefaultStore || top.Value != "arn:aws:sts::111122223333:assumed-role/intruder" {
			t.Errorf("%+v", in)
		}
		if (in.Type == insight.ErrorRate) != (in.ErrorCode == "Client.UnauthorizedOperation") {
			t.Errorf("type %s, code %q", in.Type, in.ErrorCode)
		}
	}
	if base := list[0].Attributions[0].Baseline; list[0].Type == insight.CallRate && (len(base) != 1 || base[0].Value != "arn:aws:sts::111122223333:assumed-role/deploy") {
		t.Errorf("baseline by %+v", base)
	}
	// The records are ordinary events.
	all, count := recordsOf(t, l)
	if len(all) != 4 || len(count) != 4 {
		t.Fatalf("%d records, %d of them count", len(all), len(count))
	}
	for _, raw := range all {
		var ev event.Event
		if err := event.Parse([]byte(raw), &ev); err != nil {
			t.Fatal(err)
		}
		if err := event.Insights.Check(&ev); err != nil {
			t.Fatal(err)
		}
	}
	if n := queryTest(t, l, `SELECT count(*) FROM insights WHERE insightState = 'Start' AND insightContext.insightAverage > 10 * insightContext.baselineAverage AND insightSource = '`+storeTest(t, l).insightSource()+`'`); len(n) != 1 || n[0] != "2" {
		t.Errorf("SQL finds %s", n)
	}
	if n := queryTest(t, l, `SELECT count(*) FROM cairn_audit WHERE eventData.eventName = 'EnableInsights'`); len(n) != 1 || n[0] != "1" {
		t.Errorf("the audit store has %s", n)
	}
}

func TestInsightSettings(t *testing.T) {
	fs := vfs.NewMem()
	ctx := context.Background()
	l := insightLake(t, fs, stands(insightDay), Options{})
	storeTest(t, l)
	for name, n := range map[string]InsightSettings{
		"type":        {Types: []insight.Type{"x"}},
		"category":    {Categories: []insight.Category{"x"}},
		"lateness":    {Lateness: 25 * time.Hour},
		"seconds":     {Lateness: 90 * time.Second},
		"sensitivity": {Params: insight.Params{Sensitivity: 99}},
		"itself":      {Destination: DefaultStore},
		"store":       {Store: AuditStore},
	} {
		if n.Store == "" {
			n.Store = DefaultStore
		}
		if _, err := l.EnableInsights(ctx, n); err == nil {
			t.Errorf("%s: was taken", name)
		}
	}
	if len(l.InsightSettings()) != 0 {
		t.Error("something was enabled")
	}
	nobody := WithActor(ctx, Actor{Kind: "Principal", Name: "eve"})
	if _, err := l.EnableInsights(nobody, InsightSettings{Store: DefaultStore}); !errors.Is(err, ErrRefused) {
		t.Errorf("without permission: %v", err)
	}
	if err := l.DisableInsights(ctx, DefaultStore); !errors.Is(err, ErrConflict) {
		t.Errorf("disabled twice: %v", err)
	}
	want, err := l.EnableInsights(ctx, InsightSettings{Store: DefaultStore, Types: []insight.Type{insight.ErrorRate}, Categories: []insight.Category{insight.Data}, Destination: "odd", Lateness: time.Hour, Params: insight.Params{Sensitivity: 0.5, MinCalls: 20, MinRate: 1.5, MinDuration: 3}})
	if err != nil {
		t.Fatal(err)
	}
	if want.Destination != "odd" || !want.On || want.Lateness != time.Hour || want.Params.MinDuration != 3 || len(want.Types) != 1 || len(want.Categories) != 1 {
		t.Errorf("%+v", want)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = insightLake(t, fs, stands(insightDay), Options{})
	if got := l.InsightSettings(); len(got) != 1 || fmt.Sprint(got[0]) != fmt.Sprint(want) {
		t.Errorf("after opening again: %+v, not %+v", got, want)
	}
	if err := l.DisableInsights(ctx, DefaultStore); err != nil {
		t.Fatal(err)
	}
	if _, err := l.DetectInsights(ctx, DefaultStore, nil); !errors.Is(err, ErrConflict) {
		t.Errorf("detection while disabled: %v", err)
	}
}
