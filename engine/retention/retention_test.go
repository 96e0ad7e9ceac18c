package retention

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func days(n uint32) *uint32 { return &n }
func mode(m Mode) *Mode     { return &m }

var (
	nobody  = Rights{}
	manager = Rights{Manage: true}
	bypass  = Rights{Manage: true, BypassGovernance: true, Bypass: true}
	wish    = Rights{Manage: true, Bypass: true}
	mayOnly = Rights{Manage: true, BypassGovernance: true}
)

func TestUpdates(t *testing.T) {
	p := func(m Mode) Policy { return Policy{Days: 366, Mode: m} }
	for _, c := range []struct {
		name   string
		from   Policy
		change Change
		rights Rights
		want   Reason
	}{
		{"no right", p(Unlocked), Change{Days: days(400)}, nobody, Denied},
		{"nothing asked", p(Unlocked), Change{}, manager, Invalid},
		{"too short", p(Unlocked), Change{Days: days(6)}, manager, Invalid},
		{"shortest", p(Unlocked), Change{Days: days(7)}, manager, ""},
		{"longest", p(Unlocked), Change{Days: days(3653)}, manager, ""},
		{"too long", p(Unlocked), Change{Days: days(3654)}, manager, Invalid},
		{"for ever", p(Unlocked), Change{Days: days(Forever)}, manager, ""},
		{"from for ever is shorter", Policy{Mode: Governance}, Change{Days: days(3653)}, manager, Locked},
		{"lengthen under governance", p(Governance), Change{Days: days(367)}, manager, ""},
		{"shorten under governance", p(Governance), Change{Days: days(365)}, manager, Locked},
		{"wish without permission", p(Governance), Change{Days: days(365)}, wish, Locked},
		{"permission without wish", p(Governance), Change{Days: days(365)}, mayOnly, Locked},
		{"bypass", p(Governance), Change{Days: days(365)}, bypass, ""},
		{"unlock under governance", p(Governance), Change{Mode: mode(Unlocked)}, manager, Locked},
		{"unlock and shorten at once", p(Governance), Change{Mode: mode(Unlocked), Days: days(7)}, manager, Locked},
		{"lock and shorten at once", p(Unlocked), Change{Mode: mode(Compliance), Days: days(7)}, manager, ""},
		{"shorten under compliance", p(Compliance), Change{Days: days(365)}, bypass, Locked},
		{"lengthen under compliance", p(Compliance), Change{Days: days(3653)}, manager, ""},
		{"unlock under compliance", p(Compliance), Change{Mode: mode(Governance)}, bypass, Locked},
		{"compliance for ever", p(Compliance), Change{Days: days(Forever)}, manager, Invalid},
		{"no such mode", p(Unlocked), Change{Mode: mode(3)}, manager, Invalid},
		{"history", Policy{Kind: History, Days: 90}, Change{Days: days(91)}, bypass, BuiltIn},
		{"pending", Policy{Days: 9, State: Pending}, Change{Days: days(91)}, bypass, Status},
	} {
		next, err := c.from.Update(c.change, c.rights)
		if got := ReasonOf(err); got != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: %v, want reason %q", c.name, err, c.want)
		}
		if err != nil && next != c.from {
			t.Errorf("%s: refused, and changed to %+v", c.name, next)
		}
		if !next.Valid() {
			t.Errorf("%s: leads to %+v, which is not valid", c.name, next)
		}
	}
}

func TestDeletions(t *testing.T) {
	p := func(m Mode) Policy { return Policy{Days: 366, Mode: m} }
	for _, c := range []struct {
		name   string
		from   Policy
		live   bool
		holds  int
		rights Rights
		want   Reason
	}{
		{"no right", p(Unlocked), false, 0, nobody, Denied},
		{"plain", p(Unlocked), true, 0, manager, ""},
		{"protected", Policy{Days: 9, Protected: true}, false, 0, bypass, Protected},
		{"held", p(Unlocked), true, 1, bypass, Held},
		{"governance with events", p(Governance), true, 0, manager, Locked},
		{"governance bypassed", p(Governance), true, 0, bypass, ""},
		{"governance without events", p(Governance), false, 0, manager, ""},
		{"compliance with events", p(Compliance), true, 0, bypass, Locked},
		{"compliance without events", p(Compliance), false, 0, manager, ""},
		{"history", Policy{Kind: History, Days: 90}, false, 0, bypass, BuiltIn},
		{"audit", Policy{Kind: Audit, Days: 90}, false, 0, bypass, BuiltIn},
		{"twice", Policy{State: Pending}, false, 0, bypass, Status},
	} {
		next, err := c.from.Delete(1000, c.live, c.holds, c.rights)
		if got := ReasonOf(err); got != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: %v, want reason %q", c.name, err, c.want)
		}
		if err != nil {
			continue
		}
		if next.State != Pending || !next.Valid() {
			t.Errorf("%s: leads to %+v", c.name, next)
		}
		gone := 1000 + 7*Day
		if next.Removable(gone-1, 0) || next.Removable(gone, 1) || !next.Removable(gone, 0) {
			t.Errorf("%s: removable at the wrong time: %+v", c.name, next)
		}
		if back, err := next.Restore(manager); err != nil || back != c.from {
			t.Errorf("%s: restored to %+v, %v", c.name, back, err)
		}
		if _, err := next.Restore(nobody); ReasonOf(err) != Denied {
			t.Errorf("%s: restored by nobody: %v", c.name, err)
		}
	}
	if _, err := p(Unlocked).Restore(manager); ReasonOf(err) != Status {
		t.Errorf("restoring what is there: %v", err)
	}
}

func TestIngestion(t *testing.T) {
	p := Policy{Days: 7}
	stopped, err := p.Ingest(false, manager)
	if err != nil || stopped.State != Stopped {
		t.Fatalf("stopping: %+v, %v", stopped, err)
	}
	if _, err := stopped.Ingest(false, manager); ReasonOf(err) != Status {
		t.Errorf("stopping twice: %v", err)
	}
	if _, err := p.Ingest(true, manager); ReasonOf(err) != Status {
		t.Errorf("starting what runs: %v", err)
	}
	if back, err := stopped.Ingest(true, manager); err != nil || back != p {
		t.Errorf("starting: %+v, %v", back, err)
	}
	if _, err := (Policy{Kind: Audit}).Ingest(false, bypass); ReasonOf(err) != BuiltIn {
		t.Errorf("stopping the audit store: %v", err)
	}
	deleted, err := stopped.Delete(0, true, 0, manager)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := deleted.Restore(manager); err != nil || back.State != Stopped {
		t.Errorf("a stopped store is restored to %+v, %v", back, err)
	}
}

func TestHolds(t *testing.T) {
	p := Policy{Days: 7}
	good := Hold{From: 5, To: 5, Reason: "x"}
	for _, c := range []struct {
		name     string
		p        Policy
		h        Hold
		existing int
		r        Rights
		want     Reason
	}{
		{"good", p, good, 0, manager, ""},
		{"always", p, Hold{From: AlwaysFrom, To: AlwaysTo, Reason: "x"}, HoldsMax - 1, manager, ""},
		{"no right", p, good, 0, nobody, Denied},
		{"no reason", p, Hold{}, 0, manager, Invalid},
		{"long reason", p, Hold{Reason: string(make([]byte, ReasonMax+1))}, 0, manager, Invalid},
		{"backwards", p, Hold{From: 6, To: 5, Reason: "x"}, 0, manager, Invalid},
		{"too many", p, good, HoldsMax, manager, Invalid},
		{"pending", Policy{State: Pending}, good, 0, manager, Status},
	} {
		if err := c.p.AddHold(c.h, c.existing, c.r); ReasonOf(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if err := MayRelease(manager); ReasonOf(err) != Denied {
		t.Errorf("releasing without permission: %v", err)
	}
	if err := MayRelease(Rights{Manage: true, ReleaseHold: true}); err != nil {
		t.Errorf("releasing: %v", err)
	}
}

// TestHorizon compares the line with a plain reading of period and holds.
func TestHorizon(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		p := Policy{Days: 7}
		now := 7*Day + 50
		var holds []Hold
		for range rng.IntN(4) {
			from := rng.Int64N(60)
			h := Hold{From: from, To: from + rng.Int64N(20)}
			switch rng.IntN(10) {
			case 0:
				h.From = AlwaysFrom
			case 1:
				h.To = AlwaysTo
			}
			holds = append(holds, h)
		}
		h := p.Horizon(now, holds)
		expired := func(at int64) bool {
			for _, hold := range holds {
				if at >= hold.From && at <= hold.To {
					return false
				}
			}
			return at < 50
		}
		from := rng.Int64N(70)
		to := from + rng.Int64N(15)
		n := 0
		for at := from; at <= to; at++ {
			if h.Expired(at) != expired(at) {
				t.Fatalf("holds %+v: Expired(%d) = %v", holds, at, h.Expired(at))
			}
			if expired(at) {
				n++
			}
		}
		switch part := h.Of(from, to); {
		case part == None && n > 0, part == All && n <= int(to-from), part == Some && n == int(to-from)+1:
			t.Fatalf("holds %+v: Of(%d, %d) = %v, %d have expired", holds, from, to, part, n)
		}
	}
	if h := (Policy{}).Horizon(math.MaxInt64, nil); !h.Zero() || h.Expired(math.MinInt64+1) {
		t.Error("a store without a period has expired events")
	}
}

// testTime is a wall clock and a run time that a test sets.
type testTime struct {
	wall int64
	run  time.Duration
}

func (c *testTime) open(f Floor) *Clock {
	return NewClock(f, func() time.Time { return time.UnixMicro(c.wall) }, func() time.Duration { return c.run })
}

func (c *testTime) pass(d time.Duration) {
	c.wall += d.Microseconds()
	c.run += d
}

const start = int64(1_800_000_000_000_000)

func TestClock(t *testing.T) {
	tt := &testTime{wall: start}
	c := tt.open(Floor{})
	if c.Now() != (Floor{start, start}) || c.Seen() != start {
		t.Fatalf("a new clock is at %+v", c.Now())
	}
	tt.pass(time.Hour)
	hour := start + time.Hour.Microseconds()
	if c.Now() != (Floor{hour, hour}) || c.Seen() != hour {
		t.Fatalf("after an hour it is %+v", c.Now())
	}
	// Ten years forward: nothing is freed, nothing hidden.
	tt.wall += 3650 * Day
	if c.Now() != (Floor{hour, hour}) || c.Seen() != hour {
		t.Errorf("after a jump it is %+v, seen %d", c.Now(), c.Seen()-start)
	}
	// An event with an honest time is evidence of that time, and no more.
	c.Witness(hour + 5)
	if c.Now() != (Floor{hour + 5, hour + 5}) {
		t.Errorf("after an event it is %+v", c.Now())
	}
	// Forged ones are believed up to the bound, however many.
	for range 10 {
		c.Witness(start + 3000*Day)
	}
	most := hour + EventGainMax.Microseconds()
	if now := c.Now(); now.Floor > most || now.Strict > most {
		t.Errorf("after forged events it is %+v", now)
	}
	// Back: nothing changes.
	now := c.Now()
	tt.wall = start - 3650*Day
	if c.Now() != now || c.Seen() != now.Floor {
		t.Errorf("after the clock was set back it is %+v, seen %d", c.Now(), c.Seen())
	}
	// A new opening believes the wall clock for hiding alone.
	tt.wall = now.Floor + 100*Day
	c = tt.open(now)
	if c.Now() != now || c.Seen() != tt.wall {
		t.Errorf("after opening it is %+v, seen %d", c.Now(), c.Seen())
	}
	// The clock was wrong, and is corrected: what was hidden is seen again.
	tt.wall = now.Floor + Day
	if c.Seen() != tt.wall {
		t.Errorf("after a correction it is seen %d", c.Seen())
	}
	// An administrator's word counts, but not for compliance.
	if got := c.Confirm(); got.Floor != tt.wall || got.Strict != now.Strict {
		t.Errorf("confirmed: %+v", got)
	}
	if c.For(Policy{Mode: Compliance}) != now.Strict || c.For(Policy{}) != tt.wall {
		t.Error("the wrong floor decides")
	}
}

// TestClockIsNeverEarly moves the wall clock at random while true time passes and honest
// events come, through many openings: no floor passes true time, and none decreases.
func TestClockIsNeverEarly(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		truth := start
		tt := &testTime{wall: start}
		c := tt.open(Floor{})
		last := c.Now()
		for step := range 500 {
			switch rng.IntN(6) {
			case 0:
				tt.wall = truth + (rng.Int64N(7300)-3650)*Day
			case 1:
				tt.wall = truth
			case 2:
				d := time.Duration(rng.Int64N(100*Day)) * time.Microsecond
				tt.pass(d)
				truth += d.Microseconds()
			case 3:
				c.Witness(truth - rng.Int64N(Day))
			case 4:
				kept := c.Now()
				away := rng.Int64N(400 * Day)
				truth += away
				tt.wall += away
				c = tt.open(kept)
			case 5:
				c.Seen()
			}
			now := c.Now()
			if now.Floor < last.Floor || now.Strict < last.Strict {
				t.Fatalf("seed %d, step %d: from %+v to %+v", seed, step, last, now)
			}
			if now.Floor > truth || now.Strict > now.Floor {
				t.Fatalf("seed %d, step %d: %+v, truly it is %d", seed, step, now, truth)
			}
			if c.Seen() < now.Floor {
				t.Fatalf("seed %d, step %d: hidden less than freed", seed, step)
			}
			last = now
		}
	}
}

// testLake is what a pass sees.
type testLake struct {
	stores  []Store
	dropped [][]Segment
	removed []uint32
	fail    error
}

func (l *testLake) Stores() []Store { return l.stores }
func (l *testLake) Drop(_ context.Context, _ uint32, run []Segment, _ int64) error {
	l.dropped = append(l.dropped, run)
	return l.fail
}
func (l *testLake) Remove(_ context.Context, store uint32, _ int64) error {
	l.removed = append(l.removed, store)
	return l.fail
}

func TestPass(t *testing.T) {
	tt := &testTime{wall: start}
	clock := tt.open(Floor{})
	cut := start - 7*Day
	seg := func(first, end uint64, from, to int64) Segment {
		return Segment{First: first, End: end, MinTime: from, MaxTime: to, Bytes: 10}
	}
	l := &testLake{stores: []Store{
		{Number: 0, Policy: Policy{Days: 7}, Holds: []Hold{{From: cut - 1000, To: cut - 900}}, Segments: []Segment{
			seg(0, 10, cut-10, cut-1), seg(10, 20, cut-10, cut-1), // gone
			seg(20, 30, cut-10, cut),                             // its newest event is there
			seg(30, 40, cut-2000, cut-1500),                      // gone
			seg(40, 50, cut-950, cut-1),                          // held
			seg(60, 70, cut-5, cut-5), seg(75, 80, cut-5, cut-5), // gone, not neighbours
		}},
		{Number: 1, Segments: []Segment{seg(0, 1, 0, 0)}},
		{Number: 2, Policy: Policy{Days: 7, State: Pending, Gone: start}},
		{Number: 3, Policy: Policy{Days: 7, State: Pending, Gone: start + 1}, Segments: []Segment{seg(0, 1, 0, 0)}},
		{Number: 4, Policy: Policy{Days: 7, State: Pending, Gone: start}, Holds: []Hold{{}}},
	}}
	r, err := Pass(context.Background(), l, clock)
	if err != nil {
		t.Fatal(err)
	}
	var firsts []uint64
	for _, run := range l.dropped {
		firsts = append(firsts, run[0].First)
	}
	if !slices.Equal(firsts, []uint64{0, 30, 60, 75}) || !slices.Equal(l.removed, []uint32{2}) {
		t.Errorf("dropped runs at %v, removed %v", firsts, l.removed)
	}
	if r != (Report{Segments: 5, Events: 45, Bytes: 50, Stores: 1}) {
		t.Errorf("report %+v", r)
	}
	l.fail = errors.New("disk")
	if r, err := Pass(context.Background(), l, clock); !errors.Is(err, l.fail) || r != (Report{}) {
		t.Errorf("failing: %+v, %v", r, err)
	}
}

func TestModes(t *testing.T) {
	for m := Unlocked; m <= Compliance; m++ {
		if got, err := ParseMode(m.String()); err != nil || got != m {
			t.Errorf("%v reads as %v, %v", m, got, err)
		}
	}
	if _, err := ParseMode("iron"); ReasonOf(err) != Invalid {
		t.Errorf("got %v", err)
	}
}
