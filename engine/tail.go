package engine

import (
	"context"
)

// Tail is a cursor on the end of a store: it gives the events that have come since
// it was last asked, as a snapshot to be queried. It belongs to one goroutine.
type Tail struct {
	store *Store
	view  *View // leaves out events; nil for none
	next  uint64
}

// Tail returns a cursor on a store, by name or ID, that begins with the event of
// sequence number from.
func (l *Lake) Tail(store string, from uint64) (*Tail, error) {
	s, err := l.Store(store)
	if err != nil {
		return nil, err
	}
	return &Tail{store: s, next: from}, nil
}

// Next returns the sequence number of the first event that the next Snapshot has.
func (t *Tail) Next() uint64 { return t.next }

// Wait returns when there are events that the cursor has not given, or with the
// error of ctx, or with [ErrUnavailable] when the lake is closed.
func (t *Tail) Wait(ctx context.Context) error {
	for {
		s := t.store
		s.mu.Lock()
		grown := s.mu.next > t.next
		if !grown && s.mu.grown == nil {
			s.mu.grown = make(chan struct{})
		}
		wake := s.mu.grown
		s.mu.Unlock()
		if grown {
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.lake.closing:
			return failf(ErrUnavailable, "the lake is closed")
		}
	}
}

// SeeAs makes the cursor see what another one on the same store sees: who listens for long
// may be granted more or less meanwhile.
func (t *Tail) SeeAs(other *Tail) { t.view = other.view }

// Snapshot returns the lake with only those events in the cursor's store that it has
// not given yet, and moves the cursor behind them. It must be closed.
func (t *Tail) Snapshot() (*Snapshot, error) {
	s, err := t.store.lake.lazyMomentOf(t.view)
	if err != nil {
		return nil, err
	}
	c := s.cat
	c.mu.Lock()
	defer c.mu.Unlock()
	sn := t.store.snapshot()
	c.snap[t.store] = sn
	c.from = map[*Store]uint64{t.store: t.next}
	t.next = max(t.next, sn.next)
	return s, nil
}

// wake ends the waits of cursors. The caller holds mu.
func (s *Store) wake() {
	if s.mu.grown != nil {
		close(s.mu.grown)
		s.mu.grown = nil
	}
}

// Follow returns a cursor on the events that come into a store from now on.
func (l *Lake) Follow(store string) (*Tail, error) {
	s, err := l.Store(store)
	if err != nil {
		return nil, err
	}
	return &Tail{store: s, next: s.Events()}, nil
}

// AppendTo is [Store.Append] to the store with a name or ID.
func (l *Lake) AppendTo(ctx context.Context, store string, records [][]byte) ([]Verdict, error) {
	s, err := l.Store(store)
	if err != nil {
		return nil, err
	}
	return s.Append(ctx, records)
}
