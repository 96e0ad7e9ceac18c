package retention

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Segment is what a pass has to know of a segment.
type Segment struct {
	Number uint64
	// First and End are its sequence numbers, End exclusive; MinTime and MaxTime the
	// times of its events.
	First, End       uint64
	MinTime, MaxTime int64
	// Bytes is what it takes on disk.
	Bytes uint64
}

// Store is what a pass has to know of a store.
type Store struct {
	Number   uint32
	Policy   Policy
	Holds    []Hold
	Segments []Segment // in order of sequence numbers
}

// Lake is what can be dropped from.
type Lake interface {
	// Stores returns the stores as they are.
	Stores() []Store
	// Drop removes a run of segments with neighbouring sequence numbers, after having
	// recorded that. It gives ErrChanged, and removes nothing, when they are not as they
	// were, and refuses when the store's policy or holds do not have them expired at the
	// time.
	Drop(ctx context.Context, store uint32, run []Segment, now int64) error
	// Remove removes a store for good, after having recorded that.
	Remove(ctx context.Context, store uint32, now int64) error
}

// ErrChanged is Drop's error when a segment is there no more as it was: it has become
// part of a larger one.
var ErrChanged = errors.New("the segments have changed meanwhile")

// looksMax is how often a pass looks at a store's segments: again after they have changed.
// Segments that have expired are not chosen for merging, so that happens at most once,
// by a merge that had begun before.
const looksMax = 3

// runMax is how many segments are dropped in one change: the change holds the
// catalogue, and a record of the audit store names each.
const runMax = 64

// Report is what a pass has done.
type Report struct {
	Segments int
	Events   uint64
	Bytes    uint64
	Stores   int // removed for good
}

// Pass drops every segment whose events have all expired, and every store whose time
// has come: none of these is left when it returns without an error. What fails is left
// to the next pass; the first error is returned with the others joined.
func Pass(ctx context.Context, lake Lake, clock *Clock) (Report, error) {
	var r Report
	var errs []error
	for _, s := range lake.Stores() {
		if err := ctx.Err(); err != nil {
			return r, errors.Join(append(errs, err)...)
		}
		now := clock.For(s.Policy)
		if s.Policy.State == Pending {
			if !s.Policy.Removable(now, len(s.Holds)) {
				continue // nothing of it goes before it can no longer be restored
			}
			if err := lake.Remove(ctx, s.Number, now); err != nil {
				errs = append(errs, fmt.Errorf("removing store %d: %w", s.Number, err))
			} else {
				r.Stores++
			}
			continue
		}
		err := r.drop(ctx, lake, s, now)
		for looks := 1; errors.Is(err, ErrChanged) && looks < looksMax; looks++ {
			stores := lake.Stores()
			i := slices.IndexFunc(stores, func(o Store) bool { return o.Number == s.Number })
			if i < 0 {
				err = nil
				break
			}
			err = r.drop(ctx, lake, stores[i], now)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return r, errors.Join(errs...)
}

// drop drops a store's segments whose events have all expired.
func (r *Report) drop(ctx context.Context, lake Lake, s Store, now int64) error {
	for _, run := range Expired(&s, now) {
		if err := lake.Drop(ctx, s.Number, run, now); err != nil {
			return fmt.Errorf("dropping expired events %d to %d of store %d: %w", run[0].First, run[len(run)-1].End-1, s.Number, err)
		}
		for _, seg := range run {
			r.Segments++
			r.Events += seg.End - seg.First
			r.Bytes += seg.Bytes
		}
	}
	return nil
}

// Expired returns the runs of neighbouring segments whose events have all expired.
func Expired(s *Store, now int64) [][]Segment {
	h := s.Policy.Horizon(now, s.Holds)
	if h.Zero() {
		return nil
	}
	var runs [][]Segment
	for _, seg := range s.Segments {
		if h.Of(seg.MinTime, seg.MaxTime) != All {
			continue
		}
		if n := len(runs) - 1; n >= 0 && len(runs[n]) < runMax && runs[n][len(runs[n])-1].End == seg.First {
			runs[n] = append(runs[n], seg)
			continue
		}
		runs = append(runs, []Segment{seg})
	}
	return runs
}
