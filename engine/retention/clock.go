package retention

import (
	"sync"
	"time"
)

// What time it is.
//
// A clock on the wall can be wrong, and can be set. What is deleted does not come back,
// so deleting asks for evidence that time has passed; hiding can be taken back, so it
// need not. There are three times, all in microseconds since 1970:
//
//	floor    the time up to which there is evidence. It never decreases, is kept in the
//	         catalogue, and decides what is freed, what is too old to be taken, and when a
//	         deleted store goes. It starts at the wall clock when the lake is made.
//	strict   the same without the administrators' word; it decides for stores in
//	         compliance mode.
//	seen     what the wall clock says, at least the floor; it decides what is hidden, and
//	         from when on the days count in which a deleted store can be restored.
//
// Evidence is, never beyond the wall clock:
//
//	run time     the time that the process has had the lake open, by a clock that
//	             nobody can set
//	event flow   the times of events that were stored: they come from other clocks.
//	             At most EventGainMax per opening, so that a forged event together with
//	             a wall clock set forward frees at most that much early
//	a confirmed  time: an administrator says, on record, that the wall clock is right
//	             (not for strict)
//
// So a wall clock set forward frees nothing, whatever it says, as long as event times are
// honest; set back it changes nothing, because the floor stays. While a process runs, seen
// follows run time and not jumps of the wall clock, so a jump hides nothing either; a lake
// that is opened under a wrong clock hides too much until the clock is right again, and loses
// nothing. The price is lateness: a lake that was closed and gets no events frees later
// than it could, until time is confirmed or has passed.

// EventGainMax is how far event times may take the floor in one opening: a lake that was
// closed for a month and a half catches up with its first import.
const EventGainMax = 45 * 24 * time.Hour

// Floor is what the catalogue keeps of a clock.
type Floor struct{ Floor, Strict int64 }

// Clock tells the times of an open lake.
type Clock struct {
	wall    func() time.Time
	elapsed func() time.Duration

	mu      sync.Mutex
	now     Floor
	counted time.Duration // of elapsed, already in now
	began   int64         // the wall clock at opening
	gain    int64         // what events may still add
}

// NewClock returns a clock that goes on from a kept floor; a zero one starts at the wall
// clock. elapsed is the time that the lake has been open, from a clock that cannot be
// set.
func NewClock(kept Floor, wall func() time.Time, elapsed func() time.Duration) *Clock {
	c := &Clock{wall: wall, elapsed: elapsed, now: kept, counted: elapsed(), gain: EventGainMax.Microseconds()}
	c.began = wall().UnixMicro() - c.counted.Microseconds()
	if kept == (Floor{}) {
		t := wall().UnixMicro()
		c.now = Floor{t, t}
	}
	return c
}

// run credits run time. mu is held.
func (c *Clock) run() {
	e := c.elapsed()
	passed := (e - c.counted).Microseconds()
	if passed <= 0 {
		return
	}
	c.counted += time.Duration(passed) * time.Microsecond
	wall := c.wall().UnixMicro()
	c.now.Floor = max(c.now.Floor, min(wall, c.now.Floor+passed))
	c.now.Strict = max(c.now.Strict, min(wall, c.now.Strict+passed))
}

// Now returns the floors as they are.
func (c *Clock) Now() Floor {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run()
	return c.now
}

// For returns the floor that decides for a store.
func (c *Clock) For(p Policy) int64 {
	now := c.Now()
	if p.Mode == Compliance {
		return now.Strict
	}
	return now.Floor
}

// Seen returns the time that decides what is hidden.
func (c *Clock) Seen() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run()
	return max(c.now.Floor, min(c.wall().UnixMicro(), c.began+c.elapsed().Microseconds()))
}

// Witness takes the time of a stored event as evidence.
func (c *Clock) Witness(t int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t <= c.now.Strict {
		return // most events
	}
	t = min(t, c.wall().UnixMicro())
	// Strict is the one that is behind: what it gains is what counts.
	gain := min(t-c.now.Strict, c.gain)
	if gain <= 0 {
		return
	}
	c.gain -= gain
	c.now.Strict += gain
	c.now.Floor = max(c.now.Floor, c.now.Strict)
}

// Confirm takes the wall clock for right. strict stays as it is.
func (c *Clock) Confirm() Floor {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run()
	wall := c.wall().UnixMicro()
	c.now.Floor = max(c.now.Floor, wall)
	c.began = max(c.began, wall-c.elapsed().Microseconds())
	return c.now
}
