package insight

import (
	"fmt"
	"math"
)

// Fate is what becomes of an incident.
type Fate uint8

// The fates.
const (
	// Learning: found in the first days of a series, remembered, not reported.
	Learning Fate = iota
	// Waiting: it has not lasted long enough to be reported, or its rate is too low.
	Waiting
	// Recurring: something like it happened before at this time of the week or day. It
	// is listed as expected, not reported.
	Recurring
	// Reported: a Start record is due, and an End record when it is over.
	Reported
)

func (f Fate) String() string {
	return [...]string{"learning", "waiting", "recurring", "reported"}[f&3]
}

// Incident is a period of unusual activity.
type Incident struct {
	Fate Fate
	// Start is the first minute, End the first after the last; while Open, End is where
	// it would end as far as is known.
	Start, End Minute
	Open       bool
	// NewLevel: it lasted for a day, or longer where it was hidden at that moment, and is the series' new level since; it may go on.
	NewLevel bool
	// Found is the minute whose calls decided that this is unusual; Decided the one that
	// decided that it is reported (later than Found if it was expected at first, or had to
	// last); Closed the one that decided that it is over. All count when they are over.
	Found, Decided, Closed Minute
	// Calls and Expected are the calls from Start to End, and those expected.
	Calls    uint64
	Expected float64
	// FirstCalls and FirstExpected are the same from Start to and with Decided (Found,
	// if not reported): what the Start record tells.
	FirstCalls    uint64
	FirstExpected float64
	// Window is the length in minutes of the window, ending with Found, that was
	// unusual; WindowCalls and WindowExpected what it held; Score how surprising that is,
	// in nats, and Threshold what was needed.
	Window         int
	WindowCalls    uint64
	WindowExpected float64
	Score          float64
	Threshold      float64
	// BaselineStart is the midnight from which the baseline of the record counts, up to
	// Start; BaselineCalls and BaselineMinutes leave out earlier incidents.
	BaselineStart   Minute
	BaselineCalls   uint64
	BaselineMinutes int
	// Recurs tells, for a Recurring incident, when it happened before: the start of the latest
	// time, and how often at this time of the week or, if Daily, of the day; if Moved, at another.
	Recurs RecursInfo
}

// RecursInfo tells why an incident was expected.
type RecursInfo struct {
	Last  Minute
	Times int
	Daily bool
	// Moved: a job that ran at another time of the day, last in the hours from Last, on Times of 6 days, was missed there
	// and is what was found. Daily is false.
	Moved bool
}

// running is an incident together with what following it needs.
type running struct {
	Incident
	calls    uint64  // from Start to now
	expected float64 // the same
	lift     float64 // ratio to the expected rate that tells unusual from normal minutes
	llr      float64 // log likelihood ratio of that lift, from Start to now
	best     float64 // its maximum, at End
	local    bool    // of Recurring: because windows held as much before at this time, see State.usually
	capCalls uint64  // of other Recurring: the most that is still expected
	capTime  int32
}

// Due tells which records of an incident rest on minutes before settled only, the minute from which on calls
// may still arrive. A reported incident whose Start record is not due is a provisional notice.
func (i *Incident) Due(settled Minute) (start, end bool) {
	start = i.Fate == Reported && i.Decided < settled
	return start, start && !i.Open && i.Closed < settled
}

// Duration is the length in minutes.
func (i *Incident) Duration() int { return int(i.End - i.Start) }

// FirstDuration is the length of what the Start record tells of.
func (i *Incident) FirstDuration() int {
	at := i.Found
	if i.Fate == Reported {
		at = i.Decided
	}
	return int(at-i.Start) + 1
}

// Baseline is the average per minute over the seven days (and the part of a day)
// before the start, zeros included, earlier incidents left out.
func (i *Incident) Baseline() float64 { return perMinute(i.BaselineCalls, i.BaselineMinutes) }

// BaselineDuration is the length of that period in minutes, as the records give it.
func (i *Incident) BaselineDuration() int { return int(i.Start - i.BaselineStart) }

// FirstAverage is the average of the Start record.
func (i *Incident) FirstAverage() float64 { return perMinute(i.FirstCalls, i.FirstDuration()) }

// Average is the average over the whole incident, of the End record.
func (i *Incident) Average() float64 { return perMinute(i.Calls, i.Duration()) }

func perMinute(n uint64, minutes int) float64 {
	if minutes <= 0 {
		return 0
	}
	return float64(n) / float64(minutes)
}

// Explain says in a sentence why the incident was found.
func (i *Incident) Explain() string {
	s := fmt.Sprintf("%d calls in %d minutes where %s were expected", i.WindowCalls, i.Window, about(i.WindowExpected))
	switch {
	case i.Fate == Recurring && i.Recurs.Moved:
		s += fmt.Sprintf("; expected, because a job of this size that ran at %s was missed there: it has moved", i.Recurs.Last.Time().Format("15:04"))
	case i.Fate == Recurring && i.Recurs.Daily:
		s += fmt.Sprintf("; expected, because it happened at this time on %d of the last 10 days", i.Recurs.Times)
	case i.Fate == Recurring:
		s += fmt.Sprintf("; expected, because it happened at this time of the week in %d earlier weeks", i.Recurs.Times)
	case i.Fate == Learning:
		s += "; not reported, the series is still being learned"
	}
	if i.NewLevel {
		s += "; it lasted for a day and is the new level"
	}
	return s
}

// about is a number of calls for people.
func about(v float64) string {
	switch {
	case v < 0.05:
		return "none"
	case v < 9.95:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%d", int64(math.Floor(v+0.5)))
}
