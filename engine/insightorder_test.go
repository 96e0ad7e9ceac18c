package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/enginetest/crashmem"
	"github.com/cairndb/cairn/engine/insight"
	"github.com/cairndb/cairn/engine/lsm"
)

// insightsAfter fills a lake in some way and returns all records and those that count.
func insightsAfter(t *testing.T, fill func(l *Lake, s *Store)) (all, count []string) {
	t.Helper()
	l := insightLake(t, vfs.NewMem(), stands(insightDay.AddDate(0, 0, 60)), Options{SegmentRows: 900, MemtableRows: 500})
	enableTest(t, l, InsightSettings{})
	fill(l, storeTest(t, l))
	return recordsOf(t, l)
}

// putAll appends records in pieces.
func putAll(t *testing.T, s *Store, records [][]byte, piece int) {
	t.Helper()
	for len(records) > 0 {
		n := min(piece, len(records))
		if _, err := s.Append(context.Background(), records[:n]); err != nil {
			t.Fatal(err)
		}
		records = records[n:]
	}
}

// TestInsightsInAnyOrder holds the records that detection makes against those of one clean run: shuffled, duplicated, in
// parts with detection in between, and with the lake closed at any moment.
func TestInsightsInAnyOrder(t *testing.T) {
	events := traffic(32)
	want, count := insightsAfter(t, func(l *Lake, s *Store) {
		putAll(t, s, events, 700)
		detectTest(t, l)
	})
	if len(want) != 4 || len(count) != 4 {
		t.Fatalf("%d records of one run, %d count", len(want), len(count))
	}
	slices.Sort(want)
	same := func(name string, got []string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d records instead of %d, or other bytes:\n%s\n%s", name, len(got), len(want), strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	shuffled := slices.Clone(events)
	r := rand.New(rand.NewPCG(7, 7))
	r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })

	all, _ := insightsAfter(t, func(l *Lake, s *Store) {
		putAll(t, s, shuffled, 333)
		detectTest(t, l)
	})
	slices.Sort(all)
	same("shuffled", all)

	all, _ = insightsAfter(t, func(l *Lake, s *Store) {
		putAll(t, s, append(slices.Clone(events[len(events)/3:]), events...), 500)
		detectTest(t, l)
		putAll(t, s, events[:100], 100)
		detectTest(t, l)
	})
	slices.Sort(all)
	same("duplicated", all)

	// In order of time, with detection between the parts: nothing was told too early.
	all, _ = insightsAfter(t, func(l *Lake, s *Store) {
		n := len(events) * 2 / 3
		putAll(t, s, events[:n], 500)
		detectTest(t, l)
		putAll(t, s, events[n:], 500)
		detectTest(t, l)
	})
	slices.Sort(all)
	same("in two parts", all)

	// Shuffled and in parts, detection sees halves of bursts: what it said of them is withdrawn.
	all, count = insightsAfter(t, func(l *Lake, s *Store) {
		n := len(shuffled) / 4
		for i := range 4 {
			part := shuffled[i*n:]
			if i < 3 {
				part = part[:n]
			}
			putAll(t, s, part, 400)
			detectTest(t, l)
		}
		list, err := l.Insights(context.Background(), InsightFilter{})
		if err != nil || len(list) != 2 || list[0].End.IsZero() || list[1].End.IsZero() {
			t.Errorf("listed: %+v, %v", list, err)
		}
		text := `SELECT count(*) FROM insights WHERE addendum IS NULL AND eventID NOT IN (SELECT element_at(addendum, 'originalEventID') FROM insights WHERE addendum IS NOT NULL)`
		if got := queryTest(t, l, text); len(got) != 1 || got[0] != "4" {
			t.Errorf("by SQL %v count", got)
		}
	})
	same("shuffled, in four parts", count)
	if len(all) <= len(want) {
		t.Errorf("%d records: the test has shown nothing", len(all))
	}
}

// TestInsightsSurviveEnds closes or abandons the lake between any two steps of a history that is told live.
func TestInsightsSurviveEnds(t *testing.T) {
	events := traffic(31)
	want, _ := insightsAfter(t, func(l *Lake, s *Store) {
		putAll(t, s, events, 700)
		detectTest(t, l)
	})
	slices.Sort(want)
	for _, abandon := range []bool{false, true} {
		mem := crashmem.New()
		var now atomic.Int64
		now.Store(insightDay.UnixMicro())
		clock := func() time.Time { return time.UnixMicro(now.Load()).UTC() }
		open := func() *Lake {
			l, err := Open("lake", &Options{FS: mem, Clock: clock, DigestInterval: -1, RetainInterval: -1, InsightInterval: -1, SegmentRows: 900, MemtableRows: 500})
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		l := open()
		enableTest(t, l, InsightSettings{})
		everything, looks := 0, 0
		for day := range 33 {
			var today [][]byte
			for _, e := range events {
				if strings.Contains(string(e), insightDay.AddDate(0, 0, day).Format(`"eventTime":"2006-01-02T`)) {
					today = append(today, e)
				}
			}
			slices.Reverse(today) // late within the day
			now.Store(insightDay.AddDate(0, 0, day+1).Add(5 * time.Minute).UnixMicro())
			putAll(t, storeTest(t, l), today, 200)
			for range 1 + day%2 {
				r := detectTest(t, l)
				if looks++; r.Everything {
					everything++
				}
			}
			switch {
			case abandon && day%5 == 4:
				old := l
				mem = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
				l = open()
				if err := old.Close(); err != nil {
					t.Fatal(err)
				}
			case !abandon && day%4 == 3:
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				l = open()
			}
		}
		now.Store(insightDay.AddDate(0, 0, 60).UnixMicro())
		detectTest(t, l)
		got, _ := recordsOf(t, l)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("abandon %v: %d records live, %d of one run:\n%s\n%s", abandon, len(got), len(want), strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if everything > 1 {
			t.Errorf("abandon %v: everything was counted at %d of %d looks", abandon, everything, looks)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLateEvents brings a burst that was known in part, days later.
func TestLateEvents(t *testing.T) {
	events := traffic(32)
	var late, rest [][]byte
	for i, e := range events {
		if strings.Contains(string(e), "intruder") && i%3 != 0 {
			late = append(late, e)
		} else {
			rest = append(rest, e)
		}
	}
	want, _ := insightsAfter(t, func(l *Lake, s *Store) {
		putAll(t, s, events, 700)
		detectTest(t, l)
	})
	all, count := insightsAfter(t, func(l *Lake, s *Store) {
		putAll(t, s, rest, 700)
		if r := detectTest(t, l); r.Starts == 0 {
			t.Fatalf("nothing was found without the late events: %+v", r)
		}
		putAll(t, s, late, 700)
		r := detectTest(t, l)
		if r.Withdrawn == 0 || !r.Everything {
			t.Errorf("%+v", r)
		}
		if again := detectTest(t, l); again.Everything || again.Starts+again.Ends+again.Withdrawn+again.Reinstated > 0 {
			t.Errorf("again: %+v", again)
		}
	})
	slices.Sort(want)
	if !slices.Equal(count, want) {
		t.Errorf("%d records count, %d of one run", len(count), len(want))
	}
	notes := 0
	for _, r := range all {
		if strings.Contains(r, `"addendum":{"reason":"WITHDRAWN","originalEventID":"`) {
			notes++
		}
	}
	if notes == 0 {
		t.Error("no record says that others are withdrawn")
	}
}

// TestSettingsWithdraw: records hold with the settings.
func TestSettingsWithdraw(t *testing.T) {
	l := insightLake(t, vfs.NewMem(), stands(insightDay.AddDate(0, 0, 60)), Options{})
	enableTest(t, l, InsightSettings{})
	putAll(t, storeTest(t, l), traffic(31), 5000)
	first := detectTest(t, l)
	enableTest(t, l, InsightSettings{Types: []insight.Type{insight.ErrorRate}})
	r := detectTest(t, l)
	if r.Withdrawn != first.Starts+first.Ends-2 || r.Starts != 0 {
		t.Errorf("without rates of calls: %+v", r)
	}
	enableTest(t, l, InsightSettings{})
	if r := detectTest(t, l); r.Reinstated != 2 || r.Starts != 0 {
		t.Errorf("with them again: %+v", r)
	}
	if list, err := l.Insights(context.Background(), InsightFilter{}); err != nil || len(list) != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	enableTest(t, l, InsightSettings{Types: []insight.Type{insight.ErrorRate}})
	if r := detectTest(t, l); r.Withdrawn != 2 {
		t.Errorf("withdrawn again: %+v", r)
	}
}

// TestLiveInsights lets a lake look by itself while a burst comes in.
func TestLiveInsights(t *testing.T) {
	var now atomic.Int64
	clock := func() time.Time { return time.UnixMicro(now.Load()).UTC() }
	events := traffic(30)
	burst := insightDay.AddDate(0, 0, 28).Add(14*time.Hour + 7*time.Minute)
	before := slices.IndexFunc(events, func(e []byte) bool { return strings.Contains(string(e), "intruder") })
	now.Store(burst.UnixMicro())
	notices := make(chan Insight, 10)
	l := insightLake(t, vfs.NewMem(), clock, Options{InsightInterval: 20 * time.Millisecond, OnInsight: func(in Insight) { notices <- in }})
	enableTest(t, l, InsightSettings{Types: []insight.Type{insight.CallRate}})
	follow := func(n *Notices, err error) *Notices {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	told, foreign := follow(l.Notices()), follow(l.As(Scope{Stores: []string{All}, Accounts: []string{"999999999999"}}).Notices())
	elsewhere := follow(l.As(Scope{Stores: []string{InsightsStore}}).Notices())
	var past, future [][]byte
	for i, e := range events {
		if i < before && !strings.Contains(string(e), insightDay.AddDate(0, 0, 28).Format("2006-01-02T15")) && !strings.Contains(string(e), insightDay.AddDate(0, 0, 29).Format("2006-01-02")) {
			past = append(past, e)
		} else if i >= before {
			future = append(future, e)
		}
	}
	s := storeTest(t, l)
	putAll(t, s, past, 5000)
	putAll(t, s, future[:60], 60)
	now.Store(burst.Add(5 * time.Minute).UnixMicro())
	var first Insight
	wait(t, "a notice", func() bool {
		select {
		case first = <-notices:
			return true
		default:
			return false
		}
	})
	if !first.Provisional || first.EventName != "RunInstances" || first.Start.Sub(burst).Abs() > 2*time.Minute {
		t.Errorf("%+v", first)
	}
	if err := told.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	if list := told.Take(); len(list) != 1 || list[0].ID != first.ID || len(told.Take()) > 0 {
		t.Errorf("told: %+v", list)
	}
	if a, b := foreign.Take(), elsewhere.Take(); len(a)+len(b) > 0 {
		t.Errorf("others are told %v and %v", a, b)
	}
	own := follow(l.As(Scope{Stores: []string{DefaultStore}, Accounts: []string{first.Account}}).Notices())
	if own.next = 0; len(own.Take()) != 1 {
		t.Error("those of the account are not told")
	}
	if list, err := l.Insights(context.Background(), InsightFilter{}); err != nil || len(list) != 1 || !list[0].Provisional {
		t.Errorf("listed: %+v, %v", list, err)
	}
	if n := storeCount(t, l); n != 0 {
		t.Errorf("%d records before the lateness bound", n)
	}
	putAll(t, s, future[60:], 60)
	now.Store(burst.Add(25 * time.Minute).UnixMicro())
	wait(t, "the Start record", func() bool { return storeCount(t, l) == 1 })
	now.Store(burst.Add(90 * time.Minute).UnixMicro())
	wait(t, "the End record", func() bool { return storeCount(t, l) == 2 })
	wait(t, "the figures", func() bool { return l.InsightFigures().Ends == 1 })
	if f := l.InsightFigures(); f.Notices != 1 || f.Starts != 1 || f.Failures != 0 || f.Series == 0 {
		t.Errorf("%+v", f)
	}
}

func storeCount(t *testing.T, l *Lake) uint64 {
	t.Helper()
	s, err := l.Store(InsightsStore)
	if err != nil {
		t.Fatal(err)
	}
	return s.Events()
}

// wait waits until something holds; only a lake that hangs makes it give up.
func wait(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 12_000 {
		if holds() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("waiting for %s", what)
}

func putRecord(l *Lake, key, value []byte) error {
	b := l.db.Batch()
	b.In(lsm.Insight).Set(key, value)
	return b.Commit()
}

// TestDamagedWatch: states that cannot be read are made anew.
func TestDamagedWatch(t *testing.T) {
	fs := vfs.NewMem()
	now := stands(insightDay.AddDate(0, 0, 60))
	l := insightLake(t, fs, now, Options{})
	enableTest(t, l, InsightSettings{})
	putAll(t, storeTest(t, l), traffic(31), 5000)
	want := detectTest(t, l)
	w := l.insights.watch(storeTest(t, l))
	data := w.watch.Append(nil)
	for name, spoil := range map[string]func() error{
		"part": func() error {
			return putRecord(l, append(watchKey(w.store.rec.Number), 0, 0, 0, 0), data[:len(data)-1])
		},
		"head":  func() error { return putRecord(l, watchHeadKey(w.store.rec.Number), []byte("no")) },
		"whole": func() error { return putRecord(l, append(watchKey(w.store.rec.Number), 0, 0, 0, 9), data) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		w.Lock()
		w.forget()
		w.Unlock()
		if r := detectTest(t, l); !r.Everything || r.Series != want.Series || r.Starts+r.Withdrawn > 0 {
			t.Errorf("%s: %+v", name, r)
		}
		w.Lock()
		w.forget()
		w.Unlock()
		if r := detectTest(t, l); r.Everything {
			t.Errorf("%s, after that: %+v", name, r)
		}
	}
}

// FuzzWatchHead reads heads that anybody could have written.
func FuzzWatchHead(f *testing.F) {
	f.Add(watchHead{1, 2, 3}.encode())
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := decodeWatchHead(b); err == nil && fmt.Sprint(h.encode()) != fmt.Sprint(b) {
			t.Errorf("%x is read as %+v, which is written as %x", b, h, h.encode())
		}
	})
}

// TestInsightsAndRetention: what has expired is not looked at, and does not take records away.
func TestInsightsAndRetention(t *testing.T) {
	fs := vfs.NewMem()
	l := insightLake(t, fs, stands(insightDay.AddDate(0, 0, 31)), Options{SegmentRows: 900, MemtableRows: 500})
	ctx := context.Background()
	enableTest(t, l, InsightSettings{})
	events := traffic(30)
	putAll(t, storeTest(t, l), events, 700)
	first := detectTest(t, l)
	_, want := recordsOf(t, l)
	if first.Starts == 0 || len(want) == 0 {
		t.Fatalf("%+v", first)
	}
	// A shorter period hides most of what the records rest on, and late events and other settings make everything be
	// counted again.
	days := uint32(10)
	if err := l.UpdateStore(ctx, DefaultStore, StoreUpdate{Days: &days}); err != nil {
		t.Fatal(err)
	}
	late := call(999_999, insightDay.AddDate(0, 0, 25), "RunInstances", "arn:aws:iam::111122223333:user/late", "", false)
	putAll(t, storeTest(t, l), [][]byte{late}, 1)
	if r := detectTest(t, l); !r.Everything || r.Starts+r.Ends+r.Withdrawn+r.Reinstated > 0 {
		t.Errorf("after a shorter period and a late event: %+v", r)
	}
	enableTest(t, l, InsightSettings{Params: insight.Params{Sensitivity: 0.25, MinCalls: 1000}})
	if r := detectTest(t, l); !r.Everything || r.Withdrawn > 0 {
		t.Errorf("after other settings: %+v", r)
	}
	if _, got := recordsOf(t, l); !slices.Equal(got, want) {
		t.Errorf("%d records count, not the %d of before", len(got), len(want))
	}
	// The destination has a period of its own.
	keep := uint32(7)
	if err := l.UpdateStore(ctx, InsightsStore, StoreUpdate{Days: &keep}); err != nil {
		t.Fatal(err)
	}
	// What would be older than the destination keeps is not kept, and nothing fails.
	enableTest(t, l, InsightSettings{})
	detectTest(t, l)
}
