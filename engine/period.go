package engine

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/retention"
)

// How a store comes by its period when nobody has given it one.
//
// [Lake.MakeStore] is told. A store that an import or CreateStore makes without a period is
// undecided: it keeps everything until it gets the default,
//
//	when an import into it has ended, or
//	a day after it was made, by the passes of retention,
//
// and it gets the default only if none of its events would expire by that within a day:
// a default must not take away what somebody has just brought in. A store with older events
// stays undecided, and who imports is told. Any update of a store decides.
//
// In the catalogue an undecided store is one without a policy.

const (
	// undecidedFor is how long a store that events are appended to may wait for its first
	// ones before it gets the default period.
	undecidedFor = 24 * time.Hour

	// defaultMargin is how far events must be from expiring for a store to get the default.
	defaultMargin = 24 * time.Hour
)

// Undecided reports whether nobody has given the store a period yet; it keeps its events
// for ever until somebody does, or it gets [DefaultRetention].
func (s *Store) Undecided() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.undecided
}

// oldest returns the time of the oldest event that is in the store, ok is false when it
// has none.
func (s *Store) oldest() (t int64, ok bool) {
	sn := s.snapshot()
	defer sn.release()
	t = math.MaxInt64
	for _, seg := range sn.segments {
		t = min(t, seg.cat.MinTime)
	}
	for _, v := range sn.views {
		lo, _ := v.Times()
		t = min(t, lo)
	}
	return t, t != math.MaxInt64
}

// waiting reports whether there are stores that have waited long enough for a period.
func (l *Lake) waiting() bool {
	for _, s := range l.Stores() {
		if s.waited() {
			return true
		}
	}
	return false
}

// waited reports whether the store is undecided and a day old.
func (s *Store) waited() bool {
	return s.Undecided() && s.lake.retain.clock.Seen()-s.rec.Created >= undecidedFor.Microseconds()
}

// settle gives an undecided store the default period if that takes nothing away. The
// caller holds Lake.retain.
func (l *Lake) settle(ctx context.Context, s *Store) error {
	p := retention.Policy{Days: retention.DaysDefault}
	h := p.Horizon(l.retain.clock.Seen()+defaultMargin.Microseconds(), nil)
	// Between appends: no older event comes after the look.
	err := l.atCommit(ctx, func() error {
		l.cat.Lock()
		defer l.cat.Unlock()
		if !s.Undecided() {
			return nil
		}
		if t, ok := s.oldest(); ok && h.Expired(t) {
			return nil
		}
		clock := l.clockRecord()
		err := l.change(func(b *lsm.Batch, _ *catalog.Head) {
			policyRecord(s.rec.Number, p).Put(b)
			clock.Put(b) // time begins to matter
		})
		if err != nil {
			return err
		}
		l.retain.saved = *clock
		s.mu.Lock()
		s.mu.policy, s.mu.undecided = p, false
		s.mu.Unlock()
		return nil
	})
	if err != nil {
		return fmt.Errorf("giving store %s the default period: %w", s.Name(), err)
	}
	return nil
}

// settleWaiting gives the default period to the stores that have waited for it. The caller
// holds Lake.retain.
func (l *Lake) settleWaiting(ctx context.Context) error {
	for _, s := range l.Stores() {
		if s.waited() {
			if err := l.settle(ctx, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleImported gives the default period to a store that an import has ended into.
func (l *Lake) settleImported(ctx context.Context, s *Store) error {
	l.retain.Lock()
	defer l.retain.Unlock()
	if _, some := s.oldest(); !some || !s.Undecided() {
		return nil
	}
	return l.settle(ctx, s)
}
