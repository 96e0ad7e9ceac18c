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

func TestInsightCharts(t *testing.T) {
	l := insightLake(t, vfs.NewMem(), stands(insightDay.AddDate(0, 0, 30)), Options{SegmentRows: 2000, MemtableRows: 700})
	ctx := context.Background()
	putAll(t, storeTest(t, l), traffic(30), 3000)
	series := insight.Series{Account: "111122223333", Region: "eu-west-1", EventSource: "ec2.amazonaws.com", EventName: "RunInstances"}
	from := insightDay.AddDate(0, 0, 28)
	for _, step := range ChartSteps() {
		ch, err := l.InsightChart(ctx, DefaultStore, series, from, from.AddDate(0, 0, 1), step)
		if err != nil {
			t.Fatal(err)
		}
		n, expected := uint64(0), 0.0
		for i := range ch.Calls {
			n += ch.Calls[i]
			expected += ch.Expected[i]
			if ch.Low[i] > ch.Expected[i] || ch.Expected[i] > ch.High[i] {
				t.Fatalf("step %d: the band is %g, %g, %g", step, ch.Low[i], ch.Expected[i], ch.High[i])
			}
		}
		want := queryTest(t, l, `SELECT count(*) FROM events WHERE eventName = 'RunInstances' AND eventTime >= timestamp '2026-03-30 00:00:00' AND eventTime < timestamp '2026-03-31 00:00:00'`)
		if fmt.Sprint(n) != want[0] || expected < 150 || expected > 280 || len(ch.Calls) != 1440/step {
			t.Errorf("step %d: %d calls, SQL has %s; expected %g in %d steps", step, n, want, expected, len(ch.Calls))
		}
		if len(ch.Incidents) != 1 || ch.Incidents[0].Fate != "reported" || ch.Phase != "quiet" {
			t.Errorf("step %d: %+v, %s", step, ch.Incidents, ch.Phase)
		}
	}
	if ch, err := l.InsightChart(ctx, DefaultStore, series, insightDay, insightDay.AddDate(0, 0, 2), 60); err != nil || ch.Phase != "starting up" || !ch.SpeaksFrom.Equal(insightDay.AddDate(0, 0, 14)) {
		t.Errorf("in the first days: %+v, %v", ch, err)
	}
	for name, err := range map[string]error{
		"step":   second(l.InsightChart(ctx, DefaultStore, series, from, from.AddDate(0, 0, 1), 7)),
		"length": second(l.InsightChart(ctx, DefaultStore, series, from, from.AddDate(9, 0, 0), 1)),
		"no end": second(l.InsightChart(ctx, DefaultStore, series, from, from, 5)),
		"series": second(l.InsightChart(ctx, DefaultStore, insight.Series{EventName: "x"}, from, from.AddDate(0, 0, 1), 5)),
		"store":  second(l.InsightChart(ctx, "nowhere", series, from, from.AddDate(0, 0, 1), 5)),
	} {
		if err == nil {
			t.Errorf("%s: was taken", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestInsightMetrics(t *testing.T) {
	now := insightDay.AddDate(0, 0, 30)
	l := insightLake(t, vfs.NewMem(), stands(now), Options{SegmentRows: 2000, MemtableRows: 700})
	ctx := context.Background()
	putAll(t, storeTest(t, l), traffic(30), 3000)
	q := MetricQuery{Store: DefaultStore, EventSource: "ec2.amazonaws.com", EventName: "RunInstances", Type: insight.CallRate}
	for _, period := range []int{0, 60, 300, 3600} {
		for _, zeros := range []bool{false, true} {
			q := q
			q.Period, q.Zeros = period, zeros
			q.Start, q.End = now.AddDate(0, 0, -2), now.AddDate(0, 0, -1)
			m, err := l.InsightMetrics(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			if period == 0 {
				period = 3600
			}
			sum, nonZero := 0.0, 0
			for i, v := range m.Values {
				sum += v
				if v > 0 {
					nonZero++
				}
				if m.Timestamps[i]%int64(period) != 0 || m.Timestamps[i] < q.Start.Unix() || m.Timestamps[i] >= q.End.Unix() {
					t.Fatalf("a point at %d", m.Timestamps[i])
				}
			}
			want := queryTest(t, l, fmt.Sprintf(`SELECT count(*), count(DISTINCT to_unixtime(eventTime) - to_unixtime(eventTime) %% %d) FROM events WHERE eventName = 'RunInstances' AND eventTime >= timestamp '2026-03-30 00:00:00' AND eventTime < timestamp '2026-03-31 00:00:00'`, period))
			if got := fmt.Sprintf("%g|%d", sum, nonZero); got != want[0] || zeros && len(m.Values) != 86400/period || !zeros && len(m.Values) != nonZero {
				t.Errorf("period %d, zeros %v: %s, SQL has %s; %d points", period, zeros, got, want[0], len(m.Values))
			}
		}
	}
	// Page by page.
	var values []float64
	pages := q
	for pages.MaxResults = 100; ; {
		m, err := l.InsightMetrics(ctx, pages)
		if err != nil {
			t.Fatal(err)
		}
		if values = append(values, m.Values...); m.NextToken == "" {
			break
		}
		if pages.Start, err = time.Parse(time.RFC3339, m.NextToken); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := l.InsightMetrics(ctx, q); err != nil || !slices.Equal(m.Values, values) {
		t.Errorf("%d points page by page, %d at once, %v", len(values), len(m.Values), err)
	}
	errs := q
	errs.Type, errs.ErrorCode = insight.ErrorRate, "Client.UnauthorizedOperation"
	if m, err := l.InsightMetrics(ctx, errs); err != nil || len(m.Values) != 1 || m.Values[0] != 60 {
		t.Errorf("errors: %+v, %v", m, err)
	}
	for name, spoil := range map[string]func(q *MetricQuery){
		"no name":            func(q *MetricQuery) { q.EventName = "" },
		"no type":            func(q *MetricQuery) { q.Type = "" },
		"no code":            func(q *MetricQuery) { q.Type = insight.ErrorRate },
		"code of calls":      func(q *MetricQuery) { q.ErrorCode = "x" },
		"period":             func(q *MetricQuery) { q.Period = 120 },
		"times":              func(q *MetricQuery) { q.Start, q.End = now, now },
		"too many":           func(q *MetricQuery) { q.Period, q.Zeros = 60, true },
		"too many asked for": func(q *MetricQuery) { q.MaxResults = 21601 },
		"category":           func(q *MetricQuery) { q.Category = "x" },
	} {
		bad := q
		spoil(&bad)
		if _, err := l.InsightMetrics(ctx, bad); err == nil {
			t.Errorf("%s: was taken", name)
		}
	}
}

// TestInsightsOfTheService reads records as the service publishes them, in both forms, beside those of the lake.
func TestInsightsOfTheService(t *testing.T) {
	fs := vfs.NewMem()
	flat := `{"eventVersion":"1.07","eventCategory":"Insight","eventType":"AwsCloudTrailInsight","eventID":"a1b2c3d4-1111-4222-8333-444455556666","eventTime":"2026-03-14T02:10:00Z","awsRegion":"us-east-1","recipientAccountId":"111122223333","sharedEventID":"0f0e0d0c-1111-4222-8333-444455556666","insightSource":"arn:aws:cloudtrail:us-east-1:111122223333:eventdatastore/11112222-3333-4444-5555-666677778888","insightState":"%s","insightEventSource":"autoscaling.amazonaws.com","insightEventName":"CompleteLifecycleAction","insightType":"ApiCallRateInsight","insightContext":{"baselineAverage":0.0000882145,"insightAverage":%s,"baselineDuration":11336,"insightDuration":5,"attributions":[{"attribute":"userIdentityArn","insight":[{"value":"arn:aws:sts::111122223333:assumed-role/CodeDeployRole","average":0.6}],"baseline":[]}]}}`
	trail := `{"eventVersion":"1.08","eventTime":"2026-03-15T03:00:00Z","awsRegion":"us-east-1","eventID":"b1b2c3d4-1111-4222-8333-444455556666","eventType":"AwsCloudTrailInsight","recipientAccountId":"111122223333","sharedEventID":"1f0e0d0c-1111-4222-8333-444455556666","insightDetails":{"state":"Start","eventSource":"ec2.amazonaws.com","eventName":"RunInstances","insightType":"ApiErrorRateInsight","errorCode":"Client.InstanceLimitExceeded","insightContext":{"statistics":{"baseline":{"average":0.0017},"insight":{"average":18},"insightDuration":1,"baselineDuration":10080},"attributions":[{"attribute":"userAgent","insight":[{"value":"aws-cli/2","average":18}],"baseline":[]}]}},"eventCategory":"Insight"}`
	start := strings.Replace(fmt.Sprintf(flat, "Start", "0.6"), "a1b2", "a0b2", 1)
	end := strings.Replace(fmt.Sprintf(flat, "End", "0.8"), "02:10", "02:14", 1)
	for name, text := range map[string]string{"flat.json": "{\"Records\":[" + start + "," + end + "]}", "trail.json": trail} {
		f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	l := insightLake(t, fs, stands(insightDay.AddDate(0, 0, 60)), Options{})
	ctx := context.Background()
	r, err := l.Import(ctx, ImportOptions{Store: InsightsStore, Schema: event.Insights, Paths: []string{"flat.json", "trail.json"}})
	if err != nil || r.Stored != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	enableTest(t, l, InsightSettings{})
	putAll(t, storeTest(t, l), traffic(30), 3000)
	detectTest(t, l)
	got := queryTest(t, l, `SELECT insightEventName, insightState, insightContext.insightAverage, insightContext.baselineAverage, insightErrorCode, cardinality(insightContext.attributions) FROM insights WHERE awsRegion = 'us-east-1' ORDER BY eventTime`)
	want := []string{"CompleteLifecycleAction|Start|0.6|8.82145e-05|NULL|1", "CompleteLifecycleAction|End|0.8|8.82145e-05|NULL|1", "RunInstances|Start|18|0.0017|Client.InstanceLimitExceeded|1"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("by SQL:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	list, err := l.Insights(ctx, InsightFilter{Region: "us-east-1"})
	if err != nil || len(list) != 2 || list[0].ErrorCode != "Client.InstanceLimitExceeded" || list[0].Average != 18 || len(list[0].Attributions) != 1 || list[1].Average != 0.8 || list[1].Minutes != 5 {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err := l.Insights(ctx, InsightFilter{}); err != nil || len(list) != 4 {
		t.Errorf("%d in all, %v", len(list), err)
	}
	// Readers of other accounts see none of it.
	for account, n := range map[string]int{"111122223333": 4, "999999999999": 0} {
		view := l.As(Scope{Stores: []string{All}, Accounts: []string{account}})
		if list, err := view.Insights(ctx, InsightFilter{}); err != nil || len(list) != n {
			t.Errorf("account %s sees %d, %v", account, len(list), err)
		}
	}
	if list, err := l.As(Scope{Stores: []string{DefaultStore}, Accounts: []string{All}}).Insights(ctx, InsightFilter{}); err != nil || len(list) != 0 {
		t.Errorf("without the store of records %d are seen, %v", len(list), err)
	}
}

// TestImportedInsights reads records of the service, as trails deliver them, into the store of insights before and after
// there is one, and asks for them and for the lake's own alike.
func TestImportedInsights(t *testing.T) {
	record := func(state, at, id string, more string) string {
		return `{"eventVersion":"1.08","eventTime":"` + at + `","awsRegion":"eu-west-3","eventID":"` + id + `","eventType":"AwsCloudTrailInsight","recipientAccountId":"444455556666",` +
			`"sharedEventID":"5d6b5a3c-0000-4000-8000-000000000001","insightDetails":{"state":"` + state + `","eventSource":"kms.amazonaws.com","eventName":"ScheduleKeyDeletion","insightType":"ApiErrorRateInsight",` +
			`"errorCode":"AccessDenied","insightContext":{"statistics":{"baseline":{"average":0.002},"insight":{"average":4.5},"insightDuration":7,"baselineDuration":10093},` +
			`"attributions":[{"attribute":"userAgent","insight":[{"value":"curl/9","average":4.5}],"baseline":[]}]}},"eventCategory":"Insight"` + more + `}`
	}
	file := `{"Records":[` + record("Start", "2025-03-02T10:00:00Z", "5d6b5a3c-0000-4000-8000-00000000000a", "") + "," + record("End", "2025-03-02T10:07:00Z", "5d6b5a3c-0000-4000-8000-00000000000b", "") + `]}`
	for _, first := range []bool{true, false} {
		fs := vfs.NewMem()
		l := insightLake(t, fs, stands(insightDay.AddDate(0, 0, 40)), Options{})
		writeTest(t, fs, "in/CloudTrail-Insight/a.json.gz", []byte(file))
		take := func() {
			t.Helper()
			if r, err := l.Import(context.Background(), ImportOptions{Paths: []string{"in"}, Store: InsightsStore}); err != nil || r.Stored != 2 {
				t.Fatalf("%+v, %v", r, err)
			}
		}
		if first {
			take()
		}
		enableTest(t, l, InsightSettings{})
		appendTest(t, storeTest(t, l), traffic(30))
		detectTest(t, l)
		if !first {
			take()
		}
		got := queryTest(t, l, `SELECT insightEventName, insightErrorCode, insightContext.insightAverage, insightContext.insightDuration, count(*) OVER ()
			FROM insights WHERE insightType = 'ApiErrorRateInsight' AND insightState = 'End' AND insightContext.insightAverage > insightContext.baselineAverage ORDER BY insightEventName DESC`)
		if len(got) != 2 || !strings.Contains(got[0], "ScheduleKeyDeletion") || !strings.Contains(got[0], "4.5") || !strings.Contains(got[1], "Client.UnauthorizedOperation") {
			t.Errorf("imported first %v: %q", first, got)
		}
		list, err := l.Insights(context.Background(), InsightFilter{})
		if err != nil || len(list) != 3 {
			t.Errorf("imported first %v: %d in the list, %v", first, len(list), err)
		}
	}
}
