package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/memtable"
)

// followInterval is how often a wait for new events looks for some: soon enough for a person,
// and a few comparisons of numbers each time.
const followInterval = 100 * time.Millisecond

// followMax is how many events one call gives: with more the caller asks again at once.
const followMax = 1000

// LookupCursor says up to where somebody has followed each store, by its ID: the next sequence
// number. The zero value, nil, is the present end of all of them.
type LookupCursor map[string]uint64

// NewEvents is what has come since a cursor.
type NewEvents struct {
	// Events are in order of arrival in each store.
	Events []LookupEvent
	Cursor LookupCursor
}

// LookupNew returns the events that have come since a cursor and meet the request, whose limit and token
// say nothing here, and the cursor behind them; without any it waits for that long. It looks where
// LookupAll does, or into the one store that is named, and gives an event that is in several
// stores once. Stores that are made meanwhile are followed from their beginning.
func (l *Lake) LookupNew(ctx context.Context, req LookupRequest, store string, since LookupCursor, wait time.Duration) (*NewEvents, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	req.Limit, req.Token = 1, ""
	k, err := newLookup(req)
	if err != nil {
		return nil, fmt.Errorf("following events: %w", err)
	}
	out := &NewEvents{Cursor: LookupCursor{}}
	for id, next := range since {
		out.Cursor[id] = next
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	tick := time.NewTicker(followInterval)
	defer tick.Stop()
	for {
		stores := l.historic(nil, event.CloudTrail)
		if store != "" {
			s, err := l.Store(store)
			if err != nil {
				return nil, err
			}
			if err := s.readable(); err != nil {
				return nil, err
			}
			stores = []*Store{s}
		}
		if err := k.new(ctx, stores, since == nil, out); err != nil {
			return nil, fmt.Errorf("following events: %w", err)
		}
		if since == nil || len(out.Events) > 0 {
			return out, nil
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return out, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-l.closing:
			return nil, failf(ErrUnavailable, "the lake is closed")
		}
	}
}

// new adds what stores have behind the cursor, and moves it; atEnd only sets it.
func (k *lookup) new(ctx context.Context, stores []*Store, atEnd bool, out *NewEvents) error {
	for _, s := range stores {
		next := out.Cursor[s.ID()]
		if !atEnd && s.Events() <= next {
			continue
		}
		if err := k.newIn(ctx, s, atEnd, out); err != nil {
			return fmt.Errorf("in store %s: %w", s.Name(), err)
		}
	}
	return nil
}

func (k *lookup) newIn(ctx context.Context, s *Store, atEnd bool, out *NewEvents) error {
	sn := s.snapshot()
	defer sn.release()
	if atEnd {
		out.Cursor[s.ID()] = sn.next
		return nil
	}
	for seq := out.Cursor[s.ID()]; seq < sn.next && len(out.Events) < followMax; seq++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		out.Cursor[s.ID()] = seq + 1
		rec, err := sn.record(ctx, seq)
		if errors.Is(err, ErrNotFound) {
			continue // expired, or has left
		}
		if err != nil {
			return err
		}
		if !k.meets(rec) {
			continue
		}
		var e LookupEvent
		if err := e.fill(s.Name(), seq, rec); err != nil {
			return err
		}
		if t := e.EventTime.UnixMicro(); t < k.from || t > k.to {
			continue
		}
		twice, err := k.followed(ctx, s, &e)
		if err != nil {
			return err
		}
		if !twice {
			out.Events = append(out.Events, e)
		}
	}
	return nil
}

// meets reports whether a record has the values that the request wants.
func (k *lookup) meets(rec []byte) bool {
	for _, t := range k.terms {
		if !t.attribute.has(rec, t.value) {
			return false
		}
	}
	return true
}

// followed reports whether a store that was made before has an event too: it is told when it comes
// there.
func (k *lookup) followed(ctx context.Context, in *Store, e *LookupEvent) (bool, error) {
	if in.schema != event.CloudTrail {
		return false, nil
	}
	var ev event.Event
	if err := event.Parse(e.Record, &ev); err != nil {
		return false, err
	}
	row := memtable.Row{Raw: e.Record, Time: ev.Time, Leaf: event.LeafHash(e.Record)}
	row.ID = ev.Identity(&row.Leaf)
	for _, s := range in.lake.historic(nil, event.CloudTrail) {
		if s.rec.Number >= in.rec.Number {
			continue
		}
		sn := s.snapshot()
		_, same, _, err := sn.find(ctx, &row)
		sn.release()
		if err != nil || same {
			return same, err
		}
	}
	return false, nil
}
