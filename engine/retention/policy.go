// Package retention decides how long events stay: periods, lock modes, termination
// protection, deletion of stores, legal holds, and what time it is for all of that. It
// is the only caller of "drop this segment" ([Lake].Drop), and does no I/O itself.
//
// # Using it
//
//	next, err := policy.Update(change, rights)       // a request, decided
//	h := policy.Horizon(now, holds)                  // what has expired, at a time
//	h.Expired(eventTime)                             // one event
//	report, err := retention.Pass(ctx, lake, clock)  // drop what can go
//
// # Periods
//
// A store keeps its events for a number of days, 7 to 3,653, counted from the time of
// the event, or without end. An event has expired when it is older than the period and
// no hold covers it. It is invisible from that moment, and leaves the disk with its
// whole segment, when all events of that have expired.
//
// # Lock modes
//
//	none         whoever manages the lake may shorten, delete, unlock
//	governance   shortening, deleting a store with events that have not expired, and
//	             lowering the mode need the permission [BypassGovernance] and the wish
//	             to use it; they are recorded
//	compliance   nobody can do any of these, whatever they may
//
// Lengthening and raising the mode are always allowed, so no sequence of requests gets
// around a lock. Releasing a hold needs [ReleaseHold] under every mode.
//
// # A store's life
//
//	           stop                    delete                 7 days
//	enabled ─────────► stopped ──┐  ┌─────────► pending ─────────────► gone
//	   ▲ ◄───────────────┘ start └──┤              │
//	   └────────────────────────────┴◄─────────────┘ restore, to what it was
//
// A pending store answers no queries and takes no events.
//
// # Time
//
// clock.go tells which time is believed for what.
//
// # Guards
//
// Every condition here that keeps an event or a store has a test that fails without it; what
// can be taken out unnoticed are shortcuts to the same answer (Horizon without a period,
// Expired of a store that keeps everything, Confirm's correction of what is seen).
package retention

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Limits of periods, in days, and of holds.
const (
	// DaysMin and DaysMax bound a period: those of CloudTrail Lake.
	DaysMin, DaysMax = 7, 3653
	// DaysDefault is the period of a store that is made with one.
	DaysDefault = 366
	// Forever is no period: events never expire.
	Forever = 0
	// HistoryDays is the fixed period of the event history.
	HistoryDays = 90
	// PendingDays is how long a deleted store can be restored.
	PendingDays = 7

	// HoldsMax bounds the holds of a lake: every query looks at those of its stores.
	HoldsMax = 10_000
	// ReasonMax bounds the reason of a hold, in bytes.
	ReasonMax = 1024
)

// Day is the length of a day in the unit of all times here, microseconds.
const Day = int64(24 * time.Hour / time.Microsecond)

// Mode is the lock mode of a store.
type Mode uint8

// The modes, each stricter than the one before. The numbers are part of the catalogue's
// format.
const (
	Unlocked Mode = iota
	Governance
	Compliance
)

// String returns the mode as users write it.
func (m Mode) String() string {
	switch m {
	case Unlocked:
		return "none"
	case Governance:
		return "governance"
	case Compliance:
		return "compliance"
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// ParseMode reads a mode.
func ParseMode(s string) (Mode, error) {
	for m := Unlocked; m <= Compliance; m++ {
		if m.String() == s {
			return m, nil
		}
	}
	return 0, refuse(Invalid, "lock mode %q is not one of none, governance, compliance", s)
}

// State is where a store is in its life.
type State uint8

// The states. The numbers are part of the catalogue's format.
const (
	Enabled State = iota
	Stopped
	Pending
)

// String returns the state as CloudTrail Lake spells it.
func (s State) String() string {
	switch s {
	case Enabled:
		return "ENABLED"
	case Stopped:
		return "STOPPED_INGESTION"
	case Pending:
		return "PENDING_DELETION"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Kind tells built-in stores from others.
type Kind uint8

// The kinds. The numbers are part of the catalogue's format.
const (
	Ordinary Kind = iota
	// History is the event history: 90 days, not to be changed or deleted.
	History
	// Audit is the store of what was done with the lake: not to be deleted.
	Audit
)

// Policy is what has been decided about a store.
type Policy struct {
	Kind Kind
	// Days is the period, Forever for none.
	Days uint32
	Mode Mode
	// Protected is termination protection: the store cannot be deleted before it is
	// taken off.
	Protected bool
	State     State
	// Before is the state that restoring a pending store brings back, Gone the time at
	// which it is deleted for good.
	Before State
	Gone   int64
}

// Valid reports whether the policy is one that decisions can lead to; anything else
// in a catalogue is damage.
func (p Policy) Valid() bool {
	switch {
	case p.Kind > Audit, p.Mode > Compliance, p.State > Pending, p.Before > Stopped:
		return false
	case p.Days != Forever && (p.Days < DaysMin || p.Days > DaysMax):
		return false
	case p.Kind == History && (p.Days != HistoryDays || p.Mode != Unlocked):
		return false
	case p.Kind != Ordinary && p.State != Enabled:
		return false
	case p.Mode == Compliance && p.Days == Forever:
		return false
	case p.State != Pending && (p.Before != Enabled || p.Gone != 0):
		return false
	case p.State == Pending && p.Protected:
		return false
	}
	return true
}

// The named permissions.
const (
	// Manage allows to change periods and locks, to delete and restore stores, and to
	// add holds.
	Manage = "cairn:ManageRetention"
	// BypassGovernance allows, when it is wished for, what governance mode forbids.
	BypassGovernance = "cairn:BypassGovernanceRetention"
	// ReleaseHold allows to release legal holds.
	ReleaseHold = "cairn:ReleaseLegalHold"
)

// Rights are what an actor may do, and wishes to.
type Rights struct {
	Manage           bool
	BypassGovernance bool
	ReleaseHold      bool
	// Bypass is the wish to use BypassGovernance in this request: a permission that one
	// has is not used by accident.
	Bypass bool
}

// Reason says in one word why a request was refused.
type Reason string

// The reasons.
const (
	Invalid   Reason = "invalid"   // the request makes no sense
	Denied    Reason = "denied"    // a permission is missing
	Locked    Reason = "locked"    // the lock mode forbids it
	Protected Reason = "protected" // termination protection is on
	Held      Reason = "held"      // there are legal holds
	BuiltIn   Reason = "built-in"  // the store belongs to the lake
	Status    Reason = "status"    // the store is not in the state for it
)

// Refusal is the error of a request that is not granted.
type Refusal struct {
	Reason Reason
	Detail string
}

// Error returns the detail.
func (r *Refusal) Error() string { return r.Detail }

func refuse(reason Reason, format string, args ...any) error {
	return &Refusal{reason, fmt.Sprintf(format, args...)}
}

// ReasonOf returns why an error refuses a request, "" when it is no refusal.
func ReasonOf(err error) Reason {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return ""
}

// Change is what an update asks for; nil leaves as it is.
type Change struct {
	Days      *uint32
	Mode      *Mode
	Protected *bool
}

// lasts is a period for comparison.
func lasts(days uint32) uint64 {
	if days == Forever {
		return math.MaxUint64
	}
	return uint64(days)
}

// Shortens reports whether the change takes time from events.
func (p Policy) Shortens(c Change) bool { return c.Days != nil && lasts(*c.Days) < lasts(p.Days) }

// New returns the policy of a new store.
func New(days uint32, mode Mode, protected bool) (Policy, error) {
	p := Policy{Days: days, Mode: mode, Protected: protected}
	if err := checkDays(days, mode); err != nil {
		return Policy{}, err
	}
	return p, nil
}

func checkDays(days uint32, mode Mode) error {
	if days != Forever && (days < DaysMin || days > DaysMax) {
		return refuse(Invalid, "a retention period is %d to %d days, or forever; not %d", DaysMin, DaysMax, days)
	}
	if mode > Compliance {
		return refuse(Invalid, "there is no lock %v", mode)
	}
	if mode == Compliance && days == Forever {
		return refuse(Invalid, "compliance mode needs a period: a store that keeps events forever could never be emptied again")
	}
	return nil
}

// mayBypass says whether something that governance mode forbids is granted.
func (p Policy) mayBypass(r Rights, what string) error {
	switch p.Mode {
	case Compliance:
		return refuse(Locked, "the store is in compliance mode: nobody can %s", what)
	case Governance:
		if !r.BypassGovernance {
			return refuse(Locked, "the store is in governance mode: to %s needs the permission %s", what, BypassGovernance)
		}
		if !r.Bypass {
			return refuse(Locked, "the store is in governance mode: to %s, ask for the bypass of governance", what)
		}
	}
	return nil
}

// Update decides about a change.
func (p Policy) Update(c Change, r Rights) (Policy, error) {
	switch {
	case !r.Manage:
		return p, refuse(Denied, "to change a store needs the permission %s", Manage)
	case p.State == Pending:
		return p, refuse(Status, "the store is pending deletion: restore it first")
	case c == Change{}:
		return p, refuse(Invalid, "an update changes period, lock mode or termination protection; this one changes nothing")
	case p.Kind == History:
		return p, refuse(BuiltIn, "the event history keeps %d days, which cannot be changed", HistoryDays)
	}
	next := p
	if c.Days != nil {
		next.Days = *c.Days
	}
	if c.Mode != nil {
		next.Mode = *c.Mode
	}
	if c.Protected != nil {
		next.Protected = *c.Protected
	}
	if err := checkDays(next.Days, next.Mode); err != nil {
		return p, err
	}
	if next.Mode < p.Mode {
		if err := p.mayBypass(r, "lower the lock mode"); err != nil {
			return p, err
		}
	}
	if p.Shortens(c) {
		if err := p.mayBypass(r, "shorten the period"); err != nil {
			return p, err
		}
	}
	return next, nil
}

// Delete decides about deleting a store: it becomes pending. seen is [Clock.Seen]: the
// floor may be months behind, and the days in which the store can be restored are counted
// from now on. live says that the store has events that have not expired, holds how many
// legal holds there are on it.
func (p Policy) Delete(seen int64, live bool, holds int, r Rights) (Policy, error) {
	switch {
	case !r.Manage:
		return p, refuse(Denied, "to delete a store needs the permission %s", Manage)
	case p.Kind != Ordinary:
		return p, refuse(BuiltIn, "the store is built in and cannot be deleted")
	case p.State == Pending:
		return p, refuse(Status, "the store is pending deletion already")
	case p.Protected:
		return p, refuse(Protected, "termination protection is on: take it off first")
	case holds > 0:
		return p, refuse(Held, "%d legal holds are on the store: release them first", holds)
	}
	if live {
		if err := p.mayBypass(r, "delete a store whose events have not all expired"); err != nil {
			return p, err
		}
	}
	p.Before, p.State, p.Gone = p.State, Pending, seen+PendingDays*Day
	return p, nil
}

// Restore decides about taking a deletion back.
func (p Policy) Restore(r Rights) (Policy, error) {
	switch {
	case !r.Manage:
		return p, refuse(Denied, "to restore a store needs the permission %s", Manage)
	case p.State != Pending:
		return p, refuse(Status, "the store is not pending deletion")
	}
	p.State, p.Before, p.Gone = p.Before, Enabled, 0
	return p, nil
}

// Ingest decides about starting or stopping the ingestion of events.
func (p Policy) Ingest(start bool, r Rights) (Policy, error) {
	from, to, verb := Stopped, Enabled, "start"
	if !start {
		from, to, verb = Enabled, Stopped, "stop"
	}
	switch {
	case !r.Manage:
		return p, refuse(Denied, "to %s ingestion needs the permission %s", verb, Manage)
	case p.Kind != Ordinary:
		return p, refuse(BuiltIn, "the store is built in: its ingestion cannot be stopped")
	case p.State != from:
		return p, refuse(Status, "to %s ingestion a store must be %v, this one is %v", verb, from, p.State)
	}
	p.State = to
	return p, nil
}

// Removable reports whether a pending store is to go for good.
func (p Policy) Removable(now int64, holds int) bool {
	return p.State == Pending && now >= p.Gone && holds == 0
}
