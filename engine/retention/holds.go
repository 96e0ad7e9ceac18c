package retention

import (
	"math"
	"slices"
	"time"
)

// Hold keeps the events of a store whose times lie in a range, whatever the period.
// Holds may overlap; an event is free when no hold covers it.
type Hold struct {
	Number uint64 // its ID
	Store  uint32
	// From and To are event times, both inclusive.
	From, To int64
	Reason   string
	By       string // who
	At       int64  // when
}

// Always is a hold's range without bounds.
const (
	AlwaysFrom = math.MinInt64
	AlwaysTo   = math.MaxInt64
)

// AddHold decides about a new hold on a store with this policy, in a lake with some
// holds.
func (p Policy) AddHold(h Hold, existing int, r Rights) error {
	switch {
	case !r.Manage:
		return refuse(Denied, "to hold events needs the permission %s", Manage)
	case p.State == Pending:
		return refuse(Status, "the store is pending deletion: restore it first")
	case h.Reason == "":
		return refuse(Invalid, "a legal hold needs a reason")
	case len(h.Reason) > ReasonMax:
		return refuse(Invalid, "the reason of a hold has at most %d bytes, this one has %d", ReasonMax, len(h.Reason))
	case h.From > h.To:
		return refuse(Invalid, "the hold begins after it ends")
	case existing >= HoldsMax:
		return refuse(Invalid, "there are %d holds, and at most %d", existing, HoldsMax)
	}
	return nil
}

// MayRelease decides about releasing a hold.
func MayRelease(r Rights) error {
	if !r.Manage || !r.ReleaseHold {
		return refuse(Denied, "to release a legal hold needs the permissions %s and %s", Manage, ReleaseHold)
	}
	return nil
}

// Range is a range of event times, both ends inclusive.
type Range struct{ From, To int64 }

// Horizon is the line behind which events have expired.
type Horizon struct {
	// Cutoff is the first time that has not expired; math.MinInt64 when nothing
	// expires.
	Cutoff int64
	// Held are the ranges that stay nevertheless, apart from each other and in order.
	Held []Range
}

// Horizon returns what has expired at a time, given the holds on the store.
func (p Policy) Horizon(now int64, holds []Hold) Horizon {
	h := Horizon{Cutoff: p.cutoff(now)}
	if h.Cutoff == math.MinInt64 {
		return h
	}
	for _, hold := range holds {
		if hold.From < h.Cutoff {
			h.Held = append(h.Held, Range{hold.From, hold.To})
		}
	}
	slices.SortFunc(h.Held, func(a, b Range) int {
		switch {
		case a.From < b.From:
			return -1
		case a.From > b.From:
			return 1
		}
		return 0
	})
	out := h.Held[:0]
	for _, r := range h.Held {
		if n := len(out); n > 0 && (out[n-1].To == math.MaxInt64 || r.From <= out[n-1].To+1) {
			out[n-1].To = max(out[n-1].To, r.To)
			continue
		}
		out = append(out, r)
	}
	h.Held = out
	return h
}

// cutoff returns the first time that is within the period.
func (p Policy) cutoff(now int64) int64 {
	if p.Days == Forever {
		return math.MinInt64
	}
	return now - int64(p.Days)*Day
}

// Expired reports whether an event of this time has expired.
func (h *Horizon) Expired(t int64) bool {
	if t >= h.Cutoff {
		return false
	}
	for _, r := range h.Held {
		if t < r.From {
			return true
		}
		if t <= r.To {
			return false
		}
	}
	return true
}

// Part says how many of a run of events have expired, as far as its times tell.
type Part uint8

// The parts.
const (
	None Part = iota // none has
	Some             // some may have
	All              // all have
)

// Of returns how many of the events between two times have expired.
func (h *Horizon) Of(from, to int64) Part {
	if from >= h.Cutoff {
		return None
	}
	all := to < h.Cutoff
	for _, r := range h.Held {
		if r.From <= from && min(to, h.Cutoff-1) <= r.To {
			return None
		}
		if r.From <= to && from <= r.To {
			all = false
		}
	}
	if all {
		return All
	}
	return Some
}

// Zero reports whether nothing ever expires.
func (h *Horizon) Zero() bool { return h.Cutoff == math.MinInt64 }

// SpanMax returns how far apart the times of events may lie that are merged into one
// segment of a store with this policy; 0 for any distance. A segment leaves when its
// newest event has expired, so the span is how late its oldest can be.
func (p Policy) SpanMax() time.Duration {
	if p.Days == Forever {
		return 0
	}
	return time.Duration(max(1, p.Days/8)) * 24 * time.Hour
}
