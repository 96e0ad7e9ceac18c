package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/event/generate"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/plan"
)

// viewLake returns a lake of generated events in many small segments and a memtable.
func viewLake(t testing.TB, events int64, o Options) (*Lake, *Store) {
	t.Helper()
	if o.SegmentRows == 0 {
		o.SegmentRows = 256
	}
	o.MemtableAge = -1
	l := openTest(t, vfs.NewMem(), o)
	s := storeTest(t, l)
	g, err := generate.New(generate.Options{Events: events, Days: 3})
	if err != nil {
		t.Fatal(err)
	}
	var batch [][]byte
	err = g.Each(func(raw []byte, _ int64) error {
		if batch = append(batch, slices.Clone(raw)); len(batch) == 100 {
			appendTest(t, s, batch)
			batch = nil
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.freezeStores(context.Background(), []*Store{s}); err != nil {
		t.Fatal(err)
	}
	appendTest(t, s, batch)
	return l, s
}

// rowsOf runs a query, with rules of the planner left out, and sorts its rows.
func rowsOf(t testing.TB, l *Lake, text string, off plan.Rules) []string {
	t.Helper()
	cat := l.newQueryCatalog()
	defer cat.release()
	return rowsIn(t, l, cat, text, off)
}

// withoutViews leaves the views' rule of the planner out.
var withoutViews = plan.RulesOf(plan.UseViews)

func rowsIn(t testing.TB, l *Lake, cat *queryCatalog, text string, off plan.Rules) []string {
	t.Helper()
	opt := l.queryOptions()
	opt.Off = off
	rows, err := sql.Query(context.Background(), cat, text, nil, opt)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer rows.Close()
	out := textRows(t, text, rows.Next)
	slices.Sort(out)
	return out
}

func sameAnswers(t testing.TB, l *Lake, text string) {
	t.Helper()
	got, want := rowsOf(t, l, text, 0), rowsOf(t, l, text, withoutViews)
	if !slices.Equal(got, want) {
		t.Fatalf("%s\nwith views %d rows, without %d\nwith:    %.600s\nwithout: %.600s", text, len(got), len(want), fmt.Sprint(got), fmt.Sprint(want))
	}
}

func explainText(t testing.TB, l *Lake, text string) string {
	return strings.Join(queryTest(t, l, "EXPLAIN "+text), "\n")
}

func fillTest(t testing.TB, l *Lake) {
	t.Helper()
	if err := l.FillViews(context.Background(), "", nil); err != nil {
		t.Fatal(err)
	}
}

func TestViewIsItsQuery(t *testing.T) {
	l, _ := viewLake(t, 2000, Options{})
	_, err := l.CreateView(context.Background(), NewView{Name: "hourly", Query: `SELECT date_trunc('hour', eventTime) AS hour, eventSource,
		count(*) AS n, count(errorCode) AS errors, max(eventTime) AS last, approx_distinct(userIdentity.arn) AS who, max_by(eventName, eventTime) AS latest
		FROM events GROUP BY 1, 2`})
	if err != nil {
		t.Fatal(err)
	}
	fillTest(t, l)
	v, err := l.ViewNamed("HOURLY")
	if err != nil {
		t.Fatal(err)
	}
	if v.Segments == 0 || v.Filled != v.Segments || v.Cursor != v.Sealed || v.Events == 0 || v.Groups == 0 || v.Bytes == 0 {
		t.Errorf("status %+v", v)
	}
	sameAnswers(t, l, "SELECT * FROM hourly")
	if text := explainText(t, l, "SELECT * FROM hourly WHERE hour > TIMESTAMP '2000-01-01'"); !strings.Contains(text, fmt.Sprintf("from view hourly: %d segments from partials, 0 scanned", v.Segments)) {
		t.Errorf("plan\n%s", text)
	}
	for _, q := range []string{
		"SELECT sum(n) FROM hourly",
		"SELECT eventSource, sum(n) FROM hourly WHERE hour >= TIMESTAMP '2026-01-02' GROUP BY 1",
		"SELECT date_trunc('day', eventTime), count(*) FROM events GROUP BY 1",
		"SELECT count(*), count(errorCode), max(eventTime) FROM events WHERE eventSource LIKE '%a%'",
		"SELECT h.eventSource, e.n FROM hourly h JOIN (SELECT eventSource, count(*) n FROM events GROUP BY 1) e ON h.eventSource = e.eventSource WHERE h.n > 3",
	} {
		sameAnswers(t, l, q)
	}
}

// TestEveryAggregateOfViews keeps each aggregate that a view can have, with and without a bucket of time, and reads it from groups of
// segments and rows that are in none: what comes of the groups is what comes of the rows. (Percentiles of very many different values
// and sums of fractions depend on the order in which parts are put together, with views as without.)
func TestEveryAggregateOfViews(t *testing.T) {
	ctx := context.Background()
	l, s := viewLake(t, 3000, Options{SegmentRows: 500})
	aggregates := []string{"count(*)", "count(errorCode)", "count_if(readOnly)", "sum(length(eventID) + length(eventName))", "sum(to_unixtime(eventTime))", "min(eventTime)", "max(eventTime)", "min(eventName)",
		"avg(length(eventName))", "avg(to_unixtime(eventTime))", "min_by(eventName, eventTime)", "max_by(eventID, eventTime)", "approx_distinct(eventID)", "approx_distinct(eventID, 0.01)",
		"bool_and(readOnly)", "every(readOnly)",
		"bool_or(readOnly)", "checksum(eventID)", "arbitrary(length(eventID))", "any_value(length(eventID))", "max(length(eventName)) FILTER (WHERE errorCode IS NOT NULL)"}
	columns := make([]string, len(aggregates))
	for i, a := range aggregates {
		columns[i] = fmt.Sprintf("%s AS a%d", a, i)
	}
	list := strings.Join(columns, ", ")
	percentiles := ", approx_percentile(length(eventName), ARRAY[0.1, 0.5, 0.99]) AS p, approx_percentile(length(eventName), 0.9) AS p90"
	for name, q := range map[string]string{
		"bucketed": "SELECT date_trunc('day', eventTime) AS day, eventSource, " + list + percentiles + " FROM events GROUP BY 1, 2",
		"plain":    "SELECT eventSource, " + list + " FROM events GROUP BY 1",
		"whole":    "SELECT " + list + " FROM events WHERE eventName <> 'x'",
	} {
		if _, err := l.CreateView(ctx, NewView{Name: name, Query: q}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	fillTest(t, l)
	var late [][]byte
	for i := range 50 {
		late = append(late, testEvent(20_000+i))
	}
	appendTest(t, s, late)
	for _, q := range []string{
		"SELECT * FROM bucketed", "SELECT * FROM plain", "SELECT * FROM whole",
		"SELECT date_trunc('day', eventTime), " + list + " FROM events GROUP BY 1", "SELECT " + list + " FROM events",
	} {
		if text := explainText(t, l, q); !strings.Contains(text, "from view") {
			t.Errorf("%s is read from no view:\n%s", q, text)
		}
		got, want := rowsOf(t, l, q, 0), rowsOf(t, l, q, withoutViews)
		if len(got) != len(want) {
			t.Fatalf("%.60s: %d rows from groups, %d from rows", q, len(got), len(want))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%.60s:\nfrom groups %q\nfrom rows   %q", q, got[i], want[i])
			}
		}
	}
}

// TestDamagedPartials spoils what is stored of a view: check names it, queries go on
// from the rows, and the groups are made again.
func TestDamagedPartials(t *testing.T) {
	ctx := context.Background()
	l, s := viewLake(t, 1000, Options{})
	fillTest(t, l)
	report, err := l.Check(ctx, CheckOptions{})
	if err != nil || report.ProblemCount > 0 {
		t.Fatalf("before: %+v, %v", report, err)
	}
	const query = "SELECT eventName, calls, errors FROM calls_per_hour"
	sn := s.snapshot()
	defer sn.release()
	spoiled := 0
	for n, spoil := range []func(b []byte) []byte{
		func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		func(b []byte) []byte { return b[:len(b)-1] },
		func([]byte) []byte { return nil },
	} {
		for _, kind := range []byte{blockViewHead, blockView} {
			seg := sn.segments[n]
			data, release, err := l.db.Block(seg.cat.Number, kind, 2)
			if err != nil {
				t.Fatal(err)
			}
			bad := spoil(slices.Clone(data))
			release()
			table, err := l.db.WriteTable(seg.cat.Number, []lsm.Block{{Kind: kind, ID: 2, Data: bad}})
			if err == nil {
				err = l.db.Ingest(ctx, table)
			}
			if err != nil {
				t.Fatal(err)
			}
			spoiled++
			report, err := l.Check(ctx, CheckOptions{})
			if err != nil || report.ProblemCount != 1 || report.Problems[0].Place != "view activity_per_hour" || report.Problems[0].Segment != seg.cat.Number {
				t.Fatalf("kind %d spoiled: %+v, %v", kind, report, err)
			}
			sameAnswers(t, l, query)
			fillTest(t, l)
			if report, err = l.Check(ctx, CheckOptions{}); err != nil || report.ProblemCount > 0 {
				t.Fatalf("after: %+v, %v", report, err)
			}
		}
	}
}

// TestViewsAreKept reopens a lake, merges its segments, and drops a view: what is stored
// follows.
func TestViewsAreKept(t *testing.T) {
	ctx := context.Background()
	fs := vfs.NewMem()
	o := Options{SegmentRows: 512, MemtableRows: 64, MemtableAge: -1, NoMerge: true}
	l := openTest(t, fs, o)
	appendTest(t, storeTest(t, l), testEvents(0, 1000))
	if _, err := l.CreateView(ctx, NewView{Name: "names", Query: "SELECT userIdentity.userName AS who, count(*) AS n FROM events GROUP BY 1", Store: "events"}); err != nil {
		t.Fatal(err)
	}
	if err := l.freezeStores(ctx, l.Stores()); err != nil {
		t.Fatal(err)
	}
	fillTest(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	o.NoMerge = false
	l = openTest(t, fs, o)
	s := storeTest(t, l)
	full := func() *ViewStatus {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; {
			fillTest(t, l)
			v, err := l.ViewNamed("names")
			if err == nil && v.Filled == v.Segments && v.Segments > 0 && v.Events == 1000 {
				return v
			}
			if err != nil || time.Now().After(deadline) { // a merge may have come between
				t.Fatalf("%+v, %v", v, err)
			}
		}
	}
	before := full()
	for deadline := time.Now().Add(20 * time.Second); ; {
		if v := full(); v.Segments < before.Segments || time.Now().After(deadline) {
			break
		}
		l.merger.poke()
		time.Sleep(time.Millisecond)
	}
	sameAnswers(t, l, "SELECT * FROM names")
	if got := queryTest(t, l, "SELECT sum(n) FROM names"); got[0] != "1000" {
		t.Errorf("%v events", got)
	}
	if err := l.DropView(ctx, "names"); err != nil {
		t.Fatal(err)
	}
	fillTest(t, l)
	sn := s.snapshot()
	defer sn.release()
	for _, seg := range sn.segments {
		if _, release, err := l.db.Block(seg.cat.Number, blockView, firstViewNumber); !errors.Is(err, lsm.ErrNotFound) {
			release()
			t.Errorf("segment %d has the groups of a view that was dropped: %v", seg.cat.Number, err)
		}
	}
	if _, err := l.Query(ctx, "SELECT * FROM names"); err == nil {
		t.Error("a view that was dropped can be read")
	}
}
