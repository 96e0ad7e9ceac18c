package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// keptQuestions give whole records, few at a time, so that they come from the cache when they are asked for again.
var keptQuestions = []string{
	"SELECT eventJson FROM events WHERE eventID = '00000007-0000-4000-8000-000000000007'",
	"SELECT eventJson FROM events WHERE eventID IN ('00000008-0000-4000-8000-000000000008', '00000091-0000-4000-8000-000000000091')",
	"SELECT eventTime, eventJson FROM events ORDER BY eventTime DESC LIMIT 20",
	"SELECT eventTime, eventJson FROM events ORDER BY eventTime LIMIT 20",
	"SELECT eventID, eventJson FROM events WHERE eventTime >= timestamp '2026-02-27 00:00:00' AND eventTime < timestamp '2026-02-28 12:00:00' ORDER BY eventID",
	"SELECT eventJson FROM events WHERE eventName = 'GetObject' ORDER BY eventTime DESC LIMIT 5",
}

// askKept asks every question three times and gives the answers, which must be the same.
func askKept(t *testing.T, l *Lake) (answers [][]string) {
	t.Helper()
	for _, q := range keptQuestions {
		first := queryTest(t, l, q)
		for range 2 {
			if again := queryTest(t, l, q); !slices.Equal(again, first) {
				t.Fatalf("%s gives %q, then %q", q, first, again)
			}
		}
		answers = append(answers, first)
	}
	return answers
}

// TestKeptRecordsExpire: a record in the cache is not shown when its event has expired, also when its segment stays,
// and is gone from memory when the segment is.
func TestKeptRecordsExpire(t *testing.T) {
	r := newRetention(t, Options{SegmentRows: 64, MemtableRows: 64, MemtableAge: -1, NoMerge: true})
	s, err := r.lake.MakeStore(r.admin, NewStore{Name: "events", Days: 7})
	if err != nil {
		t.Fatal(err)
	}
	var batch [][]byte
	for i := range 192 { // a day has 24 of them: three segments are eight days
		batch = append(batch, at(i, retentionStart.Add(time.Duration(i-140)*time.Hour)))
	}
	appendTest(t, s, batch)
	waitSealed(t, s, 192)
	before := askKept(t, r.lake)
	for i, rows := range before {
		if len(rows) == 0 {
			t.Fatalf("nothing for %s", keptQuestions[i])
		}
	}
	// The first event has the time −140 hours: some hours of it expire with each step.
	for hours := 20; hours < 420; hours += 23 {
		r.pass(23 * time.Hour)
		answers := askKept(t, r.lake)
		if hours%2 == 0 {
			r.retain()
			if again := askKept(t, r.lake); !slices.EqualFunc(answers, again, slices.Equal[[]string]) {
				t.Fatalf("after segments went: %q, before %q", again, answers)
			}
		}
		limit := time.UnixMicro(r.wall.Load()).UTC().Add(-7 * 24 * time.Hour)
		for i, rows := range answers {
			for _, row := range rows {
				const key = `"eventTime":"`
				text := row[strings.Index(row, key)+len(key):]
				when, err := time.Parse("2006-01-02T15:04:05.000Z", text[:24])
				if err != nil {
					t.Fatal(err)
				}
				if when.Before(limit) {
					t.Fatalf("%s gives an event of %v, at %v", keptQuestions[i], when, time.UnixMicro(r.wall.Load()).UTC())
				}
			}
		}
	}
	if n := r.number("SELECT count(*) FROM events"); n != 0 {
		t.Fatalf("%d events are left", n)
	}
}

// TestKeptRecordsOfOthers: what one reader has brought into the cache is not shown to another who
// may not see it.
func TestKeptRecordsOfOthers(t *testing.T) {
	l := openTest(t, vfs.NewMem(), Options{SegmentRows: 64, MemtableRows: 64})
	s := storeTest(t, l)
	records := needleRecords(120)
	if _, err := s.Append(context.Background(), records); err != nil {
		t.Fatal(err)
	}
	waitSealed(t, s, 64)
	all := map[string]string{}
	for range 2 {
		for i := range records {
			q := fmt.Sprintf("SELECT eventJson FROM events WHERE eventID = '%08x-0000-4000-8000-%012x'", uint32(i)*2654435761, i)
			all[q] = strings.Join(queryTest(t, l, q), "\n")
		}
	}
	seen := 0
	for i := range 3 {
		reader := l.As(Scope{Stores: []string{All}, Accounts: []string{fmt.Sprintf("%012d", i)}})
		for q, want := range all {
			rows, err := reader.Query(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(restTest(t, q, rows), "\n")
			mine := strings.Contains(want, fmt.Sprintf(`"recipientAccountId":"%012d"`, i))
			if mine {
				seen++
			}
			if !mine && got != "" {
				t.Fatalf("account %d is shown %s", i, got)
			}
			if mine && !strings.Contains(want, got) || mine && got == "" {
				t.Fatalf("account %d is shown %q of %q", i, got, want)
			}
		}
	}
	if seen < 60 {
		t.Fatalf("%d events seen", seen)
	}
}

// TestKeptRecordsWhileMerging asks for records while segments come and are merged, with caches that hold next to nothing and
// that hold all: every answer is the record's bytes.
func TestKeptRecordsWhileMerging(t *testing.T) {
	for _, bytes := range []int64{64 << 10, 64 << 20} {
		l := openTest(t, vfs.NewMem(), Options{SegmentRows: 256, MemtableRows: 32, CacheBytes: bytes})
		s := storeTest(t, l)
		const n = 600
		records := testEvents(0, n)
		var done sync.WaitGroup
		stored := make(chan int, n)
		done.Go(func() {
			defer close(stored)
			for from := 0; from < n; from += 20 {
				if _, err := s.Append(context.Background(), records[from:from+20]); err != nil {
					t.Error(err)
				}
				for i := range 20 {
					stored <- from + i
				}
				l.merger.poke()
			}
		})
		for range 3 {
			done.Go(func() {
				for i := range stored {
					for _, row := range []int{i, i / 2, i / 2} {
						rows, err := l.Query(context.Background(), "SELECT eventJson FROM events WHERE eventID = ?", fmt.Sprintf("%08x-0000-4000-8000-%012x", row, row))
						if err != nil {
							t.Error(err)
							return
						}
						got := restTest(t, "record", rows)
						if len(got) != 1 || got[0] != string(records[row]) {
							t.Errorf("event %d: %q, want %s", row, got, records[row])
							return
						}
					}
				}
			})
		}
		done.Wait()
		if st := l.cache.Stats(); st.Used > st.Limit {
			t.Errorf("the cache has %d bytes, its limit is %d", st.Used, st.Limit)
		}
	}
}
