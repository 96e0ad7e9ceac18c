package engine

import (
	"context"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestMergePace works in pieces beside others, by a clock of its own: the merger rests in proportion to what it
// worked, only while others use the lake, and not at all once the lake is being closed.
func TestMergePace(t *testing.T) {
	now := time.Unix(0, 0)
	var begun uint64
	running, open := false, true
	var rested time.Duration
	p := &mergePace{rests: mergeRests,
		used: func() (uint64, bool) { return begun, running },
		now:  func() time.Time { return now },
		wait: func(d time.Duration) bool { rested += d; return open },
	}
	p.begin()
	work := func(d time.Duration, want time.Duration, goesOn bool) {
		t.Helper()
		now, rested = now.Add(d), 0
		if got := p.rest(); got != goesOn || rested != want {
			t.Errorf("after %s it rests for %s and goes on: %t; want %s and %t", d, rested, got, want, goesOn)
		}
	}
	work(mergePiece, 0, true) // nobody is there
	work(time.Second, 0, true)
	begun++
	work(mergePiece/2, 0, true) // a piece that is not done yet
	work(mergePiece/2, mergeRests*mergePiece, true)
	work(mergePiece, 0, true) // and has gone
	running = true
	work(20*time.Millisecond, mergeRests*20*time.Millisecond, true)
	work(time.Minute, mergeRestMax, true)
	open = false
	work(mergePiece, mergeRests*mergePiece, false)
	// Nine tenths of the time are the others'.
	open = true
	var worked, all time.Duration
	for range 1000 {
		now, rested = now.Add(7*time.Millisecond), 0
		p.rest()
		now = now.Add(rested)
		worked, all = worked+7*time.Millisecond, all+7*time.Millisecond+rested
		p.since = now
	}
	if 10*worked > all {
		t.Errorf("it works %s of %s", worked, all)
	}
}

// TestMergeSeesUses tells the merger of calls, of queries whose results are being read, and of crumbs.
func TestMergeSeesUses(t *testing.T) {
	ctx := context.Background()
	l, err := Open("lake", &Options{FS: vfs.NewMem(), SegmentRows: 64, MemtableRows: 1, NoMerge: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := l.CreateStore(ctx, "s")
	if err != nil {
		t.Fatal(err)
	}
	before, _ := l.used()
	rows, err := l.Query(ctx, "SELECT eventID FROM s")
	if err != nil {
		t.Fatal(err)
	}
	if begun, now := l.used(); begun == before || !now {
		t.Errorf("a query that is being read is not seen: %d calls before, %d after, going on: %t", before, begun, now)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	if _, now := l.used(); now {
		t.Error("a query is seen after its end")
	}
	if p := l.mergePace(s); p.rests != mergeRests {
		t.Errorf("an empty store makes the merger rest %d times", p.rests)
	}
	for i := range mergeHaste {
		if _, err := s.Append(ctx, [][]byte{testEvent(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(time.Minute); s.crumbs() < mergeHaste; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d crumbs", s.crumbs())
		}
	}
	p := l.mergePace(s)
	if p.rests != 1 {
		t.Errorf("%d crumbs make the merger rest %d times", s.crumbs(), p.rests)
	}
	// Closing ends a rest.
	rested := make(chan bool, 1)
	go func() { rested <- p.wait(time.Hour) }()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if <-rested {
		t.Error("the rest was not ended by closing")
	}
}
