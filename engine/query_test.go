package engine

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/segment/column"
)

// queryTest runs a query and returns its rows as text, values separated by "|".
func queryTest(t testing.TB, l *Lake, text string, args ...any) []string {
	t.Helper()
	rows, err := l.Query(context.Background(), text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return restTest(t, text, rows)
}

// restTest reads the rows of a query.
func restTest(t testing.TB, text string, rows *Rows) []string {
	t.Helper()
	defer rows.Close()
	return textRows(t, text, rows.Next)
}

// textRows reads rows as text.
func textRows(t testing.TB, text string, next func() (*column.Batch, error)) []string {
	t.Helper()
	var out []string
	for {
		b, err := next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for i := range b.Len {
			var vals []string
			for _, c := range b.Cols {
				vals = append(vals, valueText(c, i))
			}
			out = append(out, strings.Join(vals, "|"))
		}
	}
}

// valueText writes a value for comparison.
func valueText(v *column.Vector, i int) string {
	if v.IsNull(i) {
		return "NULL"
	}
	leaf, j := v.Leaf(i)
	switch leaf.Type.Payload() {
	case column.PayloadF64:
		return fmt.Sprint(leaf.F64[j])
	case column.PayloadStr:
		return leaf.Str[j]
	case column.PayloadI64:
		return fmt.Sprint(leaf.I64[j])
	}
	var b strings.Builder
	b.WriteByte('(')
	if leaf.Type.Kind == column.Row {
		for _, c := range leaf.Children {
			b.WriteString(valueText(c, j) + ",")
		}
	} else {
		for e := leaf.Offsets[j]; e < leaf.Offsets[j+1]; e++ {
			for _, c := range leaf.Children {
				b.WriteString(valueText(c, int(e)) + ",")
			}
		}
	}
	b.WriteByte(')')
	return b.String()
}

// configurations are ways to hold the same events.
var configurations = []struct {
	name string
	o    Options
}{
	{"memtable", Options{}},
	{"tiny segments", Options{SegmentRows: 17, NoMerge: true}},
	{"segments", Options{SegmentRows: 128}},
	{"no bitmaps", Options{SegmentRows: 128, NoBitmaps: true}},
	{"small cache", Options{SegmentRows: 64, CacheBytes: 1}},
}

func TestQueries(t *testing.T) {
	const n = 500
	queries := []struct {
		text string
		args []any
		want func() []string
	}{
		{"SELECT count(*) FROM events", nil, func() []string { return []string{"500"} }},
		{"SELECT userIdentity.userName, count(*) FROM events GROUP BY 1 ORDER BY 1", nil, func() []string {
			count := map[int]int{}
			for i := range n {
				count[i%7]++
			}
			var out []string
			for u := range 7 {
				out = append(out, fmt.Sprintf("user%d|%d", u, count[u]))
			}
			return out
		}},
		{"SELECT eventID, eventJson FROM events WHERE eventID = ?", []any{fmt.Sprintf("%08x-0000-4000-8000-%012x", 321, 321)}, func() []string {
			return []string{fmt.Sprintf("%08x-0000-4000-8000-%012x|%s", 321, 321, testEvent(321))}
		}},
		{"SELECT element_at(requestParameters,'key') FROM events WHERE userIdentity.userName = 'user3' AND element_at(requestParameters,'bucketName') = 'bucket-2' ORDER BY eventTime", nil, func() []string {
			var out []string
			for i := range n {
				if i%7 == 3 && i%5 == 2 {
					out = append(out, fmt.Sprintf("k/%d", i))
				}
			}
			return out
		}},
		{"SELECT count(*), min(eventTime), max(eventTime) FROM events WHERE eventTime >= timestamp '2026-01-02 00:02:00' AND eventTime < timestamp '2026-01-02 00:03:00'", nil, func() []string {
			return []string{"60|1767312120000000|1767312179000000"}
		}},
		{"SELECT readOnly, errorCode, tlsDetails, requestParameters, userIdentity.sessionContext.attributes.mfaAuthenticated FROM events WHERE eventID = '00000005-0000-4000-8000-000000000005'", nil, func() []string {
			return []string{"1|NULL|NULL|(bucketName,bucket-0,key,k/5,)|NULL"}
		}},
		{"SELECT count(*) FROM events WHERE errorCode IS NOT NULL", nil, func() []string { return []string{"0"} }},
		{"SELECT count(*) FROM events WHERE eventName = 'PutObject'", nil, func() []string { return []string{"0"} }},
		{"SELECT element_at(requestParameters,'key') FROM events ORDER BY eventTime DESC LIMIT 3", nil, func() []string { return []string{"k/499", "k/498", "k/497"} }},
	}
	for _, c := range configurations {
		for _, reopen := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, reopen %v", c.name, reopen), func(t *testing.T) {
				fs := vfs.NewMem()
				l := openTest(t, fs, c.o)
				s := storeTest(t, l)
				for i := 0; i < n; i += 25 {
					appendTest(t, s, testEvents(i, i+25))
				}
				for _, q := range queries {
					if reopen {
						if err := l.Close(); err != nil {
							t.Fatal(err)
						}
						l = openTest(t, fs, c.o)
					}
					got, want := queryTest(t, l, q.text, q.args...), q.want()
					if strings.Join(got, "\n") != strings.Join(want, "\n") {
						t.Errorf("%s\ngives %q\nwant  %q", q.text, got, want)
					}
				}
				report, err := l.Check(context.Background(), CheckOptions{})
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range report.Problems {
					t.Error(p)
				}
			})
		}
	}
}
