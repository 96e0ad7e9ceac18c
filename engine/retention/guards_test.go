package retention

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"
)

// TestPoliciesThatCannotBe: each is one that no decision leads to.
func TestPoliciesThatCannotBe(t *testing.T) {
	for name, p := range map[string]Policy{
		"kind":                      {Kind: Audit + 1},
		"mode":                      {Days: 7, Mode: Compliance + 1},
		"state":                     {State: Pending + 1},
		"before":                    {State: Pending, Before: Pending},
		"days too few":              {Days: DaysMin - 1},
		"days too many":             {Days: DaysMax + 1},
		"history of another period": {Kind: History, Days: HistoryDays + 1},
		"locked history":            {Kind: History, Days: HistoryDays, Mode: Governance},
		"stopped audit":             {Kind: Audit, State: Stopped},
		"compliance for ever":       {Mode: Compliance},
		"enabled, to be restored":   {Before: Stopped},
		"enabled, and to go":        {Gone: 1},
		"pending though protected":  {State: Pending, Protected: true},
	} {
		if p.Valid() {
			t.Errorf("%s: %+v is valid", name, p)
		}
	}
	for _, p := range []Policy{
		{}, {Days: DaysMin, Mode: Compliance, Protected: true}, {Days: DaysMax, State: Stopped},
		{Kind: History, Days: HistoryDays, Protected: true}, {Kind: Audit, Days: DaysMax},
		{Days: 30, State: Pending, Before: Stopped, Gone: 5},
	} {
		if !p.Valid() {
			t.Errorf("%+v is not valid", p)
		}
	}
}

// TestRights: what needs a permission is refused to who has all the others.
func TestRights(t *testing.T) {
	all := Rights{Manage: true, BypassGovernance: true, ReleaseHold: true, Bypass: true}
	unmanaged := all
	unmanaged.Manage = false
	if _, err := (Policy{}).Ingest(false, unmanaged); ReasonOf(err) != Denied {
		t.Errorf("stopping ingestion: %v", err)
	}
	if err := MayRelease(unmanaged); ReasonOf(err) != Denied {
		t.Errorf("releasing a hold: %v", err)
	}
	// Only what is pending goes, whatever a store that is not has for its time.
	for _, s := range []State{Enabled, Stopped} {
		if (Policy{State: s}).Removable(start, 0) {
			t.Errorf("a store that is %v goes", s)
		}
	}
}

// TestHorizonEnds: the first time within the period is within it, holds are put together, and
// what lies in one has not expired.
func TestHorizonEnds(t *testing.T) {
	cut := start - 7*Day
	h := Policy{Days: 7}.Horizon(start, []Hold{{From: cut - 50, To: cut - 40}, {From: cut - 100, To: AlwaysTo}, {From: AlwaysFrom, To: cut - 200}, {From: cut - 60, To: cut - 55}})
	if want := []Range{{AlwaysFrom, cut - 200}, {cut - 100, AlwaysTo}}; !slices.Equal(h.Held, want) {
		t.Errorf("held are %v, want %v", h.Held, want)
	}
	for _, c := range []struct {
		from, to int64
		want     Part
	}{
		{cut, cut + 5, None}, {cut - 1, cut, None}, {cut - 100, cut - 1, None}, {cut - 150, cut - 110, All},
		{cut - 150, cut - 100, Some}, {cut - 200, cut - 150, Some}, {math.MinInt64, cut - 200, None},
	} {
		if got := h.Of(c.from, c.to); got != c.want {
			t.Errorf("of %d to %d before the line %v have expired, want %v", cut-c.from, cut-c.to, got, c.want)
		}
	}
	// Nothing expires where there is no period, and nothing is chosen.
	none := Policy{}.Horizon(start, []Hold{{From: AlwaysFrom, To: AlwaysTo}})
	if !none.Zero() || len(none.Held) != 0 || none.Expired(math.MinInt64) || none.Of(math.MinInt64, 0) != None {
		t.Errorf("without a period: %+v", none)
	}
}

// TestFloorsBounds: no evidence takes a floor beyond the wall clock, none takes one back, and
// none counts twice.
func TestFloorsBounds(t *testing.T) {
	hour := time.Hour.Microseconds()
	tt := &testTime{wall: start}
	c := tt.open(Floor{})
	// The wall clock stands, and is set back, while the process runs on.
	tt.run += 5 * time.Hour
	if now := c.Now(); now != (Floor{start, start}) {
		t.Errorf("run time takes floors beyond the wall clock: %+v", now)
	}
	tt.wall = start - 24*hour
	tt.run += 5 * time.Hour
	if now := c.Now(); now != (Floor{start, start}) {
		t.Errorf("floors after the wall clock was set back: %+v", now)
	}
	// An event of tomorrow is evidence of today.
	tt.wall = start + 10*hour
	c.Witness(start + 34*hour)
	if now := c.Now(); now != (Floor{start + 10*hour, start + 10*hour}) {
		t.Errorf("an event of tomorrow takes floors to %+v, it is %d", now, tt.wall)
	}

	// A floor that was confirmed is ahead of the strict one, and stays when events come.
	tt = &testTime{wall: start}
	c = tt.open(Floor{})
	tt.wall += 48 * hour
	if now := c.Confirm(); now != (Floor{start + 48*hour, start}) || c.Seen() != start+48*hour {
		t.Fatalf("confirmed: %+v, seen %d", now, c.Seen()-start)
	}
	c.Witness(start + hour)
	if now := c.Now(); now != (Floor{start + 48*hour, start + hour}) {
		t.Errorf("an event takes the floor back: %+v", now)
	}
	// Confirming a clock that was set back confirms nothing.
	tt.wall = start + 2*hour
	if now := c.Confirm(); now.Floor != start+48*hour {
		t.Errorf("confirming a clock that was set back: %+v", now)
	}
	// What was confirmed is what is seen from then on.
	tt.wall = start + 72*hour
	c.Confirm()
	tt.pass(time.Hour)
	if got := c.Seen(); got != start+73*hour {
		t.Errorf("an hour after confirming it is seen %d h", (got-start)/hour)
	}

	// A clock that runs back for a moment does not let the same hour count twice.
	tt = &testTime{wall: start + 1000*hour}
	c = tt.open(Floor{start, start})
	tt.run = 10 * time.Hour
	c.Now()
	tt.run = 4 * time.Hour
	c.Now()
	tt.run = 10 * time.Hour
	if now := c.Now(); now != (Floor{start + 10*hour, start + 10*hour}) {
		t.Errorf("ten hours have passed, floors are at %d h and %d h", (now.Floor-start)/hour, (now.Strict-start)/hour)
	}
}

// TestPassUnderCompliance: what only an administrator's word has expired stays in a store in
// compliance mode, and goes in others. And no change of the catalogue drops more than runMax.
func TestPassUnderCompliance(t *testing.T) {
	tt := &testTime{wall: start}
	clock := tt.open(Floor{})
	old := []Segment{{First: 0, End: 10, MinTime: start - 6*Day, MaxTime: start - 6*Day}}
	tt.wall += 30 * Day
	clock.Confirm()
	l := &testLake{stores: []Store{
		{Number: 0, Policy: Policy{Days: 7, Mode: Compliance}, Segments: old},
		{Number: 1, Policy: Policy{Days: 7, Mode: Compliance, State: Pending, Gone: start + Day}},
	}}
	if r, err := Pass(context.Background(), l, clock); err != nil || r != (Report{}) {
		t.Errorf("under compliance: %+v, %v", r, err)
	}
	var many []Segment
	for i := range uint64(runMax + 1) {
		many = append(many, Segment{First: i, End: i + 1, MinTime: start - 6*Day, MaxTime: start - 6*Day})
	}
	l = &testLake{stores: []Store{{Policy: Policy{Days: 7}, Segments: many}}}
	if r, err := Pass(context.Background(), l, clock); err != nil || r.Segments != runMax+1 || len(l.dropped) != 2 || len(l.dropped[0]) != runMax {
		t.Errorf("without a lock: %+v, %v, in %d changes", r, err, len(l.dropped))
	}
}
