package engine

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/retention"
)

// Requests about how long events stay. Package retention decides them; here they are
// carried out and recorded: first in the audit store, then in the catalogue.

// LockMode is the lock mode of a store; package retention tells what the modes mean.
type LockMode = retention.Mode

// The lock modes.
const (
	Unlocked   = retention.Unlocked
	Governance = retention.Governance
	Compliance = retention.Compliance
)

// ParseLockMode reads "none", "governance" or "compliance".
func ParseLockMode(s string) (LockMode, error) {
	m, err := retention.ParseMode(s)
	return m, policyErr(err)
}

// StoreState is where a store is in its life.
type StoreState = retention.State

// The states.
const (
	StoreEnabled = retention.Enabled
	StoreStopped = retention.Stopped
	StorePending = retention.Pending
)

// Forever is the retention period of a store whose events never expire.
const Forever = retention.Forever

// DefaultRetention is the period that a store gets when nobody gives it another, in days.
const DefaultRetention = retention.DaysDefault

// Retention is what has been decided about a store.
type Retention struct {
	// Days is the period by event time, Forever for none.
	Days uint32
	// Undecided says that nobody has given the store a period yet; see [Store.Undecided].
	Undecided bool
	Lock      LockMode
	State     StoreState
	// Protected is termination protection.
	Protected bool
	// BuiltIn stores belong to the lake and cannot be deleted.
	BuiltIn bool
	// Gone is when a store that is pending deletion is deleted for good.
	Gone time.Time
	// Holds is how many legal holds are on it.
	Holds int
	// Dropped is what has left it.
	Dropped DroppedStats
}

// DroppedStats counts what has been dropped.
type DroppedStats struct {
	Events, Segments uint64
	// RawBytes is the length of the records, Bytes what they took on disk, freed with
	// them.
	RawBytes, Bytes uint64
}

// Retention returns what has been decided about the store.
func (s *Store) Retention() Retention {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.mu.policy
	out := Retention{Days: p.Days, Undecided: s.mu.undecided, Lock: p.Mode, State: p.State, Protected: p.Protected, BuiltIn: p.Kind != retention.Ordinary, Holds: len(s.mu.holds)}
	if p.State == retention.Pending {
		out.Gone = time.UnixMicro(p.Gone).UTC()
	}
	for _, d := range s.mu.dropped {
		out.Dropped.Events += d.End - d.First
		out.Dropped.Segments += d.Segments
		out.Dropped.RawBytes += d.RawBytes
		out.Dropped.Bytes += d.StoredBytes
	}
	return out
}

// NewStore describes a store to be made.
type NewStore struct {
	Name string
	// Schema is what it holds; CloudTrail events when nil.
	Schema *event.Table
	// Days is its retention period, 7 to 3,653 or Forever.
	Days uint32
	Lock LockMode
	// Protected switches termination protection on.
	Protected bool
	// Selectors choose among the events that are offered to all stores ([Lake.Append]);
	// nil for all of the schema. [Store.Append] and imports go past them.
	Selectors *event.Selectors
}

// MakeStore makes an event data store with a retention period, or with the decision to
// keep its events for ever. (CreateStore makes one that gets the default.)
func (l *Lake) MakeStore(ctx context.Context, n NewStore) (*Store, error) {
	done, err := l.beginWrite()
	if err != nil {
		return nil, err
	}
	defer done()
	if n.Schema == nil {
		n.Schema = event.CloudTrail
	}
	p, err := retention.New(n.Days, n.Lock, n.Protected)
	if err != nil {
		return nil, fmt.Errorf("making store %q: %w", n.Name, policyErr(err))
	}
	if err := checkNewStoreName(n.Name); err != nil {
		return nil, err
	}
	if l.storeCalled(n.Name) != nil {
		return nil, failf(ErrConflict, "store %q exists already", n.Name)
	}
	sel, err := newSelection(n.Selectors, n.Schema)
	if err != nil {
		return nil, fmt.Errorf("making store %q: %w", n.Name, err)
	}
	who := ActorOf(ctx)
	act := Act{Name: "CreateEventDataStore", Request: map[string]any{"name": n.Name, "schema": n.Schema.Key,
		"retentionPeriod": n.Days, "lock": n.Lock.String(), "terminationProtectionEnabled": n.Protected}}
	if sel != nil {
		act.Request["advancedEventSelectors"] = n.Selectors.Advanced
	}
	l.retain.Lock()
	defer l.retain.Unlock()
	if !who.rights(false).Manage {
		act.Err = &retention.Refusal{Reason: retention.Denied, Detail: "to make a store needs the permission " + PermissionManage}
		return nil, errors.Join(policyErr(act.Err), l.recordAct(ctx, who, act))
	}
	if err := l.recordAct(ctx, who, act); err != nil {
		return nil, err
	}
	l.cat.Lock()
	s, err := l.makeStore(n.Name, n.Schema, &p, sel)
	l.cat.Unlock()
	if err != nil {
		l.recordFailure(ctx, who, act, err)
		return nil, err
	}
	return s, nil
}

// makeStore makes a store. The caller holds cat.
func (l *Lake) makeStore(name string, schema *event.Table, p *retention.Policy, sel *selection) (*Store, error) {
	if l.storeCalled(name) != nil {
		return nil, failf(ErrConflict, "store %q exists already", name)
	}
	rec := catalog.Store{Number: l.cat.head.NextStore, Name: name, Created: l.opts.Clock().UnixMicro(), Schema: schema.Number}
	var err error
	if rec.ID, err = newUUID(l.opts.Rand); err != nil {
		return nil, fmt.Errorf("making an ID for store %q: %w", name, err)
	}
	clock := l.clockRecord()
	err = l.change(func(b *lsm.Batch, head *catalog.Head) {
		head.NextStore++
		rec.Put(b)
		if p != nil {
			policyRecord(rec.Number, *p).Put(b)
			clock.Put(b) // time begins to matter
		}
		if sel != nil {
			sel.record(rec.Number).Put(b)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("making store %q: %w", name, err)
	}
	if p == nil {
		return l.addMade(rec, retention.Policy{}, true), nil
	}
	l.retain.saved = *clock
	s := l.addMade(rec, *p, false)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.selects = sel
	return s, nil
}

// policyErr gives a refusal the kind of an error of this package.
func policyErr(err error) error {
	switch retention.ReasonOf(err) {
	case "":
		return err
	case retention.Invalid:
		return &kindError{kind: ErrBadInput, err: err}
	case retention.Status:
		return &kindError{kind: ErrConflict, err: err}
	}
	return &kindError{kind: ErrRefused, err: err}
}

// recordFailure tells the audit store that an act that it was told of has failed.
func (l *Lake) recordFailure(ctx context.Context, who Actor, act Act, err error) {
	act.Err = err
	if err := l.recordAct(ctx, who, act); err != nil {
		l.opts.Logger.Error("the failure of an act could not be recorded", "act", act.Name, "error", err)
	}
}

// decide has a request about a store decided, recorded and carried out: want gives the
// new policy, put may add to the change of the catalogue, and apply to that of the store,
// whose lock is held.
func (l *Lake) decide(ctx context.Context, store string, act Act, want func(s *Store, p retention.Policy, holds []retention.Hold, who *Actor) (retention.Policy, error), put func(s *Store, b *lsm.Batch, clock *catalog.Clock), apply func(s *Store)) (*Store, error) {
	done, err := l.beginWrite()
	if err != nil {
		return nil, err
	}
	defer done()
	s, err := l.Store(store)
	if err != nil {
		return nil, err
	}
	l.retain.Lock()
	defer l.retain.Unlock()
	act.Store = s
	who := ActorOf(ctx)
	p, holds := s.policy()
	next, err := want(s, p, holds, &who)
	if err != nil {
		err = fmt.Errorf("%s of store %s: %w", act.Name, s.Name(), policyErr(err))
		act.Err = err
		return nil, errors.Join(err, l.recordAct(ctx, who, act))
	}
	if err := l.recordAct(ctx, who, act); err != nil {
		return nil, fmt.Errorf("nothing was changed: %w", err)
	}
	l.cat.Lock()
	clock := l.clockRecord()
	decided := next != p || act.Name == actUpdate
	err = l.change(func(b *lsm.Batch, _ *catalog.Head) {
		if decided {
			policyRecord(s.rec.Number, next).Put(b)
		}
		if put != nil {
			put(s, b, clock)
		}
		clock.Put(b)
	})
	if err == nil {
		l.retain.saved = *clock
		s.mu.Lock()
		s.mu.policy, s.mu.undecided = next, s.mu.undecided && !decided
		if apply != nil {
			apply(s)
		}
		s.mu.Unlock()
	}
	l.cat.Unlock()
	if err != nil {
		l.recordFailure(ctx, who, act, err)
		return nil, err
	}
	l.retain.poke()
	return s, nil
}

// actUpdate is the act of UpdateStore: any update decides about the period, also when it
// leaves it as it is.
const actUpdate = "UpdateEventDataStore"

// StoreUpdate is what an update changes; nil leaves as it is.
type StoreUpdate struct {
	Days      *uint32
	Lock      *LockMode
	Protected *bool
	// Bypass is the wish to use [PermissionBypassGovernance].
	Bypass bool
}

// UpdateStore changes period, lock mode or termination protection of a store. Events
// that a shorter period leaves out are invisible when it returns.
func (l *Lake) UpdateStore(ctx context.Context, store string, u StoreUpdate) error {
	req := map[string]any{"bypassGovernance": u.Bypass}
	if u.Days != nil {
		req["retentionPeriod"] = *u.Days
	}
	if u.Lock != nil {
		req["lock"] = u.Lock.String()
	}
	if u.Protected != nil {
		req["terminationProtectionEnabled"] = *u.Protected
	}
	act := Act{Name: actUpdate, Request: req}
	_, err := l.decide(ctx, store, act, func(s *Store, p retention.Policy, _ []retention.Hold, who *Actor) (retention.Policy, error) {
		req["before"] = map[string]any{"retentionPeriod": p.Days, "lock": p.Mode.String(), "terminationProtectionEnabled": p.Protected}
		return p.Update(retention.Change{Days: u.Days, Mode: u.Lock, Protected: u.Protected}, who.rights(u.Bypass))
	}, nil, nil)
	return err
}

// DeleteStore makes a store pending: it answers nothing and takes nothing, can be
// restored for seven days, and is gone after that.
func (l *Lake) DeleteStore(ctx context.Context, store string, bypass bool) error {
	if !l.importing.TryLock() {
		return failf(ErrConflict, "an import is running: delete the store when it has ended")
	}
	defer l.importing.Unlock()
	act := Act{Name: "DeleteEventDataStore", Request: map[string]any{"bypassGovernance": bypass}}
	_, err := l.decide(ctx, store, act, func(s *Store, p retention.Policy, holds []retention.Hold, who *Actor) (retention.Policy, error) {
		return p.Delete(l.retain.clock.Seen(), s.live(l.retain.clock.For(p)), len(holds), who.rights(bypass))
	}, nil, nil)
	return err
}

// live reports whether the store has events that have not expired.
func (s *Store) live(now int64) bool {
	sn := s.snapshot()
	defer sn.release()
	p, holds := s.policy()
	h := p.Horizon(now, holds)
	for _, seg := range sn.segments {
		if h.Of(seg.cat.MinTime, seg.cat.MaxTime) != retention.All {
			return true
		}
	}
	for _, v := range sn.views {
		if lo, hi := v.Times(); h.Of(lo, hi) != retention.All {
			return true
		}
	}
	return false
}

// RestoreStore takes the deletion of a store back.
func (l *Lake) RestoreStore(ctx context.Context, store string) error {
	_, err := l.decide(ctx, store, Act{Name: "RestoreEventDataStore"}, func(_ *Store, p retention.Policy, _ []retention.Hold, who *Actor) (retention.Policy, error) {
		return p.Restore(who.rights(false))
	}, nil, nil)
	return err
}

// SetIngestion starts or stops the taking of events. Imports go on in a stopped store.
func (l *Lake) SetIngestion(ctx context.Context, store string, on bool) error {
	name := "StopEventDataStoreIngestion"
	if on {
		name = "StartEventDataStoreIngestion"
	}
	_, err := l.decide(ctx, store, Act{Name: name}, func(_ *Store, p retention.Policy, _ []retention.Hold, who *Actor) (retention.Policy, error) {
		return p.Ingest(on, who.rights(false))
	}, nil, nil)
	return err
}

// Hold is a legal hold: events of a store whose times lie in a range do not expire.
type Hold struct {
	ID    uint64
	Store string
	// From and To bound the event times, both inclusive; the zero time is no bound.
	From, To time.Time
	Reason   string
	By       string // who has added it
	At       time.Time
}

// AddHold puts a legal hold on a store. Events that have expired already and are still
// there come back into sight.
func (l *Lake) AddHold(ctx context.Context, h Hold) (Hold, error) {
	who := ActorOf(ctx)
	r := retention.Hold{From: retention.AlwaysFrom, To: retention.AlwaysTo, Reason: h.Reason, By: who.Name, At: l.opts.Clock().UnixMicro()}
	req := map[string]any{"reason": h.Reason}
	if !h.From.IsZero() {
		r.From = h.From.UnixMicro()
		req["from"] = timeText(r.From)
	}
	if !h.To.IsZero() {
		r.To = h.To.UnixMicro()
		req["to"] = timeText(r.To)
	}
	s, err := l.decide(ctx, h.Store, Act{Name: "AddLegalHold", Request: req}, func(s *Store, p retention.Policy, _ []retention.Hold, who *Actor) (retention.Policy, error) {
		n := 0
		for _, other := range l.Stores() {
			_, holds := other.policy()
			n += len(holds)
		}
		l.cat.Lock()
		r.Number, r.Store = l.retain.saved.NextHold, s.rec.Number
		l.cat.Unlock()
		req["holdId"] = r.Number
		return p, p.AddHold(r, n, who.rights(false))
	}, func(s *Store, b *lsm.Batch, clock *catalog.Clock) {
		(&catalog.Hold{Store: r.Store, Number: r.Number, From: r.From, To: r.To, Reason: r.Reason, By: r.By, At: r.At}).Put(b)
		clock.NextHold = r.Number + 1
	}, func(s *Store) {
		s.mu.holds = append(append([]retention.Hold(nil), s.mu.holds...), r)
	})
	if err != nil {
		return Hold{}, err
	}
	return s.hold(&r), nil
}

func (s *Store) hold(r *retention.Hold) Hold {
	h := Hold{ID: r.Number, Store: s.Name(), Reason: r.Reason, By: r.By, At: time.UnixMicro(r.At).UTC()}
	if r.From != retention.AlwaysFrom {
		h.From = time.UnixMicro(r.From).UTC()
	}
	if r.To != retention.AlwaysTo {
		h.To = time.UnixMicro(r.To).UTC()
	}
	return h
}

// Holds returns the legal holds of all stores, by ID.
func (l *Lake) Holds() []Hold {
	var out []Hold
	for _, s := range l.Stores() {
		_, holds := s.policy()
		for i := range holds {
			out = append(out, s.hold(&holds[i]))
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// ReleaseHold takes a legal hold off; the events that only it kept expire.
func (l *Lake) ReleaseHold(ctx context.Context, id uint64, reason string) error {
	store := ""
	for _, h := range l.Holds() {
		if h.ID == id {
			store = h.Store
		}
	}
	if store == "" {
		return failf(ErrNotFound, "there is no legal hold %d", id)
	}
	act := Act{Name: "ReleaseLegalHold", Request: map[string]any{"holdId": id, "reason": reason}}
	_, err := l.decide(ctx, store, act, func(_ *Store, p retention.Policy, holds []retention.Hold, who *Actor) (retention.Policy, error) {
		for i := range holds {
			if holds[i].Number == id {
				return p, retention.MayRelease(who.rights(false))
			}
		}
		return p, failf(ErrNotFound, "there is no legal hold %d", id)
	}, func(s *Store, b *lsm.Batch, _ *catalog.Clock) {
		(&catalog.Hold{Store: s.rec.Number, Number: id}).Remove(b)
	}, func(s *Store) {
		var left []retention.Hold
		for _, h := range s.mu.holds {
			if h.Number != id {
				left = append(left, h)
			}
		}
		s.mu.holds = left
	})
	return err
}

// RetentionTime is which times the lake goes by; package retention tells what for.
type RetentionTime struct{ Floor, Strict, Seen time.Time }

// RetentionTime returns the times that the lake goes by.
func (l *Lake) RetentionTime() RetentionTime {
	now := l.retain.clock.Now()
	at := func(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
	return RetentionTime{at(now.Floor), at(now.Strict), at(l.retain.clock.Seen())}
}

// ConfirmTime says, on record, that the wall clock is right: what has expired by it may
// go, but for stores in compliance mode.
func (l *Lake) ConfirmTime(ctx context.Context) error {
	done, err := l.beginWrite()
	if err != nil {
		return err
	}
	defer done()
	l.retain.Lock()
	defer l.retain.Unlock()
	who := ActorOf(ctx)
	before := l.retain.clock.Now()
	act := Act{Name: "ConfirmTime", Request: map[string]any{"before": timeText(before.Floor), "time": timeText(l.opts.Clock().UnixMicro())}}
	if r := who.rights(false); !r.Manage || !r.BypassGovernance {
		act.Err = policyErr(&retention.Refusal{Reason: retention.Denied, Detail: fmt.Sprintf("to confirm the time needs the permissions %s and %s", PermissionManage, PermissionBypassGovernance)})
		return errors.Join(act.Err, l.recordAct(ctx, who, act))
	}
	if err := l.recordAct(ctx, who, act); err != nil {
		return err
	}
	l.retain.clock.Confirm()
	l.retain.poke()
	return l.saveClock()
}

func lower(name string) string { return strings.ToLower(name) }
