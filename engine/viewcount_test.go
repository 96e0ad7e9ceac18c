package engine

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql"
)

// TestCountingIsGrouping makes the groups of views that only count from columns and from a query
// over the rows: the same, and in the order of their time and tuples.
func TestCountingIsGrouping(t *testing.T) {
	ctx := context.Background()
	l, s := viewLake(t, 1500, Options{})
	var odd [][]byte
	for i, when := range []string{"1970-01-01T00:00:00Z", "1970-01-01T00:00:59Z", "1999-12-31T23:59:59Z", "2026-12-31T23:00:00Z", "1999-12-31T23:59:00Z"} {
		odd = append(odd, fmt.Appendf(nil, `{"eventVersion":"1.08","eventID":"00000000-0000-4000-8000-%012d","eventTime":%q,"eventSource":"a.b","eventName":"N","errorCode":%s}`, i, when, []string{"null", `"x"`, `""`}[i%3]))
	}
	appendTest(t, s, odd)
	// Nine keys of hundreds of values a segment have more than the 64 bits that a tuple is told by; half of the events differ in the first only.
	var wide [][]byte
	for i := range 1000 {
		other := i
		if i%100 >= 50 {
			other = i / 100 * 100
		}
		wide = append(wide, fmt.Appendf(nil, `{"eventVersion":"1.08","eventID":"00000000-0000-4000-9000-%012[1]d","eventTime":"2026-03-01T00:00:00Z","eventSource":"a.b","eventName":"N%[2]d",`+
			`"requestID":"r%[1]d","userAgent":"u%[2]d","sourceIPAddress":"s%[2]d","errorMessage":"m%[2]d","vpcEndpointId":"v%[2]d","sharedEventID":"e%[2]d","apiVersion":"a%[2]d","awsRegion":"g%[2]d"}`, i, other))
	}
	appendTest(t, s, wide)
	if err := l.freezeStores(ctx, []*Store{s}); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		counts bool
		query  string
	}{
		{true, "SELECT date_trunc('minute', eventTime) AS m, recipientAccountId, readOnly, userIdentity.arn, count(*), count(errorCode), count(awsRegion) FROM events GROUP BY 1, 2, 3, 4"},
		{true, "SELECT date_trunc('day', eventTime) AS d, count(errorCode) FROM events GROUP BY 1"},
		{true, "SELECT count(*), errorCode, date_trunc('second', eventTime) AS s FROM events GROUP BY 2, 3"},
		{true, "SELECT eventTime, eventSource, count(*) AS n FROM events GROUP BY 1, 2"},
		{true, "SELECT date_trunc('hour', eventTime) AS h, sourceIPAddress, eventID, requestID, count(sourceIPAddress) AS n FROM events GROUP BY 1, 2, 3, 4"},
		{true, "SELECT date_trunc('hour', eventTime) AS h, requestID, userAgent, sourceIPAddress, errorMessage, vpcEndpointId, sharedEventID, apiVersion, awsRegion, eventName, count(*) AS n FROM events GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10"},
		{false, "SELECT date_trunc('week', eventTime) AS w, count(*) FROM events GROUP BY 1"},
		{false, "SELECT date_trunc('hour', eventTime) AS h, count(*) FROM events WHERE errorCode IS NULL GROUP BY 1"},
		{false, "SELECT date_trunc('hour', eventTime) AS h, upper(eventName), count(*) FROM events GROUP BY 1, 2"},
		{false, "SELECT date_trunc('hour', eventTime) AS h, count(*) FILTER (WHERE readOnly) AS n FROM events GROUP BY 1"},
		{false, "SELECT date_trunc('hour', eventTime) AS h, max(eventName) AS n FROM events GROUP BY 1"},
		{false, "SELECT eventName, count(*) FROM events GROUP BY 1"}, // with its times
	} {
		name := fmt.Sprint("v", i)
		if _, err := l.CreateView(ctx, NewView{Name: name, Query: c.query}); err != nil {
			t.Fatal(err)
		}
		if _, ok := l.viewCalled(name).plan.Counting(); ok != c.counts {
			t.Errorf("%s\ncounts only: %v", c.query, ok)
		}
	}
	views, made := s.keptViews(), 0
	for _, seg := range s.snapshotSegments(t) {
		m, err := l.newPartialMaker(ctx, seg, views)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range views {
			data, _, err := m.make(ctx, v)
			if err != nil {
				t.Fatal(err)
			}
			got, err := decodePartial(seg.cat.Number, v.plan.Number, v.plan.Print, v.plan.Types(), data, nil)
			if err != nil {
				t.Fatal(err)
			}
			if want := groupsOf(t, l, seg, v.plan); !slices.Equal(sortedRows(got), want) {
				t.Fatalf("segment %d, view %s: %d groups, should be %d, or others", seg.cat.Number, v.rec.Name, got.Len, len(want))
			}
			made += got.Len
			if key, width, _ := v.plan.Time(); width > 0 {
				for i := 1; i < got.Len; i++ {
					a, j := got.Cols[key].Leaf(i - 1)
					b, k := got.Cols[key].Leaf(i)
					if a.I64[j] > b.I64[k] {
						t.Fatalf("segment %d, view %s: group %d is of an earlier time than the one before", seg.cat.Number, v.rec.Name, i)
					}
				}
			}
		}
	}
	if made < 10_000 {
		t.Errorf("only %d groups", made)
	}
}

// snapshotSegments returns the segments of a store until the end of the test.
func (s *Store) snapshotSegments(t *testing.T) []*sealed {
	sn := s.snapshot()
	t.Cleanup(sn.release)
	return sn.segments
}

// groupsOf returns the groups of a view as a query over the rows of a segment makes them.
func groupsOf(t *testing.T, l *Lake, seg *sealed, v *sql.View) []string {
	t.Helper()
	var out []string
	err := l.eachGroup(context.Background(), seg, v, func(b *column.Batch) error {
		out = append(out, rowsText(b)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

func sortedRows(b *column.Batch) []string {
	out := rowsText(b)
	slices.Sort(out)
	return out
}

// TestTupleNumbers numbers integers that fall on the same places of a table.
func TestTupleNumbers(t *testing.T) {
	var keys []uint64
	for i := range uint64(20_000) {
		keys = append(keys, (i%7000)<<44, i%7000)
	}
	of, rows := numberTuples(keys)
	for i, k := range keys {
		if keys[rows[of[i]]] != k {
			t.Fatalf("key %d is of tuple %d", i, of[i])
		}
	}
	for i := 1; i < len(rows); i++ {
		if keys[rows[i-1]] >= keys[rows[i]] {
			t.Fatalf("tuple %d is not behind the one before it", i)
		}
	}
	if len(rows) != 13_999 {
		t.Errorf("%d tuples", len(rows))
	}
}
