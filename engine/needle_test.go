package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// needleRecords are events whose IDs are of all kinds: UUIDs, other texts, numbers,
// with escapes, under the other name, none, and the same one twice with other bytes.
func needleRecords(n int) [][]byte {
	event := func(i int, id string) []byte {
		return fmt.Appendf(nil, `{"eventVersion":"1.08","eventTime":"2026-01-01T%02d:%02d:%02dZ","eventSource":"s3.amazonaws.com","eventName":"Get%d","recipientAccountId":"%012d","requestID":"R%08X"%s}`,
			i/3600%24, i/60%60, i%60, i%3, i%2, i*7919, id)
	}
	var out [][]byte
	for i := range n {
		id := fmt.Sprintf(`,"eventID":"%08x-0000-4000-8000-%012x"`, uint32(i)*2654435761, i)
		switch i % 50 {
		case 7:
			id = fmt.Sprintf(`,"eventID":"event %d"`, i)
		case 13:
			id = fmt.Sprintf(`,"eventID":"%08X-0000-4000-8000-%012X"`, uint32(i)*2654435761, i)
		case 9:
			id = fmt.Sprintf(`,"eventId":"%08x-0000-4000-8000-%012x"`, uint32(i)*2654435761, i)
		case 23:
			id = fmt.Sprintf(`,"eventID":"tab\t%d"`, i)
		case 11:
			id = ""
		case 17: // that of the event before
			id = fmt.Sprintf(`,"eventID":"%08x-0000-4000-8000-%012x"`, uint32(i-1)*2654435761, i-1)
		}
		out = append(out, event(i, id))
	}
	return out
}

// TestNeedles asks for every ID and request ID there is, and some that are not, in memory
// and in segments, and compares with what the same condition gives when storage cannot
// help with it.
func TestNeedles(t *testing.T) {
	const n = 100
	records := needleRecords(n)
	for _, c := range append(slices.Clone(configurations), struct {
		name string
		o    Options
	}{"half in memory", Options{SegmentRows: 64, MemtableRows: 64}}) {
		t.Run(c.name, func(t *testing.T) {
			l := openTest(t, vfs.NewMem(), c.o)
			s := storeTest(t, l)
			for from := 0; from < n; from += 13 {
				if _, err := s.Append(context.Background(), records[from:min(n, from+13)]); err != nil {
					t.Fatal(err)
				}
			}
			if s.Events() != n { // those with the ID of another are conflicts, which are kept
				t.Fatalf("%d events, want %d", s.Events(), n)
			}
			reader := l.As(Scope{Stores: []string{All}, Accounts: []string{"000000000001"}})
			limited := func(text string, args ...any) []string {
				rows, err := reader.Query(context.Background(), text, args...)
				if err != nil {
					t.Fatal(err)
				}
				return restTest(t, text, rows)
			}
			for _, column := range []string{"eventID", "requestID"} {
				values := queryTest(t, l, "SELECT DISTINCT "+column+" FROM events ORDER BY 1")
				values = append(values, "", "nobody", "ffffffff-0000-4000-8000-000000000000", strings.ToUpper(values[3]))
				for i, v := range values {
					if v == "NULL" {
						continue
					}
					exact := "SELECT at FROM (SELECT eventTime AS at, eventJson, " + column + " AS id FROM events) WHERE "
					want := queryTest(t, l, exact+"concat(id, '') = ? ORDER BY 1", v)
					got := queryTest(t, l, exact+"id = ? ORDER BY 1", v)
					if !slices.Equal(got, want) {
						t.Fatalf("%s = %q: %q, want %q", column, v, got, want)
					}
					if i%10 == 0 {
						two := []any{v, values[(i*7+3)%len(values)]}
						want = queryTest(t, l, exact+"concat(id, '') IN (?, ?) ORDER BY 1", two...)
						if got = queryTest(t, l, exact+"id IN (?, ?) ORDER BY 1", two...); !slices.Equal(got, want) {
							t.Fatalf("%s IN %q: %q, want %q", column, two, got, want)
						}
						want = limited(exact+"concat(id, '') = ? ORDER BY 1", v)
						if got = limited(exact+"id = ? ORDER BY 1", v); !slices.Equal(got, want) {
							t.Fatalf("of one account, %s = %q: %q, want %q", column, v, got, want)
						}
					}
				}
			}
		})
	}
}

// TestNeedleBuildsNoChunk: an ID that is not in memory costs no shredding of what is.
func TestNeedleBuildsNoChunk(t *testing.T) {
	l := openTest(t, vfs.NewMem(), Options{})
	s := storeTest(t, l)
	appendTest(t, s, testEvents(0, 600))
	explain := func(id string) string {
		return strings.Join(queryTest(t, l, "EXPLAIN ANALYZE SELECT eventName FROM events WHERE eventID = ?", id), "\n")
	}
	used := func() int64 { return l.cache.Stats().Used }
	before := used()
	if out := explain("ffffffff-0000-4000-8000-000000000000"); used() != before {
		t.Errorf("%d bytes of chunks were made for an ID that is not there:\n%s", used()-before, out)
	}
	if out := explain(fmt.Sprintf("%08x-0000-4000-8000-%012x", 3, 3)); used() == before {
		t.Errorf("nothing was made for an ID that is there:\n%s", out)
	}
}
