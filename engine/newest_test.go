package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/lsm"
)

// newestLake returns a lake of segments of 64 events, a second apart, one in nine of them some
// minutes older than those around it, and opened anew. With windows some events have the time of a window, and so no eventTime.
func newestLake(t *testing.T, segments int, windows bool) (*Lake, *Store) {
	t.Helper()
	fs := vfs.NewMem()
	o := Options{SegmentRows: 64, MemtableRows: 64, MemtableAge: -1, NoMerge: true, NoViews: true}
	l := openTest(t, fs, o)
	s := storeTest(t, l)
	for n := range segments {
		var records [][]byte
		for i := n * 64; i < n*64+64; i++ {
			at := i
			if i%9 == 0 {
				at = max(0, i-i*7919%200)
			}
			r := string(testEvent(at))
			if windows && n%5 == 1 && i%31 == 0 {
				r = strings.Replace(r, `"eventTime":`, `"eventCategory":"Aggregated","timeWindow":{"windowStart":`, 1)
				r = strings.Replace(r, `,"eventSource"`, `},"eventSource"`, 1)
			}
			records = append(records, []byte(strings.Replace(r, `"eventID":"`, fmt.Sprintf(`"sharedEventID":"%d","eventID":"%04x`, i, i), 1)))
		}
		appendTest(t, s, records)
		if err := l.freezeStores(context.Background(), l.Stores()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openTest(t, fs, o)
	s = storeTest(t, l)
	if n := len(s.snapshotTest(t).segments); n != segments {
		t.Fatalf("%d segments, want %d", n, segments)
	}
	return l, s
}

// snapshotTest returns a snapshot that is released at the end of the test.
func (s *Store) snapshotTest(t *testing.T) *snapshot {
	sn := s.snapshot()
	t.Cleanup(sn.release)
	return sn
}

// opened returns how many segments have been opened.
func opened(s *Store) (n int) {
	sn := s.snapshot()
	defer sn.release()
	for _, seg := range sn.segments {
		seg.open.Lock()
		if seg.open.reader != nil || seg.open.index != nil {
			n++
		}
		seg.open.Unlock()
	}
	return n
}

// TestPagesOpenFewSegments asks for pages of events that stand at the end of a lake of many segments.
func TestPagesOpenFewSegments(t *testing.T) {
	const segments = 60
	for _, c := range []struct {
		query string
		rows  int
		most  int // segments opened
	}{
		{"SELECT eventID FROM events ORDER BY eventTime DESC LIMIT 20", 20, 12},
		{"SELECT eventID FROM events ORDER BY eventTime LIMIT 20", 20, 12},
		{"SELECT eventID FROM events WHERE userIdentity.userName = 'user3' ORDER BY eventTime DESC LIMIT 5", 5, 16},
		{"SELECT eventID FROM events WHERE userIdentity.userName = 'user3' AND eventTime < timestamp '2026-01-02 00:30:00' ORDER BY eventTime DESC LIMIT 5", 5, 16},
	} {
		l, s := newestLake(t, segments, false)
		if got := queryTest(t, l, c.query); len(got) != c.rows {
			t.Errorf("%s: %d rows", c.query, len(got))
		}
		n := opened(s)
		t.Logf("%s: %d segments opened", c.query, n)
		if n > c.most {
			t.Errorf("%s: %d of %d segments were opened, want %d at most", c.query, n, segments, c.most)
		}
		told := strings.Join(queryTest(t, l, "EXPLAIN ANALYZE "+c.query), "\n")
		if !strings.Contains(told, "since others have better rows") {
			t.Errorf("EXPLAIN ANALYZE does not tell of segments that were not asked:\n%s", told)
		}
		if told := strings.Join(queryTest(t, l, "EXPLAIN "+c.query), "\n"); strings.Contains(told, "better") {
			t.Errorf("EXPLAIN tells of what only running shows:\n%s", told)
		}
	}
}

// TestNewestAsked holds the first rows of random pages against those of the whole order, which asks all segments.
func TestNewestAsked(t *testing.T) {
	l, _ := newestLake(t, 30, true)
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	some := 0
	for range 400 {
		where := pick("", "WHERE userIdentity.userName = 'user3'", "WHERE requestParameters['bucketName'] = 'bucket-2'",
			fmt.Sprintf("WHERE eventTime > timestamp '2026-01-02 00:%02d:00'", rng.IntN(32)),
			fmt.Sprintf("WHERE eventTime < timestamp '2026-01-02 00:%02d:00' AND userIdentity.userName <> 'user1'", rng.IntN(32)),
			"WHERE eventTime IS NULL", "WHERE eventName = 'nothing'", fmt.Sprintf("WHERE eventID LIKE '%04x%%'", rng.IntN(30*64)),
			"WHERE element_at(requestParameters, 'key') LIKE '%77%'")
		order := pick("eventTime DESC", "eventTime", "eventTime DESC, userIdentity.userName", "userIdentity.userName, eventTime DESC", "eventID DESC")
		if !strings.HasPrefix(order, "eventID") {
			order += pick("", " NULLS FIRST", " NULLS LAST") + ", eventID"
		}
		all := "SELECT eventTime, eventID, userIdentity.userName FROM events " + where + " ORDER BY " + order
		n, offset := 1+rng.IntN(40), rng.IntN(2)*rng.IntN(30)
		page := fmt.Sprintf("%s OFFSET %d LIMIT %d", all, offset, n)
		want := queryTest(t, l, all)
		want = want[min(offset, len(want)):min(offset+n, len(want))]
		some += len(want)
		if got := queryTest(t, l, page); !slices.Equal(got, want) {
			t.Fatalf("%s:\n%s\nwant\n%s", page, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if some < 1000 {
		t.Errorf("only %d rows were compared", some)
	}
}

// TestDamageWhileAsking spoils the indexes of a segment: whoever asks it is told, and a page that other segments
// fill is given.
func TestDamageWhileAsking(t *testing.T) {
	ctx := context.Background()
	for _, kind := range []byte{blockIndexDir, blockPage} {
		l, s := newestLake(t, 30, false)
		sn := s.snapshotTest(t)
		seg := sn.segments[2]
		var bad []lsm.Block
		err := l.db.Blocks(seg.cat.Number, kind, kind, func(kind byte, id uint32, data []byte) error {
			data = slices.Clone(data)
			data[len(data)/2] ^= 1
			bad = append(bad, lsm.Block{Kind: kind, ID: id, Data: data})
			return nil
		})
		if err != nil || len(bad) == 0 {
			t.Fatalf("%d blocks, %v", len(bad), err)
		}
		table, err := l.db.WriteTable(seg.cat.Number, bad)
		if err == nil {
			err = l.db.Ingest(ctx, table)
		}
		if err != nil {
			t.Fatal(err)
		}
		const page = "SELECT eventID FROM events WHERE userIdentity.userName = 'user3' ORDER BY eventTime DESC LIMIT "
		if got := queryTest(t, l, page+"5"); len(got) != 5 {
			t.Errorf("kind %d: %d rows of segments that are whole", kind, len(got))
		}
		rows, err := l.Query(ctx, page+"10000")
		for err == nil {
			_, err = rows.Next()
		}
		var damage *CorruptionError
		if !errors.As(err, &damage) || damage.Segment != seg.cat.Number {
			t.Errorf("kind %d: asking the damaged segment: %v", kind, err)
		}
		if rows != nil {
			rows.Close()
		}
	}
}

// TestLookupsOfIDs looks for events by their IDs: only segments that may have them are opened.
func TestLookupsOfIDs(t *testing.T) {
	ctx := context.Background()
	l, s := newestLake(t, 12, true)
	look := func(id string) int {
		t.Helper()
		page, err := s.Lookup(ctx, LookupRequest{Attributes: map[string]string{"EventId": id}})
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Events)
	}
	if n := look("ffff00000000-none"); n != 0 || opened(s) != 0 {
		t.Errorf("an ID that no event has: %d events, %d segments opened", n, opened(s))
	}
	id := queryTest(t, l, "SELECT eventID FROM events ORDER BY eventTime DESC, eventID LIMIT 1")[0]
	before := opened(s)
	if n := look(id); n != 1 || opened(s) > before+1 {
		t.Errorf("one ID: %d events, %d segments opened, %d before", n, opened(s), before)
	}
}

// TestLookupsKeepFilters looks for a value that no event has: a segment keeps a filter of the values that it has, and neither an
// index nor an order; for one that some have, the same are found as by SQL.
func TestLookupsKeepFilters(t *testing.T) {
	ctx := context.Background()
	l, s := newestLake(t, 12, true)
	look := func(user string) (n int) {
		t.Helper()
		page, err := s.Lookup(ctx, LookupRequest{Attributes: map[string]string{"Username": user}, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Events)
	}
	segments := s.snapshotTest(t).segments
	for range 2 {
		if n := look("nobody"); n != 0 {
			t.Errorf("%d events of nobody", n)
		}
		for _, seg := range segments {
			src := lookupSource{keep: seg.derived}
			if !src.lacks(byUsername, attributeHash("nobody")) || src.has(byUsername) || seg.derived.Get(timeOrderEntry) != nil {
				t.Fatal("a segment without the value keeps more than a filter, or none")
			}
			for i := range 7 {
				if src.lacks(byUsername, attributeHash(fmt.Sprint("user", i))) {
					t.Fatalf("the filter lacks user%d", i)
				}
			}
		}
	}
	for _, user := range []string{"user0", "user3", "user6"} {
		want := queryTest(t, l, "SELECT count(*) FROM events WHERE userIdentity.userName = '"+user+"'")[0]
		if n := look(user); fmt.Sprint(n) != want {
			t.Errorf("%d events of %s, want %s", n, user, want)
		}
	}
}
